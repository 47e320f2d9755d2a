from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.lineage import (
    ALL,
    All,
    Columns,
    Lineage,
    Origin,
    declared,
    reads_any,
    same_table,
    table_key,
    touched,
)

ORDERS = "public.orders"


@pytest.mark.parametrize(
    ("read", "table"),
    [
        ("public.orders", "public.orders"),
        ("orders", "public.orders"),
        ("public.orders", "orders"),
        ("Orders", "public.orders"),
        ("orders", "main.orders"),
        ("lake.main.orders", "main.orders"),
        ("shop.public.orders", "orders"),
        ("shop.sales.orders", "sales.orders"),
        ("inbox/orders.csv", "inbox/orders.csv"),
        ("inbox/*.csv", "inbox/orders.csv"),
        ("inbox/**/*.csv", "inbox/2026/01/orders.csv"),
        ("inbox/**/*.csv", "inbox/orders.csv"),
        ("inbox/orders[0-9!].csv", "inbox/orders7.csv"),
        ("inbox/orders[!0-9].csv", "inbox/ordersx.csv"),
        ("*.csv", "orders.csv"),
    ],
)
def test_a_table_is_recognised_by_each_of_its_names(read: str, table: str) -> None:
    assert same_table(read, table)
    assert table_key(read) == table_key(table)


@pytest.mark.parametrize(
    ("read", "table"),
    [
        ("orders", "sales.orders"),
        ("sales.orders", "public.orders"),
        ("a.public.orders", "b.public.orders"),
        ("orders", "public.order"),
        ("csv", "public/orders.csv"),
        ("inbox/orders.csv", "other/orders.csv"),
        ("orders.csv", "main/orders.csv"),
        ("inbox/*.csv", "inbox/2026/orders.csv"),
        ("inbox/*.csv", "inbox/orders.csv.gz"),
        ("inbox/orders[!0-9].csv", "inbox/orders7.csv"),
    ],
)
def test_tables_of_other_schemas_are_others(read: str, table: str) -> None:
    assert not same_table(read, table)
    assert not same_table(table, read)


def test_a_name_without_schema_may_be_in_a_schema_that_the_reader_says() -> None:
    assert same_table("orders", "sales.orders", schema="sales")
    assert not same_table("orders", "other.orders", schema="sales")


def test_with_reads_alone_every_own_column_derives_from_every_column_read() -> None:
    lineage = declared({ORDERS: ["id", "amount"]})
    assert lineage.columns is None
    assert touched(lineage, {ORDERS: frozenset({"amount"})}) is ALL
    assert touched(lineage, {ORDERS: frozenset({"note"})}) == frozenset()
    assert touched(lineage, {"public.items": frozenset({"amount"})}) == frozenset()


def test_only_columns_that_derive_from_what_changed_are_touched() -> None:
    lineage = declared(
        {ORDERS: ["id", "amount", "tax"]},
        {"id": ["public.orders.id"], "total": ["public.orders.amount", "public.orders.tax"]},
    )
    assert lineage.columns == {"id", "total"}
    assert touched(lineage, {ORDERS: frozenset({"tax"})}) == {"total"}
    assert touched(lineage, {ORDERS: frozenset({"id", "note"})}) == {"id"}


def test_what_shapes_the_rows_touches_all_own_columns() -> None:
    lineage = declared({ORDERS: ["id", "status"]}, {"id": ["public.orders.id"]})
    assert touched(lineage, {ORDERS: frozenset({"status"})}) is ALL


def test_a_source_of_which_everything_changed_touches_who_reads_nothing_but_its_rows() -> None:
    counting = Lineage({ORDERS: frozenset()}, {"rows": frozenset()})
    assert touched(counting, {ORDERS: frozenset({"id"})}) == frozenset()
    assert touched(counting, {ORDERS: ALL}) is ALL


def test_a_new_column_touches_only_who_takes_all_columns() -> None:
    star = Lineage({ORDERS: ALL}, {}, passes={ORDERS: frozenset({"secret"})})
    named = Lineage({ORDERS: frozenset({"id"})}, {"id": frozenset({(ORDERS, "id")})})
    new = {ORDERS: frozenset({"discount"})}
    assert touched(star, new) == {"discount"}
    assert touched(named, new) == frozenset()
    assert touched(star, {ORDERS: frozenset({"secret"})}) == frozenset()


def test_columns_are_told_apart_by_case_only_where_the_database_does() -> None:
    lineage = declared({"orders": ["amount"]}, {"total": ["orders.amount"]})
    exact = Lineage(lineage.reads, lineage.derives, exact=True)
    changed = {"public.orders": frozenset({"Amount"})}
    assert touched(lineage, changed) == {"total"}
    assert touched(exact, changed) == frozenset()
    assert reads_any(lineage, "public.orders", frozenset({"AMOUNT"}))
    assert not reads_any(exact, "public.orders", frozenset({"AMOUNT"}))


def test_who_reads_a_column_is_known_even_if_nothing_derives_from_it() -> None:
    lineage = Lineage({ORDERS: frozenset({"id", "note"})}, {"id": frozenset({(ORDERS, "id")})})
    assert touched(lineage, {ORDERS: frozenset({"note"})}) == frozenset()
    assert reads_any(lineage, ORDERS, frozenset({"note"}))
    assert not reads_any(lineage, ORDERS, frozenset({"other"}))


def test_a_dropped_table_breaks_who_only_counts_its_rows() -> None:
    counting = Lineage({ORDERS: frozenset()}, {"rows": frozenset()})
    assert reads_any(counting, ORDERS, ALL)
    assert not reads_any(counting, ORDERS, frozenset({"id"}))
    assert not reads_any(counting, "public.items", ALL)


def test_a_star_reads_whatever_column() -> None:
    assert reads_any(declared({ORDERS: "*"}), ORDERS, frozenset({"anything"}))
    assert reads_any(declared({ORDERS: ["id", "*"]}), ORDERS, frozenset({"anything"}))


@pytest.mark.parametrize(
    ("reads", "columns", "message"),
    [
        ({ORDERS: ["id"]}, {"total": ["public.orders.amount"]}, "not among what is read"),
        ({ORDERS: ["id"]}, {"total": ["public.items.id"]}, "public.items is not read"),
        ({ORDERS: ["id"]}, {"total": ["id"]}, "id is not read"),
        ({ORDERS: "id"}, None, "no list of column names"),
        ({ORDERS: [1]}, None, "no list of column names"),
        ({ORDERS: ["id"]}, {"total": "public.orders.id"}, "no list of column names"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(
    reads: Mapping[str, list[str]], columns: Mapping[str, list[str]] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        declared(reads, columns)


def test_equal_lineages_read_the_same_in_every_process() -> None:
    one = declared({"b": ["y", "x"], "a": "*"}, {"n": ["b.x", "a.*"]})
    other = declared({"a": "*", "b": ["x", "y"]}, {"n": ["a.*", "b.x"]})
    assert one == other
    assert repr(one) == repr(other)
    assert hash(one) == hash(other)
    assert repr(one) == (
        "Lineage(reads={'a': ALL, 'b': ['x', 'y']}, derives={'n': [('a', ALL), ('b', 'x')]}, "
        "shaping=[('b', 'y')])"
    )


SOURCES: tuple[str, ...] = ("a", "b", "c")
NAMES: tuple[str, ...] = ("x", "y", "z")
some = st.frozensets(st.sampled_from(NAMES))
columns = some | st.just(ALL)
origins = st.frozensets(
    st.tuples(st.sampled_from(SOURCES), st.sampled_from(NAMES) | st.just(ALL)), max_size=3
)


def has(names: Columns | None, column: str | All) -> bool:
    return names is ALL or (names is not None and column in names)


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    reads = draw(st.dictionaries(st.sampled_from(SOURCES), columns))

    def read(found: frozenset[Origin]) -> frozenset[Origin]:
        return frozenset(
            (source, column) for source, column in found if has(reads.get(source), column)
        )

    derives = draw(st.none() | st.dictionaries(st.sampled_from("pqr"), origins.map(read)))
    passes = {
        source: draw(some) for source in reads if reads[source] is ALL and draw(st.booleans())
    }
    return Lineage(reads, derives, draw(origins.map(read)), passes)


def by_hand(lineage: Lineage, changed: Mapping[str, Columns]) -> set[str] | None:
    """Column by column, as one would with pencil and paper; None is all of them."""
    found: set[str] = set()
    for source, names in changed.items():
        if source not in lineage.reads:
            continue
        if names is ALL:
            return None
        for name in names:
            if lineage.derives is None:
                if has(lineage.reads[source], name):
                    return None
                continue
            if {(source, name), (source, ALL)} & lineage.shaping:
                return None
            for own, from_ in lineage.derives.items():
                if {(source, name), (source, ALL)} & from_:
                    found.add(own)
            if source in lineage.passes and name not in lineage.passes[source]:
                found.add(name)
    return found


changes = st.dictionaries(st.sampled_from(SOURCES), columns)


@given(lineages(), changes)
def test_what_is_touched_is_what_one_finds_by_hand(
    lineage: Lineage, changed: Mapping[str, Columns]
) -> None:
    expected = by_hand(lineage, changed)
    found = touched(lineage, changed)
    assert found == (ALL if expected is None else frozenset(expected))


@given(lineages(), changes, changes)
def test_more_changes_touch_at_least_as_much(
    lineage: Lineage, some: Mapping[str, Columns], more: Mapping[str, Columns]
) -> None:
    def joined(one: Columns, other: Columns) -> Columns:
        return ALL if one is ALL or other is ALL else one | other

    both = {
        source: joined(some.get(source, frozenset()), more.get(source, frozenset()))
        for source in {*some, *more}
    }
    small, large = touched(lineage, some), touched(lineage, both)
    assert large is ALL or (small is not ALL and small <= large)
