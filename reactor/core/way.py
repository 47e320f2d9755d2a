"""By which of its conditions a leaf is found in the index.

Knows: which conditions can be looked up instead of asked, and what each of them would leave to ask.
Refuses to know: events, rules, how the looking up is done.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reactor.core.interval import End, Interval
from reactor.core.place import Path
from reactor.core.predicate import Compare, Predicate, membership
from reactor.core.value import Kind, keys_of, kind_of, plain, spelled

Key = tuple[Any, datetime | None]


@dataclass(frozen=True, slots=True)
class Equal:
    """The value at a path is one of some. `answers` numbers the conditions that need no asking."""

    path: Path
    answers: frozenset[int]
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Begins:
    """The value at a path is a text that begins so."""

    path: Path
    answers: frozenset[int]
    prefix: str


@dataclass(frozen=True, slots=True)
class Within:
    """The value at a path lies between bounds of one kind; `moments` bounds the instants."""

    path: Path
    answers: frozenset[int]
    kind: Kind
    interval: Interval
    moments: Interval | None


Way = Equal | Begins | Within


def ways(conditions: Sequence[Predicate]) -> Iterator[Way]:
    """All ways to find a leaf with these conditions."""
    ranges: dict[tuple[Path, Kind], _Range] = {}
    for number, condition in enumerate(conditions):
        keys = _keys(condition)
        if keys is not None:
            yield Equal(keys[0], frozenset({number}), keys[1])
        elif isinstance(condition, Compare):
            if condition.op == "startswith":
                yield Begins(condition.path, frozenset({number}), condition.value)
            elif (kind := _ordered(condition)) is not None:
                one = ranges.setdefault((condition.path, kind), _Range())
                one.narrow(number, condition)
    for (path, kind), one in ranges.items():
        yield Within(path, frozenset(one.numbers), kind, one.interval(), one.moments())


def _keys(condition: Predicate) -> tuple[Path, tuple[Key, ...]] | None:
    member = membership(condition)
    if member is None:
        return None
    try:
        keys = dict.fromkeys(keys_of(value) for value in member[1])
    except TypeError:
        return None
    # Nothing equals what does not equal itself (NaN).
    return member[0], tuple(key for key in keys if key[0] == key[0])


def _ordered(compare: Compare) -> Kind | None:
    """The kind of the bounds of a comparison by order."""
    if compare.op not in ("<", "<=", ">", ">=", "between"):
        return None
    low, high = compare.value if compare.op == "between" else (compare.value, compare.value)
    low, high = plain(low), plain(high)
    if kind_of(low) != kind_of(high) or low != low or high != high:
        return None
    return kind_of(low)


@dataclass(slots=True)
class _Range:
    """The bounds that some conditions put on one place together."""

    numbers: list[int] = field(default_factory=lambda: [])
    lows: list[End] = field(default_factory=lambda: [])
    highs: list[End] = field(default_factory=lambda: [])

    def narrow(self, number: int, compare: Compare) -> None:
        self.numbers.append(number)
        op, value = compare.op, compare.value
        low, high = value if op == "between" else (value, value)
        if op in (">", ">=", "between"):
            self.lows.append((plain(low), 1 if op == ">" else 0))
        if op in ("<", "<=", "between"):
            self.highs.append((plain(high), -1 if op == "<" else 0))

    def interval(self) -> Interval:
        return max(self.lows, default=None), min(self.highs, default=None)

    def moments(self) -> Interval | None:
        """The interval of instants, if the bounds are texts and all of them spell one."""
        lows, highs = _spelled(self.lows), _spelled(self.highs)
        if lows is None or highs is None:
            return None
        return max(lows, default=None), min(highs, default=None)


def _spelled(ends: Iterable[End]) -> list[End] | None:
    found: list[End] = []
    for value, side in ends:
        moment = spelled(value) if isinstance(value, str) else None
        if moment is None:
            return None
        found.append((moment, side))
    return found


class Choice:
    """Chooses, for each leaf among many, the way by which the fewest others are found with it."""

    def __init__(self, leaves: Iterable[Sequence[Way]]) -> None:
        self._uses: Counter[Any] = Counter()
        lows: dict[Any, list[End]] = {}
        highs: dict[Any, list[End]] = {}
        for each in (way for ways in leaves for way in ways):
            match each:
                case Equal(path, _, keys):
                    self._uses.update((path, key) for key in keys)
                case Begins(path, _, prefix):
                    self._uses[path, prefix, "prefix"] += 1
                case Within(path, _, kind, (low, high)):
                    place = path, kind
                    self._uses[place] += low is None
                    lows.setdefault(place, []).extend([low] if low is not None else [])
                    highs.setdefault(place, []).extend([high] if high is not None else [])
        self._lows = {place: sorted(ends) for place, ends in lows.items()}
        self._highs = {place: sorted(ends) for place, ends in highs.items()}

    def best(self, ways: Sequence[Way]) -> Way | None:
        """The most selective of the ways to find one leaf; None if there is none."""
        return min(ways, key=self._cost, default=None)

    def _cost(self, way: Way) -> tuple[int, int, int]:
        """Small crowds are alike; then equality comes first, and what has one open end last."""
        match way:
            case Equal(path, _, keys):
                crowd, order = sum(self._uses[path, key] for key in keys), 0
            case Begins(path, _, prefix):
                crowd, order = self._uses[path, prefix, "prefix"], 1
            case Within(interval=(low, high)):
                crowd, order = self._crowd(way), 2 if low and high else 3
        return max(0, crowd.bit_length() - 2), order, crowd

    def _crowd(self, way: Within) -> int:
        """How many intervals hold an end of this one."""
        place = way.path, way.kind
        low, high = way.interval
        end = low if low is not None else high
        assert end is not None
        begun = self._uses[place] + bisect_right(self._lows[place], end)
        return begun - bisect_left(self._highs[place], end)
