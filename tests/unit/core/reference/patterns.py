"""Joins, sequences, sets, and all of them incomplete."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import Any

from tests.unit.core.reference.model import Clock, Key, Match, Node, Wake, by_key, joined

Sides = list[list[Match]]


class Pattern:
    """What waits in the operands of a pattern, and what of it makes the pattern whole."""

    def __init__(self, width: int, window: timedelta, pair: str) -> None:
        self.width, self.window, self.pair = width, window, pair

    def wants(self, match: Match) -> bool:
        """Whether a match can be part of it."""
        return True

    def first(self, sides: Sides) -> Match | None:
        """What began the pattern that waits longest."""
        raise NotImplementedError

    def whole(self, sides: Sides) -> Sides:
        """For each operand what is taken; empty if the pattern is not whole."""
        raise NotImplementedError

    def used(self, sides: Sides, taken: Sides) -> None:
        """Takes out what is used up: every event of what is taken, wherever it waits."""
        events = {event for side in taken for match in side for event in match.events}
        for side in sides:
            side[:] = [match for match in side if not match.events & events]


class JoinPattern(Pattern):
    def __init__(self, width: int, window: timedelta, pair: str, n: int) -> None:
        super().__init__(width, window, pair)
        self.n = n

    def first(self, sides: Sides) -> Match | None:
        return min((m for side in sides for m in side), key=lambda m: m.order, default=None)

    def whole(self, sides: Sides) -> Sides:
        ends = sorted({match.time for side in sides for match in side})
        for end in ends if self.pair == "oldest" else reversed(ends):
            inside = [[m for m in side if end - self.window <= m.time <= end] for side in sides]
            if sum(1 for side in inside if side) >= self.n:
                cut = {"collect": slice(None), "oldest": slice(1), "latest": slice(-1, None)}
                return [side[cut[self.pair]] for side in inside]
        return []

    def used(self, sides: Sides, taken: Sides) -> None:
        for side, some in zip(sides, taken, strict=True):
            if some and self.pair == "latest":
                side[:] = [match for match in side if match.order > some[-1].order]
            else:
                side[:] = [match for match in side if match not in some]
        super().used(sides, taken)


class ThenPattern(Pattern):
    def first(self, sides: Sides) -> Match | None:
        return sides[0][0] if sides[0] else None

    def whole(self, sides: Sides) -> Sides:
        for end in sides[-1]:
            found = [
                some
                for some in product(*sides[:-1], [end])
                if all(one.order < two.order for one, two in pairwise(some))
                and end.time - some[0].time <= self.window
            ]
            if found and self.pair == "oldest":
                return [[m] for m in min(found, key=lambda some: [m.order for m in some])]
            if found and self.pair == "latest":
                return [[m] for m in max(found, key=lambda some: [m.order for m in some[::-1]])]
            if found:
                return self._all(sides, end)
        return []

    def _all(self, sides: Sides, end: Match) -> Sides:
        taken: Sides = [[end]]
        for side in reversed(sides[:-1]):
            before = taken[0][-1].order
            some = [m for m in side if m.order < before and end.time - m.time <= self.window]
            taken.insert(0, some)
        for before, some in pairwise(taken):
            some[:] = [match for match in some if match.order > before[0].order]
        return taken

    def used(self, sides: Sides, taken: Sides) -> None:
        for side, some in zip(sides, taken, strict=True):
            side[:] = [match for match in side if match.order > some[-1].order]
        super().used(sides, taken)


class PatternNode(Node):
    """Fires when the pattern is whole."""

    def __init__(self, pattern: Pattern, *children: Node) -> None:
        super().__init__(*children)
        self.pattern = pattern
        self.keys: dict[Key, Sides] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for key, group in by_key(arrivals).items():
            sides = self.keys.setdefault(key, [[] for _ in range(self.pattern.width)])
            for side, match in group:
                sides[side] = sorted([*sides[side], match], key=lambda each: each.order)
            while taken := self.pattern.whole(sides):
                self.pattern.used(sides, taken)
                fired.append(joined([match for side in taken for match in side], key))
        return fired


class IncompleteNode(Node):
    """Fires when the pattern that began first is not whole when its window is over.

    What came after that window waits until it is over.
    """

    concludes = True

    def __init__(self, pattern: Pattern, lag: timedelta, *children: Node) -> None:
        super().__init__(*children)
        self.pattern, self.lag = pattern, lag
        self.keys: dict[Key, Sides] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        for key, group in by_key(arrivals).items():
            sides = self.keys.setdefault(key, [[] for _ in range(self.pattern.width)])
            for side, match in group:
                if self.pattern.wants(match):
                    sides[side] = sorted([*sides[side], match], key=lambda each: each.order)
            self._finish(sides)
        return []

    def _finish(self, sides: Sides) -> None:
        while taken := self._whole(sides):
            self.pattern.used(sides, taken)

    def _whole(self, sides: Sides) -> Sides:
        """What first made a pattern whole, had all come in the order of its time."""
        first = self.pattern.first(sides)
        if first is None:
            return []
        for at in sorted({match.time for side in sides for match in side}):
            until = [[match for match in side if match.time <= at] for side in sides]
            if at <= first.time + self.pattern.window and (taken := self.pattern.whole(until)):
                return taken
        return []

    def wakes(self) -> list[Wake]:
        firsts = {key: self.pattern.first(sides) for key, sides in self.keys.items()}
        late = self.pattern.window + self.lag
        return [(first.time + late, key) for key, first in firsts.items() if first is not None]

    def ring(self, due: datetime, key: Key, clock: Clock) -> list[Match]:
        sides, end = self.keys[key], due - self.lag
        first = self.pattern.first(sides)
        assert first is not None
        inside = [match for side in sides for match in side if match.time <= end]
        came = [match for match in inside if match.order >= first.order]
        for side in sides:
            side[:] = [match for match in side if match.time > end]
        self._finish(sides)
        whole = joined(came, key)
        return [Match(whole.events, end, key, whole.latest)]


class CompleteNode(Node):
    """Fires when the members in the window of the newest are all that is expected."""

    def __init__(self, window: timedelta, expected: Any, member: str, of: Node) -> None:
        super().__init__(of)
        self.window, self.expected, self.member = window, expected, member
        self.keys: dict[Key, dict[str, Match]] = {}
        self.said: dict[Key, Any] = {}

    def take(self, arrivals: list[tuple[int, Match]], clock: Clock) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            members = self.keys.setdefault(match.key, {})
            self._add(members, match)
            expected = self._expected(match)
            if not members or expected is None:
                continue
            times = [each.time for each in members.values()]
            if match.key in self.said:
                times.append(self.said[match.key][0])
            newest = max(times)
            if match.key in self.said and newest - self.said[match.key][0] > self.window:
                continue
            inside = {n: m for n, m in members.items() if newest - m.time <= self.window}
            if isinstance(expected, int):
                whole = len(inside) >= expected
            else:
                whole = all(name in inside for name in expected)
                inside = {n: m for n, m in inside.items() if n in expected}
            if whole:
                fired.append(joined(list(inside.values()), match.key))
                self.keys.pop(match.key)
                self.said.pop(match.key, None)
        return fired

    def _add(self, members: dict[str, Match], match: Match) -> None:
        value = match.latest.data.get(self.member) if match.latest else None
        if value is None or (isinstance(self.expected, tuple) and str(value) not in self.expected):
            return
        before = members.get(str(value))
        if before is None or before.order < match.order:
            members[str(value)] = match

    def _expected(self, match: Match) -> Any:
        if not isinstance(self.expected, str):
            return self.expected
        said = match.latest.data.get(self.expected) if match.latest else None
        before = self.said.get(match.key)
        if said and (before is None or before[0] <= match.time):
            before = self.said[match.key] = (match.time, said)
        return before and before[1]


class CompletePattern(Pattern):
    """For `IncompleteNode`: a set whose members all lie in one operand."""

    def __init__(self, window: timedelta, expected: tuple[str, ...] | int, member: str) -> None:
        super().__init__(1, window, "latest")
        self.expected, self.member = expected, member

    def wants(self, match: Match) -> bool:
        return self._name(match) is not None

    def first(self, sides: Sides) -> Match | None:
        return sides[0][0] if sides[0] else None

    def whole(self, sides: Sides) -> Sides:
        if not sides[0]:
            return []
        newest = sides[0][-1].time
        inside = {self._name(m): m for m in sides[0] if newest - m.time <= self.window}
        if isinstance(self.expected, int):
            return [list(inside.values())] if len(inside) >= self.expected else []
        return [list(inside.values())] if all(n in inside for n in self.expected) else []

    def used(self, sides: Sides, taken: Sides) -> None:
        newest = max(match.time for match in taken[0])
        sides[0][:] = [match for match in sides[0] if match.time > newest]

    def _name(self, match: Match) -> str | None:
        value = match.latest.data.get(self.member) if match.latest else None
        if value is None or (isinstance(self.expected, tuple) and str(value) not in self.expected):
            return None
        return str(value)
