"""A real host behind the web layer: a pipeline, its store, and what the web layer asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import anyio
import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from reactor.core.decision import Input, ResumeRun
from reactor.core.errors import SensorError
from reactor.core.event import Event
from reactor.core.run import Step
from reactor.core.state import Table
from reactor.core.trigger.expression import AssetEvents, Source, leaves
from reactor.executors.async_ import AsyncExecutor
from reactor.executors.thread import ThreadExecutor
from reactor.host.loop import Host
from reactor.metrics import Metrics
from reactor.pipeline import Pipeline
from reactor.ports import Batch, Clock, Desk, Sensor
from reactor.store import Reading, open_store
from reactor.web.app import create_app
from reactor.web.server import listen, serve
from reactor.web.service import News, SensorState, WebSettings


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
            return self.model.model_validate_json(raw) if self.model else from_json(raw)
        except (ValidationError, ValueError) as error:
            raise SensorError(f"a payload cannot be read: {type(error).__name__}") from error

    def event(self, data: Any, **about: Any) -> Event:
        now = datetime.now(UTC)
        values = {"id": "1", "type": "test", "subject": "", "time": now, "received": now, **about}
        return Event(source=self.name, data=data, raw=to_json(data), **values)


class OpenFeed:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self) -> None:
        self._desk.up(True)
        await anyio.sleep_forever()

    async def recorded(self, batch: Batch) -> None:
        return None


class HostService:
    """What the web layer needs, from a host and its store."""

    def __init__(self, host: Host, read: Reading) -> None:
        self.host = host
        self.read = read

    @property
    def name(self) -> str:
        return self.host.graph.name

    @property
    def clock(self) -> Clock:
        return self.host.clock

    @property
    def metrics(self) -> Metrics:
        return self.host.metrics

    @property
    def leader(self) -> bool:
        return True

    def describe(self) -> Mapping[str, Any]:
        graph, paused = self.host.graph, self.host.reactor.state.rows[Table.PAUSE]
        rules = [
            {
                "name": rule.name,
                "trigger": str(rule.trigger),
                "sensors": [
                    leaf.name for leaf in leaves(rule.trigger) if not isinstance(leaf, AssetEvents)
                ],
                "after": [
                    leaf.asset for leaf in leaves(rule.trigger) if isinstance(leaf, AssetEvents)
                ],
                "assets": list(rule.assets),
                "paused": ("rule", rule.name) in paused,
                "observe": rule.observe,
            }
            for rule in graph.rules.values()
        ]
        return {
            "sensors": [
                {"name": name, "kind": sensor.kind, "address": sensor.address}
                for name, sensor in graph.sensors.items()
            ],
            "rules": rules,
            "assets": [
                {
                    "name": asset.name,
                    "upstream": [upstream.name for upstream in asset.upstream],
                    "rules": [rule["name"] for rule in rules if asset.name in rule["assets"]],
                    "owner": asset.owner,
                    "doc": asset.doc,
                    "paused": ("asset", asset.name) in paused,
                }
                for asset in graph.assets.values()
            ],
        }

    def sensor(self, name: str) -> Sensor | None:
        found: Any = self.host.graph.sensors.get(name)
        return found

    def sensors(self) -> Sequence[SensorState]:
        paused = self.host.reactor.state.rows[Table.PAUSE]
        return [
            SensorState(
                post.name,
                post.sensor.kind,
                post.sensor.address,
                post.health.up,
                post.health.why,
                post.health.lag,
                ("sensor", post.name) in paused,
                post.health.last_event,
            )
            for post in self.host.intake.posts.values()
        ]

    def steps(self) -> Collection[Step]:
        return list(self.host.reactor.state.rows[Table.STEP].values())

    def ready(self) -> tuple[bool, Sequence[str]]:
        down = [f"{one.name}: {one.why}" for one in self.sensors() if not one.up]
        trouble = [self.host.store_trouble] if self.host.store_trouble else []
        return not (down or trouble), [*trouble, *down]

    def news(self) -> AbstractAsyncContextManager[AsyncIterator[News]]:
        return self.host.news()

    async def submit(self, batch: Batch) -> None:
        await self.host.submit(batch)

    async def command(self, command: Input) -> None:
        await self.host.command(command)

    async def resume(self, run: int) -> None:
        store: Any = self.host.store
        found = await store.recall(run)
        if found is not None:
            await self.host.command(ResumeRun(*found))


@dataclass(frozen=True, slots=True)
class Running:
    """A service under test, and a client of it."""

    url: str
    http: httpx.AsyncClient
    service: HostService

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
    pipeline: Pipeline, folder: Path, *, token: str | None = None, body_limit: int = 1024 * 1024
) -> AsyncIterator[Running]:
    """Serves a pipeline on a free port until the block ends."""
    executors: dict[str, Any] = {"async": AsyncExecutor(), "thread": ThreadExecutor()}
    async with open_store(f"sqlite:///{folder / 'reactor.db'}") as store:
        host = Host(pipeline.definition(), store, executors)
        service = HostService(host, store.read)
        settings = WebSettings(token=token, body_limit=body_limit)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.run)
            await host.started.wait()
            url = await tasks.start(serve, create_app(service, settings), listen("127.0.0.1", 0))
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
                yield Running(url, http, service)
            host.stop()
            tasks.cancel_scope.cancel()
        for executor in executors.values():
            await executor.aclose()
