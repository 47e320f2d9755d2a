"""Patterns in any order: see `expression.Join`, and `Incomplete` of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import timedelta

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


class JoinOf(PatternOf):
    """See `expression.Join`."""

    def __init__(
        self,
        number: int,
        children: Sequence[Operator],
        names: Sequence[str],
        window: timedelta,
        pair: Pair,
        incomplete: bool,
        n: int,
    ) -> None:
        super().__init__(number, children, names, window, pair, incomplete)
        self.n = n
        self._plain = n == len(children) == 2 and pair == "latest" and not incomplete

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        if self._plain and len(arrivals) == 1:
            return self._meet(*arrivals[0], moment)
        return super().take(arrivals, moment)

    def _meet(self, side: int, match: Match, moment: Moment) -> list[Match]:
        """What `take` does, for the join that most are: two sides, the latest of each."""
        _, time, _, _, key = match
        data = moment.get(self.number, key)
        now, entry = moment.now, match[:4]
        if data is None:
            sides = ((entry,), ()) if side == 0 else ((), (entry,))
            moment.put(self.number, key, (now, sides), now + self._look)
            return []
        ours, theirs = data[1][side], data[1][1 - side]
        if len(ours) + len(theirs) > 1 or (ours and order(ours[0]) > order(entry)):
            return super().take([(side, match)], moment)
        if ours:
            if not self._passed(time, moment):
                return super().take([(side, match)], moment)
            moment.lost(Word.SUPERSEDED, ours[0][0], "a later one came")
        if theirs:
            other = theirs[0]
            if -self.window <= other[1] - time <= self.window:
                moment.put(self.number, key, None)
                both = (entry, other) if side == 0 else (other, entry)
                return [merged(key, both, labels(both))]
            newest = max(time, other[1])
            if other[1] < newest - self._hold and (
                other[1] < self.read_by(newest, moment) - self._hold
            ):
                moment.lost(Word.EXPIRED, other[0], f"{self.names[side]} did not come in time")
                theirs = ()
        sides = ((entry,), theirs) if side == 0 else (theirs, (entry,))
        moment.put(self.number, key, (now, sides), now + self._look)
        return []

    def _add(self, sides: Sides, side: int, entry: Entry, moment: Moment) -> None:
        self._put(sides, side, entry, moment)
        kept = sides[side]
        if self.pair != "latest" or self.incomplete or len(kept) < 2:
            return
        newest = kept[-1][1]
        others = (each for number, each in enumerate(sides) if number != side and each)
        if all(other[0][1] >= newest - self.window for other in others) and (
            self._passed(newest, moment)
        ):
            moment.lost(Word.SUPERSEDED, events_of(kept[:-1]), "a later one came")
            sides[side] = kept[-1:]

    def _passed(self, newest: int, moment: Moment) -> bool:
        """Whether all that still comes may join the newest of a side, if it may join an older."""
        upto = moment.upto(self.sources)
        return upto is not None and upto - self.lateness >= newest - self.window

    def _without(self, names: Sequence[str]) -> str:
        if self.n == len(self.names):
            return super()._without(names)
        return f", which is {len(names)} of the {self.n} needed"

    def _first(self, sides: Sides) -> int | None:
        return min((side[0][1] for side in sides if side), default=None)

    def _use(self, sides: Sides, chosen: list[Sequence[Entry]], moment: Moment) -> None:
        if self.pair == "latest":
            super()._use(sides, chosen, moment)
            return
        for number, taken in enumerate(chosen):
            if taken:
                side = sides[number]
                at = bisect_left(side, order(taken[0]), key=order)
                sides[number] = side[:at] + side[at + len(taken) :]
        self._use_up(sides, chosen)

    def _complete(self, sides: Sides, low: int, high: int) -> list[Sequence[Entry]]:
        """Anchors the window at each unconsumed match in turn, newest first (oldest first for
        `oldest`).
        """
        if sum(1 for side in sides if side) < self.n:
            return []
        ends = sorted(
            {
                entry[1]
                for side in sides
                for entry in side[bisect_left(side, low, key=time_of) :]
                if entry[1] <= high
            }
        )
        for end in ends if self.pair == "oldest" else reversed(ends):
            fitting = [self._fitting(side, end - self.window, end) for side in sides]
            if sum(1 for some in fitting if some) >= self.n:
                return fitting
        return []

    def _fitting(self, side: tuple[Entry, ...], low: int, high: int) -> Sequence[Entry]:
        found = side[bisect_left(side, low, key=time_of) : bisect_right(side, high, key=time_of)]
        if self.pair == "collect":
            return found
        return found[-1:] if self.pair == "latest" else found[:1]
