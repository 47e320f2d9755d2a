"""What breaking schema changes hold, on the page."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import httpx
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from reactor.pipeline import Pipeline
from sensors import SchemaChanges
from tests.browser.test_page import chrome, click, find, page, served, shows, state, until

__all__ = ["chrome", "page"]


def test_what_a_schema_change_holds_is_shown_and_let_go(page: Chrome, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    database = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    database.execute("CREATE TABLE orders (id INTEGER, amount INTEGER)")
    shop = Pipeline("shop", sensors=[SchemaChanges(url, every="20ms", name="tables")])

    @shop.asset(reads={"orders": ["amount"]})
    async def revenue() -> None: ...

    @shop.asset
    async def report(revenue: Any) -> None: ...

    with served(shop, tmp_path) as web:
        page.get(web.url)
        shows(page, "#link", "live")
        assert not find(page, '[aria-label="Held"]').is_displayed()
        until(
            lambda: all(each["up"] for each in httpx.get(f"{web.url}/api/sensors").json()),
            "the first look",
        )
        database.execute("ALTER TABLE orders DROP COLUMN amount")
        shows(page, ".hold", "orders: column amount removed")
        shows(page, ".hold .who", "holds revenue, report")
        until(lambda: state(page, "report") == "held", "report is held")
        assert page.find_elements(By.CSS_SELECTOR, ".problem") == []
        click(page, '.node[data-id="asset:report"]')
        shows(page, ".detail .doc", "hold 1: orders: column amount removed")
        page.get(f"{web.url}/#/runs/1")
        shows(page, ".detail", "held")
        page.get(f"{web.url}/#/")
        click(page, ".hold .action")
        until(lambda: not find(page, '[aria-label="Held"]').is_displayed(), "it goes on")
        until(lambda: state(page, "report") == "materialized", "report catches up")
    database.close()
