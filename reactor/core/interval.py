"""Which of many intervals hold a value, without asking each of them.

Knows: ends that are included or not, or missing. Refuses to know: what the values are; all ends of
one index, and what is looked for, have an order among them.

The ends cut the values into stretches: each end by itself, and what lies between two of them. A
value is looked up among the ends once; from then on intervals are stretches of small numbers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar

T = TypeVar("T")

End = tuple[Any, int]
"""A bound and 0 if it is included; else 1 for a lower (just above it), -1 for an upper one."""

Interval = tuple[End | None, End | None]
"""The lower and the upper end; None where there is none."""

_Stretch = tuple[int, int, T]
"""From which number to which an interval goes, both included, and what stands for it."""

SPREAD = 8
"""How many answers an interval may take part in, on average, for all of them to be written out."""


class Intervals(Generic[T]):
    """Intervals with what they stand for; they do not change.

    Space: O(n). Source: de Berg et al., Computational Geometry, section 10.1 (interval trees).
    """

    def __init__(self, entries: Iterable[tuple[Interval, T]]) -> None:
        several = list(entries)
        self._ends = sorted({end[0] for interval, _ in several for end in interval if end})
        last = 2 * len(self._ends)
        stretches = [
            (self._number(low) if low else 0, self._number(high) if high else last, item)
            for (low, high), item in several
        ]
        stretches = [each for each in stretches if each[0] <= each[1]]
        self._answers = _written_out(stretches, last + 1)
        self._root = _node(stretches) if self._answers is None else None

    def _number(self, end: End) -> int:
        return 2 * bisect_left(self._ends, end[0]) + 1 + end[1]

    def holding(self, value: Any) -> list[T]:
        """What stands for the intervals that hold a value, each once, in no order; not to change.

        Cost: O(log n + the number of them).
        """
        if value != value:
            return []  # NaN lies nowhere, and would mislead the search
        ends = self._ends
        number = bisect_left(ends, value)
        number += number + (number < len(ends) and ends[number] == value)
        if self._answers is not None:
            return self._answers[number]
        found: list[T] = []
        node = self._root
        while node is not None:
            if number < node.center:
                found += node.by_low[: bisect_right(node.lows, number)]
                node = node.left
            elif number > node.center:
                found += node.by_high[bisect_left(node.highs, number) :]
                node = node.right
            else:
                found += node.by_low
                break
        return found


def _written_out(stretches: Sequence[_Stretch[T]], numbers: int) -> list[list[T]] | None:
    """The answer for each number, unless that would be much more than the stretches are."""
    if sum(last - first + 1 for first, last, _ in stretches) > SPREAD * (len(stretches) + SPREAD):
        return None
    answers: list[list[T]] = [[] for _ in range(numbers)]
    for first, last, item in stretches:
        for number in range(first, last + 1):
            answers[number].append(item)
    return answers


class _Node(Generic[T]):
    """The stretches around `center`, and those that lie wholly on either side of it."""

    __slots__ = ("by_high", "by_low", "center", "highs", "left", "lows", "right")

    def __init__(self, center: int, here: Iterable[_Stretch[T]]) -> None:
        self.center = center
        by_low, by_high = sorted(here, key=itemgetter(0)), sorted(here, key=itemgetter(1))
        self.lows, self.by_low = [each[0] for each in by_low], [each[2] for each in by_low]
        self.highs, self.by_high = [each[1] for each in by_high], [each[2] for each in by_high]
        self.left: _Node[T] | None = None
        self.right: _Node[T] | None = None


def _node(several: Sequence[_Stretch[T]]) -> _Node[T] | None:
    if not several:
        return None
    ends = sorted(end for first, last, _ in several for end in (first, last))
    # The middle of all ends: at most half of the stretches lie on either side of it.
    center = ends[len(several)]
    node = _Node(center, [each for each in several if each[0] <= center <= each[1]])
    node.left = _node([each for each in several if each[1] < center])
    node.right = _node([each for each in several if each[0] > center])
    return node
