"""How the matches of a firing are written, and how the firings of an event are found.

Knows: sequence numbers. Refuses to know: tables and databases.

Grammar, with one blank between matches, in order:

    match = parts joined by commas     the events of one match, in order
    part  = n | low:high               one event, or each from low to high
    low-high                           a match of its own for each event from low to high
    .                                  a match without events

So a burst of any length that one rule let in is a few characters, and can be read by eye.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from reactor.core.ranges import Range, Ranges

Matches = Sequence[tuple[int, ...]]


def written(matches: Matches) -> str:
    """The text of `matches`; `read` is its inverse."""
    tokens: list[str] = []
    low = high = 0
    for match in matches:
        if len(match) == 1:
            number = match[0]
            if low and number == high + 1:
                high = number
                continue
            if low:
                tokens.append(_singles(low, high))
            low = high = number
            continue
        if low:
            tokens.append(_singles(low, high))
            low = high = 0
        tokens.append(_match(match))
    if low:
        tokens.append(_singles(low, high))
    return " ".join(tokens)


def spanned(events: Ranges) -> str:
    """Sorted ranges as text; what each of them holds is a match of its own."""
    return " ".join(_singles(low, high) for low, high in events)


def read(text: str) -> tuple[tuple[int, ...], ...]:
    """The matches that `written` wrote."""
    matches: list[tuple[int, ...]] = []
    for token in text.split():
        low, dash, high = token.partition("-")
        if dash:
            matches.extend((number,) for number in range(int(low), int(high) + 1))
        else:
            matches.append(tuple(n for low, high in causes(token) for n in range(low, high + 1)))
    return tuple(matches)


def causes(text: str) -> list[Range]:
    """The events of all matches, as closed ranges in no order; cheaper than `read`."""
    spans: list[Range] = []
    for part in text.replace(",", " ").replace("-", ":").split():
        low, colon, high = part.partition(":")
        if low != ".":
            first = int(low)
            spans.append((first, int(high) if colon else first))
    return spans


def among(text: str, wanted: Sequence[int]) -> set[int]:
    """Which of some sorted numbers are events of the matches."""
    found: set[int] = set()
    for low, high in causes(text):
        found.update(wanted[bisect_left(wanted, low) : bisect_right(wanted, high)])
    return found


def merged(spans: Iterable[Range]) -> Ranges:
    """Closed ranges in any order as the fewest, sorted."""
    joined: list[Range] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def without(spans: Ranges, taken: Ranges) -> list[Range]:
    """What of the sorted `spans` is not in the sorted `taken`."""
    rest: list[Range] = []
    others = iter(taken)
    other = next(others, None)
    for first, high in spans:
        low = first
        while other is not None and other[1] < low:
            other = next(others, None)
        while other is not None and other[0] <= high:
            if low < other[0]:
                rest.append((low, other[0] - 1))
            low = other[1] + 1
            if low > high:
                break
            other = next(others, None)
        if low <= high:
            rest.append((low, high))
    return rest


def fork(low: int, high: int) -> int:
    """The number at which halving the number line again and again parts `low` from `high`.

    Every range that holds a number n has its fork among `forks(n)`, so that ranges are found by
    equality on one indexed column, however long they are.
    Source: Kriegel, Pötke, Seidl, Managing Intervals Efficiently in Object-Relational Databases,
    VLDB 2000.
    """
    level = (low ^ high).bit_length()
    return high >> (level - 1) << (level - 1) if level else low


def forks(number: int) -> list[int]:
    """The forks of all ranges of 63-bit numbers that hold `number`."""
    return [(number >> level + 1 << level + 1) | 1 << level for level in range(63)]


def _singles(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _match(match: tuple[int, ...]) -> str:
    if not match:
        return "."
    parts: list[str] = []
    low = high = match[0]
    for number in match[1:]:
        if number == high + 1:
            high = number
        else:
            parts.append(_part(low, high))
            low = high = number
    parts.append(_part(low, high))
    return ",".join(parts)


def _part(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}:{high}"
