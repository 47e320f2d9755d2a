"""The running schema sensor: a look every so often, each in a thread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeVar

import anyio
from anyio import CancelScope, CapacityLimiter, to_thread

from reactor.core.errors import SensorError
from reactor.ports import Batch, Desk
from sensors.schema.ledger import Baseline, Ledger, Look

T = TypeVar("T")

_FAREWELL_SECONDS = 3.0


class Eye(Protocol):
    """What looks at tables. Every method blocks; `close` also ends a look in another thread.

    `sure` says whether the last look saw how things are.
    """

    @property
    def sure(self) -> bool: ...

    def look(self) -> Look | None: ...
    def matches(self, table: str) -> bool: ...
    def close(self) -> None: ...


class Watching:
    """Compares each look with what is recorded, and offers what changed.

    Restart: goes on from the recorded schemas, so that a change made meanwhile is one event.
    """

    def __init__(
        self,
        name: str,
        desk: Desk,
        eye: Callable[[], Eye],
        *,
        pattern: str,
        every: timedelta,
        baseline: Baseline,
    ) -> None:
        self._name = name
        self._desk = desk
        self._eye = eye
        self._pattern = pattern
        self._every = every.total_seconds()
        self._baseline: Baseline = baseline

    async def run(self) -> None:
        """Looks until cancelled."""
        eye = self._eye()
        ledger = Ledger(
            self._name, self._pattern, eye.matches, self._baseline, self._desk.positions
        )
        try:
            await self._watch(eye, ledger)
        except SensorError as error:
            self._desk.up(False, str(error))
            raise
        finally:
            # A look that is stuck has timeouts of its own, and closes what it holds when it ends.
            with CancelScope(shield=True), anyio.move_on_after(_FAREWELL_SECONDS):
                await _apart(eye.close, CapacityLimiter(1))

    async def recorded(self, batch: Batch) -> None:
        """Nothing to do: nobody but the store is told how far we are."""

    async def _watch(self, eye: Eye, ledger: Ledger) -> None:
        first = True
        limiter = CapacityLimiter(1)
        while True:
            began, asked = anyio.current_time(), self._desk.clock.now()
            look = await _apart(eye.look, limiter)
            if first:
                self._desk.up(True)
            if look is not None:
                if first and not look:
                    self._desk.log.warning("nothing to watch yet", pattern=self._pattern)
                for batch in ledger.compare(look, self._desk.clock.now()):
                    await self._desk.offer(batch)
            first = False
            self._desk.lag(0.0)
            if eye.sure:
                self._desk.reached(asked)
            # The time of the look counts, so that a change is seen within `every` and one look.
            rest = self._every - (anyio.current_time() - began)
            await anyio.sleep(max(rest, self._every / 10))


async def _apart(call: Callable[[], T], limiter: CapacityLimiter) -> T:
    """Calls in a thread that no step's threads can take from us; a cancelled call is left alone."""
    return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
