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
    """A silence begins with each match that no other follows within `length`.

    A match that comes late counts if it falls into a silence that nobody has told yet, or into the
    one that lasts.
    """

    concludes = True

    def __init__(self, length: timedelta, lag: timedelta, of: Node) -> None:
        super().__init__(of)
        self.length, self.lag = length, lag
        self.heard: dict[Key, list[Match]] = {}
        self.told: list[Match] = []

    def begin(self, now: datetime) -> None:
        if not self.keyed:
            self.heard[None] = [Match(frozenset(), now, None, None)]

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        for _, match in arrivals:
            heard = self.heard.setdefault(match.key, [])
            before = [each for each in heard if each.order <= match.order]
            if before and before[-1] is not heard[-1]:
                if not self._begins_silence(before[-1]) or self._is_told(before[-1]):
                    continue
            elif heard and not before:
                continue
            heard.append(match)
            heard.sort(key=lambda each: each.order)
        return []

    def _begins_silence(self, match: Match) -> bool:
        heard = self.heard[match.key]
        later = heard[_place(heard, match) + 1 :]
        return not later or later[0].time > match.time + self.length

    def _is_told(self, match: Match) -> bool:
        return any(each is match for each in self.told)

    def wakes(self) -> list[Wake]:
        return [
            (match.time + self.length + self.lag, key)
            for key, heard in self.heard.items()
            for match in heard
            if self._begins_silence(match) and not self._is_told(match)
        ]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        at = due - self.length - self.lag
        [silence] = [
            match
            for match in self.heard[key]
            if match.time == at and self._begins_silence(match) and not self._is_told(match)
        ]
        self.told.append(silence)
        return [Match(silence.events, at + self.length, key, silence.latest)]


def _place(heard: list[Match], match: Match) -> int:
    return next(number for number, each in enumerate(heard) if each is match)


class OverdueNode(Node):
    """`ticks` are all there are in the history."""

    concludes = True

    def __init__(
        self,
        ticks: list[datetime],
        grace: timedelta,
        early: timedelta | None,
        lag: timedelta,
        of: Node,
    ) -> None:
        super().__init__(of)
        self.deadlines = [tick + grace for tick in ticks]
        self.early = None if early is None else early + grace
        self.lag = lag
        self.came: dict[Key, set[datetime]] = {}
        self.next: dict[Key, datetime] = {}

    def begin(self, now: datetime) -> None:
        if not self.keyed:
            self.next[None] = next(each for each in self.deadlines if each > now)

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        for _, match in arrivals:
            counts = next(each for each in self.deadlines if match.time <= each)
            if self.early is None or match.time > counts - self.early:
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
