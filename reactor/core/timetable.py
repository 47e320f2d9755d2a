"""When a schedule ticks. Pure: no clock is read here.

Knows: cron expressions, intervals, and what the clocks of a zone do. Refuses to know: what is done
about a tick, and which were missed (sensors/tick.py).

Laws: the ticks of a timetable depend on nothing but the timetable, so that asking from another
moment, or after a restart, gives the same ones; each is later than the one before, as an instant.
Timetables of equal text have equal ticks.

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
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from reactor.core.duration import spoken
from reactor.core.instant import MICROSECOND, instant, micros
from reactor.core.zone import offset, shift, showing, wall, zone_of

# Whether an expression ever comes is asked from here: no clock is read, and within 50 years of it
# each date falls on each day of the week.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_SHORTEST = timedelta(milliseconds=10)
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

    def __str__(self) -> str:
        zone = "" if self.zone.key == "UTC" else f" {self.zone.key}"
        return f"{self.expression}{zone}"

    def after(self, moment: datetime) -> Iterator[datetime]:
        text = _NICKNAMES.get(self.expression.lower(), self.expression)
        fields = text.split()
        fixed = len(fields) == 5 and not any(field.startswith("*") for field in fields[:2])
        return self._named(text, moment) if fixed else self._passing(text, moment)

    def _named(self, text: str, moment: datetime) -> Iterator[datetime]:
        """Each wall time that matches, once a day, whatever the clocks do."""
        last = moment
        for shown in CronSim(text, wall(self.zone, moment)):
            at = showing(self.zone, shown)
            if at > last:
                yield at
                last = at

    def _passing(self, text: str, moment: datetime) -> Iterator[datetime]:
        """Each instant at which the clocks show a wall time that matches."""
        last = moment
        while True:
            ahead = offset(self.zone, last)
            for shown in CronSim(text, wall(self.zone, last)):
                at = (shown - ahead).replace(tzinfo=UTC)
                change = shift(self.zone, last, at)
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

    def _matches(self, text: str, at: datetime) -> bool:
        shown = wall(self.zone, at)
        return next(CronSim(text, shown - _SECOND), None) == shown


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from the beginning of 1970 in UTC: `10m` ticks at :00, :10, :20.

    It counts time that passes, and knows no zone: `1d` ticks at midnight UTC.
    """

    every: timedelta

    def __str__(self) -> str:
        whole = not self.every % _MILLISECOND
        return f"every {spoken(self.every) if whole else f'{self.every.total_seconds()}s'}"

    def after(self, moment: datetime) -> Iterator[datetime]:
        step = self.every // MICROSECOND
        count = micros(moment) // step
        while True:
            count += 1
            try:
                yield instant(count * step)
            except OverflowError:
                return


def timetable(cron: str | None, every: timedelta | None, tz: str) -> Timetable:
    """The timetable of an expression in a zone, or of an interval, which has none (tz is UTC).

    Raises: ValueError for what makes no sense, and for an expression that never comes.
    """
    if (cron is None) == (every is None):
        raise ValueError("a schedule is either a cron expression or every=")
    if every is not None:
        return _interval(every, tz)
    found = Cron(" ".join((cron or "").split()), zone_of(tz))
    try:
        coming = next(found.after(_BEGINNING), None)
    except CronSimError as error:
        raise ValueError(f"{cron!r} is no cron expression: {error}") from None
    if coming is None:
        raise ValueError(f"{cron!r} never comes")
    return found


def _interval(every: timedelta, tz: str) -> Interval:
    if tz != "UTC":
        raise ValueError("an interval knows no time zone: write a cron expression for one")
    if every < _SHORTEST:
        raise ValueError(f"every {spoken(every)} is too often")
    return Interval(every)
