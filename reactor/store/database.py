"""What a store does that is the same on every database.

Knows: which transaction does what. Refuses to know: threads, drivers, dialects; an implementation
brings `commit`, and a way to read and to write with a connection.

Laws: `commit` alone is fenced; the other writes are requests, logs and operators' commands, which
cannot contradict a turn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from reactor.core.errors import StoreError
from reactor.core.event import Event
from reactor.core.run import Run, Step
from reactor.core.state import Backfill, State
from reactor.ports import DeadLetter, LogLine, Turn
from reactor.store import commands, loading, retention
from reactor.store.commands import Logs
from reactor.store.reading import Reading
from reactor.store.retention import Pruned, Sweep

Result = TypeVar("Result")
Work = Callable[[sa.Connection], Result]


class Database(ABC):
    """A `Store`, and what the service asks of one besides. `read` answers questions about it."""

    warnings: tuple[str, ...] = ()
    """What an operator should know about this store, in sentences."""

    def __init__(self) -> None:
        self.read = Reading(self._read)
        self._logs = Logs()
        self._sweep = Sweep()

    @abstractmethod
    async def commit(self, turn: Turn) -> None: ...

    @abstractmethod
    async def known(self, ids: Sequence[tuple[str, str]]) -> set[tuple[str, str]]: ...

    @abstractmethod
    async def _read(self, work: Work[Result]) -> Result:
        """Does `work` in one read-only transaction, beside the writer."""

    @abstractmethod
    async def _write(self, work: Work[Result], *, durable: bool = True) -> Result:
        """Does `work` in one transaction, after all writes asked for before."""

    async def load(self) -> State:
        return await self._write(loading.load)

    async def positions(self, sensor: str) -> dict[str, str]:
        return await self._write(lambda connection: loading.positions(connection, sensor))

    async def events(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, Event]]:
        return await self._read(lambda connection: loading.events(connection, ranges))

    async def recall(self, run: int) -> tuple[Run, tuple[Step, ...]] | None:
        """A run that has ended, with its steps: what `ResumeRun` takes. None if there is none."""
        return await self._read(lambda connection: loading.recall(connection, run))

    async def ended(self, places: Sequence[tuple[str, str | None]]) -> list[Step]:
        """The step of each asset partition that ended last, of those that ever had one."""
        return await self._read(lambda connection: loading.ended(connection, places))

    async def recall_backfill(self, id: int) -> Backfill | None:
        """A backfill, live or ended: what `RetryBackfill` takes. None if there is none."""
        return await self._read(lambda connection: loading.recall_backfill(connection, id))

    async def put_inbox(self, sender: str, delivery: str, body: bytes, at: datetime) -> int | None:
        """Keeps a request from outside; None if this delivery is in the inbox already."""
        return await self._write(
            lambda connection: commands.put_inbox(connection, sender, delivery, body, at)
        )

    async def read_inbox(self, limit: int = 1_000) -> list[dict[str, Any]]:
        """The oldest requests; a turn that handled them names their ids."""
        return await self._write(lambda connection: commands.read_inbox(connection, limit))

    async def append_logs(self, lines: Sequence[LogLine]) -> None:
        """Keeps lines of output, up to a size for each attempt. A power cut may lose the last."""
        try:
            await self._write(
                lambda connection: self._logs.append(connection, lines), durable=False
            )
        except StoreError:
            self._logs.forget()
            raise

    async def record_audit(
        self, at: datetime, actor: str, action: str, target: str, detail: Any = None
    ) -> None:
        """Records what an operator did."""
        await self._write(
            lambda connection: commands.audit(connection, at, actor, action, target, detail)
        )

    async def addresses(self, pipeline: str) -> dict[tuple[str, str], str]:
        """The recorded address of each sensor of a pipeline, by (kind, name)."""
        return await self._write(lambda connection: commands.addresses(connection, pipeline))

    async def set_address(self, pipeline: str, kind: str, name: str, address: str) -> None:
        """Records where a sensor listens (without credentials)."""
        await self._write(
            lambda connection: commands.set_address(connection, pipeline, kind, name, address)
        )

    async def take_dead_letters(self, seqs: Sequence[int]) -> list[DeadLetter]:
        """Waiting dead letters, for a replay: until settled or a restart they are not `known`."""
        return await self._write(lambda connection: commands.take_dead(connection, seqs))

    async def settle_dead_letters(self, seqs: Sequence[int]) -> None:
        """The replay of these was recorded; one that failed again waits again."""
        await self._write(lambda connection: commands.settle_dead(connection, seqs))

    async def drop_dead_letters(self, seqs: Sequence[int]) -> int:
        """Gives these up: their bytes go, the memory of them stays. Returns how many waited."""
        return await self._write(lambda connection: commands.drop_dead(connection, seqs))

    async def prune(
        self, before_events: datetime, before_runs: datetime, limit: int = 500
    ) -> Pruned:
        """Deletes a small batch of what is older, and nothing that live steps or rules need.

        Returns: what was deleted, and whether to call again at once.
        """
        plan = await self._read(
            lambda connection: retention.plan(
                connection, self._sweep, before_events, before_runs, limit
            )
        )
        return await self._write(lambda connection: retention.carry_out(connection, plan))
