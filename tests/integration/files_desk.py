"""What the file sensor's tests run it with: durable state, a desk that fills it, a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from reactor.core.event import Event
from reactor.ports import Batch
from sensors.files import FileArrivals
from sensors.files.listening import Hearing
from sensors.files.running import START, RunningFiles
from tests.integration.desk import Notebook, WallClock

DEADLINE = 60.0

HEARING = {
    "both": Hearing(scan_every=60),
    "names": Hearing(scan_every=60, closings=False),
    "scans": Hearing(scan_every=0.1, polling=True),
}
"""All that the sensor may have to do with; what it promises holds with each."""


class Kept:
    """Durable state, as far as one sensor can tell: it outlives the sensors that write to it.

    Like a store it refuses a batch that does not follow on what it has, and an event that it knows,
    unless the batch says that ids may repeat: then that event is dropped.
    """

    def __init__(self) -> None:
        self.positions: dict[str, str] = {}
        self.events: list[Event] = []
        self.repeated: list[Event] = []
        self.batches = 0
        self._known: set[str] = set()

    def record(self, batch: Batch) -> None:
        """Records a batch whole, or refuses it."""
        if len(batch.events) > 1000:
            raise AssertionError(f"{len(batch.events)} events are too many for one batch")
        for move in batch.moves:
            if self.positions.get(move.part) != move.before:
                raise AssertionError(f"{move} does not follow {self.positions.get(move.part)}")
        fresh = [event for event in batch.events if event.id not in self._known]
        repeated = [event for event in batch.events if event.id in self._known]
        if (repeated and not batch.repeats) or len({event.id for event in fresh}) < len(fresh):
            raise AssertionError(f"{repeated or fresh} came twice")
        for move in batch.moves:
            if move.after is None:
                del self.positions[move.part]
            else:
                self.positions[move.part] = move.after
        self.batches += 1
        self.events += fresh
        self.repeated += repeated
        self._known.update(event.id for event in fresh)

    @property
    def paths(self) -> set[str]:
        """The parts of the position that are files."""
        return self.positions.keys() - {START}


class Desk:
    """A host that records each batch before `offer` returns.

    `upto` is how far the sensor has read, as it said; `late` are the events that it offered all the
    same.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.positions: Any = dict(kept.positions)
        self.clock: Any = WallClock()
        self.log: Any = Notebook()
        self.health: list[tuple[bool, str]] = []
        self.idle = 0
        self.upto: datetime | None = None
        self.late: list[Event] = []

    async def offer(self, batch: Batch) -> None:
        await anyio.lowlevel.checkpoint()
        self.late += [event for event in batch.events if self.upto and event.time <= self.upto]
        self.kept.record(batch)

    def up(self, well: bool, why: str = "") -> None:
        self.health.append((well, why))

    def lag(self, seconds: float) -> None:
        self.idle += seconds == 0.0

    def reached(self, upto: datetime) -> None:
        self.upto = upto if self.upto is None else max(self.upto, upto)


class Inbox:
    """A running sensor and what it has said, as names relative to the folder it watches."""

    def __init__(self, folder: Path, desk: Desk) -> None:
        self.folder = folder
        self.desk = desk
        self.kept = desk.kept

    @property
    def said(self) -> list[tuple[str, str]]:
        """Each event as what and which file, in order."""
        return [(event.type.removeprefix("file."), self._name(event)) for event in self.kept.events]

    @property
    def names(self) -> Counter[str]:
        """How often each file was announced."""
        return Counter(name for _, name in self.said)

    async def says(self, *expected: tuple[str, str]) -> None:
        """Waits until so many events have come; they must be just these, in any order."""
        await self.until(lambda: len(self.kept.events) >= len(expected))
        assert Counter(self.said) == Counter(expected)

    async def has_nothing_to_do(self) -> None:
        """Waits until the sensor rests."""
        before = self.desk.idle
        await self.until(lambda: self.desk.idle > before)

    async def until(self, true: Callable[[], Any]) -> None:
        """Waits for a condition; a test fails when it does not come true in time."""
        with anyio.move_on_after(DEADLINE):
            while not true():
                await anyio.sleep(0.005)
            return
        raise AssertionError(
            f"still not after {DEADLINE:g} s; {len(self.said)} events, {self.said[:20]},"
            f" {self.desk.health}, {self.desk.log.said[:20]}"
        )

    def _name(self, event: Event) -> str:
        return os.path.relpath(event.subject, self.folder)


@asynccontextmanager
async def watching(
    value: FileArrivals, folder: Path, kept: Kept | None = None, hearing: Hearing | None = None
) -> AsyncIterator[Inbox]:
    """A sensor that runs until the block ends, and has looked at everything once when it begins."""
    desk = Desk(kept or Kept())
    sensor = RunningFiles(value, desk, hearing)
    inbox = Inbox(folder, desk)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sensor.run)
        await inbox.until(lambda: desk.idle or desk.health[-1:] not in ([], [(True, "")]))
        yield inbox
        tasks.cancel_scope.cancel()


def put(path: Path, text: str = "1,2\n") -> None:
    """Writes a file elsewhere and renames it into place, as a careful producer does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)
