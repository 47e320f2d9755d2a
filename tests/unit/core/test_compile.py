"""From an expression to operators: what may stand where."""

from __future__ import annotations

from typing import Any

import pytest

from reactor.core.errors import DefinitionError
from reactor.core.field import field, meta
from reactor.core.sentence import describe
from reactor.core.trigger.compile import compile_trigger
from reactor.core.trigger.expression import Trigger, at_least
from tests.unit.core.tap import Tap

A, B, C = Tap("a"), Tap("b"), Tap("c")


@pytest.mark.parametrize(
    ("trigger", "what", "hint"),
    [
        (A.by(field.x) | B, "mixes keyed and unkeyed events", "give every side a key"),
        ((A.by(field.x) & B).within("1h"), "mixes keyed and unkeyed events", "give every side"),
        (A.by(field.x).by(field.y), "is keyed twice", "one .by(...) along a path is enough"),
        (A.by(field.x).batch(2, "1s").by(field.y), "is keyed twice", "one .by(...)"),
        ((A & B).batch(2, "1s"), "a & b has no window", "write (...).within('10m')"),
        (at_least(2, A, B, C) | C, "has no window", "within"),
        ((A & A).within("1h"), "joins something with itself", "drop one side"),
        ((A & B & A).within("1h"), "joins something with itself", "tell them apart"),
        (A.then(B), "has no window", "within"),
        (A.then(B).unless(C, "1m"), "a.then(b) has no window", "within"),
        (A.unless(B & C, "1m"), "b & c has no window", "within"),
        (A.by(field.x).then(B).within("1h"), "mixes keyed and unkeyed", "give every side"),
        (A.by(field.x).unless(B, "1h"), "mixes keyed and unkeyed events", "give every side"),
        ((A & A).within("1h").incomplete(), "joins something with itself", "tell them apart"),
        (at_least(2, A, B, A).within("1h"), "joins something with itself", "drop one side"),
    ],
)
def test_what_makes_no_sense_says_why_and_what_to_do(
    trigger: Trigger, what: str, hint: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        compile_trigger(trigger)
    [problem] = caught.value.problems
    assert what in problem.what
    assert hint in problem.hint


@pytest.mark.parametrize("trigger", [A.where(meta.nothing == 1), A.by(meta.nothing)])
def test_a_place_that_no_event_has_is_refused_before_any_event(trigger: Trigger) -> None:
    with pytest.raises(ValueError, match="meta has"):
        compile_trigger(trigger)


@pytest.mark.parametrize(
    "trigger",
    [
        A.by(field.x).batch(3, "1s").by(field.x),
        (A.by(field.x) & B.by(field.y)).within("1h"),
        (A.by(field.x) & B.by(field.x)).within("1h").batch(2, "1s"),
        (A.where(field.x == 1) & A.where(field.x == 2)).within("1h"),
        (A.where(lambda event: event.data) & A.where(lambda event: not event.data)).within("1h"),
        (A | B).where(field.x == 1).by(field.x).where(field.y == 2),
        ((A & B).within("1m") & C).within("1h"),
        A.batch(2, "1s").where(field.x == 1),
        (A | B.throttle("1s")).where(field.x == 1),
        A.then(A).within("1h"),
        A.unless(A, within="1h"),
        A.by(field.x).then(B.by(field.y)).within("1h").incomplete(),
    ],
    ids=str,
)
def test_what_makes_sense_compiles(trigger: Trigger) -> None:
    assert compile_trigger(trigger).nodes


def test_conditions_around_a_leaf_are_gathered_from_the_inside_out() -> None:
    one, two, three = field.a == 1, field.b == 2, field.c == 3
    program = compile_trigger(A.where(one & two).where(three))
    assert program.entries[0].conditions == (one, two, three)


def test_a_key_on_a_composite_is_a_key_on_each_leaf() -> None:
    inside = compile_trigger((A.by(field.x) | B.by(field.x)).batch(2, "1s"))
    outside = compile_trigger((A | B).batch(2, "1s").by(field.x))
    event = A.event(x=7)
    keys = [entry.key and entry.key(event) for entry in (*inside.entries, *outside.entries)]
    assert keys == [7, 7, 7, 7]


def test_equal_expressions_number_their_operators_equally() -> None:
    def shape(trigger: Trigger) -> Any:
        return [(type(node).__name__, node.number) for node in compile_trigger(trigger).nodes]

    made = lambda: ((A | B).batch(2, "1s") & C).within("1h")  # noqa: E731
    assert shape(made()) == shape(made())
    assert shape(made()) == [
        ("Leaf", 0),
        ("Leaf", 1),
        ("EitherOf", 2),
        ("BatchOf", 3),
        ("Leaf", 4),
        ("JoinOf", 5),
    ]


def test_only_filters_and_alternatives_are_stateless() -> None:
    assert compile_trigger((A | B).where(field.x == 1).by(field.x)).stateless
    assert not compile_trigger(A.batch(2, "1s")).stateless
    assert not compile_trigger(A.silent_for("1s")).stateless


def test_an_event_is_described_by_who_saw_what() -> None:
    assert describe(A.event("inbox/monday.csv")) == "a saw inbox/monday.csv"
