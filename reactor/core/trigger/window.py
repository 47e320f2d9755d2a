"""How many and how much in a sliding window of event time: see `expression.Count`, `Aggregate`."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from reactor.core.decision import Word
from reactor.core.duration import spoken
from reactor.core.instant import MICROSECOND
from reactor.core.trigger.operator import (
    IDLE_LIMIT,
    PARTIAL_CAP,
    SPAN_CAP,
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


class WindowOf(Operator):
    """What both share: matches kept in order. State: (when touched, the matches, ...)."""

    def __init__(self, number: int, children: Sequence[Operator], window: timedelta) -> None:
        super().__init__(number, children)
        self.window = window // MICROSECOND
        self._hold = self.window + self.lateness

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None:
            return []
        touched, entries, *more = data
        upto = moment.upto(self.sources)
        if moment.now - touched > self.window + IDLE_LIMIT:
            entries = self._expired(entries, moment.now - self._hold, moment)
        elif upto is not None:
            entries = self._expired(entries, upto - self._hold, moment)
        self._rest(key, touched, entries, tuple(more), moment)
        return []

    def _expired(
        self, entries: tuple[Entry, ...], before: int, moment: Moment
    ) -> tuple[Entry, ...]:
        cut = bisect_left(entries, before, key=time_of)
        if cut:
            moment.lost(Word.EXPIRED, events_of(entries[:cut]), self._unmet())
        return entries[cut:]

    def _unmet(self) -> str:
        return "it left the window"

    def _rest(
        self, key: str | None, touched: int, entries: tuple[Entry, ...], more: Data, moment: Moment
    ) -> None:
        if not entries:
            moment.put(self.number, key, None)
            return
        last = touched + self.window + IDLE_LIMIT + 1
        due = min(moment.now + max(self._hold, moment.now - touched) + 1, last)
        moment.put(self.number, key, (touched, entries, *more), due)


class CountOf(WindowOf):
    """See `expression.Count`."""

    def __init__(
        self, number: int, children: Sequence[Operator], n: int, window: timedelta
    ) -> None:
        super().__init__(number, children, window)
        self.n = n
        self.cap = max(PARTIAL_CAP, 2 * n)

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for key, group in by_key(arrivals):
            data = moment.get(self.number, key)
            entries: tuple[Entry, ...] = data[1] if data else ()
            for _, match in group:
                entry = match[:4]
                entries = placed(entries, entry)
                newest = entries[-1][1]
                if entries[0][1] < newest - self._hold:
                    before = self.read_by(newest, moment) - self._hold
                    entries = self._expired(entries, before, moment)
                start = self._full(entries, entry)
                if start is not None:
                    end = start + self.n
                    chosen = entries[start:end]
                    if start:
                        why = "a count was reached without it"
                        moment.lost(Word.SUPERSEDED, events_of(entries[:start]), why)
                    entries = entries[end:]
                    fired.append(merged(key, chosen, labels(chosen)))
                if len(entries) > self.cap:
                    moment.lost(Word.EXPIRED, entries[0][0], f"more than {self.cap:,} wait")
                    entries = entries[1:]
            self._rest(key, moment.now, entries, (), moment)
        return fired

    def waiting(self, data: Data) -> Iterator[Waits]:
        for entry in data[1]:
            text = f"counted ({len(data[1]):,} of {self.n:,})"
            yield entry[0], text, entry[1] + self.window

    def _unmet(self) -> str:
        return f"not {self.n:,} in time"

    def _full(self, entries: tuple[Entry, ...], entry: Entry) -> int | None:
        """Where the first n that lie in a window with what has just come begin."""
        at = bisect_left(entries, order(entry), key=order)
        for start in range(max(0, at - self.n + 1), min(at, len(entries) - self.n) + 1):
            if entries[start + self.n - 1][1] - entries[start][1] <= self.window:
                return start
        return None


_FUNCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "avg": lambda values: sum(values) / len(values),
    "sum": sum,
    "min": min,
    "max": max,
}


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "between": lambda value, limits: limits[0] <= value <= limits[1],
}


def satisfies(op: str, limit: Any) -> Callable[[float], bool]:
    """Whether a number satisfies a comparison."""
    compare = _COMPARISONS[op]
    return lambda value: compare(value, limit)


class AggregateOf(WindowOf):
    """See `expression.Aggregate`. State: (when touched, the matches, their numbers, holds)."""

    def __init__(
        self,
        number: int,
        children: Sequence[Operator],
        window: timedelta,
        function: str,
        probe: int,
        holds: Callable[[Any], bool],
        least: int,
        where: str,
    ) -> None:
        super().__init__(number, children, window)
        self.function, self.probe, self.holds, self.least = function, probe, holds, least
        self.text = f"{function} of {where} over {spoken(window)}"

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for key, group in by_key(arrivals):
            for _, match in group:
                value = match.value(self.probe)
                if value is None:
                    moment.lost(Word.FILTERED, match.events, "it has no number there")
                    continue
                found = self._one(key, match, value, moment)
                if found is not None:
                    fired.append(found)
        return fired

    def waiting(self, data: Data) -> Iterator[Waits]:
        for entry in data[1]:
            yield entry[0], f"counts for the {self.text}", entry[1] + self.window

    def _one(self, key: str | None, match: Match, value: float, moment: Moment) -> Match | None:
        data = moment.get(self.number, key)
        entries: tuple[Entry, ...] = data[1] if data else ()
        # What has left the window before this came leaves nothing behind: row or not, it is empty.
        empty = not entries or match.time > entries[-1][1] + self.window
        held: bool = data[2] if data and not empty else False
        # The number travels behind the values of its match.
        entries = placed(entries, (*match[:3], (*match.values, value)))
        entries = self._expired(entries, entries[-1][1] - self._hold, moment)
        if len(entries) > SPAN_CAP:
            moment.lost(Word.EXPIRED, entries[0][0], f"more than {SPAN_CAP:,} in the window")
            entries = entries[1:]
        inside = entries[bisect_left(entries, entries[-1][1] - self.window, key=time_of) :]
        numbers = [entry[3][-1] for entry in inside]
        result = _FUNCTIONS[self.function](numbers)
        holds = len(inside) >= self.least and self.holds(result)
        self._rest(key, moment.now, entries, (holds,), moment)
        if not holds or held:
            return None
        label = f"{self.text} came to {result:,.6g}"
        whole = merged(key, inside, label)
        return whole._replace(values=whole.values[:-1])
