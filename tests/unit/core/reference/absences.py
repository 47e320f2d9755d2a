"""What did not happen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.unit.core.reference.model import Clock, Key, Match, Node, Wake

Order = tuple[datetime, int]


class UnlessNode(Node):
    concludes = True

    def __init__(self, window: timedelta, lag: timedelta, *children: Node) -> None:
        super().__init__(*children)
        self.window, self.lag = window, lag
        self.waits: list[Match] = []
        self.calls: list[tuple[Key, Order]] = []

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        self.waits += [match for side, match in arrivals if side == 0]
        self.calls += [(match.key, match.order) for side, match in arrivals if side == 1]
        self.waits = [match for match in self.waits if not self._called_off(match)]
        return []

    def _called_off(self, match: Match) -> bool:
        return any(
            key == match.key and order > match.order and order[0] <= match.time + self.window
            for key, order in self.calls
        )

    def wakes(self) -> list[Wake]:
        return [(match.time + self.window + self.lag, match.key) for match in self.waits]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        at = due - self.window - self.lag
        ended = [match for match in self.waits if match.key == key and match.time == at]
        self.waits = [match for match in self.waits if match not in ended]
        ended.sort(key=lambda match: match.order)
        return [Match(m.events, m.time + self.window, key, m.latest) for m in ended]


class SilentNode(Node):
    concludes = True

    def __init__(self, length: timedelta, lag: timedelta, keyed: bool, of: Node) -> None:
        super().__init__(of)
        self.length, self.lag, self.keyed = length, lag, keyed
        self.last: dict[Key, Match] = {}
        self.over: set[Key] = set()

    def begin(self, now: datetime) -> None:
        if not self.keyed:
            self.last[None] = Match(frozenset(), now, None, None)

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        for _, match in arrivals:
            last = self.last.get(match.key)
            if last is None or match.order >= last.order:
                self.last[match.key] = match
                self.over.discard(match.key)
        return []

    def wakes(self) -> list[Wake]:
        return [
            (last.time + self.length + self.lag, key)
            for key, last in self.last.items()
            if key not in self.over
        ]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        self.over.add(key)
        last = self.last[key]
        return [Match(last.events, last.time + self.length, key, last.latest)]


class OverdueNode(Node):
    """`ticks` are all there are in the history."""

    concludes = True

    def __init__(
        self, ticks: list[datetime], grace: timedelta, lag: timedelta, keyed: bool, of: Node
    ) -> None:
        super().__init__(of)
        self.deadlines = [tick + grace for tick in ticks]
        self.lag, self.keyed = lag, keyed
        self.came: dict[Key, set[datetime]] = {}
        self.next: dict[Key, datetime] = {}

    def begin(self, now: datetime) -> None:
        if not self.keyed:
            self.next[None] = next(each for each in self.deadlines if each > now)

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        for _, match in arrivals:
            counts = next(each for each in self.deadlines if match.time <= each)
            self.came.setdefault(match.key, set()).add(counts)
            self.next.setdefault(match.key, counts)
        return []

    def wakes(self) -> list[Wake]:
        return [(due + self.lag, key) for key, due in self.next.items()]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        deadline = due - self.lag
        self.next[key] = next(each for each in self.deadlines if each > deadline)
        if deadline in self.came.get(key, set[Any]()):
            return []
        return [Match(frozenset(), deadline, key, None)]
