"""Lineage of queries, with DuckDB as the judge of what a query reads and what follows from what."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings

from reactor.core.lineage import ALL, Lineage, reads_any, touched
from reactor.sql.parse import lineage, parsed
from reactor.sql.relation import Catalogue, Table
from tests.integration.sql_random import TABLES, queries

often = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    # A query is as short as it needs to be to be read, and takes long to make shorter.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
WHOLE_ROWS = re.compile(r"\*.*(distinct|union|except|intersect|order by all)|distinct.*\*")
CONFIG: dict[str, Any] = {"threads": 1, "scalar_subquery_error_on_multiple_rows": False}
FOLDER = Path(__file__).parent / "tpc"


def catalogue(tables: dict[str, tuple[str, ...]]) -> Catalogue:
    return Catalogue({name: Table(name, own, closed=True) for name, own in tables.items()})


@contextmanager
def undone(database: duckdb.DuckDBPyConnection) -> Iterator[None]:
    database.execute("begin")
    try:
        yield
    finally:
        database.execute("rollback")


def names(database: duckdb.DuckDBPyConnection, query: str) -> list[str] | None:
    """The columns that a query answers with, or None if it cannot be understood."""
    try:
        database.execute(f"create or replace temp view judged as {query}")
    except (duckdb.BinderException, duckdb.CatalogException):
        return None
    return [row[0] for row in database.execute("describe judged").fetchall()]


@contextmanager
def without(
    database: duckdb.DuckDBPyConnection, dropped: Iterable[tuple[str, str]]
) -> Iterator[None]:
    with undone(database):
        for table, column in dropped:
            database.execute(f'alter table "{table}" drop column "{column}"')
        yield


def judged(
    database: duckdb.DuckDBPyConnection,
    query: str,
    found: Lineage,
    tables: dict[str, tuple[str, ...]],
) -> list[tuple[str, str]]:
    """Asserts that the query can do without exactly the columns it is not said to read."""
    read, others = split(found, tables)
    answered = names(database, query)
    # A table has at least one column.
    idle = {(table, own[0]) for table, own in tables.items() if table not in dict(read)}
    with without(database, [each for each in others if each not in idle]):
        assert names(database, query) == answered
    for table, column in read:
        # Without the column its name may mean what the select list has called so, or a column of
        # a table further out; and a star that rows are told apart by needs none in particular.
        whole = WHOLE_ROWS.search(query) and (table, column) in found.shaping
        bare = re.search(rf'(?<![.\w"])"?{column}\b', query, re.IGNORECASE)
        elsewhere = any(column in own for name, own in tables.items() if name != table)
        if f" as {column}" in query or whole or (bare and elsewhere):
            continue
        with without(database, [(table, column)]):
            assert names(database, query) != answered, (table, column)
    return read


def split(
    found: Lineage, tables: dict[str, tuple[str, ...]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The columns that a lineage says are read, and the others of all tables."""
    every = [(table, column) for table, own in tables.items() for column in own]
    read = [each for each in every if reads_any(found, each[0], frozenset({each[1]}))]
    return read, [each for each in every if each not in read]


def tpc(kind: str) -> list[Any]:
    text = (FOLDER / f"{kind}.sql").read_text()
    listed = [query.strip() for query in text.split(";") if query.strip()]
    return [pytest.param(query, id=f"{kind}-{n}") for n, query in enumerate(listed, 1)]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, tuple[str, ...]]]]:
    database = duckdb.connect(config=CONFIG)
    for kind in ("tpc_h", "tpc_ds"):
        schema = f"create schema {kind}; use {kind};"
        database.execute(schema + (FOLDER / f"{kind}_tables.sql").read_text())
    yield database, {}
    database.close()


@pytest.mark.parametrize("query", [*tpc("tpc_h"), *tpc("tpc_ds")])
def test_of_a_benchmark_query_exactly_the_columns_are_read_without_which_it_fails(
    query: str, warehouse: Any, request: pytest.FixtureRequest
) -> None:
    database, _ = warehouse
    database.execute(f"use {request.node.callspec.id.partition('-')[0]}")
    tables: dict[str, tuple[str, ...]] = {}
    listed = "select schema_name, table_name, column_name, column_index from duckdb_columns()"
    here = f"from ({listed}) where schema_name = current_schema() order by all"
    for _, table, column, _ in database.execute(here).fetchall():
        tables[table] = (*tables.get(table, ()), column)
    found, unknown = lineage(parsed(query, "duckdb"), catalogue(tables))
    assert unknown == []
    answered = names(database, query)
    assert answered is not None
    if found.columns is not None:
        assert found.columns == {name.lower() for name in answered}
    assert judged(database, query, found, {table: tables[table] for table in found.reads})


def filled(database: duckdb.DuckDBPyConnection, chance: random.Random) -> None:
    database.execute("select setseed(0.5)")
    for table, own in TABLES.items():
        database.execute(
            f"create table {table} (rank integer, {', '.join(f'{c} integer' for c in own)})"
        )
        for rank in range(5):
            values = [chance.choice([0, 1, 2, 3, None]) for _ in own]
            database.execute(
                f"insert into {table} values ({rank}, {', '.join('?' * len(own))})", values
            )
        database.execute(f"alter table {table} drop column rank")


def answers(database: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], list[Any]]:
    database.execute(f"create or replace temp table answer as {query}")
    columns = [row[0].lower() for row in database.execute("describe answer").fetchall()]
    return columns, database.execute("from answer").fetchall()


@often
@given(queries())
def test_of_a_random_query_exactly_the_columns_are_read_without_which_it_fails(query: str) -> None:
    note(query)
    with duckdb.connect(config=CONFIG) as database:
        filled(database, random.Random(1))
        assume(names(database, query) is not None)
        found, unknown = lineage(parsed(query, "duckdb"), catalogue(TABLES))
        assert unknown == []
        read = judged(database, query, found, TABLES)
        # Nothing known of any table: perhaps more, but nothing less.
        guessed, _ = lineage(parsed(query, "duckdb"), Catalogue({}))
        for table, column in read:
            assert reads_any(guessed, table, frozenset({column})), (table, column)


@often
@given(queries())
def test_only_the_columns_that_derive_from_a_column_change_with_it(query: str) -> None:
    note(query)
    chance = random.Random(query)
    with duckdb.connect(config=CONFIG) as database:
        filled(database, chance)
        assume(names(database, query) is not None)
        columns, rows = answers(database, query)
        known, _ = lineage(parsed(query, "duckdb"), catalogue(TABLES))
        guessed, _ = lineage(parsed(query, "duckdb"), Catalogue({}))
        assert known.columns is None or known.columns == set(columns)
        for table, own in TABLES.items():
            for column in own:
                with undone(database):
                    database.execute(f"update {table} set {column} = (random() * 4)::integer")
                    _, now = answers(database, query)
                for found in (known, guessed):
                    may = touched(found, {table: frozenset({column})})
                    note(f"{table}.{column} touches {may}")
                    if may is not ALL:
                        same = [at for at, name in enumerate(columns) if name not in may]
                        assert kept_of(now, same) == kept_of(rows, same)


def kept_of(rows: list[Any], places: list[int]) -> Counter[Any]:
    return Counter(tuple(row[at] for at in places) for row in rows)
