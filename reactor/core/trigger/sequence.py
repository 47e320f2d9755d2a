"""Patterns one after the other: see `expression.Then`, and `Incomplete` of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from reactor.core.decision import Word
from reactor.core.trigger.expression import Pair
from reactor.core.trigger.operator import (
    Arrivals,
    Entry,
    Match,
    Moment,
    Operator,
    events_of,
    labels,
    merged,
    order,
    time_of,
)
from reactor.core.trigger.pattern import PatternOf, Sides


class ThenOf(PatternOf):
    """See `expression.Then`."""

    def __init__(
        self,
        number: int,
        children: Sequence[Operator],
        names: Sequence[str],
        window: timedelta,
        pair: Pair,
        incomplete: bool,
    ) -> None:
        super().__init__(number, children, names, window, pair, incomplete)
        self._plain = len(children) == 2 and pair == "latest" and not incomplete

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        if self._plain and len(arrivals) == 1:
            side, match = arrivals[0]
            data = moment.get(self.number, match.key)
            if data is None:
                sides = ((match[:4],), ()) if side == 0 else ((), (match[:4],))
                moment.put(self.number, match.key, (moment.now, sides), moment.now + self._look)
                return []
            before, after = data[1]
            if not after and len(before) == 1 and order(before[0]) < order(match[:4]):
                found = self._follow(side, match, before[0], moment)
                if found is not None:
                    return found
        return super().take(arrivals, moment)

    def _follow(self, side: int, match: Match, before: Entry, moment: Moment) -> list[Match] | None:
        """What `take` does with the next of what most sequences are: two, with one that waits."""
        entry, key = match[:4], match.key
        if side == 0 or match.time - before[1] > self.window:
            return None
        moment.put(self.number, key, None)
        both = (before, entry)
        return [merged(key, both, labels(both))]

    def _add(self, sides: Sides, side: int, entry: Entry, moment: Moment) -> None:
        self._put(sides, side, entry, moment)
        if self.pair == "latest" and not self.incomplete and side < len(sides) - 1:
            self._supersede(sides, side, moment)

    def _supersede(self, sides: Sides, side: int, moment: Moment) -> None:
        """Of two that nothing parts which could follow the first, the later is as good: once all
        that could part them has been read.
        """
        kept, following = sides[side], sides[side + 1]
        upto = moment.upto(self.sources) if len(kept) > 1 else None
        if upto is None:
            return
        gone = [
            one
            for one, other in pairwise(kept)
            if other[1] <= upto - self.lateness and not _between(following, one, other)
        ]
        if gone:
            moment.lost(Word.SUPERSEDED, events_of(gone), "a later one came")
            sides[side] = tuple(entry for entry in kept if entry not in gone)

    def _prune(self, sides: Sides, moment: Moment) -> None:
        """Drops, too, what follows nothing that could still come."""
        super()._prune(sides, moment)
        upto = moment.upto(self.sources)
        if upto is None or self.incomplete:
            return
        for number in range(1, len(sides)):
            side, before = sides[number], sides[number - 1]
            start = order(before[0]) if before else None
            gone = [
                entry
                for entry in side
                if entry[1] + self.lateness <= upto and (start is None or order(entry) <= start)
            ]
            if gone:
                why = f"no {self.names[number - 1]} came before it"
                moment.lost(Word.FILTERED, events_of(gone), why)
                sides[number] = side[len(gone) :]

    def _first(self, sides: Sides) -> int | None:
        return sides[0][0][1] if sides[0] else None

    def _start(self, sides: Sides, side: tuple[Entry, ...]) -> int:
        return bisect_left(side, order(sides[0][0]), key=order)

    def _complete(self, sides: Sides, low: int, high: int) -> list[Sequence[Entry]]:
        if not all(sides):
            return []
        last = sides[-1]
        for end in last[bisect_left(last, low, key=time_of) :]:
            if end[1] > high:
                break
            chosen = self._forward(sides, end) if self.pair == "oldest" else self._back(sides, end)
            if chosen:
                return chosen
        return []

    def _forward(self, sides: Sides, end: Entry) -> list[Sequence[Entry]]:
        """The oldest sequence that ends so."""
        first = sides[0]
        at = bisect_left(first, end[1] - self.window, key=time_of)
        chosen: list[Sequence[Entry]] = [first[at : at + 1]]
        for side in sides[1:-1]:
            if not chosen[-1]:
                return []
            at = bisect_right(side, order(chosen[-1][0]), key=order)
            chosen.append(side[at : at + 1])
        if not chosen[-1] or order(chosen[-1][0]) >= order(end):
            return []
        return [*chosen, (end,)]

    def _back(self, sides: Sides, end: Entry) -> list[Sequence[Entry]]:
        """The latest sequence that ends so, or all that could be part of it."""
        chosen: list[Sequence[Entry]] = [(end,)]
        for side in reversed(sides[:-1]):
            cut = bisect_left(side, order(chosen[-1][-1]), key=order)
            start = bisect_left(side, end[1] - self.window, key=time_of)
            if start >= cut:
                return []
            chosen.append(side[start:cut] if self.pair == "collect" else side[cut - 1 : cut])
        chosen.reverse()
        for number in range(1, len(chosen) - 1):
            # What came before all that it could follow is no part of it.
            first = order(chosen[number - 1][0])
            chosen[number] = chosen[number][bisect_right(chosen[number], first, key=order) :]
        return chosen


def _between(side: tuple[Entry, ...], one: Entry, other: Entry) -> bool:
    """Whether a match follows the one, and does not follow the other."""
    at = bisect_right(side, order(one), key=order)
    return at < len(side) and order(side[at]) <= order(other)
