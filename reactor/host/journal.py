"""The output of steps, written to the store in batches, beside the loop and never in its way."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

import anyio

from reactor.core.errors import StoreError
from reactor.ports import Log, LogLine, Store

PENDING_LIMIT = 50_000
"""Lines that wait at most; beyond that the oldest are dropped and counted."""


class Journal:
    """Collects lines and writes them soon. Lines that wait are lost in a crash; steps are not."""

    def __init__(self, store: Store, log: Log) -> None:
        self._store, self._log = store, log
        self._lines: deque[LogLine] = deque()
        self._dropped = 0

    def write(self, step: int, attempt: int, stream: str, text: str) -> None:
        """Takes one line; may be called from any thread that holds no lock of ours."""
        if len(self._lines) >= PENDING_LIMIT:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(LogLine(step, attempt, datetime.now(UTC), stream, text))

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await anyio.sleep(0.2)
            if self._lines:
                await self.flush()

    async def flush(self) -> None:
        """Writes what waits."""
        lines: list[LogLine] = []
        while self._lines and len(lines) < 5_000:
            lines.append(self._lines.popleft())
        if self._dropped:
            self._log.warning("step output dropped", lines=self._dropped)
            self._dropped = 0
        if not lines:
            return
        try:
            await self._store.append_logs(lines)
        except StoreError as error:
            self._log.warning("step output not stored", lines=len(lines), error=str(error))
