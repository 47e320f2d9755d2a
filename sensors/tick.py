"""Which ticks of a timetable are due, and which were missed. Pure: no clock is read here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Literal

from reactor.core.timetable import Timetable

Missed = Literal["skip", "one", "all"]

PUNCTUAL = timedelta(seconds=5)
"""A tick served within this time is on time, whatever held it up; a later one was missed."""


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
