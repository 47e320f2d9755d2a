"""What changed between two looks at a table, and what of it breaks a reader."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.contract import Change, Column, SchemaChange, TableSchema, diff, renamed, widens

NAMES = ["a", "b", "c", "d", "e"]
TYPES = ["integer", "bigint", "text", "numeric(10, 2)"]


@st.composite
def schemas(draw: st.DrawFn) -> TableSchema:
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, len(NAMES)))]
    numbers = draw(st.permutations(range(1, 6)))
    columns = tuple(
        Column(name, draw(st.sampled_from(TYPES)), draw(st.booleans()), number)
        for name, number in zip(names, numbers, strict=False)
    )
    key = tuple(draw(st.permutations(names)))[: draw(st.integers(0, len(names)))]
    return TableSchema(columns, key, draw(st.sampled_from([None, "1", "2"])))


def carried_out(changes: SchemaChange, before: TableSchema) -> TableSchema:
    """The table that doing each change, one after the other, makes of `before`."""
    columns = {column.name: column for column in before.columns}
    order = [column.name for column in before.columns]
    key = list(before.key)
    new_names = {c.before: c.after for c in changes.changes if c.kind == "column_renamed"}
    added: dict[str, Column] = {}
    for change in changes.changes:
        match change.kind:
            case "column_removed":
                del columns[change.column]
                order.remove(change.column)
            case "column_retyped":
                assert columns[change.column].type == change.before
                columns[change.column] = replace(columns[change.column], type=change.after)
            case "nullability_changed":
                nullable = change.after == "null"
                assert columns[change.column].nullable is not nullable
                columns[change.column] = replace(columns[change.column], nullable=nullable)
            case "column_added":
                type_ = change.after.removesuffix(" not null")
                added[change.column] = Column(change.column, type_, type_ == change.after)
            case _:
                pass
    renamed = {
        new_names.get(name, name): replace(column, name=new_names.get(name, name))
        for name, column in columns.items()
    }
    order = [new_names.get(name, name) for name in order]
    key = [new_names.get(name, name) for name in key]
    for change in changes.changes:
        if change.kind == "columns_reordered":
            assert change.before == ", ".join(order)
            order = change.after.split(", ")
        if change.kind == "key_changed":
            key = change.after.split(", ") if change.after else []
    everything = {**renamed, **added}
    return TableSchema(tuple(everything[name] for name in [*order, *added]), tuple(key))


@given(schemas())
def test_a_table_does_not_differ_from_itself(table: TableSchema) -> None:
    assert not diff(table, table)
    assert not diff(table, replace(table, identity="another"))


@given(schemas(), schemas())
def test_the_changes_carried_out_on_the_old_table_give_the_new_one(
    before: TableSchema, after: TableSchema
) -> None:
    made = carried_out(diff(before, after), before)
    # Where an added column stands says the new schema itself; the rest keeps its order.
    kept = [column for column in after.columns if column in made.columns]
    assert set(made.columns) == set(after.columns)
    assert made.key == after.key
    added = {c.column for c in diff(before, after).changes if c.kind == "column_added"}
    assert [c for c in made.columns if c.name not in added] == [
        c for c in kept if c.name not in added
    ]


@given(schemas(), schemas())
def test_no_change_is_said_when_there_is_none(before: TableSchema, after: TableSchema) -> None:
    same = set(before.columns) == set(after.columns) and before.key == after.key
    moved = before.columns != after.columns
    swapped = any(c.kind == "column_renamed" for c in diff(before, after).changes)
    assert bool(diff(before, after)) == (not same or moved or swapped)


@given(schemas(), schemas())
def test_every_changed_column_is_named_once(before: TableSchema, after: TableSchema) -> None:
    change = diff(before, after)
    assert len(set(change.columns)) == len(change.columns)
    assert {one.column for one in change.changes if one.column} <= set(change.columns)


ORDERS = TableSchema(
    (Column("id", "integer", False, 1), Column("amount", "integer", True, 2)), ("id",), "7"
)


def only(before: TableSchema | None, after: TableSchema | None) -> Change:
    (change,) = diff(before, after).changes
    return change


def test_an_added_column_breaks_nobody() -> None:
    after = replace(ORDERS, columns=(*ORDERS.columns, Column("note", "text", False, 3)))
    assert only(ORDERS, after) == Change("column_added", False, "note", after="text not null")
    assert diff(ORDERS, after).columns == ("note",)


def test_a_removed_column_breaks_its_readers() -> None:
    after = replace(ORDERS, columns=ORDERS.columns[:1])
    assert only(ORDERS, after) == Change("column_removed", True, "amount", "integer")
    assert diff(ORDERS, after).breaking


def test_a_rename_is_recognised_by_the_number_of_the_column() -> None:
    after = replace(ORDERS, columns=(ORDERS.columns[0], Column("total", "integer", True, 2)))
    assert only(ORDERS, after) == Change("column_renamed", True, "amount", "amount", "total")
    assert diff(ORDERS, after).columns == ("amount", "total")


def test_without_numbers_a_rename_is_a_removal_and_an_addition() -> None:
    bare = TableSchema((Column("amount", "integer"),))
    kinds = [c.kind for c in diff(bare, TableSchema((Column("total", "integer"),))).changes]
    assert kinds == ["column_removed", "column_added"]


def test_a_table_made_anew_has_no_renames() -> None:
    after = replace(
        ORDERS, columns=(ORDERS.columns[0], Column("total", "integer", True, 2)), identity="8"
    )
    assert [c.kind for c in diff(ORDERS, after).changes] == ["column_removed", "column_added"]


def test_two_columns_that_swap_names_are_two_renames() -> None:
    first, second = ORDERS.columns
    after = replace(
        ORDERS, columns=(replace(first, name="amount"), replace(second, name="id")), key=("amount",)
    )
    assert [str(change) for change in diff(ORDERS, after).changes] == [
        "column id renamed to amount",
        "column amount renamed to id",
    ]


def test_a_column_renamed_onto_one_that_was_removed_is_both() -> None:
    after = replace(ORDERS, columns=(replace(ORDERS.columns[0], name="amount"),), key=("amount",))
    assert [(c.kind, c.column) for c in diff(ORDERS, after).changes] == [
        ("column_removed", "amount"),
        ("column_renamed", "id"),
    ]


def test_a_type_that_widens_breaks_nobody_and_one_that_narrows_does() -> None:
    def retyped(type_: str) -> Change:
        return only(ORDERS, replace(ORDERS, columns=(ORDERS.columns[0], Column("amount", type_))))

    assert retyped("bigint") == Change("column_retyped", False, "amount", "integer", "bigint")
    assert retyped("smallint") == Change("column_retyped", True, "amount", "integer", "smallint")


def test_nulls_that_may_now_come_break_and_nulls_that_no_longer_can_do_not() -> None:
    loose = replace(ORDERS, columns=(replace(ORDERS.columns[0], nullable=True), ORDERS.columns[1]))
    assert only(ORDERS, loose) == Change("nullability_changed", True, "id", "not null", "null")
    assert only(loose, ORDERS) == Change("nullability_changed", False, "id", "null", "not null")


@pytest.mark.parametrize(
    ("before", "after", "breaking"),
    [
        ((), ("id",), False),
        (("id", "amount"), ("id",), False),
        (("id", "amount"), ("amount", "id"), False),
        (("id",), (), True),
        (("id",), ("id", "amount"), True),
        (("id",), ("amount",), True),
    ],
)
def test_a_key_change_breaks_when_the_old_key_may_repeat(
    before: tuple[str, ...], after: tuple[str, ...], breaking: bool
) -> None:
    change = only(replace(ORDERS, key=before), replace(ORDERS, key=after))
    assert (change.kind, change.breaking) == ("key_changed", breaking)


def test_a_renamed_key_column_is_the_same_key() -> None:
    after = TableSchema(
        (Column("order_id", "integer", False, 1), ORDERS.columns[1]), ("order_id",), "7"
    )
    assert only(ORDERS, after).kind == "column_renamed"


def test_a_table_that_came_or_went_is_one_change_with_all_its_columns() -> None:
    assert only(None, ORDERS) == Change("table_created", False)
    assert only(ORDERS, None) == Change("table_dropped", True)
    assert diff(None, ORDERS).columns == diff(ORDERS, None).columns == ("id", "amount")
    assert not diff(None, None)


def test_a_renamed_table_breaks_its_readers_and_says_its_new_name() -> None:
    gone, come = (renamed(diff(*two), "a", "b") for two in ((ORDERS, None), (None, ORDERS)))
    assert gone.changes == (Change("table_renamed", True, before="a", after="b"),)
    assert come.changes == (Change("table_created", False, before="a", after="b"),)
    assert gone.columns == come.columns == ("id", "amount")
    assert (str(gone), str(come)) == ("table renamed to b", "table created, renamed from a")


def test_columns_in_another_order_are_said_and_break_nobody() -> None:
    after = replace(ORDERS, columns=ORDERS.columns[::-1])
    assert only(ORDERS, after) == Change("columns_reordered", False, "", "id, amount", "amount, id")


@pytest.mark.parametrize(
    ("before", "after", "yes"),
    [
        ("integer", "bigint", True),
        ("int32", "int64", True),
        ("bigint", "integer", False),
        ("integer", "double precision", False),
        ("uint32", "int64", False),
        ("int", "long", True),
        ("long", "int", False),
        ("enum(new, paid)", "enum(lost, paid, new)", True),
        ("enum(new, paid)", "enum(paid)", False),
        ("enum(new)", "text", False),
        ("real", "double precision", True),
        ("float", "double", True),
        ("character varying(20)", "character varying(40)", True),
        ("character varying(20)", "character varying", True),
        ("character varying(20)", "text", True),
        ("character varying(40)", "character varying(20)", False),
        ("character varying", "character varying(20)", False),
        ("text", "character varying", False),
        ("numeric(10, 2)", "numeric(12, 2)", True),
        ("numeric(10, 2)", "numeric(12, 4)", True),
        ("numeric(10, 2)", "numeric(10, 4)", False),
        ("numeric(10, 2)", "numeric", True),
        ("numeric", "numeric(10, 2)", False),
        ("numeric(10)", "numeric(10, 0)", True),
        ("timestamp", "timestamp with time zone", False),
        ("integer", "text", False),
        ("integer", "number", False),
    ],
)
def test_only_listed_types_widen(before: str, after: str, yes: bool) -> None:
    assert widens(before, after) is yes


def test_a_table_cannot_have_a_column_twice() -> None:
    with pytest.raises(ValueError, match="each column once"):
        TableSchema((Column("a", "text"), Column("a", "text")))


def test_a_change_reads_as_a_sentence() -> None:
    after = TableSchema((Column("id", "bigint", True, 1), Column("note", "text", True, 3)), (), "7")
    assert str(diff(ORDERS, after)) == (
        "column amount removed; column id is bigint, was integer; column id is null now; "
        "column note added (text); key is (), was (id)"
    )
