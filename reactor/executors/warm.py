"""One warm worker process, as the service sees it: the other side of worker.py."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio

from reactor.executors import wire
from reactor.executors.guarded import Guarded, Launch, Warden
from reactor.executors.output import Output
from reactor.ports import Job

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from reactor.executors.worker import main; main()"
)


class Worker:
    """One worker process and the service's end of its socket and its output."""

    def __init__(self) -> None:
        self.process: Guarded | None = None
        self.loaded: set[str] = set()
        """The files and modules that it has imported functions from."""
        self._job: Job | None = None
        self._answer: dict[str, Any] | None = None
        self._settled = anyio.Event()
        self._frames = wire.Frames()
        self._loop = asyncio.get_running_loop()
        with ExitStack() as opened:
            self._out = opened.enter_context(closing(Output("stdout", self._emit)))
            self._err = opened.enter_context(closing(Output("stderr", self._emit)))
            self._socket, self._theirs = socket.socketpair()
            opened.enter_context(self._theirs)
            opened.enter_context(self._socket)
            self._socket.setblocking(False)
            self._loop.add_reader(self._socket, self._read)
            opened.callback(self._loop.remove_reader, self._socket)
            self._opened = opened.pop_all()

    @property
    def alive(self) -> bool:
        """Whether it can take a job. Its death may show in /proc before its warden tells of it."""
        if self.process is None or self.process.ending is not None or self._settled.is_set():
            return False
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] not in "ZX"

    async def start(self, warden: Warden) -> None:
        """Starts the process; it may turn out to have ended at once.

        Raises: OSError if not even that could be tried.
        """
        argv = [sys.executable, "-P", "-c", _BOOT, "reactor-worker", json.dumps(sys.path)]
        launch = Launch(argv, os.environ, os.getcwd())
        descriptors = [self._out.inlet, self._err.inlet, self._theirs.fileno()]
        try:
            self.process = await warden.start(launch, descriptors)
        finally:
            self._out.close_inlet()
            self._err.close_inlet()
            self._theirs.close()
        self.process.on_end = self._ended
        if self.process.ending is not None:
            self._ended()

    async def carry_out(self, job: Job, message: bytes) -> dict[str, Any] | None:
        """The answer to the job; None if the worker ended without one."""
        self._job, self._answer = job, None
        self._out.tail.clear()
        self._err.tail.clear()
        try:
            await self._loop.sock_sendall(self._socket, message)
            await self._settled.wait()
        except ConnectionError:
            return None
        self._drain()
        self._job = None
        answer, self._answer = self._answer, None
        if answer is not None:
            self._settled = anyio.Event()
        return answer

    async def stop(self, grace: timedelta) -> None:
        """Ends the process and lets go of everything."""
        if self.process is not None:
            await self.process.stop(grace)
        self._drain()
        self._opened.close()

    def retire(self, grace: timedelta) -> None:
        """Has an idle worker end by itself, and does not wait for it."""
        if self.process is not None:
            self.process.ask_to_stop(grace)
        self._opened.close()

    @property
    def last_lines(self) -> list[str]:
        return list(self._err.tail)

    def _drain(self) -> None:
        self._out.drain()
        self._err.drain()

    def _ended(self) -> None:
        self._settled.set()

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._socket)
            self._settled.set()
        for message in self._frames.feed(data):
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        job = self._job
        if job is None:
            return
        context = job.arguments.get("context")
        if "left" in message:
            self._answer = message
            self._settled.set()
        elif "line" in message:
            job.emit("log", message["line"])
        elif "log" in message and context is not None:
            level, event, about = message["log"]
            getattr(context.log, level)(event, **about)
        elif "progress" in message and context is not None:
            context.progress(*message["progress"])

    def _emit(self, stream: str, line: str) -> None:
        if self._job is not None:
            self._job.emit(stream, line)
