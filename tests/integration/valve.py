"""A sensor that a test holds in its hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import anyio
from pydantic_core import from_json, to_json

from reactor.core.event import Event
from reactor.core.trigger.expression import Source
from reactor.ports import Batch, Desk, Move, RunningSensor

_numbers = count(1)


@dataclass(frozen=True)
class Valve(Source):
    """A sensor that says what the test says, once it is open."""

    name: str
    kind: ClassVar[str] = "valve"
    opened: ClassVar[dict[str, Held]] = {}

    def open(self, desk: Desk) -> RunningSensor:
        held = self.opened[self.name] = Held(self.name, desk)
        return held

    def restore(self, raw: bytes) -> Any:
        return from_json(raw)

    async def held(self) -> Held:
        """The sensor of this name that was opened last, as soon as there is one."""
        while self.name not in self.opened:
            await anyio.sleep(0.005)
        return self.opened[self.name]


class Held:
    """The running sensor."""

    def __init__(self, name: str, desk: Desk) -> None:
        self._name, self.desk = name, desk
        self.position = desk.positions.get("at")
        self.end = anyio.Event()

    async def run(self) -> None:
        """Runs until `end`."""
        self.desk.up(True)
        await self.end.wait()

    async def recorded(self, batch: Batch) -> None:
        """Nothing to do."""

    async def offer(self, *times: datetime) -> None:
        """Offers an event for each time, all of one `id`."""
        events = [self._event(time, {"id": 1}) for time in times]
        before, self.position = self.position, events[-1].id
        await self.desk.offer(Batch(self._name, events, [Move("at", before, self.position)]))

    def ago(self, seconds: float) -> datetime:
        """An instant of the past."""
        return self.desk.clock.now() - timedelta(seconds=seconds)

    def _event(self, time: datetime, data: dict[str, Any]) -> Event:
        id = str(next(_numbers))
        now = self.desk.clock.now()
        return Event(id, self._name, "valve", id, time, now, data, raw=to_json(data))
