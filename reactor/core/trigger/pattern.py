"""What joins (join.py) and sequences (sequence.py) share: matches that wait for others.

State of both: (when touched, for each operand the unconsumed matches in order). Kept whole a match
is looked for from scratch each time; what is kept is small.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta

from reactor.core.decision import Word
from reactor.core.instant import MICROSECOND
from reactor.core.ranges import meet
from reactor.core.sentence import listed
from reactor.core.trigger.expression import Pair
from reactor.core.trigger.operator import (
    IDLE_LIMIT,
    PARTIAL_CAP,
    Arrivals,
    Data,
    Entry,
    Match,
    Moment,
    Operator,
    Waits,
    by_key,
    events_of,
    labels,
    merged,
    order,
    placed,
    time_of,
)

Sides = list[tuple[Entry, ...]]


class PatternOf(Operator):
    """What joins and sequences share: matches that wait for others, in a window.

    `names` are the operands as written.
    """

    def __init__(
        self,
        number: int,
        children: Sequence[Operator],
        names: Sequence[str],
        window: timedelta,
        pair: Pair,
        incomplete: bool,
    ) -> None:
        super().__init__(number, children)
        self.names = tuple(names)
        self.window, self.incomplete = window // MICROSECOND, incomplete
        self.pair: Pair = pair
        self.concludes = incomplete
        self._hold = self.window + self.lateness
        self._look = min(self._hold, self.window + IDLE_LIMIT) + 1
        self._empty: tuple[tuple[Entry, ...], ...] = ((),) * len(self.children)

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for key, group in by_key(arrivals):
            data = moment.get(self.number, key)
            sides: Sides = list(data[1] if data else self._empty)
            low = high = group[0][1].time
            # From the last operand on: what an event follows is not superseded by that event.
            for side, match in reversed(group):
                self._add(sides, side, match[:4], moment)
                low, high = min(low, match.time), max(high, match.time)
            self._prune(sides, moment)
            if self.incomplete:
                self._settle(sides, low, moment)
            else:
                while chosen := self._complete(sides, low, high + self.window):
                    self._use(sides, chosen, moment)
                    entries = [entry for some in chosen for entry in some]
                    fired.append(merged(key, entries, labels(entries)))
            self._rest(key, sides, moment.now, moment)
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None:
            return []
        sides: Sides = list(data[1])
        if self.incomplete:
            fired = self._conclude(key, sides, moment)
            self._rest(key, sides, data[0], moment)
            return fired
        touched: int = data[0]
        if moment.now - touched > self.window + IDLE_LIMIT:
            self._expire(sides, moment.now - self._hold, moment)
        elif (upto := moment.upto(self.sources)) is not None:
            self._expire(sides, upto - self._hold, moment)
        self._rest(key, sides, touched, moment)
        return []

    def waiting(self, data: Data) -> Iterator[Waits]:
        missing = [name for name, side in zip(self.names, data[1], strict=True) if not side]
        text = f"waits for {listed([*dict.fromkeys(missing)])}" if missing else "waits for more"
        for side in data[1]:
            for entry in side:
                yield entry[0], text, entry[1] + self.window

    @abstractmethod
    def _complete(self, sides: Sides, low: int, high: int) -> list[Sequence[Entry]]:
        """The entries of a finished pattern, for each operand; empty if there is none.

        What has just come has event times from `low`; nothing after `high` can be part of it.
        """

    @abstractmethod
    def _add(self, sides: Sides, side: int, entry: Entry, moment: Moment) -> None:
        """Takes in what came."""

    @abstractmethod
    def _first(self, sides: Sides) -> int | None:
        """The event time at which the pattern that waits longest started."""

    def _start(self, sides: Sides, side: tuple[Entry, ...]) -> int:
        """How many of a side came before the pattern that waits longest started."""
        return 0

    def _put(self, sides: Sides, side: int, entry: Entry, moment: Moment) -> None:
        kept = placed(sides[side], entry)
        if len(kept) > PARTIAL_CAP:
            moment.lost(Word.EXPIRED, kept[0][0], f"more than {PARTIAL_CAP:,} wait")
            kept = kept[1:]
        sides[side] = kept

    def _prune(self, sides: Sides, moment: Moment) -> None:
        """Drops what newer matches of this key have left behind."""
        if self.incomplete:
            return
        newest = max((side[-1][1] for side in sides if side), default=0)
        if any(side and side[0][1] < newest - self._hold for side in sides):
            self._expire(sides, self.read_by(newest, moment) - self._hold, moment)

    def _expire(self, sides: Sides, before: int, moment: Moment) -> None:
        for number, side in enumerate(sides):
            if side and side[0][1] < before:
                keep = tuple(entry for entry in side if entry[1] >= before)
                gone = events_of(entry for entry in side if entry[1] < before)
                moment.lost(Word.EXPIRED, gone, self._unmet(sides, number))
                sides[number] = keep

    def _unmet(self, sides: Sides, own: int) -> str:
        """Why what waited in an operand did not become a whole pattern."""
        missing = [name for name, side in zip(self.names, sides, strict=True) if not side]
        others = [name for number, name in enumerate(self.names) if number != own]
        return f"{listed([*dict.fromkeys(missing or others)])} did not come in time"

    def _use(self, sides: Sides, chosen: list[Sequence[Entry]], moment: Moment) -> None:
        """Takes out what is used, wherever it waits, and what came before it of its operand."""
        for number, taken in enumerate(chosen):
            if taken:
                side = sides[number]
                low, high = (bisect_left(side, order(taken[0]), key=order), order(taken[-1]))
                end = bisect_right(side, high, key=order)
                if low:
                    moment.lost(Word.SUPERSEDED, events_of(side[:low]), "a later one was taken")
                sides[number] = side[end:]
        self._use_up(sides, chosen)

    def _use_up(self, sides: Sides, chosen: list[Sequence[Entry]]) -> None:
        """An event that filled several operands is used up in all of them."""
        if any(sides):
            used = events_of(entry for some in chosen for entry in some)
            for number, side in enumerate(sides):
                sides[number] = tuple(entry for entry in side if not meet(entry[0], used))

    def _settle(self, sides: Sides, since: int, moment: Moment) -> None:
        """Takes out what finished within the window of what began first.

        What lies beyond that window is looked at once it is over, in the order of event time:
        the sensors may have been read far ahead, or one after the other.
        """
        while (first := self._first(sides)) is not None:
            last = first + self.window
            times = {entry[1] for side in sides for entry in side if since <= entry[1] <= last}
            found = (self._complete(sides, at, at) for at in sorted(times))
            chosen = next(filter(None, found), None)
            if chosen is None:
                return
            used = events_of(entry for some in chosen for entry in some)
            moment.lost(Word.FILTERED, used, "it finished in time")
            self._use(sides, chosen, moment)

    def _conclude(self, key: str | None, sides: Sides, moment: Moment) -> list[Match]:
        first = self._first(sides)
        if first is None:
            upto = moment.upto(self.sources)
            if upto is not None:
                self._expire(sides, upto - self._hold + 1, moment)
            return []
        end = first + self.window
        came: list[Entry] = []
        names: list[str] = []
        for number, side in enumerate(sides):
            start = self._start(sides, side)
            cut = bisect_right(side, end, key=time_of)
            if start:
                moment.lost(Word.EXPIRED, events_of(side[:start]), f"{self.names[0]} came later")
            if cut > start:
                names.append(self.names[number])
                came.extend(side[start:cut])
        for number, side in enumerate(sides):
            sides[number] = side[bisect_right(side, end, key=time_of) :]
        self._settle(sides, end + 1, moment)
        label = f"{labels(came)}{self._without(names)}"
        return [merged(key, came, label)._replace(time=end)]

    def _without(self, names: Sequence[str]) -> str:
        """What is missing, when these came."""
        missing = [name for name in self.names if name not in names]
        return f" but not {listed([*dict.fromkeys(missing)])}" if missing else ", not in this order"

    def _rest(self, key: str | None, sides: Sides, touched: int, moment: Moment) -> None:
        if not any(sides):
            moment.put(self.number, key, None)
            return
        if self.incomplete:
            first = self._first(sides)
            due = None if first is None else first + self.window + self.lag
            if due is None:
                # Nothing has started: what is kept only waits for what may come late.
                due = max(side[-1][1] for side in sides if side) + self._hold
        else:
            # Looked at ever more seldom: nothing hurries, as what is out of its window never fires.
            last = touched + self.window + IDLE_LIMIT + 1
            due = min(moment.now + max(self._hold, moment.now - touched) + 1, last)
        moment.put(self.number, key, (touched, tuple(sides)), due)
