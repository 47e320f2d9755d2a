"""Which databases are one, and whom a change in one of them concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from reactor import Pipeline
from reactor.sql.database import database_of
from reactor.testing import simulate
from sensors import SchemaChanges


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://ann:pw@h/shop", "postgres://bob@H:5432/shop"),
        ("postgresql+psycopg://h/shop?sslmode=require", "postgresql://h/shop"),
        ("postgresql://localhost/shop", "postgresql://me:pw@127.0.0.1/shop?application_name=x@y"),
        ("postgresql://[::1]:5432/shop", "postgresql://localhost/shop"),
        ("mysql://h/shop", "mariadb+pymysql://elsewhere:3307/other"),
    ],
)
def test_what_does_not_say_where_a_database_is_makes_no_difference(one: str, other: str) -> None:
    assert database_of(one) == database_of(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://h/shop", "postgresql://h/lake"),
        ("postgresql://h/shop", "postgresql://g/shop"),
        ("postgresql://h/shop", "postgresql://h:5433/shop"),
        ("postgresql://h/shop", "mysql://h/shop"),
        ("sqlite:///shop.db", "sqlite:///lake.db"),
        ("sqlite:///shop.db", "duckdb:///shop.db"),
    ],
)
def test_another_server_port_database_file_or_kind_is_another_database(
    one: str, other: str
) -> None:
    assert "" != database_of(one) != database_of(other) != ""


@pytest.mark.parametrize(
    "url",
    [
        "warehouse",
        "",
        "lake/*.parquet",
        "postgresql:///shop",
        "postgresql://h",
        "postgresql://a,b/shop",
        "postgresql://h/shop?host=/run/postgres",
        "postgresql://h/shop?sslmode=require&dbname=lake",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:shop.db?uri=true",
        "duckdb:///md:shop",
        "postgresql://a:b@c@h/shop",
    ],
)
def test_what_a_url_does_not_tell_is_not_guessed(url: str) -> None:
    assert database_of(url) == ""


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_is_the_same_however_its_path_is_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    absolute = database_of(f"{kind}:///{tmp_path}/data/shop.db")
    for path in ("data/shop.db", "./data/../data/shop.db", "link/shop.db", "data/shop.db?mode=ro"):
        assert database_of(f"{kind}:///{path}") == absolute != ""


def test_a_change_concerns_who_reads_in_that_database_or_does_not_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lite = SchemaChanges("sqlite:///lite.db", name="lite")
    other = SchemaChanges("postgresql://localhost/other", name="other")
    files = SchemaChanges("lake/*.parquet", name="lake")
    shop = Pipeline("shop", sensors=[lite, other, files])
    query = "select amount from orders"

    @shop.asset(sql=query, database=f"sqlite:///{tmp_path}/lite.db")
    def same(): ...

    @shop.asset(sql=query, database="sqlite:///third.db")
    def third(): ...

    @shop.asset(sql=query, database="duckdb:///lite.db")
    def duck(): ...

    @shop.asset(sql="select amount from 'lake/orders.parquet'", database="duckdb:///lite.db")
    def lake(): ...

    @shop.asset(sql=query, database="postgresql://me@127.0.0.1:5432/other?sslmode=require")
    def server(): ...

    @shop.asset(sql=query, database="warehouse")
    def named(): ...

    @shop.asset(reads={"orders": ["amount"]})
    def anywhere(): ...

    @shop.asset(reads={"orders": ["amount"]}, database="sqlite:///third.db")
    def said(): ...

    with simulate(shop) as sim:
        sim.emit(lite.event("orders", removed="amount")).later("1s")
        assert sim.held == ["same", "named", "anywhere"]
        sim.ack()
        sim.emit(other.event("public.orders", removed="amount")).later("1s")
        assert sim.held == ["server", "named", "anywhere"]
        sim.ack()
        sim.emit(files.event("lake/orders.parquet", removed="amount")).later("1s")
        assert sim.held == ["lake"]


def test_a_table_that_is_read_elsewhere_only_is_not_listened_for() -> None:
    lite = SchemaChanges("sqlite:///lite.db", name="lite")
    shop = Pipeline("shop", sensors=[lite])

    @shop.asset(sql="select amount from orders", database="sqlite:///third.db")
    def third(): ...

    assert not shop.definition().graph.rules
