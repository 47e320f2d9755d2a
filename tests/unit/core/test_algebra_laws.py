"""What holds for every expression, whatever it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from reactor.core.decision import Arrived
from reactor.core.field import field
from reactor.core.trigger.expression import By, Over, Several, Source, Trigger, Where
from tests.unit.core.depth import examples
from tests.unit.core.reference.expressions import deep, flat, keyed
from tests.unit.core.reference.history import (
    HISTORIES,
    Heard,
    Live,
    Turn,
    Writer,
    by_time,
    lived,
)

TRIGGERS = st.one_of(flat(), deep(2), deep())
KEYED = st.builds(keyed, TRIGGERS, st.booleans())
MANY = 40


def turns(history: Any) -> list[Turn]:
    return Writer().turns(history)


@examples(MANY)
@given(KEYED, HISTORIES)
def test_it_may_die_and_be_loaded_at_any_point(trigger: Trigger, history: Any) -> None:
    note(str(trigger))
    live = Live(trigger)
    for now, inputs in turns(history):
        live.restart()
        live.turn(now, inputs)
    assert live.heard == lived(trigger, turns(history), steps=False).heard


@examples(MANY)
@given(KEYED, HISTORIES)
def test_what_comes_at_one_instant_may_come_in_one_turn_or_in_many(
    trigger: Trigger, history: Any
) -> None:
    note(str(trigger))
    one_by_one, at_once = (
        by_time(lived(trigger, Writer(strict=True, at_once=each).turns(history), False).heard)
        for each in (False, True)
    )
    assert one_by_one == at_once


@examples(MANY)
@given(KEYED, HISTORIES, st.lists(st.booleans(), min_size=30, max_size=30))
def test_a_turn_that_could_not_be_recorded_may_be_taken_again(
    trigger: Trigger, history: Any, failing: list[bool]
) -> None:
    note(str(trigger))
    live = Live(trigger)
    for (now, inputs), fails in zip(turns(history), failing, strict=False):
        if fails:
            live.tries(now, inputs)
        live.turn(now, inputs)
    assert live.heard == lived(trigger, turns(history), steps=False).heard


@examples(MANY)
@given(KEYED, KEYED, HISTORIES)
def test_another_rule_changes_nothing(trigger: Trigger, other: Trigger, history: Any) -> None:
    note(f"{trigger} beside {other}")
    live = Live(trigger, other)
    for now, inputs in turns(history):
        live.turn(now, inputs)
    assert live.heard == lived(trigger, turns(history), steps=False).heard


@examples(MANY)
@given(TRIGGERS, HISTORIES, st.booleans())
def test_a_key_on_the_whole_is_a_key_on_every_leaf(
    trigger: Trigger, history: Any, steps: bool
) -> None:
    note(str(inside(trigger)))
    whole = lived(trigger.by(field.k), turns(history), steps)
    assert whole.heard == lived(inside(trigger), turns(history), steps).heard


def inside(trigger: Trigger) -> Trigger:
    """The expression, with every leaf keyed."""
    match trigger:
        case Source():
            return By(trigger, field.k._path)  # pyright: ignore[reportPrivateUsage]
        case Where(of, predicate):
            return inside(of).where(predicate)
        case Several():
            return replace(trigger, of=tuple(map(inside, trigger.of)))
        case Over():
            return replace(trigger, of=inside(trigger.of))
        case _:
            raise TypeError(f"what is in {trigger}?")


@examples(MANY)
@given(TRIGGERS, HISTORIES)
def test_events_of_one_key_change_nothing_of_another(trigger: Trigger, history: Any) -> None:
    note(str(trigger))
    all_of_them, only = (
        lived(trigger.by(field.k), each, steps=False).heard
        for each in (turns(history), [without("y", turn) for turn in turns(history)])
    )
    assert of_key("x", all_of_them) == of_key("x", only)


def of_key(key: str, heard: Heard) -> list[Any]:
    return [(now, fired[key]) for now, fired in heard if key in fired]


def without(key: str, turn: Turn) -> Turn:
    now, inputs = turn
    return now, tuple(each for each in inputs if not _has(key, each))


def _has(key: str, each: Any) -> bool:
    events: Sequence[Any] = each.events if isinstance(each, Arrived) else ()
    return any(event.data["k"] == key for event in events)


@examples(MANY)
@given(KEYED, HISTORIES)
def test_every_event_that_was_let_in_fires_waits_or_has_a_fate(
    trigger: Trigger, history: Any
) -> None:
    note(str(trigger))
    live = Live(trigger)
    for now, inputs in turns(history):
        live.turn(now, inputs)
        for seq in live.numbers.keys() - live.told:
            waiting = live.stage.reactor.waiting_for(seq)
            assert waiting, f"nobody knows what became of event {live.numbers[seq]}"
