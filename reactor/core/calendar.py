"""`Calendar`: when a gate is open, such as in business hours or outside a blackout.

Knows: days, times, holidays, and the clocks of a zone. Refuses to know: what time it is, and what
waits at the gate.

Laws: whether a calendar is open at an instant depends on nothing but the calendar and that instant;
equal calendars have equal text, and the text, read as Python, is the calendar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NoReturn, Protocol
from zoneinfo import ZoneInfo

from reactor.core.zone import shift, wall, zone_of

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MIDNIGHT = 24 * 60
_DAY = timedelta(days=1)
# How far ahead an opening is looked for: longer than a year, so that no yearly change is missed.
_AHEAD = timedelta(days=400)
# From here it is seen whether a combination ever opens: no clock is read.
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_TIMES = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")
_FORMS = (
    "a calendar is text such as 'mon-fri 09:00-17:00', '22:00-06:00', "
    "'mon wed 09:00-12:00, sat 10:00-12:00' or 'sat-sun'"
)

Span = tuple[int, int]
"""From one minute of the day until before another, which may lie in the next day (over 1440)."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Calendar:
    """Open in these windows: `Calendar("mon-fri 09:00-17:00", tz="Europe/Berlin")`.

    It is open while a clock on the wall of its zone shows a time in a window, the end left out.
    A window without days comes every day, days without times are whole days, and one that ends
    before it begins runs past midnight: `fri 22:00-06:00` ends on Saturday. On a holiday no window
    begins; one that began the day before runs out.

    Calendars combine: `a & b` is open when both are, `a | b` when either is, `~a` when `a` is not.

    Where clocks are put forward, what falls into the gap is left out: at 02:00 in Berlin in March
    `02:30-05:00` opens at 03:00, and `02:00-03:00` not at all. Where they are put back, a window in
    the hour that comes twice opens twice, and one around it is open an hour longer.

    Args:
        windows: separated by commas; the days of one by spaces: `mon wed-fri 09:00-17:00`.
        tz: the zone whose clocks count.
        holidays: dates, also as `2026-12-25`.

    Raises: ValueError for text, a zone or a date that makes no sense, and for a combination that is
    never open.
    """

    formula: Formula

    def __init__(
        self, windows: str, *, tz: str = "UTC", holidays: Iterable[str | date] = ()
    ) -> None:
        if isinstance(holidays, (str, date)):
            raise ValueError(f"holidays are a list of dates, not {holidays!r}")
        hours = Hours(_week(windows), zone_of(tz), frozenset(map(_holiday, holidays)))
        object.__setattr__(self, "formula", hours)

    def open_at(self, at: datetime) -> bool:
        """Whether it is open at this instant."""
        return self.formula.open_at(_aware(at))

    def opens(self, at: datetime) -> datetime | None:
        """The first instant at or after `at` at which it is open, None if over a year away.

        Cost: O(openings and closings until then).
        """
        return _first_open(self.formula, _aware(at), at + _AHEAD)

    def __and__(self, other: object) -> Calendar:
        if not isinstance(other, Calendar):
            return NotImplemented
        return _calendar(_seldom(_joined(AllOf, self.formula, other.formula)))

    def __or__(self, other: object) -> Calendar:
        if not isinstance(other, Calendar):
            return NotImplemented
        return _calendar(_joined(AnyOf, self.formula, other.formula))

    def __invert__(self) -> Calendar:
        of = self.formula
        return _calendar(of.of if isinstance(of, Not) else _seldom(Not(of)))

    def __bool__(self) -> NoReturn:
        raise TypeError("a calendar has no truth value: write a & b, a | b, ~a; or a.open_at(now)")

    def __str__(self) -> str:
        return str(self.formula)

    __repr__ = __str__


class Formula(Protocol):
    """What a calendar says: hours, or a combination of them."""

    @property
    def hours(self) -> tuple[Hours, ...]:
        """What it is made of."""
        ...

    def open_at(self, at: datetime) -> bool: ...


@dataclass(frozen=True, slots=True)
class Hours:
    """The windows that begin on each day of the week, by the clocks of a zone."""

    week: tuple[tuple[Span, ...], ...]
    zone: ZoneInfo
    holidays: frozenset[date]

    @property
    def hours(self) -> tuple[Hours, ...]:
        return (self,)

    def open_at(self, at: datetime) -> bool:
        shown = wall(self.zone, at)
        today = shown.date()
        minute = shown.hour * 60 + shown.minute
        return any(start <= minute < end for start, end in self._begun(today)) or any(
            minute + _MIDNIGHT < end for _, end in self._begun(today - _DAY)
        )

    def turns(self, at: datetime) -> datetime:
        """The next instant, within a day, at which it may open or close; else one day later."""
        shown = wall(self.zone, at)
        today = shown.date()
        edges = [
            datetime.combine(day, time()) + timedelta(minutes=edge)
            for day in (today - _DAY, today, today + _DAY)
            for span in self._begun(day)
            for edge in span
        ]
        ahead = min((edge - shown for edge in edges if edge > shown), default=_DAY)
        soon = at + min(ahead, _DAY)
        return shift(self.zone, at, soon) or soon

    def _begun(self, day: date) -> tuple[Span, ...]:
        """The windows that begin on a day."""
        return () if day in self.holidays else self.week[day.weekday()]

    def __str__(self) -> str:
        zone = "" if self.zone.key == "UTC" else f", tz={self.zone.key!r}"
        dates = [day.isoformat() for day in sorted(self.holidays)]
        return f"Calendar({_written(self.week)!r}{zone}{f', holidays={dates}' if dates else ''})"


@dataclass(frozen=True, slots=True)
class Not:
    """Open when another is not."""

    of: Formula

    @property
    def hours(self) -> tuple[Hours, ...]:
        return self.of.hours

    def open_at(self, at: datetime) -> bool:
        return not self.of.open_at(at)

    def __str__(self) -> str:
        return f"~{_wrapped(self.of)}"


@dataclass(frozen=True, slots=True)
class Several:
    """A combination of others."""

    of: tuple[Formula, ...]

    @property
    def hours(self) -> tuple[Hours, ...]:
        return tuple(one for formula in self.of for one in formula.hours)


@dataclass(frozen=True, slots=True)
class AllOf(Several):
    """Open when all others are."""

    def open_at(self, at: datetime) -> bool:
        return all(formula.open_at(at) for formula in self.of)

    def __str__(self) -> str:
        return " & ".join(map(_wrapped, self.of))


@dataclass(frozen=True, slots=True)
class AnyOf(Several):
    """Open when any other is."""

    def open_at(self, at: datetime) -> bool:
        return any(formula.open_at(at) for formula in self.of)

    def __str__(self) -> str:
        return " | ".join(map(_wrapped, self.of))


def _calendar(formula: Formula) -> Calendar:
    made = object.__new__(Calendar)
    object.__setattr__(made, "formula", formula)
    return made


def _joined(kind: type[AllOf] | type[AnyOf], *of: Formula) -> Formula:
    """A combination in which order and repetition leave no trace."""
    flat = [one for each in of for one in (each.of if isinstance(each, kind) else (each,))]
    unlike = {str(formula): formula for formula in flat}
    return kind(tuple(unlike[text] for text in sorted(unlike))) if len(unlike) > 1 else flat[0]


def _wrapped(formula: Formula) -> str:
    return f"({formula})" if isinstance(formula, Several) else str(formula)


def _first_open(formula: Formula, at: datetime, end: datetime) -> datetime | None:
    while not formula.open_at(at):
        at = min(hours.turns(at) for hours in formula.hours)
        if at > end:
            return None
    return at


def _seldom(formula: Formula) -> Formula:
    """The same, unless it never opens: not in a whole year, nor around any holiday."""
    if _first_open(formula, _BEGINNING, _BEGINNING + _AHEAD) is not None:
        return formula
    for day in {day for hours in formula.hours for day in hours.holidays}:
        around = datetime.combine(day, time(), UTC)
        if _first_open(formula, around - _DAY, around + 2 * _DAY) is not None:
            return formula
    raise ValueError(f"{formula} is never open")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone: write datetime(..., tzinfo=UTC)")
    return at


def _holiday(day: str | date) -> date:
    try:
        if isinstance(day, str):
            return date.fromisoformat(day)
    except ValueError:
        pass
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValueError(f"{day!r} is no holiday: write a date such as '2026-12-25'")
    return day


def _week(text: str) -> tuple[tuple[Span, ...], ...]:
    """The windows that begin on each day of the week, in order, those that touch made one."""
    found: list[list[Span]] = [[] for _ in _DAYS]
    bare = ""
    for item in text.split(","):
        words = re.sub(r"\s*-\s*", "-", item.strip().lower()).split()
        span = _span(words.pop(), text) if words and ":" in words[-1] else None
        if not words and span is None:
            raise ValueError(f"{text!r} is no calendar: {_FORMS}")
        if bare and span:
            raise ValueError(
                f"{text!r}: if {bare} is a day of {item.strip()!r}, write a space for the comma; "
                f"if it is a whole day, '{bare} 00:00-24:00'"
            )
        bare = "" if span else " ".join(words)
        days = {day for word in words for day in _range(word, text)} or set(range(7))
        for day in days:
            found[day].append(span or (0, _MIDNIGHT))
    return tuple(_merged(spans) for spans in found)


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span[0] <= merged[-1][1]:
            before = merged.pop()
            merged.append((before[0], max(before[1], span[1])))
        else:
            merged.append(span)
    return tuple(merged)


def _span(word: str, text: str) -> Span:
    parts = _TIMES.fullmatch(word)
    if parts is None:
        raise ValueError(f"{text!r}: {word!r} is no time of day such as 09:00-17:00: {_FORMS}")
    hour, minute, last, until = map(int, parts.groups())
    start, end = hour * 60 + minute, last * 60 + until
    if minute > 59 or until > 59 or start >= _MIDNIGHT or end > _MIDNIGHT:
        raise ValueError(f"{text!r}: {word!r} is no time of day: they go from 00:00 to 24:00")
    if start == end:
        raise ValueError(f"{text!r}: {word!r} is empty: a whole day is written 00:00-24:00")
    return start, end if end > start else end + _MIDNIGHT


def _range(word: str, text: str) -> Iterable[int]:
    first, dash, last = word.partition("-")
    start = _day(first, text)
    if not dash:
        return (start,)
    return ((start + n) % 7 for n in range((_day(last, text) - start) % 7 + 1))


def _day(name: str, text: str) -> int:
    for names in (_DAYS, _NAMES):
        if name in names:
            return names.index(name)
    raise ValueError(f"{text!r}: {name!r} is no day of the week such as mon: {_FORMS}")


def _written(week: tuple[tuple[Span, ...], ...]) -> str:
    """The one way to write these windows; whole days come last, so that they stand alone."""
    split = [[part for span in day for part in _parts(span)] for day in week]
    spans = {span for day in split for span in day}
    by_span = [(span, [n for n, day in enumerate(split) if span in day]) for span in spans]
    whole = (0, _MIDNIGHT)
    windows = sorted(by_span, key=lambda each: (each[0] == whole, each[1][0], each[0], each[1]))
    return ", ".join(_window(span, days) for span, days in windows)


def _parts(span: Span) -> Iterable[Span]:
    """Windows that can be written: none of them a day long or longer, but the whole day."""
    start, end = span
    if end - start < _MIDNIGHT or span == (0, _MIDNIGHT):
        return (span,)
    return (start, _MIDNIGHT), (end - _MIDNIGHT + 1, end)


def _window(span: Span, days: list[int]) -> str:
    times = f"{_clock(span[0])}-{_clock(span[1])}"
    if span == (0, _MIDNIGHT):
        return _run(days)
    return times if len(days) == 7 else f"{_run(days)} {times}"


def _clock(minute: int) -> str:
    minute -= _MIDNIGHT if minute > _MIDNIGHT else 0
    return f"{minute // 60:02}:{minute % 60:02}"


def _run(days: list[int]) -> str:
    """`mon wed-fri`."""
    breaks = [0, *(n for n, (a, b) in enumerate(pairwise(days), 1) if b > a + 1), len(days)]
    return " ".join(
        _DAYS[days[low]] + (f"-{_DAYS[days[high - 1]]}" if high - low > 1 else "")
        for low, high in pairwise(breaks)
    )
