"""A column of a real PostgreSQL table goes, and comes back, under a running service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from anyio import to_thread
from httpx import Response

from reactor.pipeline import Pipeline
from sensors import SchemaChanges
from tests.integration.web_service import Feed, Running, running
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.anyio


class Shop:
    """A pipeline over a table, the service that runs it, and a connection that alters the table."""

    def __init__(self, web: Running, connection: Any, ran: list[str]) -> None:
        self.web, self._connection, self.ran = web, connection, ran

    async def alter(self, statement: str) -> None:
        await to_thread.run_sync(partial(self._connection.execute, statement.encode()))

    async def holds(self, true: Callable[[Any], bool]) -> Any:
        return await self.web.until("/api/holds", true)

    async def ended(self, runs: int) -> list[str]:
        """How the runs ended, the newest first, once there are so many and none is going on."""
        page = await self.web.until(
            "/api/runs",
            lambda page: (
                len(page["items"]) == runs and all(run["finished"] for run in page["items"])
            ),
        )
        return [run["status"] for run in page["items"]]

    async def acknowledge(self, id: int, **order: str) -> Response:
        return await self.web.http.post(f"/api/holds/{id}/ack", json=order)


def pipeline(url: str, ran: list[str], *, reads: str = "amount") -> Pipeline:
    shop = Pipeline("shop", owner="data@shop.example")
    tables = SchemaChanges(url, tables="public.*", every="20ms", name="shop", notify=False)
    orders = Feed("orders")
    shop.rule(tables, "mirror", name="mirror")

    def does(name: str) -> Callable[..., Any]:
        async def work() -> None:
            ran.append(name)

        return work

    @shop.asset(on=orders)
    async def raw() -> None:
        ran.append("raw")

    @shop.asset(reads={"orders": [reads]})
    async def revenue(raw: Any = None) -> None:
        ran.append("revenue")

    @shop.asset
    async def report(revenue: Any) -> None:
        ran.append("report")

    shop.asset(reads={"public.orders": ["id"]}, name="count")(does("count"))
    shop.asset(name="mirror")(does("mirror"))
    return shop


@asynccontextmanager
async def serving(url: str, folder: Path, **how: Any) -> AsyncIterator[Shop]:
    ran: list[str] = []
    async with running(pipeline(url, ran, **how), folder) as web:
        with psycopg.connect(url, autocommit=True) as connection:
            await web.until("/api/sensors", lambda found: all(each["up"] for each in found))
            yield Shop(web, connection, ran)


@pytest.fixture
def url(postgres: Postgres) -> str:
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, amount integer, note text)")
    return url


async def test_a_dropped_column_holds_its_readers_until_that_is_acknowledged(
    url: str, tmp_path: Path
) -> None:
    async with serving(url, tmp_path) as shop:
        await shop.alter("ALTER TABLE orders DROP COLUMN amount")
        [hold] = await shop.holds(lambda holds: holds)
        assert (hold["table"], hold["text"]) == ("public.orders", "column amount removed")
        assert (hold["readers"], hold["assets"]) == (["revenue"], ["revenue", "report"])
        assert hold["owners"] == ["data@shop.example"]
        await shop.web.emit("orders", {}, "1")
        await shop.web.until("/api/runs?status=held", lambda page: len(page["items"]) == 2)
        # Whoever asked for any change of the tables is launched, and so is what came meanwhile.
        assert sorted(shop.ran) == ["mirror", "raw"]
        [alert] = (await shop.web.http.get("/api/alerts?open=true")).json()
        assert alert["waiting"] == ["revenue", "report"]
        assets = {each["name"]: each for each in (await shop.web.http.get("/api/assets")).json()}
        assert assets["report"]["held"] == "hold 1: public.orders: column amount removed"
        assert assets["count"]["held"] == ""

        answer = await shop.acknowledge(1, note="revenue reads total now")
        assert answer.status_code == 202
        assert await shop.ended(3) == ["succeeded"] * 3
        assert sorted(shop.ran) == ["mirror", "raw", "report", "revenue"]
        assert await shop.holds(lambda holds: not holds) == []
        [audit] = await shop.web.service.read.audit(limit=1)
        assert (audit["action"], audit["target"]) == ("ack", "hold 1")
        [alert] = (await shop.web.http.get("/api/alerts")).json()
        assert alert["text"].endswith("is over: acknowledged: revenue reads total now")


async def test_a_column_that_was_renamed_and_back_lets_go_and_runs_nothing(
    url: str, tmp_path: Path
) -> None:
    async with serving(url, tmp_path) as shop:
        await shop.alter("ALTER TABLE orders RENAME COLUMN amount TO total")
        [hold] = await shop.holds(lambda holds: holds)
        assert hold["text"] == "column amount renamed to total"
        await shop.alter("ALTER TABLE orders RENAME COLUMN total TO amount")
        await shop.holds(lambda holds: not holds)
        assert sorted(await shop.ended(3)) == ["cancelled", "succeeded", "succeeded"]
        assert shop.ran == ["mirror", "mirror"]


async def test_a_column_that_was_dropped_and_made_again_is_read_anew_once(
    url: str, tmp_path: Path
) -> None:
    async with serving(url, tmp_path) as shop:
        await shop.alter("ALTER TABLE orders DROP COLUMN amount")
        await shop.holds(lambda holds: holds)
        await shop.alter("ALTER TABLE orders ADD COLUMN amount integer")
        await shop.holds(lambda holds: not holds)
        await shop.ended(4)
        # Its values are others.
        assert [name for name in shop.ran if name != "mirror"] == ["revenue", "report"]


async def test_a_hold_outlives_the_service_and_ends_with_the_pipeline_that_caused_it(
    url: str, tmp_path: Path
) -> None:
    async with serving(url, tmp_path) as shop:
        await shop.alter("ALTER TABLE orders RENAME COLUMN amount TO total")
        await shop.holds(lambda holds: holds)
    async with serving(url, tmp_path) as shop:
        assert [hold["id"] for hold in await shop.holds(lambda holds: holds)] == [1]
        assert shop.ran == []
    async with serving(url, tmp_path, reads="total") as shop:
        await shop.web.until("/api/holds", lambda holds: not holds)
        await shop.web.until("/api/runs?status=succeeded", lambda page: page["items"])
        assert "revenue" in shop.ran


async def test_what_is_not_held_is_said_to_be_so(url: str, tmp_path: Path) -> None:
    async with serving(url, tmp_path) as shop:
        answer = await shop.acknowledge(7)
        assert answer.status_code == 404
        assert answer.json()["error"] == "there is no open hold 7"
        assert (await shop.web.http.get("/api/holds/7")).status_code == 404
