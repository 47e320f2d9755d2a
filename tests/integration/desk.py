"""A desk for sensors under test: it records as a store does, and can be waited on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel

from reactor.core.event import Event
from reactor.ports import Batch, DeadLetter, RunningSensor, Sensor


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, at: datetime) -> None:
        while (left := (at - self.now()).total_seconds()) > 0:
            await anyio.sleep(left)


class Notebook:
    """A log that is kept: `said` lists the events, `about` their circumstances."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.about: list[Mapping[str, Any]] = []

    def _keep(self, event: str, **about: Any) -> None:
        self.said.append(event)
        self.about.append(about)

    debug = info = warning = error = _keep


class Recorder:
    """What the host lends a sensor. Positions go through the same comparison as in a store.

    `upto` is how far the sensor has read, as it said; `late` are the events that it offered all the
    same.
    """

    def __init__(self, positions: Mapping[str, str] | None = None) -> None:
        self.recorded = dict(positions or {})
        self.positions: Mapping[str, str] = dict(self.recorded)
        self.clock: Any = WallClock()
        self.log: Any = Notebook()
        self.events: list[Event] = []
        self.dead: list[DeadLetter] = []
        self.health: list[tuple[bool, str]] = []
        self.looks = 0
        self.upto: datetime | None = None
        self.late: list[Event] = []

    async def offer(self, batch: Batch) -> None:
        for move in batch.moves:
            assert self.recorded.get(move.part) == move.before, f"{move.part}: conflict"
            if move.after is None:
                del self.recorded[move.part]
            else:
                self.recorded[move.part] = move.after
        self.late += [event for event in batch.events if self.upto and event.time <= self.upto]
        known = {event.id for event in self.events}
        for event in batch.events:
            assert event.id not in known, f"{event.id} came twice"
            known.add(event.id)
        self.events += batch.events
        self.dead += batch.dead
        await anyio.lowlevel.checkpoint()

    def up(self, well: bool, why: str = "") -> None:
        if not self.health or self.health[-1] != (well, why):
            self.health.append((well, why))

    def lag(self, seconds: float) -> None:
        self.looks += 1

    def reached(self, upto: datetime) -> None:
        self.upto = upto if self.upto is None else max(self.upto, upto)

    def again(self) -> Recorder:
        """The desk after a restart: what was recorded is the position."""
        return Recorder(self.recorded)

    async def until(self, holds: Callable[[], Any], within: float = 20) -> None:
        """Waits for a condition; fails with what is known if it does not come."""
        with anyio.move_on_after(within):
            while not holds():
                await anyio.sleep(0.005)
            return
        raise AssertionError(
            f"not within {within} s; {[event.id for event in self.events]}, {self.health}"
        )

    async def looked(self, times: int = 2) -> None:
        """Waits until the sensor has looked so many more times, so that it saw all there is."""
        now = self.looks
        await self.until(lambda: self.looks >= now + times)


@asynccontextmanager
async def running(sensor: Sensor, desk: Recorder) -> AsyncIterator[RunningSensor]:
    """Runs a sensor for as long as the block lasts, and has it cancelled at its end."""
    opened = sensor.open(desk)
    async with anyio.create_task_group() as group:
        group.start_soon(opened.run)
        yield opened
        group.cancel_scope.cancel()
