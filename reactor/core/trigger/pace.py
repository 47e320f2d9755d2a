"""Fewer firings for many events: see `expression.Batch`, `Debounce` and `Throttle`.

They follow arrival and `now`, not event time. What they collect is (events as ranges, how many,
event time, label, values of the latest, how many matches), so that a burst of any length is small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from reactor.core.decision import Word
from reactor.core.instant import MICROSECOND
from reactor.core.ranges import Ranges, count, union
from reactor.core.trigger.operator import SPAN_CAP, Arrivals, Data, Match, Moment, Operator, Waits

Kept = tuple[Ranges, int, int, str, tuple[Any, ...], int]


def kept(before: Kept | None, match: Match) -> Kept:
    """What was collected, with one match more."""
    events, time, label, values, _ = match
    if before is None:
        return (events, count(events), time, label, values, 1)
    spans, _, newest, _, older, matches = before
    if len(events) == 1 and spans and events[0][0] > spans[-1][1]:
        low, high = spans[-1]
        first, last = events[0]
        joined = (*spans[:-1], (low, last)) if first == high + 1 else (*spans, events[0])
        spans, number = joined, before[1] + last - first + 1
    else:
        spans = union(spans, events)
        number = count(spans)
    latest = values if time >= newest else older
    return (spans, number, max(time, newest), label, latest, matches + 1)


def released(key: str | None, data: Kept, why: str, alone: bool) -> Match:
    """One match of all that was collected; `why` is said of several, and of one unless `alone`."""
    events, _, time, label, values, matches = data
    more = f" and {matches - 1:,} more" if matches > 1 else ""
    tail = f" ({why})" if more or not alone else ""
    return Match(events, time, f"{label}{more}{tail}", values, key)


class Collecting(Operator):
    """What a batch and a debounce share. State: (when the first came, what was collected)."""

    text = "collected"

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        now = moment.now
        for _, match in arrivals:
            data = moment.get(self.number, match.key)
            first: int = data[0] if data else now
            collected = kept(data[1] if data else None, match)
            due = self._due(first, now)
            if self._full(collected) or due <= now or len(collected[0]) > SPAN_CAP:
                moment.put(self.number, match.key, None)
                fired.append(released(match.key, collected, "full", alone=True))
            else:
                moment.put(self.number, match.key, (first, collected), due)
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None:
            return []
        moment.put(self.number, key, None)
        return [released(key, data[1], self._why(data[0], moment.now), alone=True)]

    def overflow(self, key: str | None, moment: Moment) -> list[Match]:
        return self.ring(key, moment)

    def waiting(self, data: Data) -> Iterator[Waits]:
        yield data[1][0], self.text, None

    def _full(self, collected: Kept) -> bool:
        return False

    def _why(self, first: int, now: int) -> str:
        return "waited long enough"

    def _due(self, first: int, now: int) -> int:
        raise TypeError("says when it is enough")


class BatchOf(Collecting):
    """See `expression.Batch`."""

    def __init__(self, number: int, children: Sequence[Operator], n: int, wait: timedelta) -> None:
        super().__init__(number, children)
        self.n, self.wait = n, wait // MICROSECOND
        self.keeps_back(wait)

    def waiting(self, data: Data) -> Iterator[Waits]:
        yield data[1][0], f"batched ({data[1][1]:,} of {self.n:,})", None

    def _full(self, collected: Kept) -> bool:
        return collected[1] >= self.n

    def _due(self, first: int, now: int) -> int:
        return first + self.wait


class DebounceOf(Collecting):
    """See `expression.Debounce`."""

    text = "debounced"
    keeps = "debounced"

    def __init__(
        self, number: int, children: Sequence[Operator], quiet: timedelta, wait: timedelta
    ) -> None:
        super().__init__(number, children)
        self.quiet, self.wait = quiet // MICROSECOND, wait // MICROSECOND
        self.keeps_back(wait)

    def _due(self, first: int, now: int) -> int:
        return min(now + self.quiet, first + self.wait)

    def _why(self, first: int, now: int) -> str:
        return "it became quiet" if now < first + self.wait else super()._why(first, now)


class ThrottleOf(Operator):
    """See `expression.Throttle`. State: (until when it is shut, what was kept back or None)."""

    keeps = "throttled"

    def __init__(
        self, number: int, children: Sequence[Operator], every: timedelta, trailing: bool
    ) -> None:
        super().__init__(number, children)
        self.every, self.trailing = every // MICROSECOND, trailing
        if trailing:
            self.keeps_back(every)

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            data = moment.get(self.number, match.key)
            if data is None or data[0] <= moment.now:
                until = moment.now + self.every
                moment.put(self.number, match.key, (until, None), until)
                if data is not None and data[1] is not None:
                    # Its time came while nobody looked, and another timer rang before its own.
                    back = kept(data[1], match)
                    fired.append(released(match.key, back, "throttled", alone=False))
                else:
                    fired.append(match)
            elif not self.trailing:
                moment.lost(Word.THROTTLED, match.events, "throttled")
            else:
                back = kept(data[1], match)
                if len(back[0]) > SPAN_CAP:
                    moment.lost(Word.EXPIRED, back[0][:1], "too many were kept back")
                    low, high = back[0][0]
                    back = (back[0][1:], back[1] - (high - low + 1), *back[2:])
                moment.put(self.number, match.key, (data[0], back), data[0])
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None or data[1] is None:
            moment.put(self.number, key, None)
            return []
        until = moment.now + self.every
        moment.put(self.number, key, (until, None), until)
        return [released(key, data[1], "throttled", alone=False)]

    def overflow(self, key: str | None, moment: Moment) -> list[Match]:
        fired = self.ring(key, moment)
        moment.put(self.number, key, None)
        return fired

    def waiting(self, data: Data) -> Iterator[Waits]:
        if data[1] is not None:
            yield data[1][0], "throttled", None
