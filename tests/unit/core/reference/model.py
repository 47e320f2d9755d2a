"""Matches, operators and time, as the references see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from reactor.core.event import Event

Key = str | None
Wake = tuple[datetime, Key]


@dataclass(frozen=True)
class Match:
    """Events by the order in which they came, the time of the latest, and that event itself."""

    events: frozenset[int]
    time: datetime
    key: Key
    latest: Event | None

    @property
    def order(self) -> tuple[datetime, int]:
        return (self.time, max(self.events, default=0))


def joined(matches: Sequence[Match], key: Key) -> Match:
    """One match of several."""
    latest = max(matches, key=lambda match: match.order)
    events = frozenset[int]().union(*(match.events for match in matches))
    return Match(events, latest.time, key, latest.latest)


@dataclass
class Clock:
    """What an operator may ask: `now`, and how far each sensor has been read."""

    now: datetime
    read: dict[str, datetime] = field(default_factory=dict)

    def upto(self, sources: Iterable[str]) -> datetime | None:
        said = [self.read.get(source) for source in sources]
        known = [upto for upto in said if upto is not None]
        return min([*known, self.now]) if len(known) == len(said) else None


class Node:
    """An operator. Its number says which of two that act at one instant acts first."""

    concludes: ClassVar[bool] = False

    def __init__(self, *children: Node) -> None:
        self.children = children
        self.parent: Node | None = None
        self.side, self.number = 0, -1
        for side, child in enumerate(children):
            child.parent, child.side = self, side
        self.sources: set[str] = {source for child in children for source in child.sources}
        self.keyed = any(child.keyed for child in children)

    def begin(self, now: datetime) -> None:
        """The rule starts."""

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        raise NotImplementedError

    def wakes(self) -> list[Wake]:
        """When it acts by itself, for which key."""
        return []

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        raise NotImplementedError

    def all(self) -> list[Node]:
        return [*(node for child in self.children for node in child.all()), self]


@dataclass(frozen=True)
class Firing:
    """What came out on top, and when."""

    now: datetime
    key: Key
    events: tuple[int, ...]


class Model:
    """A tree of operators, fed with events and time."""

    def __init__(self, root: Node, now: datetime) -> None:
        self.root, self.clock = root, Clock(now)
        self.fired: list[Firing] = []
        self.nodes = root.all()
        for number, node in enumerate(self.nodes):
            node.number = number
            node.begin(now)

    def passes(self, now: datetime) -> None:
        """Time passes: whatever is due acts, the earliest first."""
        self.clock.now = now
        self._ring()

    def reads(self, source: str, upto: datetime) -> None:
        """A sensor says how far it has been read: if that is news, what waited for it acts."""
        known = self.clock.read.get(source)
        if known is None or known < upto:
            self.clock.read[source] = upto
            self._ring()

    def comes(self, number: int, event: Event) -> None:
        """An event of a sensor."""
        for match in self._rise(self.root, number, event):
            self._fire(match)

    def _rise(self, node: Node, number: int, event: Event) -> list[Match]:
        if isinstance(node, Leaf):
            return node.sees(number, event, self.clock.now)
        arrivals = [
            (child.side, match)
            for child in node.children
            for match in self._rise(child, number, event)
        ]
        return node.take(arrivals, self.clock) if arrivals else []

    def _ring(self) -> None:
        while due := [wake for node in self.nodes for wake in self._due(node)]:
            at, number, _, key = min(due)
            node = self.nodes[number]
            key = key if (at, number, True, key) in due else None
            for match in node.ring(at, key, self.clock):
                self._climb(node, match)

    def _due(self, node: Node) -> list[tuple[datetime, int, bool, str]]:
        until = self.clock.upto(node.sources) if node.concludes else self.clock.now
        return [
            (at, node.number, key is not None, key or "")
            for at, key in node.wakes()
            if until is not None and at <= until
        ]

    def _climb(self, node: Node, match: Match) -> None:
        matches = [match]
        while matches and node.parent is not None:
            matches = node.parent.take([(node.side, each) for each in matches], self.clock)
            node = node.parent
        for each in matches:
            self._fire(each)

    def _fire(self, match: Match) -> None:
        self.fired.append(Firing(self.clock.now, match.key, tuple(sorted(match.events))))


class Leaf(Node):
    """Where the events of a sensor come in."""

    def __init__(self, source: str, key: object) -> None:
        super().__init__()
        self.sources = {source}
        self.key, self.keyed = key, key is not None

    def sees(self, number: int, event: Event, now: datetime) -> list[Match]:
        if event.source not in self.sources:
            return []
        value = None if self.key is None else event.data[self.key]  # type: ignore[index]
        key = None if value is None else str(value)
        return [Match(frozenset({number}), min(event.time, now), key, event)]


def by_key(arrivals: Iterable[tuple[int, Match]]) -> dict[Key, list[tuple[int, Match]]]:
    """The arrivals of each key."""
    keys: dict[Key, list[tuple[int, Match]]] = {}
    for side, match in arrivals:
        keys.setdefault(match.key, []).append((side, match))
    return keys
