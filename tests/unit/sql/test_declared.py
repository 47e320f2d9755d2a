from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reactor import Daily, Pipeline, Static, field, table_version
from reactor.core.contract import Change
from reactor.core.errors import DefinitionError
from reactor.core.lineage import ALL, reads_any, touched
from reactor.sql.statement import Statement
from reactor.testing import simulate
from sensors import SchemaChanges

DBT = Path(__file__).parents[2] / "integration" / "dbt" / "target" / "manifest.json"


def upstream(shop: Pipeline, asset: str) -> list[str]:
    return [each.name for each in shop.definition().graph.assets[asset].upstream]


def problems(shop: Pipeline) -> list[str]:
    with pytest.raises(DefinitionError) as raised:
        shop.definition()
    return [f"{each.what} ({each.hint})" for each in raised.value.problems]


def test_the_assets_whose_tables_a_query_names_are_its_upstreams() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw_orders(): ...

    @shop.asset(sql="select id, amount from raw_orders", table="marts.clean")
    def clean_orders():
        """Orders without mistakes."""

    @shop.asset(sql="with raw_orders as (select 1 as x) select sum(amount) as t from marts.clean")
    def revenue(): ...

    definition = shop.definition()
    assert upstream(shop, "clean_orders") == ["raw_orders"]
    assert upstream(shop, "revenue") == ["clean_orders"]
    assert definition.graph.assets["clean_orders"].doc == "Orders without mistakes."
    work = definition.works["clean_orders"]
    assert work.executor == "sql"
    assert work.function == Statement(
        "clean_orders", "select id, amount from raw_orders", "marts.clean"
    )
    lineage = definition.graph.assets["revenue"].lineage
    assert lineage is not None
    assert lineage.reads == {"clean_orders": {"amount"}}


def test_a_table_of_another_schema_that_an_asset_itself_reads_is_not_that_asset() -> None:
    shop = Pipeline("shop")

    @shop.asset(sql="select * from raw.orders")
    def orders(): ...

    @shop.asset(sql="select count(*) as n from raw.orders")
    def counted(): ...

    @shop.asset(sql="select count(*) as n from public.orders")
    def cleaned(): ...

    assert upstream(shop, "orders") == upstream(shop, "counted") == []
    assert upstream(shop, "cleaned") == ["orders"]


def test_columns_are_known_from_upstream_through_stars() -> None:
    shop = Pipeline("shop")

    @shop.asset(sql="select * from a join b on a.id = b.id")
    def top(): ...

    @shop.asset(sql="select id, x from public.things")
    def a(): ...

    @shop.asset(sql="select id, y from public.others")
    def b(): ...

    @shop.asset(sql="select y from top")
    def last(): ...

    assets = shop.definition().graph.assets
    lineage = assets["last"].lineage
    assert lineage is not None
    assert lineage.reads == {"top": {"y"}}
    top_lineage = assets["top"].lineage
    assert top_lineage is not None
    assert touched(top_lineage, {"b": frozenset({"y"})}) == {"y"}


def test_a_column_that_an_upstream_does_not_have_is_found_when_the_pipeline_is_loaded() -> None:
    shop = Pipeline("shop")

    @shop.asset(sql="select id, amount from public.orders")
    def orders(): ...

    @shop.asset(sql="select o.id,\n  o.amuont from orders o")
    def totals(): ...

    assert problems(shop) == [
        "totals: line 2, column 5 of its SQL: o has no column amuont (did you mean amount?)"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sql": "select ("}, "line 1, column 8 of its SQL"),
        ({"sql": "select 1; select 2"}, "2 statements"),
        ({"sql": "drop table x"}, "no query"),
        ({"sql": 7}, "sql is 7"),
        ({"sql": Path("nowhere.sql")}, "cannot be read"),
        ({"sql": "select 1 as n", "columns": {}}, "columns= is read from its SQL"),
        ({"sql": "select 1 as n", "partition_column": "day"}, "it has no partitions"),
        ({"sql": "select 1 as n", "partitions": Daily("2026-01-01")}, "no column tells its rows"),
        (
            {"sql": "select 1 as n", "partitions": Daily("2026-01-01"), "partition_column": "day"},
            "which it does not answer",
        ),
        ({"sql": ""}, "there is no query in it"),
        ({"sql": "select 1 as n", "table": " "}, "table is empty"),
        ({"sql": "select 1 as n", "table": 5}, "table is 5"),
        ({"sql": "select 1 as n", "dialect": 5}, "dialect is 5"),
        ({"sql": "select 1 as n", "views": ["v"]}, "views is ['v']"),
        ({"sql": "select a from v", "views": {"v": "select ("}}, "query of a view cannot be read"),
        ({"sql": "select 1 as n", "database": ""}, "database is empty"),
        ({"sql": "select 1 as n", "database": 5}, "database is 5"),
        ({"sql": "select 1 as n", "database": "lake/shop.db"}, "neither a URL nor the name"),
        ({"sql": "select 1 as n", "database": "mysql+pymysql://localhost/shop"}, "is mysql, where"),
        ({"sql": "select 1 as n", "database": "postgresql://[x"}, "cannot be read"),
        ({"sql": "select :partition as n"}, ":partition, and it has no partitions"),
        ({"sql": "select 1 as n,\n  :amuont as m"}, "line 2, column 3 of its SQL: nothing fills"),
        ({"sql": "select :partitions as n"}, "nothing fills the parameter :partitions (did you"),
        ({"sql": "select ? as n"}, "nothing fills the parameter ?"),
        ({"sql": "select $1 as n", "database": "postgresql://localhost/shop"}, "parameter $1"),
        (
            {
                "sql": "select :window_start as n",
                "partitions": Static("eu").by(field.region),
                "partition_column": "n",
            },
            "its partitions are no windows of time",
        ),
        ({"table": "x"}, "says something of SQL"),
        ({"columns": {"a": ["t.a"]}}, "not what it reads"),
        ({"reads": {"t": "id"}}, "no list of column names"),
        ({"reads": ["t"]}, "reads is"),
        ({"reads": {5: ["a"]}}, "reads names 5"),
        ({"reads": {" ": ["a"]}}, "reads names ' '"),
        ({"reads": {"t": ["a"]}, "columns": {"x": ["t.b"]}}, "not among what is read"),
    ],
)
def test_what_makes_no_sense_is_said_when_the_pipeline_is_loaded(
    options: dict[str, object], message: str
) -> None:
    shop = Pipeline("shop")

    @shop.asset(**options)  # pyright: ignore[reportArgumentType]
    def strange(): ...

    assert message in problems(shop)[0]


@pytest.mark.parametrize(
    ("sql", "database"),
    [
        ("select ':foo' as n, cast('1' as int)::text as m -- :bar", "postgresql://localhost/shop"),
        ("select @ amount as n, @amount as m from t", "postgresql://localhost/shop"),
        ("select note ? 'x' as n, tags[1:last] as m from t", "postgresql://localhost/shop"),
        ("select {'a':b} as n, c[:last] as m, d: e from t", "duckdb:///lake.duckdb"),
        ("select a, '$.b' as n from t where c ->> '$.d' = '?'", "sqlite:///lake.db"),
        ("select a from t", "a_connection"),
    ],
)
def test_what_only_looks_like_a_parameter_is_none(sql: str, database: str) -> None:
    shop = Pipeline("shop")

    @shop.asset(sql=sql, database=database)
    def odd(): ...

    assert shop.definition().works["odd"].executor == "sql"


def test_a_command_runs_its_sql_where_and_with_what_it_likes() -> None:
    shop = Pipeline("shop")

    @shop.asset(sql="select a from t where b = :c", database="mysql://x/y", command=["run"])
    def elsewhere(): ...

    assert shop.definition().works["elsewhere"].executor == "command"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((5, "t"), "database is 5"),
        (("", "t"), "database is empty"),
        (("lake/shop.db", "t"), "neither a URL nor the name"),
        (("sqlite:///lake.db", " "), "table is ' '"),
        (("sqlite:///lake.db", "t", ""), "column is ''"),
        (("sqlite:///lake.db", "t", 7), "column is 7"),
    ],
)
def test_a_table_version_of_what_is_no_table_is_refused_at_once(
    given: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        table_version(*given)


def test_declared_reads_of_an_asset_make_an_edge_and_what_is_not_spoken_of_is_read_whole() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def orders(): ...

    @shop.asset
    def rates(): ...

    @shop.asset(reads={orders: ["id"], "public.items": ["price"]}, columns={"p": ["orders.id"]})
    def report(rates): ...

    lineage = shop.definition().graph.assets["report"].lineage
    assert upstream(shop, "report") == ["rates", "orders"]
    assert lineage is not None
    assert lineage.reads == {"orders": {"id"}, "public.items": {"price"}, "rates": ALL}
    assert touched(lineage, {"orders": frozenset({"id"})}) == {"p"}
    assert touched(lineage, {"rates": frozenset({"anything"})}) is ALL


def test_an_asset_that_says_nothing_has_no_lineage() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def orders(): ...

    assert shop.definition().graph.assets["orders"].lineage is None


def test_declared_reads_tell_the_columns_of_a_table_to_queries() -> None:
    shop = Pipeline("shop")

    @shop.asset(reads={"public.orders": ["id", "amount"], "public.items": ["id", "price"]})
    def loaded(): ...

    @shop.asset(sql="select amount, price from orders join items on orders.id = items.id")
    def joined(): ...

    lineage = shop.definition().graph.assets["joined"].lineage
    assert lineage is not None
    assert not reads_any(lineage, "public.items", frozenset({"amount"}))
    assert reads_any(lineage, "public.orders", frozenset({"amount"}))


def test_each_sql_file_is_an_asset_and_the_comments_above_it_say_more(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "clean.sql").write_text(
        "-- owner: data@shop.example\n-- Orders: without mistakes.\n-- retry: 2\n"
        "select id, amount from public.orders"
    )
    (tmp_path / "models" / "revenue.sql").write_text("\nselect sum(amount) as total\nfrom clean\n")
    shop = Pipeline("shop")
    declared = shop.sql(str(tmp_path / "models" / "*.sql"), database="duckdb:///lake.duckdb")
    assert [asset.name for asset in declared] == ["clean", "revenue"]
    assets = shop.definition().graph.assets
    assert assets["clean"].owner == "data@shop.example"
    assert assets["clean"].retry.times == 2
    assert assets["clean"].doc == "Orders: without mistakes."
    assert upstream(shop, "revenue") == ["clean"]
    (tmp_path / "models" / "revenue.sql").write_text(
        "select 1 as a,\n  sum(amuont) as total\nfrom clean"
    )
    with pytest.raises(DefinitionError) as raised:
        shop.definition()
    assert raised.value.problems[0].where == f"{tmp_path}/models/revenue.sql:2"


def test_a_misspelt_comment_and_a_pattern_that_matches_nothing_are_errors(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    with pytest.raises(DefinitionError, match="no file matches"):
        shop.sql(str(tmp_path / "*.sql"))
    (tmp_path / "a.sql").write_text("-- ownr: me\nselect 1 as n")
    with pytest.raises(DefinitionError, match="did you mean owner"):
        shop.sql(str(tmp_path / "*.sql"))


def test_the_models_of_a_dbt_manifest_are_assets_with_edges_and_lineage() -> None:
    jam = Pipeline("jam")
    names = {asset.name for asset in jam.dbt(str(DBT))}
    assert names == {"buyers", "stg_buyers", "stg_sales", "towns"}
    definition = jam.definition()
    assets = definition.graph.assets
    # Through the ephemeral model, which is nothing of its own.
    assert sorted(upstream(jam, "buyers")) == ["stg_buyers", "stg_sales"]
    assert definition.works["buyers"].command == ("dbt", "build", "--select", "{asset}")
    assert assets["towns"].owner == "maps@jam.example"
    assert assets["buyers"].doc == "Each buyer, and what was sold to her."
    staged, buyers, towns = (assets[name].lineage for name in ("stg_buyers", "buyers", "towns"))
    assert staged is not None
    assert buyers is not None
    assert towns is not None
    cents = touched(assets["stg_sales"].lineage or staged, {"raw_sales": frozenset({"cents"})})
    assert cents == {"euros"}
    assert touched(buyers, {"stg_sales": cents}) == {"euros"}
    assert touched(towns, {"stg_buyers": frozenset({"name"})}) == frozenset()
    assert touched(towns, {"stg_buyers": frozenset({"town"})}) is ALL


def test_a_dbt_model_that_was_not_compiled_says_nothing_of_columns(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        '{"metadata": {"adapter_type": "postgres"}, "nodes": {"model.x.a": {"name": "a",'
        ' "resource_type": "model", "raw_code": "select * from {{ ref(\'b\') }}"}}}'
    )
    shop = Pipeline("shop")
    shop.dbt(str(manifest), command=("dbt", "run", "-s", "{asset}"))
    assert shop.definition().graph.assets["a"].lineage is None
    manifest.write_text("[]")
    with pytest.raises(DefinitionError, match="no dbt manifest"):
        shop.dbt(str(manifest))


def test_a_schema_change_reaches_who_reads_the_column_and_nobody_else() -> None:
    tables = SchemaChanges("postgresql://localhost/shop", tables="public.*")
    shop = Pipeline("shop", sensors=[tables])

    @shop.asset(sql="select id, amount from public.orders", database="postgresql://localhost/shop")
    def amounts(): ...

    @shop.asset(sql="select id, note from public.orders", database="postgresql://localhost/shop")
    def notes(): ...

    @shop.asset(sql="select max(id) as last from amounts", database="postgresql://localhost/shop")
    def newest(): ...

    @shop.asset(sql="select * from public.orders", database="postgresql://localhost/shop")
    def everything(): ...

    wider = Change("column_retyped", False, "amount", "integer", "bigint")
    with simulate(shop) as sim:
        sim.emit(tables.event("public.orders", changes=[wider])).later("1s")
        assert sim.launched == ["amounts", "everything"]
    with simulate(shop) as sim:
        sim.emit(tables.event("public.orders", added=["total"])).later("1s")
        assert sim.launched == ["everything"]
    with simulate(shop) as sim:
        sim.emit(tables.event("public.orders", removed="note")).later("1s")
        assert sim.launched == []


def test_a_long_chain_of_queries_is_read_whatever_the_order_of_declaration() -> None:
    shop = Pipeline("shop")
    for number in reversed(range(400)):
        source = f"a{number - 1}" if number else "public.orders"
        shop.asset(sql=f"select amount from {source}", name=f"a{number}")(lambda: None)
    lineage = shop.definition().graph.assets["a399"].lineage
    assert lineage is not None
    assert lineage.reads == {"a398": {"amount"}}
    assert lineage.columns == {"amount"}
