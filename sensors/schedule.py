"""`Schedule`: ticks by the clock, as events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ConfigDict, ValidationError

from reactor.core.duration import Duration, duration
from reactor.core.errors import SensorError, SensorRefused
from reactor.core.event import Event
from reactor.core.instant import MICROSECOND
from reactor.core.timetable import Timetable, timetable
from reactor.core.trigger.expression import Source
from reactor.ports import Batch, Desk, Move
from sensors.tick import Due, Missed, due

TYPE = "schedule.tick"

_BATCH = 200
# No sleep is longer, so that a clock that was set or a machine that slept is noticed.
_LONGEST_SLEEP = timedelta(seconds=30)
_PUT_BACK = timedelta(minutes=1)


class Tick(BaseModel):
    """The payload of a tick: its instant, and how many missed ticks it makes up for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduled: datetime
    missed: int = 0


@dataclass(frozen=True, slots=True, init=False)
class Schedule(Source):
    """Ticks: `Schedule("*/5 * * * *", tz="Europe/Berlin")` or `Schedule(every="10m")`.

    An event is a `schedule.tick`; its id and its time are the instant of the tick, its data a
    `Tick`. What cron expressions may say, and what they mean where the clocks change, is written in
    reactor/core/timetable.py. Intervals count from the beginning of 1970 in UTC, not from the start
    of the service, and know no zone.

    A tick that nobody served within five seconds, because the service was down or the machine
    asleep, was missed.

    Args:
        cron: when, as a cron expression of five fields (or six, seconds first), or @daily.
        every: how often, instead.
        tz: the zone of the cron expression.
        missed: what to do about missed ticks: `skip` them, serve `one` for all of them (the last;
            its `missed` says how many, at most `max_catchup`), or serve `all`, each by itself.
        max_catchup: how many missed ticks `all` serves at most, the newest; the log says so.
        name: what the sensor is called; else what it says.

    Raises: ValueError for an expression, zone or interval that makes no sense.
    Restart: goes on from the last tick that was recorded; the first start is recorded, and nothing
    before it was missed. The same holds when the schedule says something new under its old name. No
    tick comes twice, even if the clock is set back: until it is again where it was, there is none.
    """

    kind: ClassVar[str] = "schedule"
    model: ClassVar[Any] = Tick

    cron: str | None
    every: timedelta | None
    tz: str
    missed: Missed
    max_catchup: int
    name: str

    def __init__(
        self,
        cron: str | None = None,
        *,
        every: Duration | None = None,
        tz: str = "UTC",
        missed: Missed = "one",
        max_catchup: int = 1000,
        name: str | None = None,
    ) -> None:
        interval = None if every is None else duration(every)
        timetable(cron, interval, tz)
        _check(missed, max_catchup)
        given = {
            "cron": None if cron is None else " ".join(cron.split()),
            "every": interval,
            "tz": tz,
            "missed": missed,
            "max_catchup": max_catchup,
        }
        for attribute, value in given.items():
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "name", name or self.text)

    @property
    def address(self) -> str:
        """Every schedule listens to the clock, so that what it says may be changed at will."""
        return "clock"

    @property
    def text(self) -> str:
        """What it says: `every 10m`, or the expression, with its zone unless that is UTC."""
        return str(self.timetable)

    @property
    def timetable(self) -> Timetable:
        """When it ticks."""
        return timetable(self.cron, self.every, self.tz)

    def ticks(self, after: datetime) -> Iterator[Event]:
        """Each tick later than an instant, as the event it is when it is served on time."""
        return (ticked(self.name, at, 0, at) for at in self.timetable.after(after))

    def open(self, desk: Desk) -> Ticking:
        """A sensor that ticks on from the last tick in `desk.positions`."""
        return Ticking(self, desk)

    def restore(self, raw: bytes) -> Tick:
        """The payload of a recorded tick.

        Raises: SensorError if it is none that this version reads.
        """
        try:
            return Tick.model_validate_json(raw)
        except ValidationError as error:
            raise SensorError(
                f"a payload cannot be read: {error.errors()[0]['msg']}", where=f"sensor {self.name}"
            ) from error

    def event(
        self, scheduled: datetime | str | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> Event:
        """A test tick: `nightly.event("2026-01-31T02:00:00Z")`, or now; `missed=3` if it was late.

        Args:
            scheduled: the instant, aware; or one mapping with `scheduled` and `missed`.

        Raises: ValueError if it is no instant.
        """
        given = dict(scheduled) if isinstance(scheduled, Mapping) else {}
        if isinstance(scheduled, (datetime, str)):
            given["scheduled"] = scheduled
        tick = Tick.model_validate({"scheduled": datetime.now(UTC), **given, **fields})
        if tick.scheduled.tzinfo is None:
            raise ValueError(f"{tick.scheduled.isoformat()} has no time zone: write a Z after it")
        at = tick.scheduled.astimezone(UTC)
        return ticked(self.name, at, tick.missed, at)

    def __str__(self) -> str:
        return self.name


class Ticking:
    """The running schedule: sleeps until the next tick, serves what is due."""

    def __init__(self, schedule: Schedule, desk: Desk) -> None:
        self._schedule = schedule
        self._timetable = schedule.timetable
        self._desk = desk
        self._part = schedule.text
        self._recorded = desk.positions.get(self._part)

    async def run(self) -> None:
        """Ticks until cancelled. Returns if no tick will ever come."""
        last = await self._start()
        self._desk.up(True)
        self._desk.lag(0.0)
        put_back = False
        while (coming := next(self._timetable.after(last), None)) is not None:
            now = self._desk.clock.now()
            if now >= coming:
                last = await self._serve(await self._due(last, coming, now), now)
                continue
            # Nothing happens until then: nobody need be told again while it sleeps.
            self._desk.reached(coming - MICROSECOND)
            if last - now > _PUT_BACK and not put_back:
                self._desk.log.warning("clock put back", last=_written(last), now=_written(now))
                put_back = True
            await self._desk.clock.sleep_until(min(coming, now + _LONGEST_SLEEP))

    async def recorded(self, batch: Batch) -> None:
        """Nothing to do: nobody but the store is told how far we are."""

    async def _start(self) -> datetime:
        """The last tick dealt with; the very first start is recorded as one."""
        now = self._desk.clock.now()
        if self._recorded is None:
            stale = [Move(part, at, None) for part, at in self._desk.positions.items()]
            await self._offer((), now, *stale)
            return now
        try:
            last = datetime.fromisoformat(self._recorded).astimezone(UTC)
        except ValueError as error:
            raise SensorRefused(
                f"the position of {self._schedule.name} is no instant: {self._recorded!r}"
            ) from error
        return last

    async def _due(self, last: datetime, coming: datetime, now: datetime) -> Due:
        schedule = self._schedule
        asked = partial(due, self._timetable, last, now, schedule.missed, schedule.max_catchup)
        # To go through a year of missed minutes takes a while.
        overslept = now - coming > 2 * _LONGEST_SLEEP
        return await to_thread.run_sync(asked, limiter=CapacityLimiter(1)) if overslept else asked()

    async def _serve(self, found: Due, now: datetime) -> datetime:
        self._say(found)
        name = self._schedule.name
        events = tuple(ticked(name, at, missed, now) for at, missed in found.ticks)
        for start in range(0, max(len(events), 1), _BATCH):
            some = events[start : start + _BATCH]
            final = start + _BATCH >= len(events)
            await self._offer(some, found.upto if final else some[-1].time)
        return found.upto

    async def _offer(self, events: tuple[Event, ...], upto: datetime, *more: Move) -> None:
        before, self._recorded = self._recorded, _written(upto)
        move = Move(self._part, before, self._recorded)
        await self._desk.offer(Batch(self._schedule.name, events, (*more, move)))

    def _say(self, found: Due) -> None:
        if found.late:
            served = sum(1 for _, missed in found.ticks if missed)
            self._desk.log.warning(
                "ticks missed",
                policy=self._schedule.missed,
                missed=found.late,
                and_more=found.more,
                made_up=served,
            )


def ticked(sensor: str, at: datetime, missed: int, received: datetime) -> Event:
    """The event of one tick."""
    tick = Tick(scheduled=at, missed=missed)
    return Event(
        id=_written(at),
        source=sensor,
        type=TYPE,
        subject=_written(at),
        time=at,
        received=received,
        data=tick,
        raw=tick.model_dump_json().encode(),
    )


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _check(missed: Missed, max_catchup: int) -> None:
    if missed not in ("skip", "one", "all"):
        raise ValueError(f"missed is skip, one or all, not {missed!r}")
    if max_catchup < 1:
        raise ValueError(f"max_catchup is at least 1, not {max_catchup}")
