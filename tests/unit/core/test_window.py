"""Time windows, against a clock that is looked at every minute."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reactor.core.tiling import Windowed
from reactor.core.timetable import timetable
from reactor.core.window import Daily, Hourly, Monthly, Weekly, Windows

MINUTE = timedelta(minutes=1)
SINCE = datetime(1985, 1, 1, tzinfo=UTC)
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/St_Johns", "2006-04-02"),
    ("America/St_Johns", "2006-10-29"),
    ("America/St_Johns", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Africa/Cairo", "2026-04-24"),
    ("Africa/Cairo", "2026-10-30"),
    ("America/Havana", "2026-11-01"),
    ("Africa/Casablanca", "2024-03-10"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Kathmandu", "1985-12-31"),
    ("UTC", "2026-02-28"),
]
ZONES = sorted({zone for zone, _ in CHANGES})
KINDS: dict[str, Callable[[str], Windowed]] = {
    "hour": lambda zone: Hourly("1980-01-01", zone),
    "day": lambda zone: Daily("1980-01-01", zone),
    "week": lambda zone: Weekly("1980-01-01", zone),
    "month": lambda zone: Monthly("1980-01-01", zone),
    "shift": lambda zone: Windows("0 6,14,22 * * *", "1980-01-01", zone),
    "quarter": lambda zone: Windows("*/15 * * * *", "1980-01-01", zone),
}
kinds = st.builds(
    lambda kind, zone: KINDS[kind](zone), st.sampled_from(list(KINDS)), st.sampled_from(ZONES)
)
instants = st.one_of(
    st.integers(0, 50 * 366 * 24 * 60).map(lambda minutes: SINCE + minutes * MINUTE),
    st.builds(
        lambda change, minutes: (
            datetime.fromisoformat(change[1]).replace(tzinfo=UTC) + minutes * MINUTE
        ),
        st.sampled_from(CHANGES),
        st.integers(-2_000, 2_000),
    ),
)


def text(kind: str, day: date) -> str:
    year, week, _ = day.isocalendar()
    return {"day": f"{day}", "week": f"{year:04}-W{week:02}", "month": f"{day:%Y-%m}"}[kind]


def seen(kind: str, zone: str, around: str) -> dict[datetime, object]:
    """To which window each minute around a change belongs: what the clocks show, looked at."""
    tz, found, day = ZoneInfo(zone), {}, date.min
    at = datetime.fromisoformat(around).replace(tzinfo=UTC) - timedelta(days=2)
    ticks = timetable("0 6,14,22 * * *", None, zone).after(at - timedelta(days=2))
    last, coming = None, next(ticks)
    for _ in range(4 * 24 * 60):
        face = at.astimezone(tz)
        # Once a day was shown it has begun, though clocks may go back to the day before.
        day = max(day, face.date())
        while coming <= at:
            last, coming = coming, next(ticks)
        if kind == "hour":
            found[at] = (face.date(), face.hour, face.utcoffset())
        elif kind == "shift":
            found[at] = last
        else:
            found[at] = text(kind, day)
        at += MINUTE
    return found


@pytest.mark.parametrize(("zone", "around"), CHANGES)
@pytest.mark.parametrize("kind", ["hour", "day", "week", "month", "shift"])
def test_windows_are_what_the_clocks_show(kind: str, zone: str, around: str) -> None:
    windows = KINDS[kind](zone)
    expected = seen(kind, zone, around)
    keys = {at: windows.at(at) for at in expected}
    for (one, before), (other, after) in pairwise(expected.items()):
        assert (keys[one] == keys[other]) == (before == after), other
    if kind in ("day", "week", "month"):
        assert keys == expected
    if kind == "hour":
        faces = {at: f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H}" for at in expected}
        assert {at: str(key)[:13] for at, key in keys.items()} == faces
    if kind == "shift":
        assert all(datetime.fromisoformat(str(key)) == expected[at] for at, key in keys.items())


@given(kinds, instants)
def test_a_window_has_the_instants_from_its_start_to_its_end(
    windows: Windowed, at: datetime
) -> None:
    key = windows.at(at)
    assert key is not None
    start, end = windows.span(key)
    assert start <= at < end
    assert windows.problem(key) == ""
    assert [windows.at(start), windows.at(end - timedelta(microseconds=1))] == [key, key]
    assert windows.at(end) != key


@given(kinds, instants)
def test_windows_tile_time(windows: Windowed, at: datetime) -> None:
    key = windows.at(at)
    assert key is not None
    following = windows.shifted(key, 1)
    assert following is not None
    assert windows.span(following)[0] == windows.span(key)[1]
    assert windows.shifted(following, -1) == key


@given(kinds, instants, st.integers(0, 40))
def test_shifting_and_listing_count_the_same_windows(
    windows: Windowed, at: datetime, n: int
) -> None:
    first = windows.at(at)
    assert first is not None
    last = windows.shifted(first, n)
    assert last is not None
    range_ = windows.between(first, last)
    assert len(range_) == n + 1
    assert windows.shifted(last, -n) == first
    begin = type(windows)
    since = (
        Windows(windows.cron, windows.span(first)[0], windows.zone)
        if isinstance(windows, Windows)
        else begin(windows.span(first)[0], windows.zone)  # type: ignore[call-arg]
    )
    assert since.start == first
    assert since.listed(windows.span(last)[0]) == range_
    assert since.listed(windows.span(last)[1] - timedelta(microseconds=1)) == range_
    assert since.listed(windows.span(first)[0] - timedelta(microseconds=1)) == ()


@given(kinds, instants)
def test_a_key_is_told_again_as_text_and_as_a_datetime(windows: Windowed, at: datetime) -> None:
    key = windows.at(at)
    assert windows.key(key) == key
    assert windows.key(at) == key
    assert windows.key(at.isoformat()) == key


@given(kinds, st.one_of(st.dates(), st.datetimes(), st.text(), st.integers(), st.floats()))
def test_whatever_an_event_says_names_a_window_or_none(windows: Windowed, value: object) -> None:
    for said in (value, str(value)):
        key = windows.key(said)
        assert key is None or windows.problem(key) == ""


def test_an_hour_that_comes_twice_is_two_windows() -> None:
    hours = Hourly("2026-01-01", "Europe/Berlin")
    assert hours.between("2026-10-25T01", "2026-10-25T03") == (
        "2026-10-25T01",
        "2026-10-25T02+02:00",
        "2026-10-25T02+01:00",
        "2026-10-25T03",
    )
    assert hours.problem("2026-10-25T02") == (
        "2026-10-25T02 comes twice in Europe/Berlin:"
        " write 2026-10-25T02+02:00 or 2026-10-25T02+01:00"
    )
    assert hours.problem("2026-10-25T05+01:00") == (
        "'2026-10-25T05+01:00' comes once: write 2026-10-25T05"
    )


def test_what_the_clocks_skip_has_no_key() -> None:
    hours = Hourly("2026-01-01", "Europe/Berlin")
    assert (
        hours.problem("2026-03-29T02") == "2026-03-29T02 is skipped by the clocks of Europe/Berlin"
    )
    assert hours.shifted("2026-03-29T01", 1) == "2026-03-29T03"
    days = Daily("2011-12-01", "Pacific/Apia")
    assert days.problem("2011-12-30") == "2011-12-30 is skipped by the clocks of Pacific/Apia"
    assert days.key(date(2011, 12, 30)) is None
    assert days.between("2011-12-29", "2011-12-31") == ("2011-12-29", "2011-12-31")


def test_a_day_without_midnight_begins_with_its_first_minute() -> None:
    days = Daily("2026-01-01", "Africa/Cairo")
    start, end = days.span("2026-04-24")
    assert start.isoformat() == "2026-04-23T22:00:00+00:00"
    assert end - start == timedelta(hours=23)


def test_a_window_is_shown_as_its_clocks_do_and_is_as_long_as_it_is() -> None:
    window = Daily("2026-01-01", "Europe/Berlin").window("2026-10-25")
    assert [each.isoformat() for each in window] == [
        "2026-10-25T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
    ]
    assert window.end - window.start == timedelta(hours=25)


@pytest.mark.parametrize(
    ("windows", "key", "problem"),
    [
        (Daily("2026-01-05"), "2026-1-6", "'2026-1-6' is no day: write one such as 2026-01-05"),
        (Daily("2026-01-05"), "2026-02-30", "'2026-02-30' is no day: write one such as 2026-01-05"),
        (Daily("2026-01-05"), "2026-01-04", "2026-01-04 is before the first day, 2026-01-05"),
        (Weekly("2026-01-05"), "2026-W54", "'2026-W54' is no week: write one such as 2026-W05"),
        (Monthly("2026-01"), "2026-13", "'2026-13' is no month: write one such as 2026-01"),
        (Daily("2026-01-05"), "9999-12-31", "'9999-12-31' is beyond the end of time"),
        (
            Windows("0 6 * * *", "2026-01-05"),
            "2026-01-06T07:00+00:00",
            "2026-01-06T07:00+00:00 is the start of no window: write 2026-01-06T06:00+00:00",
        ),
        (
            Windows("0 6 * * *", "2026-01-05"),
            "2026-01-06",
            "'2026-01-06' is no window: write one such as 2026-01-05T06:00+00:00",
        ),
    ],
)
def test_what_is_no_key_is_told_with_what_to_write(
    windows: Windowed, key: str, problem: str
) -> None:
    assert windows.problem(key) == problem
    with pytest.raises(ValueError) as raised:
        windows.span(key)
    assert str(raised.value) == problem


@given(kinds, st.text(max_size=30))
@example(Daily("2026-01-05"), "²026-01-06")
def test_any_text_is_a_key_or_has_a_problem(windows: Windowed, key: str) -> None:
    assert windows.problem(key) or windows.at(windows.span(key)[0]) == key


def test_a_range_that_goes_backwards_says_how_to_write_it() -> None:
    with pytest.raises(ValueError, match=r"write 2026-01-06\.\.2026-01-08"):
        Daily("2026-01-05").between("2026-01-08", "2026-01-06")


def test_the_first_window_is_the_one_in_which_the_start_lies() -> None:
    assert Weekly("2026-01-01") == Weekly("2026-W01") == Weekly(date(2025, 12, 29))
    assert Monthly("2026-01-15") == Monthly("2026-01")
    assert Daily(datetime(2026, 1, 5, 23, 30, tzinfo=UTC), "Europe/Berlin").start == "2026-01-06"
    assert Hourly("2026-01-05T03:20") == Hourly("2026-01-05T03")
    assert Windows("0 6 * * *", "2026-01-05T06:00").start == "2026-01-05T06:00+00:00"
    assert Windows("0 6 * * *", "2026-01-05T06:01").start == "2026-01-06T06:00+00:00"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Daily("tomorrow"), "start is 'tomorrow': write a day such as 2026-01-05"),
        (lambda: Daily("2026-01-05", "Mars"), "there is no time zone 'Mars'"),
        (lambda: Windows("daily", "2026-01-05"), "'daily' is no cron expression"),
    ],
)
def test_windows_that_make_no_sense_are_refused(make: Callable[[], Windowed], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_windows_read_like_what_made_them() -> None:
    made = [
        Hourly("2026-01-05T03"),
        Daily("2026-01-05", zone="Europe/Berlin"),
        Windows("0 6 * * *", "2026-01-05T06:00+01:00", zone="Europe/Berlin").by(shift=-1),
    ]
    names = {kind.__name__: kind for kind in (Hourly, Daily, Windows)}
    for windows in made:
        assert eval(repr(windows), names) == windows
        assert hash(eval(str(windows), names)) == hash(windows)
