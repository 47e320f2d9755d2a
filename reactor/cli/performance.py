"""One performance of `reactor demo`: everything started, played, and summed up."""

from __future__ import annotations

import fcntl
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field

import anyio
from anyio import to_thread

from reactor import logs, settings
from reactor.cli import epilogue
from reactor.cli.director import PATIENCE_S, Director
from reactor.cli.screen import show_json
from reactor.cli.service import Service, heed_signals, running
from reactor.cli.theatre import Theatre
from reactor.core.errors import ReactorError, SettingsError
from reactor.demo import broker, feed
from reactor.demo.claims import Claim, Round, claims, table_sizes
from reactor.demo.pipeline import HOME, RESULTS
from reactor.demo.pipeline import demo as pipeline
from reactor.demo.stage import Stage, Stopwatch
from reactor.settings import Settings
from reactor.web.server import listen


def perform(once: bool, port: int | None, as_json: bool) -> bool:
    """One performance in a folder of its own; answers whether all happened as it says.

    Raises: ReactorError if something it needs is missing, or did not come up.
    """
    broker.installed()
    feed.installed()
    chosen = settings.read(port=port, store=f"sqlite:///{HOME}/reactor.db")
    with _alone(), (HOME / "service.log").open("w", encoding="utf-8") as log:
        logs.configure("json", chosen.log, log)
        performance = Performance(chosen, once, as_json, port is not None)
        anyio.run(performance.run)
    return not performance.failed


@contextmanager
def _alone() -> Iterator[None]:
    """The working folder, emptied, with no other demo at work in it."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with (HOME.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = str(HOME.absolute())
            raise ReactorError("another demo is at work", where=where, hint="end it") from None
        if HOME.exists():
            shutil.rmtree(HOME)
        feed.prepare()
        yield


@dataclass(slots=True)
class Performance:
    """One run of the demo."""

    settings: Settings
    once: bool
    as_json: bool
    port_given: bool
    failed: bool = False
    done: Round = field(default_factory=Round)
    claims: list[Claim] = field(default_factory=lambda: [])

    async def run(self) -> None:
        """Starts everything, plays, and sums up."""
        began = time.monotonic()
        stopwatch = Stopwatch()
        definition = stopwatch.around(pipeline.definition())
        stage = Stage(definition.graph, stopwatch)
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(broker.broker(HOME, feed.TOPIC))
            chosen = self.settings.model_copy(update={"kafka": address})
            listening, remark = self._listen()
            service = await stack.enter_async_context(running(definition, chosen, listening))
            source = await stack.enter_async_context(feed.feed(address))
            theatre = Theatre(stage, service.url, self.as_json)
            await _until_up(service)
            epilogue.introduce(theatre, address, time.monotonic() - began, remark)
            async with anyio.create_task_group() as tasks:
                await tasks.start(_listen_to_news, service, stage)
                await tasks.start(heed_signals, tasks.cancel_scope.cancel)
                with theatre.open():
                    director = Director(stage, theatre, source, service.read, self.done)
                    await self._play(director, tasks)
                tasks.cancel_scope.cancel()
            await self._sum_up(theatre)

    def _listen(self) -> tuple[socket.socket, str]:
        host, port = self.settings.host, self.settings.port
        try:
            return listen(host, port), ""
        except SettingsError:
            if self.port_given:
                raise
            return listen(host, 0), f"port {port} is in use, so another is taken"

    async def _play(self, director: Director, tasks: anyio.abc.TaskGroup) -> None:
        await director.play_round()
        self.claims = await claims(self.done, director.read)
        self.failed = any(claim.against for claim in self.claims)
        if self.once:
            return
        if not self.as_json:
            epilogue.show_claims(director.theatre, self.claims)
        tasks.start_soon(director.tell_others)
        await director.play_on()

    async def _sum_up(self, theatre: Theatre) -> None:
        sizes = await to_thread.run_sync(table_sizes) if RESULTS.exists() else {}
        if self.as_json:
            show_json(epilogue.summary(self.done, self.claims, sizes, not self.failed))
            return
        if self.once:
            epilogue.show_claims(theatre, self.claims)
        epilogue.show(theatre, self.done, sizes, self.once)


async def _listen_to_news(
    service: Service, stage: Stage, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    async with service.host.news() as news:
        task_status.started()
        async for item in news:
            stage.take(item)


async def _until_up(service: Service) -> None:
    """Waits until every sensor listens."""
    posts = service.host.intake.posts.values()
    with anyio.move_on_after(PATIENCE_S):
        while True:
            if all(post.health.up for post in posts):
                return
            await anyio.sleep(0.01)
    why = "; ".join(f"{post.name}: {post.health.why}" for post in posts if not post.health.up)
    raise ReactorError(f"not every sensor came up: {why}", hint=f"see {HOME}/service.log")
