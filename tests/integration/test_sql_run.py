"""Statements that are carried out: on PostgreSQL, SQLite and DuckDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import duckdb
import psycopg
import pytest
from anyio import to_thread

from reactor import table_version
from reactor.core.errors import StepError
from reactor.definition import Output
from reactor.ports import Job
from reactor.sql.run import SqlExecutor
from reactor.sql.statement import Statement, dialect_of
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.anyio
KINDS = ("postgresql", "sqlite", "duckdb")
FOREVER = {
    "postgresql": "select count(*) as n from generate_series(1, 9999) a,"
    " generate_series(1, 9999) b, generate_series(1, 9999) c",
    "sqlite": "with recursive r(n) as (select 1 union all select n + 1 from r)"
    " select count(*) as n from r",
    "duckdb": "select count(*) as n from range(1000000) a, range(1000000) b"
    " where a.range % 7 = b.range % 5",
}


@dataclass(frozen=True)
class Database:
    """A database, and a way to ask it that has nothing to do with ours."""

    kind: str
    url: str
    connect: Callable[[], Any]

    def ask(self, *statements: str) -> list[Any]:
        """Carries out statements, each in a transaction of its own; answers the last one's rows."""
        connection = self.connect()
        try:
            *before, last = statements
            for statement in before:
                connection.execute(statement)
            found = connection.execute(last)
            return [tuple(row) for row in found.fetchall()] if found.description else []
        finally:
            connection.close()


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    kind = request.param
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.database()
        yield Database(kind, url, partial(psycopg.connect, url, autocommit=True))
        return
    path = str(tmp_path / f"shop.{kind}")
    if kind == "duckdb":
        yield Database(kind, f"duckdb:///{path}", partial(duckdb.connect, path))
        return
    connect = partial(sqlite3.connect, path, isolation_level=None, timeout=5)
    yield Database(kind, f"sqlite:///{path}", connect)


def statement(database: Database, sql: str, **more: Any) -> Statement:
    dialect = dialect_of(database.url)
    return Statement("revenue", sql, more.pop("table", "revenue"), database.url, dialect, **more)


def job(
    what: Statement,
    partition: str | None = None,
    window: tuple[datetime, datetime] | None = None,
    connections: Mapping[str, str] | None = None,
) -> Job:
    given = SimpleNamespace(start=window[0], end=window[1]) if window is not None else None

    def connection(name: str) -> str:
        return (connections or {})[name]

    context = SimpleNamespace(partition=partition, window=given, connection=connection)
    return Job("revenue", 1, 1, what, {"context": context})


async def run(what: Statement, *about: Any, **more: Any) -> Output:
    return await SqlExecutor().run(job(what, *about, **more))


def day(number: int) -> tuple[str, tuple[datetime, datetime]]:
    start = datetime(2026, 1, number, tzinfo=UTC)
    return start.date().isoformat(), (start, start + timedelta(days=1))


async def test_the_answer_becomes_the_rows_of_the_table(database: Database) -> None:
    database.ask(
        "create table orders (id int, amount int)", "insert into orders values (1, 5), (2, 7)"
    )
    total = statement(database, "select id, amount * 2 as total from orders -- twice\n;")
    done = await run(total)
    assert done == Output("revenue", metadata={"rows": 2})
    assert database.ask("select * from revenue order by id") == [(1, 10), (2, 14)]
    database.ask("delete from orders where id = 1")
    assert (await run(total)).metadata == {"rows": 1}
    assert database.ask("select * from revenue") == [(2, 14)]


async def test_after_a_failure_the_old_rows_are_there(database: Database) -> None:
    database.ask("create table orders (id int, amount text)", "insert into orders values (1, '5')")
    await run(statement(database, "select id, amount from orders"))
    with pytest.raises(StepError, match=r"(?i)nowhere"):
        await run(statement(database, "select id, amount from nowhere"))
    assert database.ask("select * from revenue") == [(1, "5")]


async def test_a_row_that_the_table_refuses_leaves_the_old_ones(database: Database) -> None:
    database.ask("create table revenue (id int check (id < 10))", "insert into revenue values (1)")
    with pytest.raises(StepError, match=r"(?i)check|constraint"):
        await run(statement(database, "select 3 as id union all select 12"))
    assert database.ask("select * from revenue") == [(1,)]


async def test_the_columns_become_those_of_the_answer(database: Database) -> None:
    await run(statement(database, "select 1 as id, 'x' as name"))
    await run(statement(database, "select 2 as id, 3 as total"))
    assert database.ask("select id, total from revenue") == [(2, 3)]
    with pytest.raises((psycopg.Error, sqlite3.Error, duckdb.Error)):
        database.ask("select name from revenue")


async def test_who_reads_meanwhile_sees_all_old_rows_or_all_new_ones(
    database: Database,
) -> None:
    size = 2_000
    rows = {
        "postgresql": f"select {{0}} as round from generate_series(1, {size})",
        "sqlite": "with recursive r(n) as (select 1 union all select n + 1 from r where n < "
        f"{size}) select {{0}} as round from r",
        "duckdb": f"select {{0}} as round from range({size})",
    }[database.kind]
    if database.kind == "sqlite":
        database.ask("pragma journal_mode = wal")
    await run(statement(database, rows.format(0)))
    seen: set[tuple[int, int, int]] = set()
    going = True

    def look() -> None:
        connection = database.connect()
        try:
            while going:
                asked = "select count(*), min(round), max(round) from revenue"
                seen.add(tuple(connection.execute(asked).fetchone()))
        finally:
            connection.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, look)
        for number in range(1, 6):
            await run(statement(database, rows.format(number)))
        going = False
    assert seen
    assert all(count == size and low == high for count, low, high in seen)


async def test_only_the_rows_of_its_partition_are_replaced(database: Database) -> None:
    database.ask(
        "create table orders (day date, amount int)",
        "insert into orders values ('2026-01-01', 5), ('2026-01-02', 7), ('2026-01-02', 1)",
    )
    sql = """
        select day, sum(amount) as total from orders
        where day >= cast(:partition as date) and day < cast(:window_end as date) group by day
    """
    if database.kind == "sqlite":
        sql = "select day, sum(amount) as total from orders where day = :partition group by day"
    daily = statement(database, sql, partition_column="day")
    for number in (1, 2):
        assert (await run(daily, *day(number))).metadata == {"rows": 1}
    database.ask("update orders set amount = 100")
    await run(daily, *day(2))
    assert [row[1] for row in database.ask("select * from revenue order by day")] == [5, 200]


async def test_rows_of_other_partitions_are_refused(database: Database) -> None:
    named = statement(database, "select 'eu' as region, 1 as n", partition_column="region")
    await run(named, "eu")
    stray = replace(named, sql="select 'eu' as region, 1 as n union all select 'us', 2")
    with pytest.raises(StepError, match="1 of its rows are not of the partition eu by region"):
        await run(stray, "eu")
    assert database.ask("select * from revenue") == [("eu", 1)]
    with pytest.raises(StepError, match="no column region"):
        await run(replace(named, sql="select 1 as n"), "eu")


async def test_a_parameter_that_a_step_does_not_have_is_an_error(database: Database) -> None:
    with pytest.raises(StepError, match="asks for :partition, and the step has none"):
        await run(statement(database, "select :partition as p"))


async def test_what_only_looks_like_a_parameter_is_left_alone(database: Database) -> None:
    sql = "select ':partition' as a, '100%' as b, 1 as c -- :window_end"
    await run(statement(database, sql))
    assert database.ask("select a, b from revenue") == [(":partition", "100%")]


@pytest.mark.parametrize("when", ["at once", "as it runs"])
async def test_cancelling_ends_the_query_for_real(database: Database, when: str) -> None:
    await run(statement(database, "select 7 as n"))
    endless = statement(database, FOREVER[database.kind])
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, endless)
            if when == "as it runs":
                await anyio.sleep(0.3)
            tasks.cancel_scope.cancel()
    # Nothing of it is left, and whoever comes next can write.
    if database.kind == "postgresql":
        asked = "select count(*) from pg_stat_activity where application_name = 'reactor'"
        with anyio.fail_after(10):
            while database.ask(f"{asked} and datname = current_database()") != [(0,)]:
                await anyio.sleep(0.02)
    assert database.ask("select n from revenue") == [(7,)]
    await run(statement(database, "select 8 as n"))
    assert database.ask("select n from revenue") == [(8,)]


async def test_many_write_the_tables_of_one_database_at_once(database: Database) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(8):
            what = statement(database, f"select {number} as n", table=f"t{number % 4}")
            tasks.start_soon(run, what)
    found = [database.ask(f"select count(*), max(n) % 4 from t{number}") for number in range(4)]
    assert found == [[(1, number)] for number in range(4)]


async def test_the_database_may_be_a_connection_of_the_settings(database: Database) -> None:
    named = replace(statement(database, "select 1 as n"), database="warehouse")
    await run(named, connections={"warehouse": database.url})
    assert database.ask("select n from revenue") == [(1,)]
    with pytest.raises(StepError, match="say database="):
        await run(named)


async def test_the_version_of_a_table_is_its_size_and_how_far_it_has_come(
    database: Database,
) -> None:
    await run(statement(database, "select 3 as n union all select 5"))
    assert table_version(database.url, "revenue", "n")(None) == "2 rows up to 5"
    assert table_version(database.url, "revenue")(None) == "2 rows"
    with pytest.raises(StepError, match="version cannot be read"):
        table_version(database.url, "nowhere")(None)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/shop", "cannot be replaced whole"),
        ("sqlite://", "ends with the step"),
        ("duckdb:///:memory:", "ends with the step"),
        ("postgresql://localhost:badport/x", "cannot be read"),
    ],
)
async def test_a_database_that_cannot_do_it_is_refused_with_the_reason(
    url: str, message: str
) -> None:
    with pytest.raises(StepError, match=message):
        await run(Statement("revenue", "select 1 as n", "revenue", url))


async def test_grants_and_views_of_a_table_in_postgresql_stay(postgres: Postgres) -> None:
    url = postgres.database()
    database = Database("postgresql", url, partial(psycopg.connect, url, autocommit=True))
    await run(statement(database, "select 1 as id, 5 as total"))
    database.ask(
        "create view seen as select id from revenue",
        "drop role if exists reader",
        "create role reader",
        "grant select on revenue to reader",
        "create index on revenue (id)",
    )
    await run(statement(database, "select 2 as id, 'more' as word, 5 as total"))
    assert database.ask("set role reader", "select id, word from revenue") == [(2, "more")]
    assert database.ask("select id from seen") == [(2,)]
    assert database.ask("select count(*) from pg_indexes where tablename = 'revenue'") == [(1,)]
    with pytest.raises(StepError, match="drop or change the view"):
        await run(statement(database, "select 5 as total"))
    assert database.ask("select id from seen") == [(2,)]


async def test_a_table_may_be_in_a_schema_of_its_own(postgres: Postgres) -> None:
    url = postgres.database()
    database = Database("postgresql", url, partial(psycopg.connect, url, autocommit=True))
    database.ask("create schema marts")
    await run(statement(database, "select 1 as n", table="marts.Revenue"))
    assert database.ask('select n from marts."Revenue"') == [(1,)]
