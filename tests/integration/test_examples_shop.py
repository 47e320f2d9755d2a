"""The shop of examples/ as a service, with real files and a real database; its broker is away."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.integration.cli_service import served
from tests.integration.processes import until

SHOP = Path(__file__).parents[2] / "examples" / "shop"
NOBODY = {"REACTOR_KAFKA": "127.0.0.1:1"}
FILE = [
    *("raw_sales[2026-01-05-eu]", "clean_sales[2026-01-05-eu]", "rejected_rows[2026-01-05-eu]"),
    *("region_sales[eu]", "region_letter[eu]", "complaint[eu]"),
    *("store_sales[2026-01-05]", "revenue[2026-01-05]"),
    *("against_yesterday[2026-01-05]", "against_yesterday[2026-01-06]"),
    *("monthly_revenue[2026-01]", "tax_statement[2026-01]", "dashboard"),
]

BELOW = [
    *("stock_value", "low_stock", "catalogue", "categories"),
    *("shop_page", "price_feed", "purchase_list", "dashboard"),
]


def ask(*statements: str) -> list[Any]:
    with closing(sqlite3.connect("shop.db", isolation_level=None)) as database:
        for statement in statements[:-1]:
            database.execute(statement)
        return database.execute(statements[-1]).fetchall()


def deliver(path: Path, text: str) -> None:
    """A whole file comes in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}")
    hidden.write_text(text)
    os.rename(hidden, path)


class Watched:
    """The runs of a service, one after the other; a schedule may tick at any time beside them."""

    RULES = ("raw_sales", "by hand", "schema: shop")

    def __init__(self, url: str) -> None:
        self.http, self.runs = httpx.Client(base_url=url, timeout=30), 0

    def next_run(self, happens: Callable[[], object]) -> list[str]:
        """What the next run made, once it has ended."""
        self.runs += 1
        happens()
        until(lambda: self._run().get("finished"), within=60)
        whole = self.http.get(f"/api/runs/{self._run()['id']}").json()
        steps = [step for step in whole["steps"] if step["status"] == "materialized"]
        return sorted(
            step["asset"] if step["partition"] is None else f"{step['asset']}[{step['partition']}]"
            for step in steps
        )

    def _run(self) -> dict[str, Any]:
        items = reversed(self.http.get("/api/runs").json()["items"])
        ours = [run for run in items if run["rule"] in self.RULES]
        return ours[self.runs - 1] if len(ours) >= self.runs else {}


def test_the_shop_runs_what_its_simulation_says(tmp_path: Path, monkeypatch: Any) -> None:
    shutil.copy(SHOP / "pipeline.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    ask(*(SHOP / "tables.sql").read_text(encoding="utf-8").rstrip().rstrip(";").split(";"))
    file = Path("inbox/2026-01-05/eu.csv")
    roots = ["stg_products", "stg_prices", "stg_suppliers", "stg_stock"]
    with served(tmp_path, env=NOBODY) as service:
        shop = Watched(service.url)
        assert shop.next_run(lambda: deliver(file, "sku,amount\n1,29.5\n")) == sorted(FILE)
        assert shop.next_run(lambda: deliver(file, "sku,amount\n1,29.5\n")) == []
        assert shop.next_run(lambda: deliver(file, "sku,amount\n1,30\n")) == sorted(FILE)

        by_hand = {"assets": roots}
        night = shop.next_run(lambda: shop.http.post("/api/materialize", json=by_hand))
        assert night == sorted([*roots, *BELOW])
        assert ask("select * from catalogue where id = 2") == [(2, "lamp", "living", 45, "EUR")]

        phone = shop.next_run(lambda: ask("alter table suppliers add column phone text"))
        assert phone == ["purchase_list", "stg_suppliers"]
        assert ask("select name, phone from stg_suppliers") == [("Steel & Sons", None)]
        shop.http.close()
