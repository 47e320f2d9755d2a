"""Which ticks are due, against a plain list of all of them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.timetable import Cron, Interval, Timetable
from sensors.tick import PUNCTUAL, Missed, due


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def until(timetable: Timetable, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    for tick in timetable.after(start):
        if tick > end:
            break
        found.append(tick)
    return found


@given(
    st.integers(0, 5000),
    st.sampled_from(["skip", "one", "all"]),
    st.integers(1, 30),
    st.integers(1, 60),
)
def test_what_is_due_is_what_a_plain_list_of_the_ticks_says(
    seconds: int, missed: Missed, cap: int, every: int
) -> None:
    timetable = Interval(timedelta(seconds=every))
    last = utc("2026-01-01T00:00:01Z")
    now = last + timedelta(seconds=seconds)
    every_tick = until(timetable, last, now)
    newest = every_tick[-cap:]
    late = [tick for tick in newest if now - tick > PUNCTUAL]
    fresh = [(tick, 0) for tick in newest if now - tick <= PUNCTUAL]
    made_up = {
        "skip": [],
        "one": [(late[-1], len(late))] if late else [],
        "all": [(tick, 1) for tick in late],
    }[missed]
    found = due(timetable, last, now, missed, cap)
    assert list(found.ticks) == made_up + fresh
    assert found.upto == (every_tick[-1] if every_tick else last)
    assert (found.late, found.more) == (len(late), len(every_tick) > cap)


@pytest.mark.parametrize("expression", ["* * * * *", "* 9 * * *", "* * * * 1 *", "*/7 3-5 * 2 *"])
@pytest.mark.parametrize("cap", [1, 10, 500])
def test_after_years_the_newest_ticks_are_found(expression: str, cap: int) -> None:
    cron = Cron(expression, ZoneInfo("Europe/Berlin"))
    now = utc("2026-03-29T09:30:00Z")
    found = due(cron, utc("2024-01-01T00:00:00Z"), now, "all", cap)
    assert len(found.ticks) == cap
    ticks = [tick for tick, _ in found.ticks]
    assert until(cron, ticks[0], now) == ticks[1:]
    assert found.more


def test_a_clock_that_was_set_back_makes_nothing_due() -> None:
    timetable = Interval(timedelta(minutes=1))
    last = utc("2026-01-01T12:00:00Z")
    found = due(timetable, last, last - timedelta(hours=3), "all", 1000)
    assert (found.ticks, found.upto) == ((), last)
