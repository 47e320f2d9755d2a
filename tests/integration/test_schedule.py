"""Running schedules, on a clock that the test holds and on the real one."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import anyio
import pytest

from reactor.core.errors import SensorRefused
from sensors import Schedule
from tests.integration.desk import Recorder, running

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)


class HandClock:
    """A clock that goes only when told. Sleepers wait for time to pass, as on a real machine, so
    that a clock that is set wakes nobody and keeps nobody asleep.
    """

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._passed = timedelta(0)
        self._waiting: list[tuple[timedelta, int, anyio.Event]] = []
        self._order = count()

    def now(self) -> datetime:
        return self.at

    async def sleep_until(self, at: datetime) -> None:
        woken = anyio.Event()
        heapq.heappush(self._waiting, (self._passed + (at - self.at), next(self._order), woken))
        await woken.wait()

    async def go(self, length: timedelta) -> None:
        """Lets time pass; everybody wakes when they wanted to."""
        await anyio.wait_all_tasks_blocked()
        end = self._passed + length
        while self._waiting and self._waiting[0][0] <= end:
            until, _, woken = heapq.heappop(self._waiting)
            self._pass(until)
            woken.set()
            await anyio.wait_all_tasks_blocked()
        self._pass(end)

    def _pass(self, until: timedelta) -> None:
        self.at += until - self._passed
        self._passed = until


def desk_at(at: datetime, before: Recorder | None = None) -> tuple[Recorder, HandClock]:
    desk = before.again() if before else Recorder()
    desk.clock = clock = HandClock(at)
    return desk, clock


def minutes(desk: Recorder) -> list[tuple[str, int]]:
    return [(f"{event.time:%H:%M}", event.data.missed) for event in desk.events]


async def test_each_tick_comes_once_and_not_before_its_time() -> None:
    desk, clock = desk_at(NOON)
    async with running(Schedule("*/5 * * * *"), desk):
        await anyio.wait_all_tasks_blocked()
        assert desk.recorded == {"*/5 * * * *": "2026-05-01T12:00:30Z"}
        await clock.go(timedelta(minutes=4, seconds=29))
        assert desk.events == []
        await clock.go(timedelta(minutes=12))
    assert minutes(desk) == [("12:05", 0), ("12:10", 0), ("12:15", 0)]
    assert desk.events[0].id == "2026-05-01T12:05:00Z"
    assert desk.recorded == {"*/5 * * * *": "2026-05-01T12:15:00Z"}
    assert desk.health == [(True, "")]


@pytest.mark.parametrize(
    ("missed", "ticks"),
    [
        ("skip", [("13:30", 0)]),
        ("one", [("13:20", 8), ("13:30", 0)]),
        ("all", [(f"{m // 60:02}:{m % 60:02}", 1) for m in range(730, 801, 10)] + [("13:30", 0)]),
    ],
)
async def test_ticks_missed_while_down_are_dealt_with_as_asked(
    missed: str, ticks: list[tuple[str, int]]
) -> None:
    schedule = Schedule("*/10 * * * *", missed=missed)  # pyright: ignore[reportArgumentType]
    desk, clock = desk_at(NOON)
    async with running(schedule, desk):
        await clock.go(timedelta(minutes=5))
    assert desk.events == []
    desk, clock = desk_at(NOON + timedelta(minutes=85), desk)
    async with running(schedule, desk):
        await desk.until(lambda: "ticks missed" in desk.log.said)
        await clock.go(timedelta(minutes=7))
    assert minutes(desk) == ticks
    assert desk.log.about[0]["missed"] == 8


async def test_a_schedule_that_says_something_new_has_missed_nothing() -> None:
    desk, clock = desk_at(NOON)
    async with running(Schedule("@daily", name="nightly"), desk):
        await clock.go(timedelta(minutes=5))
    desk, clock = desk_at(NOON + timedelta(days=1), desk)
    async with running(Schedule(every="1m", name="nightly", missed="all"), desk):
        await clock.go(timedelta(minutes=1))
    assert minutes(desk) == [("12:01", 0)]
    assert desk.recorded == {"every 1m": "2026-05-02T12:01:00Z"}


async def test_a_short_restart_over_a_tick_misses_nothing() -> None:
    schedule = Schedule(every="1m", missed="skip")
    desk, clock = desk_at(NOON)
    async with running(schedule, desk):
        await clock.go(timedelta(seconds=29))
    desk, clock = desk_at(NOON + timedelta(seconds=33), desk)
    async with running(schedule, desk):
        await desk.until(lambda: len(desk.events) == 1)
    assert minutes(desk) == [("12:01", 0)]
    assert desk.log.said == []


async def test_of_a_year_of_minutes_only_the_newest_are_made_up_and_the_log_says_so() -> None:
    schedule = Schedule("* * * * *", missed="all", max_catchup=500)
    desk, _ = desk_at(NOON)
    async with running(schedule, desk):
        await anyio.wait_all_tasks_blocked()
    later = NOON + timedelta(days=365)
    desk, _ = desk_at(later, desk)
    async with running(schedule, desk):
        await desk.until(lambda: len(desk.events) == 500)
    assert desk.events[-1].time == later.replace(second=0)
    assert all(
        after.time - before.time == timedelta(minutes=1) for before, after in pairwise(desk.events)
    )
    assert desk.log.about[0] == {"policy": "all", "missed": 500, "and_more": True, "made_up": 500}


async def test_a_clock_set_back_repeats_no_tick() -> None:
    schedule = Schedule(every="10m")
    desk, clock = desk_at(NOON)
    async with running(schedule, desk):
        await clock.go(timedelta(minutes=25))
        clock.at -= timedelta(hours=1)
        await clock.go(timedelta(minutes=70))
    assert minutes(desk) == [("12:10", 0), ("12:20", 0), ("12:30", 0)]
    assert "clock put back" in desk.log.said


async def test_a_clock_set_forward_is_noticed_and_what_it_skipped_was_missed() -> None:
    desk, clock = desk_at(NOON)
    async with running(Schedule(every="10m", missed="one"), desk):
        await clock.go(timedelta(minutes=5))
        clock.at += timedelta(hours=2)
        await clock.go(timedelta(seconds=30))
        await desk.until(lambda: len(desk.events) == 1)
        await clock.go(timedelta(minutes=10))
    assert minutes(desk) == [("14:00", 12), ("14:10", 0)]


async def test_the_night_the_clocks_change_has_every_hour_once() -> None:
    start = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    desk, clock = desk_at(start)
    async with running(Schedule("0 * * * *", tz="Europe/Berlin"), desk):
        await clock.go(timedelta(hours=4))
    assert minutes(desk) == [("23:00", 0), ("00:00", 0), ("01:00", 0), ("02:00", 0)]


async def test_a_position_that_is_no_instant_is_refused() -> None:
    desk = Recorder({"every 1m": "yesterday"})
    with pytest.raises(SensorRefused, match="no instant"):
        await Schedule(every="1m").open(desk).run()


async def test_real_ticks_come_in_order_and_after_their_time() -> None:
    desk = Recorder()
    async with running(Schedule(every="50ms"), desk):
        await desk.until(lambda: len(desk.events) >= 10)
    times = [event.time for event in desk.events]
    assert all(after - before == timedelta(milliseconds=50) for before, after in pairwise(times))
    assert all(event.received >= event.time for event in desk.events)


async def test_it_knows_that_nothing_happens_before_the_next_tick() -> None:
    desk, clock = desk_at(NOON)
    instant = timedelta(microseconds=1)
    async with running(Schedule("*/10 * * * *"), desk):
        await clock.go(timedelta(0))
        assert desk.upto == datetime(2026, 5, 1, 12, 10, tzinfo=UTC) - instant
        await clock.go(timedelta(minutes=25))
        assert desk.upto == datetime(2026, 5, 1, 12, 30, tzinfo=UTC) - instant
    desk, clock = desk_at(NOON + timedelta(hours=1), desk)
    async with running(Schedule("*/10 * * * *", missed="all"), desk):
        await clock.go(timedelta(minutes=1))
        assert desk.upto == datetime(2026, 5, 1, 13, 10, tzinfo=UTC) - instant
    assert minutes(desk)[0] == ("12:30", 1)
    assert desk.late == []
