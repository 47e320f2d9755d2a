"""The running schema sensor: a look every so often, each in a thread, and one at each hint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeVar

import anyio
from anyio import CancelScope, CapacityLimiter, to_thread

from reactor.core.errors import SensorError
from reactor.ports import Batch, Desk
from sensors.schema.ledger import Baseline, Ledger, Look
from sensors.schema.pace import Pace

T = TypeVar("T")

_FAREWELL_SECONDS = 3.0


class Eye(Protocol):
    """What looks at tables. Every method blocks; `close` also ends a look in another thread.

    `sure` says whether the last look saw how things are. One that takes longer than `patience`
    seconds is stuck.
    """

    @property
    def patience(self) -> float: ...

    @property
    def sure(self) -> bool: ...

    def look(self) -> Look | None: ...
    def matches(self, table: str) -> bool: ...
    def close(self) -> None: ...


class Ear(Protocol):
    """What may hear that a table changed, between two looks at it."""

    async def listen(self, hint: Callable[[], None], say: Callable[[str], None]) -> None:
        """Calls `hint` when something may have changed, until cancelled; raises nothing.

        `say` is told why nothing can be heard, or `""` when it can.
        """
        ...


class Watching:
    """Compares each look with what is recorded, and offers what changed.

    A hint of `ear` only makes the next look come at once: the guarantee is the look `every` so
    often. If nothing can be heard, the desk is told why, and if it `must` be, that we are down; we
    go on looking all the same.

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
        ear: Ear | None = None,
        must: bool = False,
    ) -> None:
        self._name = name
        self._desk = desk
        self._eye = eye
        self._pattern = pattern
        self._every = every.total_seconds()
        self._baseline: Baseline = baseline
        self._ear = ear
        self._must = must
        self._hint = anyio.Event()
        self._pace = Pace()
        self._looked = False
        self._deaf = ""

    async def run(self) -> None:
        """Looks until cancelled."""
        eye = self._eye()
        ledger = Ledger(
            self._name, self._pattern, eye.matches, self._baseline, self._desk.positions
        )
        try:
            await (self._watch(eye, ledger) if self._ear is None else self._listen(eye, ledger))
        except SensorError as error:
            self._desk.up(False, str(error))
            raise
        finally:
            # A look that is stuck has timeouts of its own, and closes what it holds when it ends.
            with CancelScope(shield=True), anyio.move_on_after(_FAREWELL_SECONDS):
                await _apart(eye.close, CapacityLimiter(1))

    async def recorded(self, batch: Batch) -> None:
        """Nothing to do: nobody but the store is told how far we are."""

    async def _listen(self, eye: Eye, ledger: Ledger) -> None:
        """Watches with an ear; an error of the world is raised as it is, not in a group."""
        assert self._ear is not None
        failed: SensorError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ear.listen, self._wake, self._hear)
            try:
                await self._watch(eye, ledger)
            except SensorError as error:
                failed = error
            tasks.cancel_scope.cancel()
        if failed is not None:
            raise failed

    def _wake(self) -> None:
        self._hint.set()

    def _hear(self, deaf: str) -> None:
        self._deaf = deaf
        self._tell()

    def _tell(self) -> None:
        if self._looked:
            why = f"only polls: {self._deaf}" if self._deaf else ""
            self._desk.up(not (self._must and why), why)

    async def _watch(self, eye: Eye, ledger: Ledger) -> None:
        limiter = CapacityLimiter(1)
        while True:
            began, asked = anyio.current_time(), self._desk.clock.now()
            # What is hinted at from now on, this look may not see.
            self._hint = anyio.Event()
            look = await self._look(eye, limiter)
            first, self._looked = not self._looked, True
            if first:
                self._tell()
            if look is not None:
                if first and not look:
                    self._desk.log.warning("nothing to watch yet", pattern=self._pattern)
                for batch in ledger.compare(look, self._desk.clock.now()):
                    await self._desk.offer(batch)
            self._desk.lag(0.0)
            if eye.sure:
                self._desk.reached(asked)
            # The time of the look counts, so that a change is seen within `every` and one look.
            rest = self._every - (anyio.current_time() - began)
            await self._rest(max(rest, self._every / 10))

    async def _look(self, eye: Eye, limiter: CapacityLimiter) -> Look | None:
        try:
            with anyio.fail_after(eye.patience):
                return await _apart(eye.look, limiter)
        except TimeoutError as error:
            raise SensorError(
                f"no answer within {eye.patience:.0f} s", hint="it is connected to anew"
            ) from error

    async def _rest(self, seconds: float) -> None:
        """Waits so long, or until a hint is due."""
        with anyio.move_on_after(seconds):
            await self._hint.wait()
            await anyio.sleep(self._pace.due(now := anyio.current_time()) - now)


async def _apart(call: Callable[[], T], limiter: CapacityLimiter) -> T:
    """Calls in a thread that no step's threads can take from us; a cancelled call is left alone."""
    return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
