"""What an operator is: a small state machine over matches, one class a kind.

Knows: matches and the JSON state of one operator and key. Refuses to know: rules, indexes, assets.
The kinds live next door: join.py, sequence.py (pattern.py: what both share), cover.py (sets),
window.py (count, aggregate), absence.py (unless, silence, overdue), pace.py (batch, debounce,
throttle), later.py (delay, calendar), novelty.py (distinct, changed).

Laws: `take` gets everything that one event gave the operands, at once, so that an event fills every
side it satisfies before anything completes; state is tuples of plain values, read and written
through `Moment`, never kept in the operator; instants in state are whole microseconds since 1970,
UTC; events in state are ranges, so that whoever deletes old events finds them.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, Protocol

from reactor.core.decision import Word
from reactor.core.instant import MICROSECOND
from reactor.core.ranges import Ranges, union
from reactor.core.sentence import listed

PARTIAL_CAP = 1_000
"""Unconsumed matches that one side of a pattern keeps for one key."""
SPAN_CAP = 10_000
"""Stretches of events, or members, that a collecting operator keeps for one key."""
KEY_LIFE = 30 * 86_400_000_000
"""How long an operator without a window keeps a key for which nothing comes."""
IDLE_LIMIT = 86_400_000_000
"""How long a pattern whose sources fell silent keeps a partial match beyond its window."""

Values = tuple[Any, ...]
Entry = tuple[Ranges, int, str, Values]
"""A match as state keeps it: everything but the key."""
Data = tuple[Any, ...]
Waits = tuple[Ranges, str, int | None]
"""Events that wait, what for in words, and until when (None: until the row is rung)."""


class Match(NamedTuple):
    """Events (sequence numbers, as ranges) that satisfy an expression, for a key.

    `time` is the event time of the latest, in microseconds; `label` says in words what came;
    `values` are what the operators above look at in the latest event (`Probe`).
    """

    events: Ranges
    time: int
    label: str
    values: Values
    key: str | None

    def value(self, probe: int) -> Any:
        """What a probe found; None if the match has no event, or none with it."""
        return self.values[probe] if probe < len(self.values) else None


class Moment(Protocol):
    """One event or timer passing through one rule."""

    @property
    def now(self) -> int:
        """Processing time, in microseconds."""
        ...

    def upto(self, sources: tuple[str, ...]) -> int | None:
        """Event time up to which all of these were read; None if one of them said nothing."""
        ...

    def get(self, node: int, key: str | None) -> Data | None:
        """The state of an operator for a key."""
        ...

    def put(self, node: int, key: str | None, data: Data | None, due: int | None = None) -> None:
        """Replaces it; None forgets it. `due`, in microseconds, is when to ring next."""
        ...

    def lost(self, word: Word, events: Ranges, why: str) -> None:
        """Records that these events will not fire this rule from here on."""
        ...


Arrivals = Sequence[tuple[int, Match]]


class Operator:
    """One node of a compiled expression. `number` is its place, the same for equal expressions.

    `keyed` says whether its matches have a key. `sources` are the sensors below it. `lateness` is
    how much later than others of its time a match may come, and `lag` how much of that is because
    operators below it keep matches back.
    """

    concludes: bool = False
    """Whether it is rung only when its sources have been read past the time it asked for."""
    keeps: ClassVar[str] = "waiting"
    """What the events that it holds are called: waiting, debounced, throttled or held."""

    def __init__(self, number: int, children: Sequence[Operator]) -> None:
        self.number = number
        self.children = tuple(children)
        self.parent: Operator | None = None
        self.side = 0
        self.keyed = any(child.keyed for child in children)
        below = {source for child in children for source in child.sources}
        self.sources: tuple[str, ...] = tuple(sorted(below))
        self.lateness = max((child.lateness for child in children), default=0)
        self.lag = max((child.lag for child in children), default=0)
        for side, child in enumerate(children):
            child.parent, child.side = self, side

    def begin(self, moment: Moment) -> None:
        """The rule starts afresh now, without a key."""

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        """Takes the operands' matches, each with its side, and answers its own."""
        raise TypeError("a leaf takes nothing")

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        """The time asked for has come."""
        return []

    def overflow(self, key: str | None, moment: Moment) -> list[Match]:
        """There are too many keys: fires what can fire, and forgets the rest of this one."""
        data = moment.get(self.number, key)
        if data is not None:
            for events, *_ in self.waiting(data):
                moment.lost(Word.EXPIRED, events, "too many keys")
            moment.put(self.number, key, None)
        return []

    def waiting(self, data: Data) -> Iterator[Waits]:
        """The events that state holds, with what they wait for."""
        yield from ()

    def keeps_back(self, most: timedelta) -> None:
        """Its own matches come up to so much later than what they are made of."""
        self.lag += most // MICROSECOND
        self.lateness += most // MICROSECOND

    def read_by(self, newest: int, moment: Moment) -> int:
        """Up to which event time nothing more comes, or at most late.

        `newest` is the newest match of the key. A sensor that lags behind the others may still
        bring what is older than that, for a day if it says nothing.
        """
        upto = moment.upto(self.sources)
        idle = newest - IDLE_LIMIT
        return idle if upto is None else max(idle, min(newest, upto))


class Leaf(Operator):
    """Where events come in; the engine decides which."""

    def __init__(self, number: int, source: str, lateness: timedelta, keyed: bool) -> None:
        super().__init__(number, ())
        self.keyed = keyed
        self.sources = (source,)
        self.lateness = lateness // MICROSECOND


class EitherOf(Operator):
    """Passes matches on; what one event gave several operands is one match."""

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        if len(arrivals) == 1:
            return [arrivals[0][1]]
        seen: dict[tuple[Ranges, str | None], Match] = {}
        for _, match in arrivals:
            seen.setdefault((match.events, match.key), match)
        return list(seen.values())


class UnkeyedOf(Operator):
    """Passes matches on without their key."""

    def __init__(self, number: int, children: Sequence[Operator]) -> None:
        super().__init__(number, children)
        self.keyed = False

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        return [match._replace(key=None) for _, match in arrivals]


class WhereOf(Operator):
    """Passes the matches whose latest event satisfies a predicate, as its probe found."""

    def __init__(self, number: int, children: Sequence[Operator], probe: int, text: str) -> None:
        super().__init__(number, children)
        self.probe, self.text = probe, text

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        passed: list[Match] = []
        for _, match in arrivals:
            if match.value(self.probe):
                passed.append(match)
            else:
                moment.lost(Word.FILTERED, match.events, f"not {self.text}")
        return passed


def by_key(arrivals: Arrivals) -> Iterable[tuple[str | None, Arrivals]]:
    """The arrivals of each key."""
    if len(arrivals) == 1:
        return ((arrivals[0][1].key, arrivals),)
    grouped: dict[str | None, list[tuple[int, Match]]] = {}
    for arrival in arrivals:
        grouped.setdefault(arrival[1].key, []).append(arrival)
    return grouped.items()


def time_of(entry: Entry) -> int:
    """The event time of an entry."""
    return entry[1]


def order(entry: Entry) -> tuple[int, int]:
    """Where an entry stands: by event time, at one instant by arrival."""
    events = entry[0]
    return (entry[1], events[-1][1] if events else 0)


def placed(entries: tuple[Entry, ...], entry: Entry) -> tuple[Entry, ...]:
    """The entries with one more, in order."""
    if not entries or order(entries[-1]) <= order(entry):
        return (*entries, entry)
    changed = list(entries)
    insort(changed, entry, key=order)
    return tuple(changed)


def events_of(entries: Iterable[Entry]) -> Ranges:
    """All events of some entries."""
    return union(*(entry[0] for entry in entries))


def merged(key: str | None, chosen: Sequence[Entry], label: str) -> Match:
    """One match of several entries, with the time and values of the latest."""
    if len(chosen) == 2:
        first, last = chosen
        if order(first) > order(last):
            first, last = last, first
        return Match(_joined(first[0], last[0]), last[1], label, last[3], key)
    latest = max(chosen, key=order)
    return Match(events_of(chosen), latest[1], label, latest[3], key)


def _joined(one: Ranges, other: Ranges) -> Ranges:
    """The union; most often of two events that are apart."""
    if len(one) == len(other) == 1:
        if one[0][1] + 1 < other[0][0]:
            return one + other
        if other[0][1] + 1 < one[0][0]:
            return other + one
    return union(one, other)


def labels(entries: Sequence[Entry]) -> str:
    """What entries say came; many of one kind are counted."""
    if len(entries) == 2 and entries[0][2] != entries[1][2]:
        return f"{entries[0][2]} and {entries[1][2]}"
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry[2]] = counts.get(entry[2], 0) + 1
    if len(counts) > 4:
        return f"{next(iter(counts))} and {sum(counts.values()) - 1:,} more"
    return listed([f"{said} ({n:,} times)" if n > 1 else said for said, n in counts.items()])
