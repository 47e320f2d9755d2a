"""Random expressions, made of every operator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from reactor.core.calendar import Calendar
from reactor.core.field import field
from reactor.core.timetable import Interval, Timetable
from reactor.core.trigger.expression import Outside, Trigger, at_least
from tests.unit.core.reference.history import TAPS

A, B, C = TAPS.values()
PAIRS = st.sampled_from(["latest", "oldest", "collect"])
WINDOWS = st.sampled_from(["1m", "2m", "4m"])


class Ticks:
    """A schedule."""

    def __init__(self, minutes: int) -> None:
        self.timetable: Timetable = Interval(timedelta(minutes=minutes))


HOURS = Calendar("00:02-00:05, 00:09-00:14, 00:15-00:16, 00:21-00:40, 00:50-23:00")

LEAVES: list[Trigger] = [
    A, A, B, B, C, A | B, A | C, A.where(field.n > 1), B.where(field.n == 1),
    A.where(field.n > 0) | A.where(field.n < 2) | B.where(field.k == "x"),
]  # fmt: skip

OUTSIDE: list[Outside] = ["hold", "drop"]
One = Callable[[Trigger], Trigger]
Two = Callable[[Trigger, Trigger], Trigger]


def _members(expected: Any) -> One:
    return lambda of: of.complete(expected, "4m", member=field.n)


COVERS: list[One] = [_members(["0", "1"]), _members(["1"]), _members(3), _members(2)]

WINDOWED: dict[str, st.SearchStrategy[One]] = {
    "complete": st.sampled_from([*COVERS, _members(field.m)]),
    "incomplete": st.sampled_from(COVERS).map(lambda cover: lambda of: cover(of).incomplete()),
    "count": st.tuples(st.integers(2, 4), WINDOWS).map(lambda p: lambda of: of.count(*p)),
    "aggregate": st.sampled_from(
        [
            lambda of: of.aggregate("3m", sum=field.v > 3),
            lambda of: of.aggregate("3m", avg=field.v < 2, of_at_least=2),
            lambda of: of.aggregate("2m", max=field.v.between(2, 4)),
            lambda of: of.aggregate("4m", min=field.v <= 1),
        ]
    ),
    "silent": WINDOWS.map(lambda w: lambda of: of.silent_for(w)),
    "overdue": st.tuples(
        st.integers(2, 5), st.sampled_from(["0s", "1m", "7m"]), st.sampled_from([None, "30s", "1m"])
    ).map(lambda p: lambda of: of.overdue(Ticks(p[0]), p[1], early=p[2])),
}
PACED: dict[str, st.SearchStrategy[One]] = {
    "batch": st.tuples(st.integers(1, 4), WINDOWS).map(lambda p: lambda of: of.batch(*p)),
    "debounce": st.sampled_from(
        [lambda of: of.debounce("1m", "2m"), lambda of: of.debounce("2m", "5m")]
    ),
    "throttle": st.tuples(WINDOWS, st.booleans()).map(
        lambda p: lambda of: of.throttle(p[0], trailing=p[1])
    ),
    "delay": WINDOWS.map(lambda w: lambda of: of.delay(w)),
    "during": st.sampled_from(OUTSIDE).map(
        lambda outside: lambda of: of.during(HOURS, outside=outside)
    ),
    "distinct": WINDOWS.map(lambda w: lambda of: of.distinct(field.n, ttl=w)),
    "changed": st.just(lambda of: of.changed(field.n)),
    "where": st.just(lambda of: of.where(field.n > 0)),
}
ONE = WINDOWED | PACED


def _sequence(window: str, pair: Any, incomplete: bool) -> Two:
    def made(one: Trigger, other: Trigger) -> Trigger:
        whole = one.then(other).within(window, pair=pair)
        return whole.incomplete() if incomplete else whole

    return made


def _join(window: str, pair: Any, incomplete: bool) -> Two:
    def made(one: Trigger, other: Trigger) -> Trigger:
        whole = (one & other).within(window, pair=pair)
        return whole.incomplete() if incomplete else whole

    return made


TWO: dict[str, st.SearchStrategy[Two]] = {
    "join": st.builds(_join, WINDOWS, PAIRS, st.booleans()),
    "then": st.builds(_sequence, WINDOWS, PAIRS, st.booleans()),
    "unless": WINDOWS.map(lambda w: lambda one, other: one.unless(other, w)),
    "either": st.just(lambda one, other: one | other),
}


def _three(pair: Any) -> list[Trigger]:
    sides = A.where(field.n > 0), B, A.where(field.n < 2)
    return [
        at_least(2, *sides).within("3m", pair=pair),
        at_least(3, *sides).within("4m", pair=pair),
        sides[0].then(sides[1]).then(sides[2]).within("4m", pair=pair),
        A.then(A).then(B).within("4m", pair=pair),
        A.then(B).then(C).within("4m", pair=pair).incomplete(),
        at_least(2, *sides).within("3m", pair=pair).incomplete(),
    ]


THREE = PAIRS.flatmap(lambda pair: st.sampled_from(_three(pair)))


@st.composite
def flat(draw: st.DrawFn) -> Trigger:
    """One operator on leaves."""
    kind = draw(st.sampled_from([*ONE, *TWO, *TWO, "three", "three"]))
    leaf = st.sampled_from(LEAVES)
    if kind == "three":
        return draw(THREE)
    if kind in ONE:
        return draw(ONE[kind])(draw(leaf))
    one = draw(leaf)
    return draw(TWO[kind])(one, draw(leaf.filter(lambda other: other != one)))


@st.composite
def deep(draw: st.DrawFn, depth: int = 3) -> Trigger:
    """Operators on operators."""
    if depth == 0 or draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(LEAVES))
    kind = draw(st.sampled_from([*ONE, *TWO, *TWO]))
    if kind in ONE:
        return draw(ONE[kind])(draw(deep(depth - 1)))
    one = draw(deep(depth - 1))
    return draw(TWO[kind])(one, draw(deep(depth - 1).filter(lambda other: other != one)))


def keyed(trigger: Trigger, key: bool) -> Trigger:
    return trigger.by(field.k) if key else trigger


@st.composite
def unkeyed(draw: st.DrawFn) -> Trigger:
    """An operator on what went on by key before."""
    kind = draw(st.sampled_from([*ONE]))
    return draw(ONE[kind])(draw(deep(2)).by(field.k).by(None))
