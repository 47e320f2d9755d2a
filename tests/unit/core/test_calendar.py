"""When calendars are open, against somebody who looks at the clock on the wall every minute."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.calendar import Calendar

MINUTE = timedelta(minutes=1)
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# Places and days on which the clocks change there, or nothing special happens.
PLACES = [
    ("Europe/Berlin", "2024-03-31"),
    ("Europe/Berlin", "2024-10-27"),
    ("America/New_York", "2024-11-03"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Australia/Lord_Howe", "2024-04-06"),
    ("Australia/Lord_Howe", "2024-10-06"),
    ("Africa/Cairo", "2024-10-31"),
    ("UTC", "2024-02-29"),
]

Look = Callable[[datetime], bool]
"""Whether it is open, for somebody who looks at an instant."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def looked(
    windows: list[tuple[list[int], int, int]], zone: str, holidays: set[date], at: datetime
) -> bool:
    """By the letter: some window of the calendar lies around what the clock shows."""
    shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    for begun in (shown.date(), shown.date() - timedelta(days=1)):
        midnight = datetime.combine(begun, datetime.min.time())
        for days, start, end in windows:
            after = end if end > start else end + 24 * 60
            inside = midnight + start * MINUTE <= shown < midnight + after * MINUTE
            if inside and begun.weekday() in days and begun not in holidays:
                return True
    return False


@st.composite
def plain(draw: st.DrawFn, zone: str, day: date) -> tuple[Calendar, Look]:
    """A calendar and what its author meant."""
    windows: list[tuple[list[int], int, int]] = []
    texts: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        days = draw(st.lists(st.integers(0, 6), unique=True, max_size=5))
        start, end = draw(st.integers(0, 1439)), draw(st.integers(0, 1440))
        start, end = draw(st.sampled_from([(start, end), (150, end), (0, 1440), (start, 1440)]))
        if start == end:
            end += 1
        windows.append((days or list(range(7)), start, end))
        texts.append(f"{' '.join(DAYS[day] for day in days)} {clock(start)}-{clock(end)}")
    near = st.integers(-1, 1).map(lambda n: day + timedelta(days=n))
    holidays = draw(st.sets(near, max_size=1))
    found = Calendar(", ".join(texts), tz=zone, holidays=holidays)
    return found, lambda at: looked(windows, zone, holidays, at)


@st.composite
def calendars(draw: st.DrawFn, day: date, depth: int = 2) -> tuple[Calendar | None, Look]:
    """Calendars combined, and what that means; None if it was said to be never open."""
    zones = [zone for zone, _ in PLACES]
    how = draw(st.sampled_from(["plain", "plain", "not", "and", "or"])) if depth else "plain"
    if how == "plain":
        return draw(plain(draw(st.sampled_from(zones)), day))
    a, look = draw(calendars(day, depth - 1))
    b, other = draw(calendars(day, depth - 1))
    if a is None or b is None:
        return a, look
    meant: dict[str, Look] = {
        "not": lambda at: not look(at),
        "and": lambda at: look(at) and other(at),
        "or": lambda at: look(at) or other(at),
    }
    combine: dict[str, Callable[[], Calendar]] = {
        "not": lambda: ~a,
        "and": lambda: a & b,
        "or": lambda: a | b,
    }
    try:
        return combine[how](), meant[how]
    except ValueError:
        return None, meant[how]


@settings(max_examples=40)
@given(st.data())
def test_a_calendar_is_open_when_the_clock_on_the_wall_shows_it(data: st.DataObject) -> None:
    _, day = data.draw(st.sampled_from(PLACES))
    start = utc(f"{day}T00:00Z") - timedelta(minutes=data.draw(st.integers(0, 1440)))
    gate, look = data.draw(calendars(date.fromisoformat(day)))
    minutes = [start + n * MINUTE for n in range(30 * 60)]
    seen = [look(at) for at in minutes]
    if gate is None:  # refused: it is never open
        assert not any(seen)
        return
    first = next((at for at, is_open in zip(minutes, seen, strict=True) if is_open), None)
    opens = gate.opens(start)
    assert first == (opens if opens is None or opens <= minutes[-1] else None)
    some = minutes[:: data.draw(st.integers(1, 60))]
    assert [gate.open_at(at) for at in some] == [look(at) for at in some]


@settings(max_examples=80)
@given(st.data())
def test_the_text_of_a_calendar_is_the_calendar(data: st.DataObject) -> None:
    zone, day = data.draw(st.sampled_from(PLACES))
    gate, _ = data.draw(plain(zone, date.fromisoformat(day)))
    again = eval(str(gate), {"Calendar": Calendar})
    assert again == gate
    assert (str(again), hash(again)) == (str(gate), hash(gate))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("mon-fri 09:00-17:00", "mon-fri 09:00-17:00"),
        ("MON 9:00-17:00, tue-Friday 9:00 - 17:00", "mon-fri 09:00-17:00"),
        ("fri-mon 10:00-12:00", "mon fri-sun 10:00-12:00"),
        ("mon wed fri 10:00-12:00", "mon wed fri 10:00-12:00"),
        ("22:00-06:00", "22:00-06:00"),
        ("22:00-00:00", "22:00-24:00"),
        ("sat, sun", "sat-sun"),
        ("mon-fri, sun, sat", "mon-sun"),
        ("00:00-24:00", "mon-sun"),
        ("09:00-12:00, 11:00-13:00, 13:00-15:00", "09:00-15:00"),
        ("mon 00:00-24:00, tue 09:00-17:00", "tue 09:00-17:00, mon"),
        (
            "mon-fri 09:00-12:00, mon-thu 13:00-17:00, sat 10:00-12:00",
            "mon-fri 09:00-12:00, mon-thu 13:00-17:00, sat 10:00-12:00",
        ),
    ],
)
def test_there_is_one_way_to_write_a_calendar(written: str, text: str) -> None:
    assert str(Calendar(written)) == f"Calendar('{text}')"
    assert Calendar(written) == Calendar(text)


def test_zone_holidays_and_combinations_show_in_the_text() -> None:
    office = Calendar(
        "mon-fri 09:00-17:00",
        tz="Europe/Berlin",
        holidays=["2026-12-26", date(2026, 12, 25), "2026-12-26"],
    )
    text = (
        "Calendar('mon-fri 09:00-17:00', tz='Europe/Berlin', holidays=['2026-12-25', '2026-12-26'])"
    )
    night = Calendar("22:00-06:00")
    assert str(office) == repr(office) == text
    assert str(~office) == f"~{text}"
    assert str(~(office | night)) == f"~(Calendar('22:00-06:00') | {text})"
    assert ~~office == office
    assert office | night == night | office == office | night | office
    assert (office | night) & ~office == ~office & (night | office)
    assert office & office == office
    assert office != night


def test_business_hours_end_at_their_last_minute() -> None:
    office = Calendar("mon-fri 09:00-17:00", tz="Europe/Berlin", holidays=["2026-12-25"])
    assert not office.open_at(local("2026-11-24T08:59:59.999999"))
    assert office.open_at(local("2026-11-24T09:00"))
    assert office.open_at(local("2026-11-24T16:59:59.999999"))
    assert not office.open_at(local("2026-11-24T17:00"))
    assert office.opens(local("2026-11-24T12:34:56.789")) == local("2026-11-24T12:34:56.789")
    assert office.opens(local("2026-11-27T17:00")) == local("2026-11-30T09:00")
    assert office.opens(local("2026-12-24T20:15:30.5")) == local("2026-12-28T09:00")


def test_a_window_over_midnight_belongs_to_the_day_it_begins() -> None:
    night = Calendar("fri 22:00-06:00", tz="Europe/Berlin", holidays=["2026-12-25"])
    assert night.open_at(local("2026-11-28T05:59"))
    assert not night.open_at(local("2026-11-27T05:59"))
    assert not night.open_at(local("2026-12-26T05:59"))
    assert night.opens(local("2026-12-20T00:00")) == local("2027-01-01T22:00")


def test_what_the_clocks_skip_is_left_out() -> None:
    early = Calendar("02:30-05:00", tz="Europe/Berlin")
    skipped = Calendar("02:00-03:00", tz="Europe/Berlin")
    assert early.opens(local("2026-03-29T00:00")) == local("2026-03-29T03:00")
    assert skipped.opens(local("2026-03-29T00:00")) == local("2026-03-30T02:00")


def test_a_window_in_the_hour_that_comes_twice_opens_twice() -> None:
    early = Calendar("02:15-02:30", tz="Europe/Berlin")
    first = utc("2026-10-25T00:15Z")
    assert early.opens(first - 5 * MINUTE) == first
    assert not early.open_at(first + 15 * MINUTE)
    assert early.opens(first + 15 * MINUTE) == first + 60 * MINUTE
    around = Calendar("01:00-04:00", tz="Europe/Berlin")
    assert all(around.open_at(utc("2026-10-24T23:00Z") + n * MINUTE) for n in range(4 * 60))


def test_a_blackout_is_a_calendar_turned_round() -> None:
    release = Calendar("fri 16:00-18:00")
    office = Calendar("mon-fri 09:00-17:00")
    allowed = office & ~release
    assert isinstance(allowed, Calendar)
    assert not allowed.open_at(utc("2026-11-27T16:30Z"))
    assert allowed.open_at(utc("2026-11-26T16:30Z"))
    assert allowed.opens(utc("2026-11-27T16:00Z")) == utc("2026-11-30T09:00Z")


def test_what_opens_only_on_a_holiday_opens_then_and_no_more() -> None:
    easter = ~Calendar("mon-sun", holidays=["2031-04-13"])
    assert easter.opens(utc("2031-04-01T00:00Z")) == utc("2031-04-13T00:00Z")
    assert easter.opens(utc("2031-04-14T00:00Z")) is None
    assert easter.opens(utc("2029-04-14T00:00Z")) is None


@pytest.mark.parametrize(
    "build",
    [
        lambda: Calendar("mon") & Calendar("tue"),
        lambda: ~Calendar("mon-sun"),
        lambda: Calendar("09:00-17:00") & ~Calendar("08:00-18:00"),
        lambda: Calendar("02:00-03:00") & Calendar("05:00-06:00", tz="Europe/Berlin"),
    ],
)
def test_a_calendar_that_is_never_open_is_refused(build: Callable[[], Calendar]) -> None:
    with pytest.raises(ValueError, match="is never open"):
        build()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"windows": ""}, r"'' is no calendar: a calendar is text such as 'mon-fri 09:00-17:00'"),
        ({"windows": "mon,"}, "'mon,' is no calendar"),
        ({"windows": "moon 09:00-17:00"}, "'moon' is no day of the week"),
        ({"windows": "mon-fri 9-17"}, "'9' is no day of the week"),
        ({"windows": "09:00"}, "'09:00' is no time of day such as 09:00-17:00"),
        ({"windows": "09:00-25:00"}, "from 00:00 to 24:00"),
        ({"windows": "09:60-10:00"}, "from 00:00 to 24:00"),
        ({"windows": "24:00-01:00"}, "from 00:00 to 24:00"),
        ({"windows": "09:00-09:00"}, "is empty: a whole day is written 00:00-24:00"),
        ({"windows": "mon, wed 09:00-17:00"}, "'mon 00:00-24:00'"),
        ({"windows": "09:00-17:00 mon"}, "'09:00' is no day of the week"),
        ({"windows": "mon", "tz": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ({"windows": "mon", "holidays": ["25.12.2026"]}, "'25.12.2026' is no holiday"),
        ({"windows": "mon", "holidays": [datetime(2026, 1, 1)]}, "is no holiday"),  # noqa: DTZ001
        ({"windows": "mon", "holidays": [20261225]}, "20261225 is no holiday"),
        ({"windows": "mon", "holidays": "2026-12-25"}, "a list of dates"),
    ],
)
def test_malformed_text_is_refused_with_what_is_expected(given: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Calendar(given.pop("windows"), **given)


def test_a_calendar_has_no_truth_value_and_no_opinion_of_naive_times() -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(Calendar("mon"))
    with pytest.raises(ValueError, match="no time zone"):
        Calendar("mon").open_at(datetime(2026, 1, 1))  # noqa: DTZ001
