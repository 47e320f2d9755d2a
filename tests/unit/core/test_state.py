"""Rows with a journal: what a turn changed is what takes it back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.state import Change, State, Table
from tests.unit.core.depth import examples

KEYS = st.sampled_from(["a", "b", "c"])
ACTS = st.lists(
    st.tuples(st.sampled_from(["put", "drop", "forget", "next", "take"]), KEYS, st.integers(1, 9)),
    max_size=12,
)


def act(state: State, acts: list[tuple[str, str, int]]) -> None:
    for name, key, value in acts:
        match name:
            case "put":
                state.put(Table.RUN, (key,), value)
            case "drop":
                state.drop(Table.RUN, key)
            case "forget":
                state.forget(Table.RUN, key)
            case "next":
                state.next(key)
            case _:
                state.take(key, value)


def copied(state: State) -> dict[Table, dict[Any, Any]]:
    return {table: dict(rows) for table, rows in state.rows.items()}


@examples(40)
@given(ACTS, ACTS)
def test_undo_puts_back_every_row(before: list[Any], after: list[Any]) -> None:
    state = State()
    act(state, before)
    state.end_turn()
    was = copied(state)
    act(state, after)
    state.undo(state.end_turn())
    assert copied(state) == was


@examples(40)
@given(st.lists(ACTS, max_size=4))
def test_what_a_store_writes_turn_by_turn_is_what_is_live_and_what_was_forgotten(
    turns: list[list[Any]],
) -> None:
    state, store = State(), dict[Any, Any]()
    forgotten = {(Table.RUN, (key,)) for acts in turns for name, key, _ in acts if name == "forget"}
    for acts in turns:
        act(state, acts)
        for change in state.end_turn():
            store.pop((change.table, change.key), None)
            if change.after is not None:
                store[change.table, change.key] = change.after
        live = {(table, key): row for table in Table for key, row in state.rows[table].items()}
        assert live.items() <= store.items()
        assert store.keys() - live.keys() <= forgotten


def test_changes_come_in_the_order_first_made_with_the_first_before_and_the_last_after() -> None:
    state = State.of([(Table.RUN, ("old",), 1)])
    state.put(Table.RUN, ("new",), 1)
    state.put(Table.RUN, ("old",), 2)
    state.put(Table.RUN, ("new",), 3)
    state.put(Table.RUN, ("old",), 4)
    assert state.end_turn() == (
        Change(Table.RUN, ("new",), None, 3),
        Change(Table.RUN, ("old",), 1, 4),
    )
    assert state.end_turn() == ()


def test_a_forgotten_row_stays_in_the_store_as_it_was_last() -> None:
    state = State.of([(Table.RUN, ("r",), 1)])
    state.put(Table.RUN, ("r",), 2)
    state.forget(Table.RUN, "r")
    assert state.get(Table.RUN, "r") is None
    assert state.end_turn() == (Change(Table.RUN, ("r",), 1, 2),)


def test_numbers_are_given_out_once() -> None:
    state = State()
    assert [state.next("step"), state.next("step"), state.next("run")] == [1, 2, 1]
    assert state.take("event", 10) == 1
    assert state.next("event") == 11
