"""Time windows as partitions: hours, days, weeks, months, and what a cron expression cuts.

Knows: where windows begin in a time zone, and their keys. Refuses to know: what the time is.

Laws: those of tiling.py. Where windows begin follows the clocks:

- A day, week or month begins when its midnight is shown for the first time, or, where the clocks
  skip midnight, at the end of the gap. A day that a zone left out altogether has no key.
- An hour is the time in which the clocks show it without being changed: an hour that is shown
  twice is two windows, whose keys tell the offset (`2026-10-25T02+02:00`); one that is skipped has
  no key; where clocks are changed by half an hour (Lord Howe), windows of half an hour come out.
- The windows of a cron expression begin at its ticks (timetable.py).
"""

from __future__ import annotations

import re
from abc import abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from reactor.core.partition import By
from reactor.core.tiling import TICK, Start, Windowed, midnight, moment
from reactor.core.timetable import Cron, timetable
from reactor.core.zone import offset, shift, wall, zone_of

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_LONGEST = timedelta(days=366 * 50)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Hourly(Windowed):
    """The hours from the one in which `start` lies: keys such as `2026-01-05T03`."""

    start: str
    zone: str
    how: By | None
    _first: datetime = field(compare=False)
    _tz: ZoneInfo = field(compare=False)

    _kind = "Hourly"
    noun = "hour"
    _example = "2026-01-05T03"
    _shape = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)([+-]\d\d:\d\d(?::\d\d)?)?")
    _dated = False

    def __init__(self, start: Start, zone: str = "UTC") -> None:
        self._begun(start, zone)

    def __str__(self) -> str:
        return self._shown(repr(self.start), *self._zoned())

    def _floor(self, at: datetime) -> datetime:
        ahead = offset(self._tz, at)
        begins = (_hour(wall(self._tz, at)) - ahead).replace(tzinfo=UTC)
        if offset(self._tz, begins) != ahead:
            return shift(self._tz, begins, at) or begins
        return begins

    def _after(self, begins: datetime) -> datetime:
        if self.zone == "UTC":
            return begins + _HOUR
        ahead = offset(self._tz, begins)
        ends = (_hour(wall(self._tz, begins)) + _HOUR - ahead).replace(tzinfo=UTC)
        return shift(self._tz, begins, ends) or ends if offset(self._tz, ends) != ahead else ends

    def _key(self, begins: datetime) -> str:
        if self.zone == "UTC":
            return begins.isoformat()[:13]
        face = _hour(wall(self._tz, begins))
        text = face.isoformat()[:13]
        pieces = _pieces(self._tz, face)
        return f"{text}{_ahead(offset(self._tz, begins))}" if len(pieces) > 1 else text

    def _parsed(self, key: str) -> datetime:
        found = self._shape.fullmatch(key)
        if found is None:
            raise self._no_key(key)
        try:
            face = datetime.fromisoformat(found[1])
        except ValueError:
            raise self._no_key(key) from None
        pieces = {_ahead(ahead): begins for begins, ahead in _pieces(self._tz, face)}
        if not pieces:
            raise ValueError(f"{key} is skipped by the clocks of {self.zone}")
        if len(pieces) == 1:
            if found[2]:
                raise ValueError(f"{key!r} comes once: write {found[1]}")
            return next(iter(pieces.values()))
        if found[2] not in pieces:
            written = " or ".join(f"{found[1]}{ahead}" for ahead in pieces)
            raise ValueError(f"{found[1]} comes twice in {self.zone}: write {written}")
        return pieces[found[2]]


class _Dated(Windowed):
    """Windows that begin at the midnight of certain dates."""

    __slots__ = ()

    _dated = True

    def _floor(self, at: datetime) -> datetime:
        first = self._date(wall(self._tz, at).date())
        # The clocks may show a day that, by its first midnight, has not begun or is over.
        while midnight(self._tz, following := self._next(first)) <= at:
            first = following
        while (begins := midnight(self._tz, first)) > at:
            first = self._date(first - _DAY)
        return begins

    def _after(self, begins: datetime) -> datetime:
        first = self._date(wall(self._tz, begins).date())
        while (ends := midnight(self._tz, first := self._next(first))) <= begins:
            pass
        return ends

    def _key(self, begins: datetime) -> str:
        return self._text(self._date(wall(self._tz, begins).date()))

    def _parsed(self, key: str) -> datetime:
        try:
            first = self._read(key) if self._shape.fullmatch(key) else None
        except ValueError:
            first = None
        if first is None:
            raise self._no_key(key)
        begins = midnight(self._tz, first)
        if self._date(wall(self._tz, begins).date()) != first:
            raise ValueError(f"{key} is skipped by the clocks of {self.zone}")
        return begins

    @abstractmethod
    def _date(self, day: date) -> date:
        """The first day of the window that has this day."""

    @abstractmethod
    def _next(self, first: date) -> date:
        """The first day of the window after the one with this first day."""

    @abstractmethod
    def _text(self, first: date) -> str:
        """The key of the window with this first day."""

    @abstractmethod
    def _read(self, key: str) -> date:
        """The first day of the window of a key. Raises: ValueError if there is none."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Daily(_Dated):
    """The days from the one in which `start` lies: keys such as `2026-01-05`."""

    start: str
    zone: str
    how: By | None
    _first: datetime = field(compare=False)
    _tz: ZoneInfo = field(compare=False)

    _kind = "Daily"
    noun = "day"
    _example = "2026-01-05"
    _shape = re.compile(r"\d{4}-\d\d-\d\d")

    def __init__(self, start: Start, zone: str = "UTC") -> None:
        self._begun(start, zone)

    def __str__(self) -> str:
        return self._shown(repr(self.start), *self._zoned())

    def _date(self, day: date) -> date:
        return day

    def _next(self, first: date) -> date:
        return first + _DAY

    def _text(self, first: date) -> str:
        return first.isoformat()

    def _read(self, key: str) -> date:
        return date.fromisoformat(key)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Weekly(_Dated):
    """The weeks (ISO 8601, from Monday) from the one in which `start` lies: `2026-W05`."""

    start: str
    zone: str
    how: By | None
    _first: datetime = field(compare=False)
    _tz: ZoneInfo = field(compare=False)

    _kind = "Weekly"
    noun = "week"
    _example = "2026-W05"
    _shape = re.compile(r"\d{4}-W\d\d")

    def __init__(self, start: Start, zone: str = "UTC") -> None:
        self._begun(start, zone)

    def __str__(self) -> str:
        return self._shown(repr(self.start), *self._zoned())

    def _date(self, day: date) -> date:
        return day - day.weekday() * _DAY

    def _next(self, first: date) -> date:
        return first + 7 * _DAY

    def _text(self, first: date) -> str:
        year, week, _ = first.isocalendar()
        return f"{year:04}-W{week:02}"

    def _read(self, key: str) -> date:
        return date.fromisocalendar(int(key[:4]), int(key[6:]), 1)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Monthly(_Dated):
    """The months from the one in which `start` lies: keys such as `2026-01`."""

    start: str
    zone: str
    how: By | None
    _first: datetime = field(compare=False)
    _tz: ZoneInfo = field(compare=False)

    _kind = "Monthly"
    noun = "month"
    _example = "2026-01"
    _shape = re.compile(r"\d{4}-\d\d")

    def __init__(self, start: Start, zone: str = "UTC") -> None:
        self._begun(start, zone)

    def __str__(self) -> str:
        return self._shown(repr(self.start), *self._zoned())

    def _date(self, day: date) -> date:
        return day.replace(day=1)

    def _next(self, first: date) -> date:
        return (first + 31 * _DAY).replace(day=1)

    def _text(self, first: date) -> str:
        return first.isoformat()[:7]

    def _read(self, key: str) -> date:
        return date(int(key[:4]), int(key[5:]), 1)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Windows(Windowed):
    """What the ticks of a cron expression cut time into, from the first at or after `start`.

    The key is the start of the window as the clocks of the zone show it, with its offset:
    `2026-01-05T06:00+01:00`. Raises: ValueError for what is no expression, or never comes.
    """

    cron: str
    start: str
    zone: str
    how: By | None
    _first: datetime = field(compare=False)
    _tz: ZoneInfo = field(compare=False)
    _ticks: Cron = field(compare=False)

    _kind = "Windows"
    noun = "window"
    _example = "2026-01-05T06:00+00:00"
    _shape = re.compile(r"(?!)")
    _dated = False

    @property
    def called(self) -> str:
        """What they are called as a function of an event: without what may grow."""
        return self._shown(repr(self.cron), *self._zoned())

    @property
    def grid(self) -> tuple[str, ...]:
        """What says where windows begin, whichever is the first."""
        return (self.noun, self.zone, self.cron)

    def __init__(self, cron: str, start: Start, zone: str = "UTC") -> None:
        object.__setattr__(self, "cron", " ".join(cron.split()))
        object.__setattr__(self, "_ticks", timetable(cron, None, zone))
        self._begun(start, zone)

    def __str__(self) -> str:
        return self._shown(repr(self.cron), repr(self.start), *self._zoned())

    def _begun(self, start: Start, zone: str) -> None:
        for name, value in (("zone", zone), ("_tz", zone_of(zone)), ("how", None)):
            object.__setattr__(self, name, value)
        self._from(self._after(self._said(start) - TICK))

    def _floor(self, at: datetime) -> datetime:
        found = _ticks(self._ticks, _hour(at))
        return found[bisect_right(found, at) - 1]

    def _after(self, begins: datetime) -> datetime:
        found = next(self._ticks.after(begins), None)
        if found is None:
            raise OverflowError
        return found

    def _key(self, begins: datetime) -> str:
        face = begins.astimezone(self._tz)
        return face.isoformat(timespec="seconds" if face.second else "minutes")

    def _parsed(self, key: str) -> datetime:
        found = moment(key)
        if not isinstance(found, datetime) or found.tzinfo is None:
            raise self._no_key(key)
        begins = self._floor(found.astimezone(UTC))
        if self._key(begins) != key:
            raise ValueError(f"{key} is the start of no window: write {self._key(begins)}")
        return begins


def _hour(face: datetime) -> datetime:
    return face.replace(minute=0, second=0, microsecond=0)


def _ahead(ahead: timedelta) -> str:
    return datetime(2000, 1, 1, tzinfo=timezone(ahead)).isoformat()[19:]


@lru_cache(maxsize=128)
def _ticks(ticks: Cron, hour: datetime) -> tuple[datetime, ...]:
    """The last tick by the beginning of an hour (looked for further and further back), and those
    that come within it."""
    ends = hour + _HOUR
    found = list(takewhile(lambda tick: tick < ends, ticks.after(hour - _HOUR)))
    back = 2 * _HOUR
    while not found or found[0] > hour:
        if back > _LONGEST:
            raise OverflowError
        found = [*takewhile(lambda tick: tick <= hour, ticks.after(hour - back)), *found]
        back *= 2
    return tuple(found)


@lru_cache(maxsize=4_096)
def _pieces(zone: ZoneInfo, face: datetime) -> tuple[tuple[datetime, timedelta], ...]:
    """When the clocks show an hour (naive), each time with its offset; empty if never."""
    around = face.replace(tzinfo=UTC)
    low, high = around - _DAY, around + _DAY + _HOUR
    before, after = offset(zone, low), offset(zone, high)
    if before == after:
        return ((around - before, before),)
    change = shift(zone, low, high) or high
    found: list[tuple[datetime, timedelta]] = []
    if around - before < change:
        found.append((around - before, before))
    if around - after + _HOUR > change:
        found.append((max(around - after, change), after))
    return tuple(found)
