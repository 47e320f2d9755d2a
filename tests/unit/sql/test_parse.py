from __future__ import annotations

from typing import Any

import pytest

from reactor.core.lineage import ALL, reads_any, touched
from reactor.sql.parse import QueryError, lineage_of, parsed


def derived(sql: str, dialect: str = "", **more: Any) -> dict[str, set[str]] | None:
    """The origins of each own column, as text."""
    found = lineage_of(sql, dialect, **more).derives
    if found is None:
        return None
    return {
        name: {f"{source}.{'*' if column is ALL else column}" for source, column in origins}
        for name, origins in found.items()
    }


def test_a_column_derives_from_what_its_expression_names() -> None:
    sql = "select o.id, o.amount * r.rate as euros from orders o join rates r on r.day = o.day"
    found = lineage_of(sql)
    assert derived(sql) == {"id": {"orders.id"}, "euros": {"orders.amount", "rates.rate"}}
    assert found.shaping == {("orders", "day"), ("rates", "day")}
    assert found.reads == {"orders": {"id", "amount", "day"}, "rates": {"rate", "day"}}


def test_a_bare_column_of_a_join_of_unknown_tables_belongs_to_all_of_them() -> None:
    found = lineage_of("select amount from orders join items on orders.id = items.id")
    assert reads_any(found, "orders", frozenset({"amount"}))
    assert reads_any(found, "items", frozenset({"amount"}))


def test_a_bare_column_belongs_to_the_table_that_is_known_to_have_it() -> None:
    sql = "select amount from orders join items on orders.id = items.id"
    found = lineage_of(sql, columns={"orders": ["id", "amount"], "items": ["id"]})
    assert not reads_any(found, "items", frozenset({"amount"}))


@pytest.mark.parametrize(
    "sql",
    [
        "select * from orders",
        "select o.* from orders o",
        "with o as (select * from orders) select * from o",
        "select * from (select * from (select * from orders) a) b",
        "select * from orders where true",
    ],
)
def test_a_star_passes_all_columns_on_new_ones_too(sql: str) -> None:
    found = lineage_of(sql)
    assert found.reads == {"orders": ALL}
    assert found.columns is None
    assert touched(found, {"orders": frozenset({"new"})}) == {"new"}


def test_a_star_that_is_narrowed_further_out_reads_only_what_is_left() -> None:
    found = lineage_of("with o as (select * from orders) select id from o")
    assert found.reads == {"orders": {"id"}}
    assert touched(found, {"orders": frozenset({"new"})}) == frozenset()


def test_columns_are_followed_through_ctes_subqueries_and_their_column_lists() -> None:
    sql = """
        with a(k, v) as (select id, amount from orders),
             b as (select k, v * 2 as twice from a)
        select s.twice as out from (select * from b) as s where s.k > 1
    """
    assert derived(sql) == {"out": {"orders.amount"}}
    assert lineage_of(sql).shaping == {("orders", "id")}


def test_a_recursive_cte_derives_from_what_each_round_adds() -> None:
    sql = """
        with recursive up(id, total) as (
            select id, cost from parts where parent is null
            union all
            select p.id, up.total + p.cost + f.fee from parts p
            join up on p.parent = up.id join fees f on f.part = p.id
        ) select total from up
    """
    assert derived(sql) == {"total": {"parts.cost", "fees.fee"}}
    found = lineage_of(sql).shaping
    assert {("parts", "parent"), ("parts", "id"), ("fees", "part")} <= found


def test_a_union_joins_columns_by_their_places() -> None:
    sql = "select a, b from one union all select x, y from two"
    assert derived(sql) == {"a": {"one.a", "two.x"}, "b": {"one.b", "two.y"}}
    assert lineage_of(sql).shaping == frozenset()
    assert lineage_of(sql.replace(" all", "")).shaping


def test_window_functions_derive_from_their_partitions_and_order() -> None:
    sql = "select sum(x) over w as s from t window w as (partition by k order by d)"
    assert derived(sql) == {"s": {"t.x", "t.k", "t.d"}}


def test_using_and_natural_joins_shape_by_what_both_sides_share() -> None:
    known = {"a": ["id", "x"], "b": ["id", "y"]}
    for sql in ("select x from a join b using (id)", "select x from a natural join b"):
        assert lineage_of(sql, columns=known).shaping == {("a", "id"), ("b", "id")}
    assert ("a", ALL) in lineage_of("select x from a natural join b").shaping


def test_a_lateral_subquery_sees_what_stands_before_it() -> None:
    sql = """
        select o.id, l.most from orders o
        cross join lateral (select max(i.price) as most from items i where i.order_id = o.id) l
    """
    found = lineage_of(sql, "postgres")
    assert found.reads == {"orders": {"id"}, "items": {"price", "order_id"}}
    assert derived(sql, "postgres") == {"id": {"orders.id"}, "most": {"items.price"}}


def test_a_scalar_subquery_gives_its_column_what_it_filters_by() -> None:
    sql = "select (select max(i.price) from items i where i.oid = o.id) as most from orders o"
    assert derived(sql) == {"most": {"items.price", "items.oid", "orders.id"}}


def test_exists_asks_only_which_rows_there_are() -> None:
    found = lineage_of("select id from a where exists (select * from b where b.a = a.id)")
    assert found.reads == {"a": {"id"}, "b": {"a"}}


def test_a_view_is_what_its_query_reads() -> None:
    views = {"paid": "create view paid(id, euros) as select id, amount from orders where state = 1"}
    found = lineage_of("select sum(euros) as total from public.paid", views=views)
    assert found.reads == {"orders": {"id", "amount", "state"}}
    assert found.shaping == {("orders", "state")}


def test_names_are_told_apart_by_case_where_the_database_does() -> None:
    known = lineage_of('select "Amount", ID from Orders', "postgres")
    assert known.reads == {"orders": {"Amount", "id"}}
    assert not reads_any(known, "public.orders", frozenset({"amount"}))
    loose = lineage_of('select "Amount", ID from Orders', "duckdb")
    assert reads_any(loose, "main.orders", frozenset({"AMOUNT", "x"}))


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select `a b` from `Orders`", "mysql"),
        ("select [a b] from [Orders]", "tsql"),
        ('select "a b" from "Orders"', "sqlite"),
    ],
)
def test_each_dialect_quotes_in_its_own_way(sql: str, dialect: str) -> None:
    assert reads_any(lineage_of(sql, dialect), "orders", frozenset({"A B"}))


def test_a_file_is_a_source_by_its_path() -> None:
    sql = "select id from 'lake/Orders/*.parquet' join read_csv('lake/rates.csv') using (id)"
    assert set(lineage_of(sql, "duckdb").reads) == {"lake/Orders/*.parquet", "lake/rates.csv"}


@pytest.mark.parametrize(
    "sql",
    [
        "select * from orders pivot (sum(amount) for region in ('eu', 'us'))",
        "select max(columns(*)) from orders",
        "select amount + 1 from orders",
    ],
)
def test_where_columns_cannot_be_told_all_of_them_may_be_touched(sql: str) -> None:
    found = lineage_of(sql, "duckdb")
    assert found.derives is None
    assert touched(found, {"orders": frozenset({"amount"})}) is ALL


def test_a_function_that_may_make_rows_touches_them_all() -> None:
    found = lineage_of("select id, my_rows(tags) as tag from posts", "postgres")
    assert ("posts", "tags") in found.shaping


@pytest.mark.parametrize(
    ("sql", "what", "line"),
    [
        ("select a\nfrom t where (", "missing", 2),
        ("select a frm b where", "unexpected", 1),
        ("select 'abc", "token", 0),
        ("", "no query", 0),
        ("-- nothing", "no query", 0),
        ("select 1; select 2", "2 statements", 0),
        ("delete from t", "no query but DELETE", 0),
        ("with x as (delete from t returning *) select * from x", "writes", 0),
        ("select * into t from u", "writes", 0),
    ],
)
def test_a_text_that_is_no_single_query_is_refused(sql: str, what: str, line: int) -> None:
    with pytest.raises(QueryError, match=what) as raised:
        parsed(sql, "postgres")
    assert raised.value.line == line


@pytest.mark.parametrize(
    ("sql", "shaping"),
    [
        ("(select a, b from t) union all (select c, d from u) order by 2 limit 3", "b d"),
        ("select a, b from t order by 2 limit 3", "b"),
        ("select a as x, b from t order by x limit 3", "a"),
        ("select a, sum(b) as s from t group by 1", "a"),
        ("select *, b from t order by 2 limit 3", "* b"),
    ],
)
def test_a_number_in_order_by_and_group_by_is_a_column_of_the_answer(
    sql: str, shaping: str
) -> None:
    found = {"*" if column is ALL else column for _, column in lineage_of(sql).shaping}
    assert found == set(shaping.split())


def test_rows_made_of_a_list_have_the_columns_that_they_are_given() -> None:
    sql = "select o.id, t.tag from orders o cross join lateral unnest(o.tags) as t(tag)"
    assert derived(sql, "postgres") == {"id": {"orders.id"}, "tag": {"orders.tags"}}
    star = lineage_of("select * from orders o, unnest(o.tags) as t(tag)", "postgres")
    assert touched(star, {"orders": frozenset({"note"})}) == {"note"}


def test_a_word_of_another_dialect_may_be_a_column() -> None:
    sql = "select date_trunc('day', ts) as d, extract(epoch from u) as e from t"
    assert lineage_of(sql, "bigquery").reads == {"t": {"ts", "u"}}


def test_a_query_says_which_parameters_it_asks_for() -> None:
    sql = "select ':window_end', a::date from t where d = :partition -- :window_start"
    assert parsed(sql, "postgres").parameters == {"partition"}
    assert parsed("select l[1:2] from t where d >= :window_start", "duckdb").parameters == {
        "window_start"
    }
