"""Whether a change of a table breaks a reader, touches it, or leaves it alone."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.breach import Judgement, judge, moves, still
from reactor.core.contract import Change, TableSchema
from reactor.core.lineage import ALL, NOTHING, Lineage, declared
from tests.unit.core.reference.shapes import (
    EVERYTHING,
    Seen,
    T,
    readers,
    seen,
    shape,
    shapes,
    told_by_history,
)


def play(reader: Lineage, *shapes: TableSchema | None) -> list[Judgement]:
    """What a reader is judged at each change of a table that had these shapes one after another."""
    judged = [Judgement()]
    for before, after in pairwise(shapes):
        judged.append(judge(reader, T, moves(seen(before, after)), judged[-1].facts))
    return judged[1:]


AMOUNT = declared({"orders": ["amount"]}, {"total": ["orders.amount"]})
FULL, LESS = shape("id:integer amount:integer"), shape("id:integer")


def test_a_reader_of_a_removed_column_is_held() -> None:
    [judged] = play(AMOUNT, FULL, LESS)
    assert [fact.said for fact in judged.facts] == ["column amount removed"]
    assert judged.touched == {"total"}


def test_a_reader_of_other_columns_is_left_alone() -> None:
    assert play(declared({"orders": ["id"]}), FULL, LESS) == [Judgement()]


def test_a_reader_of_all_columns_is_held_by_any_that_goes() -> None:
    [judged] = play(EVERYTHING, FULL, LESS)
    assert judged.facts


def test_a_new_column_launches_only_who_takes_all() -> None:
    assert play(EVERYTHING, LESS, FULL) == [Judgement((), ALL)]
    assert play(declared({"orders": ["id"]}), LESS, FULL) == [Judgement()]


def test_a_wider_column_launches_its_readers() -> None:
    wider = shape("id:integer amount:bigint")
    assert play(AMOUNT, FULL, wider) == [Judgement((), frozenset({"total"}))]


def test_who_only_counts_rows_is_held_when_the_table_goes() -> None:
    counts = Lineage({"orders": frozenset()}, {"n": frozenset()}, frozenset({("orders", ALL)}))
    [judged] = play(counts, FULL, None)
    assert [fact.said for fact in judged.facts] == ["table dropped"]
    assert play(counts, FULL, LESS) == [Judgement()]


def test_a_column_that_is_back_lets_go_and_asks_for_nothing() -> None:
    assert play(AMOUNT, FULL, LESS, FULL)[-1] == Judgement()


def test_a_rename_back_is_as_if_nothing_had_been() -> None:
    full = shape("id:integer#1 amount:integer#2")
    other = shape("id:integer#1 total:integer#2")
    held, back = play(AMOUNT, full, other, full)
    assert held.facts
    assert back == Judgement()


def test_a_column_that_was_made_anew_holds_other_values() -> None:
    full = shape("id:integer#1 amount:integer#2")
    again = shape("id:integer#1 amount:integer#3")
    assert play(AMOUNT, full, shape("id:integer#1"), again)[-1] == Judgement(
        (), frozenset({"total"})
    )


def test_a_table_that_was_made_anew_holds_other_rows() -> None:
    full = shape("id:integer amount:integer")
    assert play(AMOUNT, full, None, full)[-1] == Judgement((), ALL)


def test_that_a_table_was_made_anew_is_not_forgotten_while_a_column_is_missing() -> None:
    assert play(AMOUNT, FULL, None, LESS, FULL)[-1] == Judgement((), ALL)


def test_a_table_that_was_renamed_and_back_is_the_same() -> None:
    table = shape("id:integer#1 amount:integer#2", identity="77")
    held, back = play(AMOUNT, table, None, table)
    assert held.facts
    assert back == Judgement()
    other = shape("id:integer#1 amount:integer#2", identity="78")
    assert play(AMOUNT, table, None, other)[-1] == Judgement((), ALL)


def test_a_file_that_is_one_of_many_may_come_and_go() -> None:
    files = declared({"lake/*.csv": ["amount"]})
    path = "lake/monday.csv"
    gone = judge(files, path, moves(seen(FULL, None)))
    assert gone == Judgement((), ALL)
    broken = judge(files, path, moves(seen(FULL, LESS)))
    assert [fact.said for fact in broken.facts] == ["column amount removed"]
    assert judge(files, path, moves(seen(LESS, None)), broken.facts) == Judgement((), ALL)


def test_a_file_that_is_read_by_its_name_is_missed() -> None:
    file = declared({"lake/monday.csv": ["amount"], "lake/*.csv": ["amount"]})
    assert judge(file, "lake/monday.csv", moves(seen(FULL, None))).facts


def test_a_column_that_is_back_with_another_type_holds_on() -> None:
    other = shape("id:integer amount:text")
    assert [bool(each.facts) for each in play(AMOUNT, FULL, LESS, other, FULL)] == [
        True,
        True,
        False,
    ]


def test_a_table_that_is_back_without_a_column_holds_on_who_read_that() -> None:
    ids = declared({"orders": ["id"]})
    assert play(ids, FULL, None, LESS)[-1] == Judgement((), ALL)
    held = play(AMOUNT, FULL, None, LESS)[-1]
    assert [fact.name for fact in held.facts if fact.said] == ["amount"]


def test_two_columns_are_held_until_both_are_back() -> None:
    both = declared({"orders": ["id", "amount"]})
    shapes = (FULL, LESS, shape(""), shape("amount:integer"), FULL)
    assert [bool(each.facts) for each in play(both, *shapes)] == [True, True, True, False]


def test_what_came_and_went_while_a_reader_was_held_does_not_concern_it() -> None:
    more = shape("id:integer new:text")
    assert play(EVERYTHING, FULL, LESS, more, LESS, FULL)[-1] == Judgement()


def test_what_came_while_a_reader_was_held_is_to_be_read_when_it_goes_on() -> None:
    more, most = shape("id:integer new:text"), shape("id:integer amount:integer new:text")
    assert play(EVERYTHING, FULL, LESS, more, most)[-1] == Judgement((), ALL)


def test_a_key_that_no_longer_holds_breaks_who_reads_its_columns() -> None:
    keyed, free = shape("id:integer amount:integer", "id"), FULL
    held, back = play(declared({"orders": ["id"]}), keyed, free, keyed)
    assert held.facts
    assert back == Judgement()
    assert play(AMOUNT, keyed, free) == [Judgement()]


def test_two_columns_that_swap_names_are_not_taken_for_undone() -> None:
    one, other = shape("a:integer#1 b:integer#2"), shape("b:integer#1 a:integer#2")
    held, back = play(declared({"orders": ["a"]}), one, other, one)
    assert held.facts
    assert back == Judgement()


def test_changes_without_shapes_are_undone_by_their_counterparts() -> None:
    gone = Seen(T, (Change("column_removed", True, "amount"),))
    held = judge(AMOUNT, T, moves(gone))
    assert held.facts
    come = Seen(T, (Change("column_added", False, "amount"),))
    assert judge(AMOUNT, T, moves(come), held.facts) == Judgement()


def test_a_retype_without_types_is_not_undone_by_another() -> None:
    retyped = moves(Seen(T, (Change("column_retyped", True, "amount"),)))
    held = judge(AMOUNT, T, retyped)
    assert judge(AMOUNT, T, retyped, held.facts).facts


def test_a_reader_that_reads_something_else_now_is_no_longer_held() -> None:
    [judged] = play(AMOUNT, FULL, LESS)
    assert still(AMOUNT, T, judged.facts) == judged.facts
    assert still(declared({"orders": ["id"]}), T, judged.facts) == ()


@given(readers, st.lists(shapes, min_size=2, max_size=8))
def test_a_reader_is_held_from_the_first_break_until_it_sees_what_it_saw(
    reader: Lineage, history: list[TableSchema | None]
) -> None:
    for number, got in enumerate(play(reader, *history), 2):
        known = told_by_history(reader, history[:number])
        assert bool(got.facts) == bool(known.broken)
        if not known.broken:
            assert (got.touched != NOTHING) == known.sees_other
