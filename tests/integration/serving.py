"""A host with a real store and real executors, in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from reactor import Pipeline
from reactor.core.decision import Notify
from reactor.core.event import Event
from reactor.executors.local import local
from reactor.host import Host, Options
from reactor.ports import Batch, Store
from reactor.store import open_store
from reactor.store.database import Database
from sensors import Webhook


@dataclass
class Serving:
    """What a test may ask of the host it started."""

    host: Host
    store: Database
    told: list[str]

    async def steps(self, asset: str) -> list[dict[str, Any]]:
        """The asset's steps as recorded, oldest first."""
        return list(reversed(await self.store.read.steps(asset)))

    async def statuses(self, asset: str) -> list[str]:
        """What became of the asset's steps, oldest first."""
        return [row["status"] for row in await self.steps(asset)]

    async def until_status(self, asset: str, *wanted: str) -> None:
        """Waits until the asset's steps are these."""
        await until(lambda: self._has(asset, list(wanted)))

    async def _has(self, asset: str, wanted: list[str]) -> bool:
        return await self.statuses(asset) == wanted


class _Told:
    """A channel that remembers what it was told."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    async def send(self, notice: Notify) -> None:
        self._told.append(notice.alert.text)


@asynccontextmanager
async def serving(
    pipeline: Pipeline,
    folder: Path,
    *,
    grace: float = 10,
    crash: bool = False,
    around: Callable[[Store], Store] = lambda store: store,
) -> AsyncGenerator[Serving]:
    """Serves a pipeline on the store in `folder`; stops gracefully at the end, or as in a crash."""
    definition = pipeline.definition()
    told: list[str] = []
    async with (
        open_store(f"sqlite:///{folder / 'reactor.db'}") as store,
        local() as executors,
        anyio.create_task_group() as tasks,
    ):
        host = Host(
            definition,
            around(store),
            executors,
            channels=[_Told(told)],
            options=Options(grace=timedelta(seconds=grace)),
        )
        tasks.start_soon(host.run)
        await host.started.wait()
        yield Serving(host, store, told)
        if crash:
            tasks.cancel_scope.cancel()
        else:
            host.stop()


async def until(holds: Callable[[], Awaitable[Any]], seconds: float = 20) -> None:
    """Waits until something holds; fails if it never does."""
    with anyio.fail_after(seconds):
        while not await holds():
            await anyio.sleep(0.01)


def posted(hook: Webhook, id: str, **data: Any) -> Batch:
    """What the web layer hands over for one delivery."""
    event = hook.event(data)
    return Batch(hook.name, [_named(event, id)], repeats=True)


def _named(event: Event, id: str) -> Event:
    return Event(
        id,
        event.source,
        event.type,
        event.subject,
        event.time,
        datetime.now(UTC),
        event.data,
        raw=event.raw,
    )
