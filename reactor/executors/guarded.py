"""Starting processes that cannot outlive the service: the service's side of warden.py."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
from anyio import CancelScope, move_on_after, to_thread

from reactor.executors.ending import Ending

_WARDEN = Path(__file__).with_name("warden.py")
_LEAVES_WITHIN_S = 2.0
_MORE_TRIES = 2
AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to start: found by the PATH of `env`, never through a shell."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str

    def encoded(self) -> bytes:
        env = {name: str(value) for name, value in self.env.items()}
        launch = {"argv": [str(word) for word in self.argv], "env": env, "cwd": str(self.cwd)}
        body = json.dumps(launch).encode()
        return struct.pack(">I", len(body)) + body


@dataclass(frozen=True, slots=True)
class Running:
    """A process at work: with `started`, clock ticks since boot, its pid names it for good."""

    program: str
    pid: int
    started: int


class Guarded:
    """A started process, and all that it starts.

    `pid` and `started` (clock ticks since boot, as in /proc/PID/stat) are its identity; both are 0
    if it could not be started. `ending` is None until nothing of it is left.
    """

    def __init__(self, control: socket.socket) -> None:
        self.pid = self.started = 0
        self.ending: Ending | None = None
        self.on_end: Callable[[], None] = lambda: None
        """Called when it ends, unless it already has."""
        self._control = control
        self._unread = self._unsent = b""
        self._sent = False
        self._begun, self._over = anyio.Event(), anyio.Event()
        self._loop = asyncio.get_running_loop()
        control.setblocking(False)
        self._loop.add_reader(control, self._read)

    @property
    def never_begun(self) -> bool:
        """Whether its ward was killed before it could start anything."""
        return self.pid == 0 and self.ending == Ending()

    async def ended(self) -> Ending:
        """How it ended, once nothing of it is left. Cancelling this stops nothing."""
        await self._over.wait()
        assert self.ending is not None
        return self.ending

    async def stop(self, grace: timedelta) -> Ending:
        """Asks all of it to end, and waits until nothing is left."""
        self.ask_to_stop(grace)
        return await self.ended()

    def ask_to_stop(self, grace: timedelta) -> None:
        """SIGTERM to all of it, and after `grace` SIGKILL to what is left."""
        if self.ending is not None:
            return
        try:
            if not self._sent:
                raise BrokenPipeError("half a launch must not be followed by anything else")
            self._control.send(f"{grace.total_seconds():f}\n".encode())
        except OSError:
            # To close this direction says "at once", whoever reads there by now.
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)

    def prepare(self, launch: Launch) -> None:
        """Sends as much of the launch as goes at once, so that nobody has to wait for it."""
        self._unsent = launch.encoded()
        self._unsent = self._unsent[self._control.send(self._unsent) :]

    async def begin(self) -> None:
        """Sends the rest of it; returns when it has been started or refused."""
        if self._unsent:
            await self._loop.sock_sendall(self._control, self._unsent)
        self._sent = True
        await self._begun.wait()

    def _read(self) -> None:
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        if not data:
            self._end(Ending())

    def _take(self, news: Mapping[str, Any]) -> None:
        if "pid" in news:
            self.pid, self.started = news["pid"], news["started"]
            self._begun.set()
        elif "refused" in news:
            self._end(Ending(refused=news["refused"], what=news["what"]))
        else:
            self._end(Ending(news["status"], left=news["left"]))

    def _end(self, ending: Ending) -> None:
        if self.ending is None:
            self.ending = ending
            self._loop.remove_reader(self._control)
            self._control.close()
            self._begun.set()
            self._over.set()
            self.on_end()


class Warden:
    """Starts processes. Its own comes with the first of them, and is replaced if it was killed."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._pid = 0
        self._starting = anyio.Lock()

    async def start(self, launch: Launch, descriptors: Sequence[int]) -> Guarded:
        """A process whose stdin is empty and whose descriptors 1, 2, 3 ... are those given.

        One that could not be started has ended, refused. If this is cancelled, nothing is left.

        Raises: OSError if not even the warden could be started.
        """
        process = await self._start(launch, descriptors)
        for _ in range(_MORE_TRIES):
            if process.never_begun:
                process = await self._start(launch, descriptors)
        return process

    async def aclose(self) -> None:
        """Lets the warden go, which ends once nothing that it started is left."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            with move_on_after(_LEAVES_WITHIN_S):
                await _ended(self._pid)

    async def _start(self, launch: Launch, descriptors: Sequence[int]) -> Guarded:
        ours, theirs = socket.socketpair()
        process = Guarded(ours)
        try:
            with theirs:
                process.prepare(launch)
                await self._hand_over([theirs.fileno(), *descriptors])
            await process.begin()
        except ConnectionError:
            await process.ended()
        except BaseException:
            with CancelScope(shield=True):
                await process.stop(AT_ONCE)
            raise
        return process

    async def _hand_over(self, descriptors: Sequence[int]) -> None:
        async with self._starting:
            if self._socket is None:
                await self._replace()
            try:
                await self._send(descriptors)
            except ConnectionError:
                await self._replace()
                await self._send(descriptors)

    async def _send(self, descriptors: Sequence[int]) -> None:
        assert self._socket is not None
        while True:
            try:
                socket.send_fds(self._socket, [b"."], descriptors)
                return
            except BlockingIOError:
                await anyio.wait_writable(self._socket)

    async def _replace(self) -> None:
        await self.aclose()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs, CancelScope(shield=True):
                self._pid = await to_thread.run_sync(_start_warden, theirs.fileno())
        except OSError:
            ours.close()
            raise
        self._socket = ours


def _start_warden(stdin: int) -> int:
    if sys.platform != "linux":
        raise OSError("only Linux can promise that nothing outlives the service")
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", str(_WARDEN), str(os.getpid())],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        ],
    )


async def _ended(pid: int) -> None:
    """Waits for a child of this process and forgets it."""
    with suppress(OSError):
        death = os.pidfd_open(pid)
        try:
            await anyio.wait_readable(death)
        finally:
            os.close(death)
    _reap(pid)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
