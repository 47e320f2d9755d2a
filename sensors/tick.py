"""When a schedule ticks, and which of its ticks are due. Pure: no clock is read here.

Laws: the ticks of a timetable depend on nothing but the timetable, so that asking from another
moment, or after a restart, gives the same ones; each is later than the one before, as an instant.

How a cron expression meets a change of the clocks (as in Debian's cron):

- An expression whose minute and hour are both fixed (neither begins with `*`) ticks once a day for
  each time it names: a time that the clocks skip ticks at the first minute after the gap, once for
  all that were skipped; a time that comes twice ticks the first time only.
- An expression with `*` or `*/n` in minute or hour ticks by the time that passes: in the hour that
  comes twice it ticks in both, and of a skipped hour nothing is made up.
- With six fields (seconds first) an expression is always of the second kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim

Missed = Literal["skip", "one", "all"]

PUNCTUAL = timedelta(seconds=5)
"""A tick served within this time is on time, whatever held it up; a later one was missed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Timetable(Protocol):
    """What ticks."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The ticks later than `moment`, in order, in UTC; ends if there are no more."""
        ...


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields (or six, seconds first), in a time zone.

    Beside the usual: `L` (last day), `LW` (last weekday), `FRI#2` (second Friday), `5L` (last
    Friday), and the nicknames from @hourly to @yearly. Of the day of the month and the day of the
    week both must match if either begins with `*`, else one of them.
    """

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        text = _NICKNAMES.get(self.expression.lower(), self.expression)
        fields = text.split()
        fixed = len(fields) == 5 and not any(field.startswith("*") for field in fields[:2])
        return self._named(text, moment) if fixed else self._passing(text, moment)

    def _named(self, text: str, moment: datetime) -> Iterator[datetime]:
        """Each wall time that matches, once a day, whatever the clocks do."""
        last = moment
        for wall in CronSim(text, self._wall(moment)):
            at = self._instant(wall)
            if at > last:
                yield at
                last = at

    def _passing(self, text: str, moment: datetime) -> Iterator[datetime]:
        """Each instant at which the clocks show a wall time that matches."""
        last = moment
        while True:
            offset = self._offset(last)
            for wall in CronSim(text, self._wall(last)):
                at = (wall - offset).replace(tzinfo=UTC)
                change = self._change(last, at)
                if change is not None:
                    # Just before it, so that a tick at the very change is found.
                    last = change - _SECOND
                    if self._matches(text, change):
                        yield change
                    last = change
                    break
                yield at
                last = at
            else:
                return

    def _instant(self, wall: datetime) -> datetime:
        """When the clocks show `wall`, the first time; if they never do, the end of the gap."""
        first, second = (
            wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1)
        )
        # Source: PEP 495. In a gap the two lie on both sides of it, in the reverse order.
        return first if first <= second else self._change(second, first) or first

    def _change(self, start: datetime, end: datetime) -> datetime | None:
        """The first instant in (start, end] from which the clocks go differently than at start."""
        offset = self._offset(start)
        low = start
        while low < end:
            high = min(low + _DAY, end)
            if self._offset(high) != offset:
                break
            low = high
        else:
            return None
        while high - low > _SECOND:
            middle = low + (high - low) // 2
            low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
        return high.replace(microsecond=0)

    def _matches(self, text: str, at: datetime) -> bool:
        wall = self._wall(at)
        return next(CronSim(text, wall - _SECOND), None) == wall

    def _wall(self, at: datetime) -> datetime:
        return at.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(self.zone).utcoffset() or timedelta(0)


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from the beginning of 1970 in UTC: `10m` ticks at :00, :10, :20.

    It counts time that passes, and knows no zone: `1d` ticks at midnight UTC.
    """

    every: timedelta

    def after(self, moment: datetime) -> Iterator[datetime]:
        step = self.every // _MICROSECOND
        count = (moment - _EPOCH) // _MICROSECOND // step
        while True:
            count += 1
            try:
                yield _EPOCH + timedelta(microseconds=count * step)
            except OverflowError:
                return


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done now.

    `ticks` are the ticks to serve, each with the number of missed ones that it makes up for.
    `upto` is the last tick that is dealt with, served or not. `late` counts the missed ones, and
    `more` says that there were still more.
    """

    ticks: tuple[tuple[datetime, int], ...]
    upto: datetime
    late: int = 0
    more: bool = False


def due(timetable: Timetable, last: datetime, now: datetime, missed: Missed, cap: int) -> Due:
    """What to do about the ticks after `last` until `now`.

    A tick is missed if it is not served within PUNCTUAL. `skip` drops missed ticks, `one` serves
    the last of them for all, `all` serves each, the newest `cap` of them if there are more.
    Returns: no tick at or before `last`, whatever `now` is.
    """
    ticks, more = _newest(timetable, last, now, cap)
    late = [tick for tick in ticks if now - tick > PUNCTUAL]
    fresh = tuple((tick, 0) for tick in ticks[len(late) :])
    upto = ticks[-1] if ticks else last
    if missed == "all":
        made_up = tuple((tick, 1) for tick in late)
    elif missed == "one" and late:
        made_up = ((late[-1], len(late)),)
    else:
        made_up = ()
    return Due((*made_up, *fresh), upto, len(late), more)


def _newest(
    timetable: Timetable, last: datetime, now: datetime, cap: int
) -> tuple[list[datetime], bool]:
    """The newest `cap` ticks in (last, now], in order, and whether there are more."""
    first = list(islice(_until(timetable.after(last), now), cap + 1))
    if len(first) <= cap:
        return first, False
    # Too many to walk through them all. Look for a moment that has a few more than `cap` after it:
    # twice as far back each time, then half way between too far (low) and not far enough (high).
    low, high = last, now
    start = now - min(now - last, cap * min(later - earlier for earlier, later in pairwise(first)))
    while True:
        found = list(islice(_until(timetable.after(start), now), 4 * cap + 1))
        if cap <= len(found) <= 4 * cap:
            return found[-cap:], True
        if len(found) < cap:
            high = start
        else:
            low = start
        further = now - min(now - last, 2 * (now - start))
        start = further if low < further < high else low + (high - low) // 2


def _until(ticks: Iterator[datetime], now: datetime) -> Iterator[datetime]:
    for tick in ticks:
        if tick > now:
            return
        yield tick
