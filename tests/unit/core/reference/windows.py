"""Counts, aggregates, and what is new."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.unit.core.reference.model import Clock, Key, Match, Node, joined


class CountNode(Node):
    def __init__(self, n: int, window: timedelta, of: Node) -> None:
        super().__init__(of)
        self.n, self.window = n, window
        self.keys: dict[Key, list[Match]] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            kept = sorted([*self.keys.get(match.key, []), match], key=lambda each: each.order)
            self.keys[match.key] = kept
            for start in range(len(kept)):
                some = kept[start : start + self.n]
                if len(some) == self.n and some[-1].time - some[0].time <= self.window:
                    fired.append(joined(some, match.key))
                    self.keys[match.key] = kept[start + self.n :]
                    break
        return fired


class AggregateNode(Node):
    """What left the window before the newest came leaves nothing behind, not even that it held."""

    def __init__(
        self, window: timedelta, function: Any, holds: Any, name: str, least: int, of: Node
    ) -> None:
        super().__init__(of)
        self.window, self.function, self.holds = window, function, holds
        self.name, self.least = name, least
        self.keys: dict[Key, list[Match]] = {}
        self.held: dict[Key, bool] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            if self._number(match) is None:
                continue
            known = self.keys.setdefault(match.key, [])
            if known and match.time > max(each.time for each in known) + self.window:
                self.held[match.key] = False
            known.append(match)
            newest = max(each.time for each in known)
            inside = sorted(
                (each for each in known if newest - each.time <= self.window),
                key=lambda each: each.order,
            )
            value = self.function([self._number(each) for each in inside])
            before = self.held.get(match.key, False)
            now = self.held[match.key] = len(inside) >= self.least and self.holds(value)
            if now and not before:
                fired.append(joined(inside, match.key))
        return fired

    def _number(self, match: Match) -> Any:
        return match.latest.data.get(self.name) if match.latest else None


class DistinctNode(Node):
    def __init__(self, name: str, ttl: timedelta, of: Node) -> None:
        super().__init__(of)
        self.name, self.ttl = name, ttl
        self.passed: list[tuple[Key, Any, Match]] = []

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            value = match.latest.data.get(self.name) if match.latest else None
            if not any(
                key == match.key and said == value and abs(match.time - other.time) < self.ttl
                for key, said, other in self.passed
            ):
                self.passed.append((match.key, value, match))
                fired.append(match)
        return fired


class ChangedNode(Node):
    def __init__(self, name: str, of: Node) -> None:
        super().__init__(of)
        self.name = name
        self.last: dict[Key, Match] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            last = self.last.get(match.key)
            if last is not None and match.time < last.time:
                continue
            if last is None or self._value(last) != self._value(match):
                fired.append(match)
            self.last[match.key] = match
        return fired

    def _value(self, match: Match) -> Any:
        return match.latest.data.get(self.name) if match.latest else None


class WhereNode(Node):
    def __init__(self, passes: Any, of: Node) -> None:
        super().__init__(of)
        self.passes = passes

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        return [match for _, match in arrivals if match.latest and self.passes(match.latest)]


class UnkeyedNode(Node):
    def __init__(self, of: Node) -> None:
        super().__init__(of)
        self.keyed = False

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        return [replace(match, key=None) for _, match in arrivals]


class EitherNode(Node):
    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        alike = {(match.events, match.key): match for _, match in reversed(arrivals)}
        return list(alike.values())[::-1]
