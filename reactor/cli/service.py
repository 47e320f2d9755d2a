"""The whole service, put together: store, executors, host, API and page on one port."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from reactor import logs
from reactor.executors.local import local
from reactor.host import Host, Options
from reactor.host.loop import Retention
from reactor.pipeline import Definition
from reactor.settings import Settings
from reactor.sql.statement import Statement
from reactor.store import Reading, open_store
from reactor.web.app import create_app
from reactor.web.hosted import Hosted
from reactor.web.server import listen, serve
from reactor.web.service import WebSettings


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs: its host, its store to read, and where it is found."""

    host: Host
    read: Reading
    url: str


def prepare(definition: Definition, settings: Settings) -> None:
    """Makes the settings hold for what reads them elsewhere, and checks what can be checked now.

    A SQL asset whose connection the settings lack is only warned of: the others can go on.

    Raises: SettingsError if a sensor would not know where to listen.
    """
    if settings.token is not None:
        logs.hide(settings.token.get_secret_value())
    if settings.kafka:
        os.environ["REACTOR_KAFKA"] = settings.kafka
    for sensor in definition.graph.sensors.values():
        servers: Any = getattr(sensor, "servers", None)
        if servers is not None:
            servers()
    for name, work in definition.works.items():
        if isinstance(work.function, Statement):
            wanted = work.function.database
            if "://" not in wanted and wanted not in settings.connections:
                logs.logger().warning("no such connection", asset=name, connection=wanted)


@asynccontextmanager
async def running(
    definition: Definition, settings: Settings, listening: socket.socket | None = None
) -> AsyncIterator[Service]:
    """The service, started; it is stopped in an orderly way when the block ends.

    When the service ends by itself the block is cancelled; when it fails, so that the error comes
    out. Raises: SettingsError, StoreError and what else keeps it from starting.
    """
    token = settings.token.get_secret_value() if settings.token is not None else None
    web = WebSettings(settings.host, settings.port, token)
    prepare(definition, settings)
    async with AsyncExitStack() as stack:
        listening = listening or listen(web.host, web.port)
        stack.callback(listening.close)
        store = await stack.enter_async_context(open_store(settings.store))
        wanted = {work.executor for work in definition.works.values()}
        executors = await stack.enter_async_context(local(wanted))
        host = Host(definition, store, executors, log=logs.logger(), options=_options(settings))
        app = create_app(Hosted(host, store), web)
        async with anyio.create_task_group() as tasks:
            url = await tasks.start(serve, app, listening)
            tasks.start_soon(_host, host, tasks)
            await host.started.wait()
            _spare_the_collector()
            yield Service(host, store.read, url)
            host.stop()


def _spare_the_collector() -> None:
    """What was loaded stays: the garbage collector need not look at it again and again.

    Measured: a third of the time per Kafka record was spent on that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _host(host: Host, tasks: TaskGroup) -> None:
    await host.run()
    tasks.cancel_scope.cancel()


async def heed_signals(
    stop: Callable[[], object], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process as it would any.

    Start it before anything else: a signal that comes meanwhile is not lost.
    """
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            logs.logger().info("asked to stop", signal=signal.Signals(number).name)
            stop()
            return


def _options(settings: Settings) -> Options:
    retain = Retention(settings.retention_events, settings.retention_runs)
    return Options(settings.slots, retain, settings.grace, settings.connections, settings.catch_up)
