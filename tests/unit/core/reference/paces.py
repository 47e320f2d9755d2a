"""Fewer firings, and later ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.unit.core.reference.model import Clock, Key, Match, Node, Wake


class CollectNode(Node):
    """Batches and debounces: full says when there are enough, ends when it is over."""

    def __init__(self, full: Any, ends: Any, of: Node) -> None:
        super().__init__(of)
        self.full, self.ends = full, ends
        self.keys: dict[Key, tuple[datetime, datetime, Match]] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            first, _, before = self.keys.pop(match.key, (clock.now, clock.now, None))
            whole = match if before is None else gathered(before, match)
            if self.full(whole.events):
                fired.append(whole)
            else:
                self.keys[match.key] = (first, clock.now, whole)
        return fired

    def wakes(self) -> list[Wake]:
        return [(self.ends(first, last), key) for key, (first, last, _) in self.keys.items()]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        return [self.keys.pop(key)[2]]


class ThrottleNode(Node):
    def __init__(self, every: timedelta, trailing: bool, of: Node) -> None:
        super().__init__(of)
        self.every, self.trailing = every, trailing
        self.keys: dict[Key, tuple[datetime, Match | None]] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            until, before = self.keys.get(match.key, (clock.now, None))
            whole = match if before is None else gathered(before, match)
            if until <= clock.now:
                self.keys[match.key] = (clock.now + self.every, None)
                fired.append(whole)
            elif self.trailing:
                self.keys[match.key] = (until, whole)
        return fired

    def wakes(self) -> list[Wake]:
        return [(until, key) for key, (until, _) in self.keys.items()]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        _, back = self.keys.pop(key)
        if back is None:
            return []
        self.keys[key] = (clock.now + self.every, None)
        return [back]


class LaterNode(Node):
    """Delays and calendars: `goes` says when a match that comes now goes on, None for never.

    What came at one instant goes on together.
    """

    def __init__(self, goes: Any, of: Node) -> None:
        super().__init__(of)
        self.goes = goes
        self.waits: list[tuple[datetime, datetime, Match]] = []

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        goes = self.goes(clock.now)
        if goes == clock.now:
            return [match for _, match in arrivals]
        if goes is not None:
            self.waits += [(goes, clock.now, match) for _, match in arrivals]
        return []

    def wakes(self) -> list[Wake]:
        return [(due, match.key) for due, _, match in self.waits]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        ready = [each for each in self.waits if each[0] == due and each[2].key == key]
        gone = [each for each in ready if each[1] == ready[0][1]]
        self.waits = [each for each in self.waits if each not in gone]
        return [match for _, _, match in gone]


def gathered(before: Match, match: Match) -> Match:
    """What was collected, with one match more; its time and latest event by time, then arrival."""
    if match.time >= before.time:
        return Match(before.events | match.events, match.time, match.key, match.latest)
    return Match(before.events | match.events, before.time, before.key, before.latest)
