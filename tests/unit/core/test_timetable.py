"""When a timetable ticks, against a clock that is looked at every minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.timetable import Cron, Interval, Timetable, timetable

MINUTE = timedelta(minutes=1)
CHANGES = [
    ("Europe/Berlin", "2024-03-31"),
    ("Europe/Berlin", "2024-10-27"),
    ("America/New_York", "2024-03-10"),
    ("America/New_York", "2024-11-03"),
    ("America/Sao_Paulo", "2018-02-17"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Africa/Cairo", "2024-04-25"),
    ("Africa/Cairo", "2024-10-31"),
    ("Africa/Casablanca", "2024-03-10"),
    ("Australia/Lord_Howe", "2024-04-06"),
    ("Australia/Lord_Howe", "2024-10-05"),
    ("Asia/Kathmandu", "1985-12-31"),
    ("Pacific/Apia", "2011-12-30"),
    ("UTC", "2024-02-29"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def until(timetable: Timetable, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    for tick in timetable.after(start):
        if tick > end:
            break
        found.append(tick)
    return found


def listed(field: str, low: int, high: int) -> set[int]:
    """The numbers that one field of a cron expression names."""
    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        if body == "*":
            first, last = low, high
        elif "-" in body:
            first, last = map(int, body.split("-"))
        else:
            first, last = int(body), high if step else int(body)
        found.update(range(first, last + 1, int(step or 1)))
    return found


def watched(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The ticks as somebody sees them who looks at the clock on the wall once a minute."""
    minute, hour, *_ = expression.split()
    minutes, hours = listed(minute, 0, 59), listed(hour, 0, 23)
    passing = minute.startswith("*") or hour.startswith("*")
    before = start.astimezone(zone).replace(tzinfo=None)
    at = start
    while (at := at + MINUTE) <= end:
        local = at.astimezone(zone)
        wall = local.replace(tzinfo=None, fold=0)
        shown = {wall}
        if not passing:
            while (before := before + MINUTE) < wall:
                shown.add(before)
            shown = set() if local.fold else shown
        before = wall
        if any(one.minute in minutes and one.hour in hours for one in shown):
            yield at


@st.composite
def fields(draw: st.DrawFn, high: int) -> str:
    number = st.integers(0, high)
    match draw(st.integers(0, 4)):
        case 0:
            return "*"
        case 1:
            return f"*/{draw(st.integers(1, high))}"
        case 2:
            first, last = sorted((draw(st.integers(0, high - 1)), draw(st.integers(1, high))))
            return f"{first}-{max(last, first + 1)}/{draw(st.integers(1, 7))}"
        case 3:
            return ",".join(str(one) for one in draw(st.lists(number, min_size=1, max_size=3)))
        case _:
            # The hours in which clocks change.
            return str(draw(st.integers(0, 3)))


@settings(max_examples=60)
@given(st.data())
def test_a_cron_expression_ticks_as_the_clock_on_the_wall_does(data: st.DataObject) -> None:
    name, day = data.draw(st.sampled_from(CHANGES))
    zone = ZoneInfo(name)
    expression = f"{data.draw(fields(59))} {data.draw(fields(23))} * * *"
    start = utc(f"{day}T00:00Z") - timedelta(minutes=data.draw(st.integers(0, 720)))
    end = start + timedelta(hours=36)
    found = until(Cron(expression, zone), start, end)
    assert found == list(watched(expression, zone, start, end))


@settings(max_examples=60)
@given(st.data())
def test_whoever_asks_from_any_moment_gets_the_same_ticks(data: st.DataObject) -> None:
    name, day = data.draw(st.sampled_from(CHANGES))
    cron = Cron(f"{data.draw(fields(59))} {data.draw(fields(23))} * * *", ZoneInfo(name))
    start = utc(f"{day}T00:00Z") - timedelta(hours=6)
    end = start + timedelta(hours=30)
    ticks = until(cron, start, end)
    assert all(earlier < later for earlier, later in pairwise(ticks))
    later = start + timedelta(seconds=data.draw(st.integers(0, 30 * 3600)))
    assert until(cron, later, end) == [tick for tick in ticks if tick > later]


def local(expression: str, zone: str, day: str, days: int = 1) -> list[str]:
    """The ticks of a local day, as `HH:MM+offset`."""
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone))
    end = (start.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=ZoneInfo(zone))
    ticks = until(Cron(expression, ZoneInfo(zone)), start - timedelta(seconds=1), end - MINUTE)
    return [f"{tick.astimezone(ZoneInfo(zone)):%H:%M%z}" for tick in ticks]


def test_a_time_that_the_clocks_skip_ticks_at_the_end_of_the_gap() -> None:
    assert local("30 2 * * *", "Europe/Berlin", "2024-03-31") == ["03:00+0200"]
    assert local("30 2 * * *", "America/New_York", "2024-03-10") == ["03:00-0400"]
    assert local("0 0 * * *", "America/Sao_Paulo", "2018-11-04") == ["01:00-0200"]
    assert local("15 2 * * *", "Australia/Lord_Howe", "2024-10-06") == ["02:30+1100"]


def test_all_that_a_gap_skips_is_one_tick() -> None:
    assert local("10,40 2,3 * * *", "Europe/Berlin", "2024-03-31") == [
        "03:00+0200",
        "03:10+0200",
        "03:40+0200",
    ]


def test_a_time_that_comes_twice_ticks_the_first_time() -> None:
    assert local("30 2 * * *", "Europe/Berlin", "2024-10-27") == ["02:30+0200"]
    assert local("30 1 * * *", "America/New_York", "2024-11-03") == ["01:30-0400"]
    assert local("45 1 * * *", "Australia/Lord_Howe", "2024-04-07") == ["01:45+1100"]


def test_every_hour_ticks_by_the_time_that_passes() -> None:
    assert len(local("0 * * * *", "Europe/Berlin", "2024-03-31")) == 23
    assert len(local("0 * * * *", "Europe/Berlin", "2024-10-27")) == 25
    assert len(local("*/10 * * * *", "Australia/Lord_Howe", "2024-04-07")) == 147
    assert local("*/30 2 * * *", "Europe/Berlin", "2024-10-27") == [
        "02:00+0200",
        "02:30+0200",
        "02:00+0100",
        "02:30+0100",
    ]


def test_seconds_days_and_nicknames_are_understood() -> None:
    start = utc("2026-01-30T23:59:55Z")
    zone = ZoneInfo("UTC")
    for expression, first in (
        ("*/30 * * * * *", "2026-01-31T00:00:00Z"),
        ("0 6 L * *", "2026-01-31T06:00:00Z"),
        ("0 6 * * FRI#1", "2026-02-06T06:00:00Z"),
        ("@daily", "2026-01-31T00:00:00Z"),
        ("@Weekly", "2026-02-01T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
    ):
        assert next(Cron(expression, zone).after(start)) == utc(first)


@given(
    st.integers(0, 4_000_000_000).map(lambda at: datetime.fromtimestamp(at / 7, UTC)),
    st.timedeltas(timedelta(milliseconds=10), timedelta(days=40)),
)
def test_an_interval_ticks_at_its_multiples_since_1970(start: datetime, every: timedelta) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    ticks = list(islice(Interval(every).after(start), 3))
    assert start < ticks[0] <= start + every
    assert all((tick - epoch) % every == timedelta(0) for tick in ticks)
    assert all(later - earlier == every for earlier, later in pairwise(ticks))


@pytest.mark.parametrize(
    ("cron", "every", "tz", "text"),
    [
        ("0 6 * * *", None, "UTC", "0 6 * * *"),
        (" 0  6 * * * ", None, "Europe/Berlin", "0 6 * * * Europe/Berlin"),
        ("@daily", None, "UTC", "@daily"),
        (None, timedelta(seconds=90), "UTC", "every 1m30s"),
        (None, timedelta(microseconds=10_400), "UTC", "every 0.0104s"),
    ],
)
def test_a_timetable_has_a_text(
    cron: str | None, every: timedelta | None, tz: str, text: str
) -> None:
    assert str(timetable(cron, every, tz)) == text


@pytest.mark.parametrize(
    ("cron", "every", "tz", "reason"),
    [
        (None, None, "UTC", "either a cron expression or every="),
        ("@daily", timedelta(hours=1), "UTC", "either a cron expression or every="),
        ("61 * * * *", None, "UTC", "'61 .* no cron expression: Bad minute"),
        ("", None, "UTC", "no cron expression"),
        ("0 0 * * MON#6", None, "UTC", "no cron expression"),
        ("@daily", None, "Mars/Olympus", "no time zone 'Mars/Olympus'"),
        (None, timedelta(milliseconds=9), "UTC", "every 9ms is too often"),
        (None, timedelta(hours=1), "Europe/Berlin", "knows no time zone"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    cron: str | None, every: timedelta | None, tz: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        timetable(cron, every, tz)


def test_the_rarest_expression_comes_and_an_impossible_one_is_refused() -> None:
    leap = timetable("0 0 29 2 */7", None, "UTC")
    assert next(leap.after(utc("2026-01-01T00:00Z"))) == utc("2032-02-29T00:00Z")
    with pytest.raises(ValueError, match="never comes"):
        timetable("0 0 */31 2 MON#5", None, "UTC")
