"""What did not happen: see `expression.Unless`, `Silent` and `Overdue`.

All of them ring only when their sources have been read past the time they asked for.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from datetime import timedelta

from reactor.core.decision import Word
from reactor.core.duration import spoken
from reactor.core.instant import MICROSECOND, instant, micros
from reactor.core.timetable import Cron, Timetable
from reactor.core.trigger.operator import (
    KEY_LIFE,
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
    order,
    placed,
    time_of,
)

Order = tuple[int, int]


class UnlessOf(Operator):
    """State: (what waits, in order; when the second operand came, in order)."""

    concludes = True

    def __init__(
        self, number: int, children: Sequence[Operator], names: Sequence[str], window: timedelta
    ) -> None:
        super().__init__(number, children)
        self.names, self.window = tuple(names), window // MICROSECOND
        self.tail = f"no {self.names[1]} for {spoken(window)}"

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        for key, group in by_key(arrivals):
            data = moment.get(self.number, key)
            waits: tuple[Entry, ...] = data[0] if data else ()
            calls: list[Order] = list(data[1]) if data else []
            ours = {match.events for side, match in group if side == 0}
            for side, match in group:
                entry = match[:4]
                if side == 0:
                    waits = placed(waits, entry)
                    continue
                insort(calls, order(entry))
                if entry[0] not in ours:
                    moment.lost(Word.FILTERED, entry[0], f"only calls off {self.names[0]}")
            waits = self._called_off(waits, calls, moment)
            self._rest(key, waits, calls, moment)
        return []

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        upto = moment.upto(self.sources)
        if data is None or upto is None:
            return []
        waits: tuple[Entry, ...] = data[0]
        due = waits[0][1] + self.window + self.lag if waits else upto + 1
        # One instant after the other: others may have to act in between.
        cut = bisect_right(waits, waits[0][1], key=time_of) if due <= upto else 0
        fired = [
            Match(events, time + self.window, f"{label}, and {self.tail}", values, key)
            for events, time, label, values in waits[:cut]
        ]
        calls = [call for call in data[1] if call[0] + self.window + self.lateness > upto]
        self._rest(key, waits[cut:], calls, moment)
        return fired

    def waiting(self, data: Data) -> Iterator[Waits]:
        for entry in data[0]:
            yield entry[0], f"waits that no {self.names[1]} comes", entry[1] + self.window

    def _called_off(
        self, waits: tuple[Entry, ...], calls: list[Order], moment: Moment
    ) -> tuple[Entry, ...]:
        if not calls or not waits:
            return waits
        gone = [entry for entry in waits if self._is_called_off(entry, calls)]
        if gone:
            moment.lost(Word.FILTERED, events_of(gone), f"{self.names[1]} came")
            return tuple(entry for entry in waits if entry not in gone)
        return waits

    def _is_called_off(self, entry: Entry, calls: list[Order]) -> bool:
        at = bisect_right(calls, order(entry))
        return at < len(calls) and calls[at][0] <= entry[1] + self.window

    def _rest(
        self, key: str | None, waits: tuple[Entry, ...], calls: list[Order], moment: Moment
    ) -> None:
        if len(waits) > PARTIAL_CAP:
            moment.lost(Word.EXPIRED, waits[0][0], f"more than {PARTIAL_CAP:,} wait")
            waits = waits[1:]
        if len(calls) > 1:
            before = self.read_by(calls[-1][0], moment) - self.window - self.lateness
            calls = [call for call in calls[-PARTIAL_CAP:] if call[0] >= before]
        if not waits and not calls:
            moment.put(self.number, key, None)
            return
        if waits:
            due = waits[0][1] + self.window + self.lag
        else:
            due = calls[0][0] + self.window + self.lateness
        moment.put(self.number, key, (waits, tuple(calls)), due)


class SilentOf(Operator):
    """State: the silences that may be one, each as (the match before it, event time of the next).

    The next is None for the silence that lasts; only that one stays when it was told, with what it
    was told of taken out. A match between two that are close to each other starts no silence, and
    is not kept.
    """

    concludes = True

    def __init__(
        self, number: int, children: Sequence[Operator], text: str, length: timedelta
    ) -> None:
        super().__init__(number, children)
        self.text, self.length = f"{text} for {spoken(length)}", length // MICROSECOND
        self._wait = self.length + self.lag

    def begin(self, moment: Moment) -> None:
        never: Entry = ((), moment.now, "", ())
        self._rest(None, [(never, None, None)], moment)

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        for _, match in arrivals:
            gaps: list[Gap] = list(moment.get(self.number, match.key) or ())
            self._broken(gaps, match[:4], moment)
            self._rest(match.key, gaps, moment)
        return []

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        gaps: list[Gap] = list(moment.get(self.number, key) or ())
        if not gaps:
            return []
        rest: list[Gap] = gaps[1:]
        last, following, told = gaps[0]
        if told is not None:
            # Of a key that stays silent nothing is kept; what comes then begins anew.
            moment.put(self.number, key, None)
            return []
        if following is None:
            # What comes late must not start a silence that is told already.
            heard: Entry = ((), last[1], "", ())
            told_of: Gap = (heard, None, order(last)[1])
            rest = [told_of]
        self._rest(key, rest, moment)
        return [Match(last[0], last[1] + self.length, self.text, last[3], key)]

    def waiting(self, data: Data) -> Iterator[Waits]:
        for entry, _, told in data:
            if told is None:
                yield entry[0], "waits for the next, or for silence", entry[1] + self.length

    def _broken(self, gaps: list[Gap], entry: Entry, moment: Moment) -> None:
        """A match came: the silence it lies in is over, or are two."""
        at = bisect_right(gaps, order(entry), key=_began) - 1
        if at < 0:
            if gaps:
                moment.lost(Word.SUPERSEDED, entry[0], "it counts from a later time")
            else:
                gaps.append((entry, None, None))
            return
        last, following, told = gaps[at]
        if following is not None and entry[1] > following:
            moment.lost(Word.SUPERSEDED, entry[0], "there were others about then")
            return
        parts: list[Gap] = []
        if told is None and entry[1] - last[1] > self.length:
            parts.append((last, entry[1], None))
        elif told is None:
            moment.lost(Word.SUPERSEDED, last[0], "another one came in time")
        if following is None or following - entry[1] > self.length:
            parts.append((entry, following, None))
        else:
            moment.lost(Word.SUPERSEDED, entry[0], "another one came in time")
        gaps[at : at + 1] = parts

    def _rest(self, key: str | None, gaps: list[Gap], moment: Moment) -> None:
        if len(gaps) > PARTIAL_CAP:
            moment.lost(Word.EXPIRED, gaps.pop(0)[0][0], f"more than {PARTIAL_CAP:,} silences")
        if not gaps:
            moment.put(self.number, key, None)
            return
        last, _, told = gaps[0]
        due: int | None = last[1] + self._wait
        if told is not None:
            due = None if key is None else last[1] + 2 * self._wait + self.lateness
        moment.put(self.number, key, tuple(gaps), due)


Gap = tuple[Entry, int | None, int | None]
"""The match before a silence, event time of the next, and where it stood if it was told."""


def _began(gap: Gap) -> Order:
    last, _, told = gap
    return order(last) if told is None else (last[1], told)


class OverdueOf(Operator):
    """State: (deadline, what came for it, ((later deadline, what came for it), ...), newest).

    What came is an entry, or () for nothing; `newest` is the event time of the newest match.
    """

    concludes = True

    def __init__(
        self,
        number: int,
        children: Sequence[Operator],
        name: str,
        schedule: Timetable,
        grace: timedelta,
        early: timedelta | None,
    ) -> None:
        super().__init__(number, children)
        self.name, self.schedule, self.grace = name, schedule, grace
        self.early = None if early is None else (early + grace) // MICROSECOND

    def begin(self, moment: Moment) -> None:
        self._rest(None, (self._deadline(moment.now + 1), (), (), moment.now), moment)

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        for _, match in arrivals:
            entry, data = match[:4], moment.get(self.number, match.key)
            if data is None:
                # Of a key that was forgotten, or never known, no more is missed than is remembered.
                began = max(entry[1], moment.now - KEY_LIFE)
                data = (self._deadline(began), (), (), began)
            self._rest(match.key, self._counted(data, entry, moment), moment)
        return []

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None or data[0] is None:
            return []
        deadline, came, later, newest = data
        following = self._deadline(deadline + 1)
        coming = later[0][1] if later and later[0][0] == following else ()
        self._rest(key, (following, coming, later[1:] if coming else later, newest), moment)
        if came:
            moment.lost(Word.FILTERED, came[0], "it came in time")
            return []
        label = f"{self.name} was overdue: nothing for {self._tick(deadline)}"
        if key is not None and not later and deadline - newest > KEY_LIFE:
            moment.put(self.number, key, None)
            label = f"{label}, and it is not expected any more"
        return [Match((), deadline, label, (), key)]

    def _tick(self, deadline: int) -> str:
        """The tick of a deadline, as the clocks of its schedule show it."""
        tick = instant(deadline) - self.grace
        if isinstance(self.schedule, Cron):
            tick = tick.astimezone(self.schedule.zone)
        return f"{tick:%Y-%m-%d %H:%M %Z}"

    def _counted(self, data: Data, entry: Entry, moment: Moment) -> Data:
        """The state with one match more, counted for its tick."""
        deadline, came, later, newest = data
        newest = max(newest, entry[1])
        its = deadline if came and entry[1] <= deadline else self._deadline(entry[1])
        if deadline is None or its is None or its < deadline:
            moment.lost(Word.SUPERSEDED, entry[0], "the time of its tick was over")
            return (deadline, came, later, newest)
        if self.early is not None and entry[1] <= its - self.early:
            moment.lost(Word.FILTERED, entry[0], "it came too early for its tick")
            return (deadline, came, later, newest)
        before = came if its == deadline else dict(later).get(its, ())
        if before:
            moment.lost(Word.SUPERSEDED, before[0], "another one came for that tick")
        if its == deadline:
            return (deadline, entry, later, newest)
        return (deadline, came, tuple(sorted({**dict(later), its: entry}.items())), newest)

    def waiting(self, data: Data) -> Iterator[Waits]:
        for deadline, came in ((data[0], data[1]), *data[2]):
            if came:
                yield came[0], f"came in time for {self._tick(deadline)}", deadline

    def _deadline(self, at: int) -> int | None:
        """The first deadline at or after an instant."""
        start = instant(at - 1) - self.grace
        tick = next(self.schedule.after(start), None)
        return None if tick is None else micros(tick + self.grace)

    def _rest(self, key: str | None, data: Data, moment: Moment) -> None:
        moment.put(self.number, key, data, None if data[0] is None else data[0] + self.lag)
