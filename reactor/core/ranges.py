"""Sets of numbers as sorted, closed, disjoint ranges: a burst of any length stays small."""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
Ranges = tuple[Range, ...]


def ranges(numbers: Iterable[int]) -> Ranges:
    """The ranges of any numbers."""
    return _merged([(number, number) for number in sorted(set(numbers))])


def union(*several: Ranges) -> Ranges:
    """All numbers of all of them."""
    filled = [each for each in several if each]
    if len(filled) <= 1:
        return filled[0] if filled else ()
    return _merged(sorted(pair for each in filled for pair in each))


def meet(one: Ranges, other: Ranges) -> bool:
    """Whether a number is in both."""
    return any(low <= until and start <= high for low, high in one for start, until in other)


def covers(one: Ranges, other: Ranges) -> bool:
    """Whether every number of the other is in the one."""
    return union(one, other) == one


def count(each: Ranges) -> int:
    """How many numbers they hold."""
    return sum(high - low + 1 for low, high in each)


def numbers(each: Ranges) -> Iterable[int]:
    """The numbers, in order."""
    return (number for low, high in each for number in range(low, high + 1))


def _merged(pairs: list[Range]) -> Ranges:
    merged: list[Range] = []
    for low, high in pairs:
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)
