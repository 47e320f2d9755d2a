"""Triggers against references that are slow and obvious, at any cut of time and any restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.decision import Arrived
from reactor.core.field import field as payload
from reactor.core.trigger.expression import Trigger, at_least
from tests.unit.core.depth import examples
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")
Key = str | None


@dataclass(frozen=True)
class Seen:
    """An event as a reference sees it: its subject, when it came, when it happened."""

    subject: str
    tap: str
    now: float
    time: float
    n: int
    k: str


class Reference(Protocol):
    """What a trigger should do."""

    def see(self, event: Seen, key: Key) -> list[list[str]]: ...
    def due(self) -> float | None: ...
    def ring(self, now: float) -> list[tuple[Key, list[str]]]: ...


@dataclass
class Pass:
    def see(self, event: Seen, key: Key) -> list[list[str]]:
        return [[event.subject]]

    def due(self) -> float | None:
        return None

    def ring(self, now: float) -> list[tuple[Key, list[str]]]:
        return []


@dataclass
class Collect:
    """Batches and debounces: a list a key, when it began and when it was last added to."""

    full: Callable[[list[str]], bool]
    ends: Callable[[float, float], float]
    kept: dict[Key, tuple[float, float, list[str]]] = field(default_factory=dict)

    def see(self, event: Seen, key: Key) -> list[list[str]]:
        first, _, events = self.kept.get(key, (event.now, event.now, []))
        events = [*events, event.subject]
        if self.full(events):
            self.kept.pop(key, None)
            return [events]
        self.kept[key] = (first, event.now, events)
        return []

    def due(self) -> float | None:
        return min((self.ends(first, last) for first, last, _ in self.kept.values()), default=None)

    def ring(self, now: float) -> list[tuple[Key, list[str]]]:
        due = [(self.ends(f, last), key or "", key) for key, (f, last, _) in self.kept.items()]
        return [(key, self.kept.pop(key)[2]) for end, _, key in sorted(due) if end <= now]


@dataclass
class Throttle:
    every: float
    trailing: bool
    shut: dict[Key, tuple[float, list[str]]] = field(default_factory=dict)

    def see(self, event: Seen, key: Key) -> list[list[str]]:
        if key not in self.shut:
            self.shut[key] = (event.now + self.every, [])
            return [[event.subject]]
        if self.trailing:
            self.shut[key][1].append(event.subject)
        return []

    def due(self) -> float | None:
        return min((until for until, _ in self.shut.values()), default=None)

    def ring(self, now: float) -> list[tuple[Key, list[str]]]:
        fired: list[tuple[Key, list[str]]] = []
        for until, _, key in sorted((until, k or "", k) for k, (until, _) in self.shut.items()):
            if until <= now:
                _, events = self.shut.pop(key)
                if events:
                    fired.append((key, events))
                    self.shut[key] = (now + self.every, [])
        return fired


CASES: list[tuple[Callable[[Trigger], Trigger], Callable[[], Reference]]] = [
    (lambda of: of, Pass),
    (lambda of: of.batch(3, "4s"), lambda: Collect(lambda e: len(e) >= 3, lambda f, last: f + 4)),
    (lambda of: of.batch(1, "4s"), lambda: Collect(lambda e: True, lambda f, last: f + 4)),
    (
        lambda of: of.debounce("2s", "5s"),
        lambda: Collect(lambda e: False, lambda f, last: min(last + 2, f + 5)),
    ),
    (lambda of: of.throttle("3s"), lambda: Throttle(3, True)),
    (lambda of: of.throttle("3s", trailing=False), lambda: Throttle(3, False)),
]

SOURCES: list[tuple[Trigger, Callable[[Seen], bool]]] = [
    (A, lambda e: e.tap == "a"),
    (A.where(payload.n > 1), lambda e: e.tap == "a" and e.n > 1),
    (A | B, lambda e: True),
    (A.where(payload.n == 1) | A.where(payload.n < 2) | B.where(payload.k == "x"),
     lambda e: e.n < 2 if e.tap == "a" else e.k == "x"),
]  # fmt: skip

STEPS = st.tuples(
    st.sampled_from([0, 0, 0.5, 1, 2.5]),
    st.sampled_from("ab"),
    st.integers(0, 3),
    st.sampled_from("xy"),
    st.sampled_from([0, 0, 1, 3]),
)
HISTORY = st.lists(STEPS, max_size=25)


def history(steps: list[tuple[float, str, int, str, float]]) -> list[Seen]:
    """Events with when they come: each step says how long after the one before, and how late."""
    now, seen, counts = 0.0, [], {"a": 0, "b": 0}
    for wait, tap, n, k, late in steps:
        now += wait
        counts[tap] += 1
        seen.append(Seen(f"{tap}{counts[tap]}", tap, now, now - late, n, k))
    return seen


def heard(trigger: Trigger, events: list[Seen], at_once: bool, restarts: bool) -> list[str]:
    """What a trigger fires; events that come at one time in one turn, or in a turn each."""
    ear, told = Ear(trigger), list[str]()

    def turn(some: list[Seen]) -> None:
        if restarts:
            ear.again()
        inputs = [Arrived(e.tap, [Tap(e.tap).event(e.subject, e.time, n=e.n, k=e.k)]) for e in some]
        told.extend(ear.told_by(ear.receive(*inputs)))

    for now, together in groupby(events, key=lambda event: event.now):
        told.extend(ear.waits(now))
        if at_once:
            turn(list(together))
        else:
            for each in together:
                turn([each])
    return [line.split(" at ")[0] for line in told + ear.waits(10_000)]


def expected(reference: Reference, passes: Callable[[Seen], bool], events: list[Seen],
             key: Callable[[Seen], Key]) -> list[str]:  # fmt: skip
    told: list[str] = []

    def tell(key: Key, subjects: list[str]) -> None:
        told.append((f"{key}: " if key is not None else "") + " ".join(subjects))

    def until(now: float) -> None:
        while (due := reference.due()) is not None and due <= now:
            for key, subjects in reference.ring(due):
                tell(key, subjects)

    for event in events:
        until(event.now)
        if passes(event):
            for subjects in reference.see(event, key(event)):
                tell(key(event), subjects)
    until(10_000)
    return told


@examples(30)
@given(
    st.sampled_from(SOURCES),
    st.sampled_from(CASES),
    st.booleans(),
    HISTORY,
    st.booleans(),
    st.booleans(),
)
def test_a_trigger_fires_as_its_reference_does(
    source: Any, case: Any, keyed: bool, steps: Any, at_once: bool, restarts: bool
) -> None:
    (leaf, passes), (build, reference) = source, case
    trigger = build(leaf.by(payload.k) if keyed else leaf)
    events = history(steps)
    want = expected(reference(), passes, events, lambda e: e.k if keyed else None)
    got = heard(trigger, events, at_once, restarts)
    # In one turn, the matches of a rule are recorded by key.
    assert got == want if not (at_once and keyed) else sorted(got) == sorted(want)


def joined(events: list[Seen], sides: list[Callable[[Seen], bool]], n: int, window: float,
           pair: str) -> list[str]:  # fmt: skip
    """Every event goes to its sides; then every window that ends at one of them is tried."""
    held: list[list[Seen]] = [[] for _ in sides]
    order = {event.subject: number for number, event in enumerate(events)}
    told: list[str] = []
    for event in events:
        for side, fits in zip(held, sides, strict=True):
            if fits(event) and pair != "latest":
                side.append(event)
            elif fits(event) and all(other.time <= event.time for other in side):
                side[:] = [event]
        while chosen := _window(held, n, window, pair):
            told.append(" ".join(sorted({e.subject for e in chosen}, key=order.__getitem__)))
            for side in held:
                side[:] = [each for each in side if each not in chosen]
    return told


def _window(held: list[list[Seen]], n: int, window: float, pair: str) -> list[Seen]:
    ends = sorted({event.time for side in held for event in side}, reverse=pair != "oldest")
    for end in ends:
        inside = [[e for e in side if end - window <= e.time <= end] for side in held]
        inside = [sorted(side, key=lambda e: e.time) for side in inside if side]
        if len(inside) >= n:
            return [e for side in inside for e in (side if pair == "collect" else side[:1])]
    return []


SIDES: list[tuple[list[Trigger], list[Callable[[Seen], bool]]]] = [
    ([A, B], [lambda e: e.tap == "a", lambda e: e.tap == "b"]),
    (
        [A.where(payload.n == 1), A.where(payload.n == 2), B],
        [lambda e: e.tap == "a" and e.n == 1, lambda e: e.tap == "a" and e.n == 2,
         lambda e: e.tap == "b"],
    ),
]  # fmt: skip


@examples(30)
@given(
    st.sampled_from(SIDES),
    st.sampled_from(["latest", "oldest", "collect"]),
    st.sampled_from([1, 2, 4]),
    st.booleans(),
    HISTORY,
    st.booleans(),
)
def test_a_join_fires_as_its_reference_does(
    sides: Any, pair: Any, window: int, all_of_them: bool, steps: Any, restarts: bool
) -> None:
    triggers, fits = sides
    n = len(triggers) if all_of_them else 2
    trigger = at_least(n, *triggers).within(window, pair=pair)
    events = [event for event in history(steps) if event.now < 50]
    assert heard(trigger, events, False, restarts) == joined(events, fits, n, window, pair)
