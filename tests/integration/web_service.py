"""A real host behind the web layer: a pipeline, its store, and a client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from reactor.core.errors import SensorError
from reactor.core.event import Event
from reactor.core.trigger.expression import Source
from reactor.executors.async_ import AsyncExecutor
from reactor.executors.thread import ThreadExecutor
from reactor.host import Host
from reactor.pipeline import Pipeline
from reactor.ports import Batch, Desk
from reactor.store import open_store
from reactor.web.app import create_app
from reactor.web.hosted import Hosted
from reactor.web.server import listen, serve
from reactor.web.service import WebSettings


@dataclass(frozen=True, slots=True)
class Feed(Source):
    """A sensor that sees only what is handed to the service."""

    name: str
    model: type[BaseModel] | None = None
    kind: ClassVar[str] = "feed"

    def open(self, desk: Desk) -> OpenFeed:
        return OpenFeed(desk)

    def restore(self, raw: bytes) -> Any:
        try:
            return self.model.model_validate_json(raw) if self.model else json.loads(raw)
        except (ValidationError, ValueError) as error:
            raise SensorError(f"a payload cannot be read: {type(error).__name__}") from error

    def event(self, data: Any, **about: Any) -> Event:
        raw = json.dumps(data).encode()
        now = datetime.now(UTC)
        values = {"id": "1", "type": "test", "subject": "", "time": now, "received": now, **about}
        return Event(source=self.name, data=self.restore(raw), raw=raw, **values)


class OpenFeed:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self) -> None:
        self._desk.up(True)
        await anyio.sleep_forever()

    async def recorded(self, batch: Batch) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Running:
    """A service under test, and a client of it."""

    url: str
    http: httpx.AsyncClient
    service: Hosted

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        found = urlsplit(self.url)
        return str(found.hostname), int(found.port or 0)

    async def emit(self, sensor: str, data: Any, id: str, **about: Any) -> httpx.Response:
        """Posts one event."""
        event = {"specversion": "1.0", "id": id, "source": sensor, "type": "test", **about}
        return await self.http.post("/api/events", json={**event, "data": data})

    async def until(self, path: str, true: Callable[[Any], bool]) -> Any:
        """What `path` answers, once that is as wanted."""
        with anyio.fail_after(20):
            while True:
                answer = (await self.http.get(path)).json()
                if true(answer):
                    return answer
                await anyio.sleep(0.02)


@asynccontextmanager
async def running(
    pipeline: Pipeline, folder: Path, *, port: int = 0, **settings: Any
) -> AsyncIterator[Running]:
    """Serves a pipeline on a free port until the block ends."""
    executors: dict[str, Any] = {"async": AsyncExecutor(), "thread": ThreadExecutor()}
    async with open_store(f"sqlite:///{folder / 'reactor.db'}") as store:
        host = Host(pipeline.definition(), store, executors)
        service = Hosted(host, store)
        web = WebSettings(**settings)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.run)
            await host.started.wait()
            url = await tasks.start(serve, create_app(service, web), listen(web.host, port))
            headers = {"Authorization": f"Bearer {web.token}"} if web.token else {}
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
                yield Running(url, http, service)
            host.stop()
            tasks.cancel_scope.cancel()
        for executor in executors.values():
            await executor.aclose()
