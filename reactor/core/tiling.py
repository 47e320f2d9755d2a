"""What all kinds of time windows share as partitions: they tile time, one after the other.

Knows: how windows are counted, listed and named, given where each begins. Refuses to know: where
that is (window.py), and what the time is.

Laws: the windows of a kind tile time from the first on, without gap or overlap: each begins when
the one before it ends; `at(span(key)[0]) == key`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from reactor.core.partition import Partitions
from reactor.core.zone import showing, wall, zone_of

TICK = timedelta(microseconds=1)

Start = str | date | datetime


@dataclass(frozen=True, slots=True)
class Window:
    """When a window begins and ends, as the clocks of its zone show it; the end is not in it."""

    start: datetime
    end: datetime

    def __iter__(self) -> Iterator[datetime]:
        return iter((self.start, self.end))


class Windowed(Partitions):
    """Partitions that are windows of time."""

    __slots__ = ()

    start: str
    """The key of the first window."""
    zone: str

    noun: ClassVar[str]
    _example: ClassVar[str]
    _shape: ClassVar[re.Pattern[str]]
    """What looks like a key and can be nothing else; other text may still be a date."""
    _dated: ClassVar[bool]
    """Whether a date alone names a window."""
    _first: datetime
    _tz: ZoneInfo

    @property
    def maps(self) -> bool:
        """Always: by the time of the event, unless told otherwise."""
        return True

    @property
    def called(self) -> str:
        """What they are called as a function of an event: without what may grow."""
        return self._shown(*self._zoned())

    @property
    def begins(self) -> datetime:
        """When the first window begins."""
        return self._first

    @property
    def grid(self) -> tuple[str, ...]:
        """What says where windows begin, whichever is the first."""
        return (self.noun, self.zone)

    def starts(self, since: datetime) -> Iterator[datetime]:
        """When windows begin, from the one in which `since` lies, whichever is the first."""
        try:
            begins = self._floor(since)
            while True:
                yield begins
                begins = self._after(begins)
        except OverflowError:
            return

    def cuts(self, instant: datetime) -> bool:
        """Whether a window begins then, whichever is the first."""
        return self._floor(instant) == instant

    def span(self, key: str) -> tuple[datetime, datetime]:
        """When a window begins and ends, in UTC; the end is not in it.

        Raises: ValueError if the key is none of these.
        """
        found = _span(self, key)
        if isinstance(found, str):
            raise ValueError(found)
        return found

    def window(self, key: str) -> Window:
        """As `span`, in the time zone of these windows, each with the offset it has then."""
        # With a fixed offset, since Python takes instants of one zone apart by what clocks show.
        local = [each.astimezone(self._tz).isoformat() for each in self.span(key)]
        return Window(*map(datetime.fromisoformat, local))

    def at(self, instant: datetime) -> str | None:
        """The window in which an instant lies; None before the first."""
        try:
            begins = self._floor(instant.astimezone(UTC))
            return self._key(begins) if begins >= self._first else None
        except OverflowError:
            return None

    def shifted(self, key: str, n: int) -> str | None:
        """The window `n` after a key (before it, if negative); None before the first.

        Raises: ValueError if the key is none of these. Cost: O(n).
        """
        self._checked(key)
        moved = self.moved(key, n)
        return moved if moved is not None and not self.problem(moved) else None

    def moved(self, key: str, n: int) -> str | None:
        """As `shifted`, as if there had always been windows: the first is no limit."""
        try:
            begins = self._parsed(key)
            for _ in range(abs(n)):
                begins = self._after(begins) if n > 0 else self._floor(begins - TICK)
            return self._key(begins)
        except OverflowError:
            return None

    def overlapping(self, start: datetime, end: datetime) -> tuple[str, ...]:
        """The windows that have time in common with [start, end), in order."""
        return _overlapping(self, start, end)

    def key(self, value: Any) -> str | None:
        """The window that a key, a date or a datetime names (or text of one); None if none.

        What has no time zone is what the clocks of these windows show. A date names no hour.
        """
        if isinstance(value, str):
            if self._shape.fullmatch(value):
                return value if not self.problem(value) else None
            value = moment(value)
        if isinstance(value, datetime):
            return self.at(self._aware(value))
        if isinstance(value, date) and self._dated:
            return self._on(value)
        return None

    def problem(self, key: str) -> str:
        """Why a key is none of these, and what to write; empty if it is one of them."""
        found = _span(self, key)
        return found if isinstance(found, str) else ""

    def listed(self, until: datetime) -> tuple[str, ...]:
        """All windows that begin at or before `until`, in order. Cost: O(windows)."""
        if until < self._first:
            return ()
        return _between(self, self._first, self._floor(until.astimezone(UTC)))

    def between(self, first: str, last: str) -> tuple[str, ...]:
        """The windows from `first` to `last`, both included.

        Raises: ValueError, with the reason and what to write. Cost: O(windows).
        """
        low, high = self.span(first)[0], self.span(last)[0]
        if low > high:
            raise ValueError(f"{last} is before {first}: write {last}..{first}")
        return _between(self, low, high)

    def keys(self, since: datetime, until: datetime) -> Iterator[str]:
        """The keys of the windows from the one in which `since` lies to the one with `until`."""
        for begins in takewhile(lambda begins: begins <= until, self.starts(since)):
            yield self._key(begins)

    def _on(self, day: date) -> str | None:
        """The window that a day without a time lies in."""
        try:
            begins = midnight(self._tz, day)
            return self.at(begins) if wall(self._tz, begins).date() == day else None
        except OverflowError:
            return None

    def spanned(self, key: str) -> tuple[datetime, datetime]:
        """As `span`, worked out anew."""
        try:
            begins = self._parsed(key)
            ends = self._after(begins)
        except OverflowError:
            raise ValueError(f"{key!r} is beyond the end of time") from None
        if begins < self._first:
            raise ValueError(f"{key} is before the first {self.noun}, {self.start}")
        return begins, ends

    def _shiftable(self) -> None:
        pass

    def _shifted(self, key: str, by: int) -> str | None:
        return self.shifted(key, by)

    def _unnamed(self, value: Any) -> str:
        if isinstance(value, datetime):
            return f"{value.isoformat()} is before the first {self.noun}, {self.start}"
        if isinstance(value, date) and not self._dated:
            return f"{value.isoformat()} is a date, which names no {self.noun}"
        text = str(value)
        found = moment(text)
        known = found is not None and not self._shape.fullmatch(text)
        return self._unnamed(found) if known else self.problem(text)

    def _aware(self, value: datetime) -> datetime:
        return value if value.tzinfo is not None else value.replace(tzinfo=self._tz)

    def _no_key(self, key: str) -> ValueError:
        return ValueError(f"{key!r} is no {self.noun}: write one such as {self._example}")

    def _begun(self, start: Start, zone: str) -> None:
        """Sets the zone, and the first window: the one in which `start` lies."""
        for name, value in (("zone", zone), ("_tz", zone_of(zone)), ("how", None)):
            object.__setattr__(self, name, value)
        self._from(self._floor(self._said(start)))

    def _from(self, first: datetime) -> None:
        object.__setattr__(self, "_first", first)
        object.__setattr__(self, "start", self._key(first))

    def _said(self, start: Any) -> datetime:
        """The instant that a user means with `start`. Raises: ValueError if none."""
        if isinstance(start, str):
            if self._shape.fullmatch(start):
                return self._parsed(start)
            start = moment(start) or start
        if isinstance(start, datetime):
            return self._aware(start).astimezone(UTC)
        if isinstance(start, date):
            return midnight(self._tz, start)
        raise ValueError(f"start is {start!r}: write a {self.noun} such as {self._example}")

    def _zoned(self) -> tuple[str, ...]:
        return (f"zone={self.zone!r}",) if self.zone != "UTC" else ()

    @abstractmethod
    def _floor(self, at: datetime) -> datetime:
        """The start of the window in which an instant lies."""

    @abstractmethod
    def _after(self, begins: datetime) -> datetime:
        """The start of the window after the one that begins then."""

    @abstractmethod
    def _key(self, begins: datetime) -> str:
        """The key of the window that begins then."""

    @abstractmethod
    def _parsed(self, key: str) -> datetime:
        """When the window of a key begins. Raises: ValueError if there is none."""


def moment(text: str) -> date | datetime | None:
    """The date or the datetime that ISO text says; None if neither. A week is no date."""
    if "W" in text.upper():
        return None
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(text)
        except ValueError:
            continue
    return None


@lru_cache(maxsize=4_096)
def midnight(zone: ZoneInfo, day: date) -> datetime:
    """When a day begins: at its first midnight, or at the end of the gap if it has none."""
    return showing(zone, datetime(day.year, day.month, day.day))  # noqa: DTZ001 - what clocks show


@lru_cache(maxsize=16_384)
def _span(windows: Windowed, key: str) -> tuple[datetime, datetime] | str:
    """When a window begins and ends, or why a key is none of these."""
    try:
        return windows.spanned(key)
    except ValueError as error:
        return str(error)


@lru_cache(maxsize=4_096)
def _overlapping(windows: Windowed, start: datetime, end: datetime) -> tuple[str, ...]:
    return tuple(windows.keys(max(start, windows.begins), end - TICK))


@lru_cache(maxsize=64)
def _between(windows: Windowed, since: datetime, until: datetime) -> tuple[str, ...]:
    return tuple(windows.keys(since, until))
