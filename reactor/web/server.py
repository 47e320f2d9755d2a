"""Listening: one socket, one application, ended by cancellation and by no signal of its own."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import uvicorn
from anyio.abc import TaskStatus
from fastapi import FastAPI

from reactor.core.errors import SettingsError

GRACE = 3
"""Seconds that requests under way have to end in."""

MOST_AT_ONCE = 500


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises: SettingsError if that cannot be had, naming the port and what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"cannot listen on {host}: {error}", hint="set REACTOR_HOST or --host"
        ) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise _refused(host, port, error) from error
    return listening


def _refused(host: str, port: int, error: OSError) -> SettingsError:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8321
        return SettingsError(
            f"port {port} on {host} is in use",
            hint=f"stop what has it, or choose another: --port {other} or REACTOR_PORT={other}",
        )
    if error.errno == errno.EACCES:
        return SettingsError(
            f"this user may not listen on port {port}",
            hint="choose one above 1023: --port or REACTOR_PORT",
        )
    return SettingsError(
        f"cannot listen on {host}, port {port}: {error.strerror or error}",
        hint="set REACTOR_HOST and REACTOR_PORT",
    )


def url(listening: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Uvicorn, without its signal handlers and without its ten wake-ups a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = anyio.Event()
        self._leave = anyio.Event()

    def leave(self) -> None:
        self.should_exit = True
        self._leave.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, *args: Any, **options: Any) -> None:
        await super().startup(*args, **options)
        self.up.set()

    async def main_loop(self) -> None:
        # A tick renews the Date header.
        while not await self.on_tick(0):
            with anyio.move_on_after(1):
                await self._leave.wait()


async def serve(
    app: FastAPI,
    listening: socket.socket,
    *,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serves `app` until cancelled; reports its URL once it answers.

    Cancellation stops listening, ends the live streams, and gives requests under way `GRACE`
    seconds.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_AT_ONCE,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listening])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            await server.up.wait()
            task_status.started(url(listening))
            await anyio.sleep_forever()
        finally:
            app.state.closing.set()
            server.leave()
