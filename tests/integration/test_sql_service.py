"""SQL assets in a service that runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reactor import Daily, Pipeline, field
from reactor.cli.service import prepare
from reactor.settings import Settings
from sensors import Webhook
from tests.integration.serving import posted, serving

pytestmark = pytest.mark.anyio


def ask(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        *before, last = statements
        for statement in before:
            connection.execute(statement)
        return connection.execute(last).fetchall()


async def test_an_event_launches_a_query_and_those_that_read_its_table(tmp_path: Path) -> None:
    lake = tmp_path / "lake.db"
    ask(
        lake,
        "create table orders (region, amount)",
        "insert into orders values ('eu', 5), ('us', 2)",
    )
    shop, hook = Pipeline("shop"), Webhook("orders")
    database = f"sqlite:///{lake}"

    @shop.asset(on=hook, sql="select region, amount from orders", database=database)
    def clean(): ...

    @shop.asset(
        sql="select region, sum(amount) as total from clean group by region", database=database
    )
    def revenue(): ...

    @shop.asset(sql="select nothing from clean_ish", database=database)
    def elsewhere(): ...

    @shop.check(revenue)
    def there_is_some(revenue: str) -> bool:
        return revenue == "revenue"

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", n=1))
        await served.until_status("revenue", "materialized")
        assets = await served.store.read.assets()
        assert assets["revenue"]["materialization"]["handle"] == "revenue"
        assert await served.statuses("elsewhere") == []
    assert ask(lake, "select * from revenue order by region") == [("eu", 5), ("us", 2)]


async def test_a_query_is_given_its_partition_and_its_window(tmp_path: Path) -> None:
    lake = tmp_path / "lake.db"
    rows = "insert into orders values ('2026-01-01', 5), ('2026-01-02', 2), ('2026-01-02', 3)"
    ask(lake, "create table orders (day, amount)", rows)
    shop, hook = Pipeline("shop"), Webhook("orders")

    @shop.asset(
        on=hook,
        sql="""
            select day, sum(amount) as total from orders
            where day = :partition and day >= date(:window_start) and day < date(:window_end)
            group by day
        """,
        database=f"sqlite:///{lake}",
        partitions=Daily("2026-01-01").by(field.day),
        partition_column="day",
    )
    def sales(): ...

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", day="2026-01-02"))
        await served.until_status("sales", "materialized")
    assert ask(lake, "select * from sales") == [("2026-01-02", 5)]


async def test_a_query_that_fails_fails_its_step_with_what_the_database_says(
    tmp_path: Path,
) -> None:
    shop, hook = Pipeline("shop"), Webhook("orders")

    @shop.asset(on=hook, sql="select a from nowhere", database=f"sqlite:///{tmp_path}/lake.db")
    def broken(): ...

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", n=1))
        await served.until_status("broken", "failed")
        [run] = await served.store.read.runs()
        found = await served.store.read.run(run["id"])
        assert "no such table: nowhere" in str(found)


def test_a_start_warns_of_a_connection_that_the_settings_lack() -> None:
    shop = Pipeline("shop")

    @shop.asset(sql="select 1 as n", database="warehouse")
    def known(): ...

    @shop.asset(sql="select 1 as n", database="warehuose")
    def unknown(): ...

    settings = Settings(connections={"warehouse": "sqlite:///lake.db"})
    with capture_logs() as lines:
        prepare(shop.definition(), settings)
    assert lines == [
        {
            "event": "no such connection",
            "log_level": "warning",
            "asset": "unknown",
            "connection": "warehuose",
        }
    ]
