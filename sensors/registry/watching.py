"""The running registry sensor: a look every so often, subject by subject."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import anyio
from anyio import CapacityLimiter

from reactor.core.contract import TableSchema
from reactor.core.errors import SensorError
from reactor.ports import Batch, Desk
from sensors.registry.access import Access
from sensors.registry.client import CONNECTIONS, PATIENCE, Client, Unresolved, connected
from sensors.registry.schema import Unusable, Version
from sensors.registry.wire import table
from sensors.schema.ledger import ALL, Baseline, Ledger


class Watching:
    """Compares each look with what is recorded, and offers what changed.

    Restart: goes on from the recorded columns, so that a change made meanwhile is one event.
    """

    def __init__(
        self,
        name: str,
        desk: Desk,
        access: Access,
        *,
        pattern: str,
        matches: Callable[[str], bool],
        every: timedelta,
        baseline: Baseline,
        patience: float = PATIENCE,
    ) -> None:
        self._desk = desk
        self._access = access
        self._patience = patience
        self._pattern = pattern
        self._matches = matches
        self._every = every.total_seconds()
        self._ledger = Ledger(name, pattern, matches, baseline, desk.positions)

    async def run(self) -> None:
        """Looks until cancelled."""
        try:
            async with connected(self._access, self._patience) as client:
                await self._watch(_Eye(client, self._desk, self._matches))
        except SensorError as error:
            self._desk.up(False, str(error))
            raise

    async def recorded(self, batch: Batch) -> None:
        """Nothing to do: nobody but the store is told how far we are."""

    async def _watch(self, eye: _Eye) -> None:
        first = True
        while True:
            began, asked = anyio.current_time(), self._desk.clock.now()
            look = await eye.look()
            if first:
                self._desk.up(True)
                if not look:
                    self._desk.log.warning("nothing to watch yet", pattern=self._pattern)
            first = False
            for batch in self._ledger.compare(look, self._desk.clock.now()):
                await self._desk.offer(batch)
            self._desk.lag(0.0)
            self._desk.reached(asked)
            # The time of the look counts, so that a change is seen within `every` and one look.
            rest = self._every - (anyio.current_time() - began)
            await anyio.sleep(max(rest, self._every / 10))


class _Eye:
    """Looks at the newest version of each subject; reads its schema only if that is another.

    A subject that was there is gone only when the registry says so of itself: Apicurio 2.6 lists no
    subject whose newest version was deleted, though the one before it is the newest now.
    """

    def __init__(self, client: Client, desk: Desk, matches: Callable[[str], bool]) -> None:
        self._client = client
        self._log = desk.log
        self._matches = matches
        self._limiter = CapacityLimiter(CONNECTIONS)
        self._known = {part for part in desk.positions if part != ALL and matches(part)}
        self._seen: dict[str, Version] = {}
        self._tables: dict[str, TableSchema | None] = {}

    async def look(self) -> dict[str, TableSchema | None]:
        """The columns of all subjects, None for one whose schema cannot be read.

        Raises: Unavailable or SensorRefused; half a look is none.
        """
        listed = filter(self._matches, await self._client.subjects())
        found: dict[str, Version] = {}
        try:
            async with anyio.create_task_group() as tasks:
                for subject in sorted({*listed, *self._known}):
                    tasks.start_soon(self._ask, subject, found)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        for subject, version in found.items():
            if self._seen.get(subject) != version:
                self._tables[subject] = await self._columns(version)
        self._seen, self._known = found, set(found)
        self._tables = {subject: self._tables[subject] for subject in found}
        return dict(self._tables)

    async def _ask(self, subject: str, found: dict[str, Version]) -> None:
        async with self._limiter:
            version = await self._client.latest(subject)
        if version is not None:
            found[subject] = version

    async def _columns(self, version: Version) -> TableSchema | None:
        try:
            return table(await self._client.resolve(version.schema))
        except (Unusable, Unresolved) as error:
            self._log.warning(
                "schema not read", subject=version.subject, version=version.number, error=str(error)
            )
            return None
