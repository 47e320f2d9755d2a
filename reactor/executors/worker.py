"""A worker process: does one job after the other until the service closes its socket.

`main` runs with its output on descriptors 1 and 2 and a socket to the service as descriptor 3. It
takes `{"job": ...}` and answers, after any number of `{"log"}`, `{"line"}` and `{"progress"}`, with
one `{"value"}` or `{"error"}`; `left` there says whether the function left processes behind, so
that this worker must not be used again.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import inspect
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from reactor.core.event import Event
from reactor.executors import reference, wire
from reactor.executors.reference import Reference

CHANNEL = 3
_PR_SET_CHILD_SUBREAPER = 36
_TRACEBACK_CHARACTERS = 32_768


class Stopped(SystemExit):
    """The service wants this process to end: `finally` blocks run, then it does."""


class Channel:
    """The socket to the service; any thread may send."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._frames = connection, wire.Frames()
        self._sending = threading.Lock()

    def messages(self) -> Iterator[dict[str, Any]]:
        while data := self._connection.recv(1 << 18):
            yield from self._frames.feed(data)

    def send(self, message: dict[str, Any]) -> None:
        data = wire.frame(message)
        with self._sending:
            self._connection.sendall(data)


class Log:
    """`context.log`: what is said here is logged by the service."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def debug(self, event: str, **about: Any) -> None:
        self._say("debug", event, about)

    def info(self, event: str, **about: Any) -> None:
        self._say("info", event, about)

    def warning(self, event: str, **about: Any) -> None:
        self._say("warning", event, about)

    def error(self, event: str, **about: Any) -> None:
        self._say("error", event, about)

    def exception(self, event: str, **about: Any) -> None:
        self._say("error", event, {**about, "exception": traceback.format_exc()})

    def _say(self, level: str, event: str, about: Mapping[str, Any]) -> None:
        plain = {name: _shown(value) for name, value in about.items()}
        self._channel.send({"log": [level, str(event), plain]})


@dataclass(frozen=True, slots=True)
class Context:
    """What a function gets as `context`: the service's own, less what cannot leave it."""

    channel: Channel = field(repr=False)
    log: Log = field(repr=False)
    run: int = 0
    runs: tuple[int, ...] = ()
    step: int = 0
    asset: str = ""
    partition: str | None = None
    attempt: int = 0
    run_key: str = ""
    causes: tuple[Event, ...] = ()
    previous: Any = None
    connections: Mapping[str, str] = field(default_factory=lambda: {}, repr=False)
    because: str = ""
    changed: Mapping[str, Sequence[str] | None] = field(default_factory=lambda: {})
    window: Any = None

    def progress(self, done: float, of: float | None = None, text: str = "") -> None:
        """Says how far the work is."""
        self.channel.send({"progress": [done, of, text]})

    def connection(self, name: str) -> str:
        """The URL of a connection that the settings name.

        Raises: KeyError naming the connections there are.
        """
        if name not in self.connections:
            known = ", ".join(sorted(self.connections)) or "none"
            raise KeyError(f"no connection {name} in the settings; there are: {known}")
        return self.connections[name]


class _LogLines(logging.Handler):
    """What libraries log, as lines of the step's output."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(logging.INFO)
        self._channel = channel
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send({"line": self.format(record)})


def main() -> None:
    """Works until the socket closes."""
    faulthandler.enable()
    signal.signal(signal.SIGTERM, _stop)
    # What a job orphans becomes this process's child, where it can be noticed.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.set_inheritable(CHANNEL, False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    channel = Channel(socket.socket(fileno=CHANNEL))
    logging.getLogger().addHandler(_LogLines(channel))
    logging.getLogger().setLevel(logging.INFO)
    folder, environment = os.getcwd(), dict(os.environ)
    for message in channel.messages():
        channel.send(_answer(channel, message["job"]))
        _put_back(folder, environment)


def _answer(channel: Channel, job: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = {"value": _packed(_carry_out(channel, job))}
    except Stopped:
        raise
    except BaseException as error:  # noqa: BLE001  a user's code, and sys.exit is no way out either
        answer = {"error": _told(error)}
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed or replaced by the user's code
            stream.flush()
    return {**answer, "left": _has_children()}


def _carry_out(channel: Channel, job: dict[str, Any]) -> Any:
    if sys.path != job["path"]:
        sys.path[:] = job["path"]
    os.environ.update(job["env"])
    if job["cwd"] is not None:
        os.chdir(job["cwd"])
    function = reference.resolve(Reference(*job["function"]))
    if not inspect.isroutine(function):
        function = getattr(function, "function", function)
    arguments = {name: wire.unpack(packed, load=True) for name, packed in job["arguments"].items()}
    if "context" in job:
        about = {name: wire.unpack(packed, load=True) for name, packed in job["context"].items()}
        if "causes" not in about:
            about["causes"] = arguments[job["causes"]]
        arguments["context"] = Context(channel, Log(channel), **about)
    value = function(**arguments)
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def _packed(value: Any) -> wire.Packed:
    """The value, if it can be sent.

    Raises: TypeError saying what was returned, and what to return.
    """
    try:
        packed = wire.pack(value)
        wire.frame({"value": packed})
    except (TypeError, ValueError):
        raise TypeError(
            f"returned {type(value).__name__}, which is not JSON data: "
            "return a handle (a path, a table name, an id, a count)"
        ) from None
    return packed


def _told(error: BaseException) -> dict[str, str]:
    """An error as text; of the traceback, what lies in the user's code."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in (
        __file__,
        reference.__file__,
    ):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    return {
        "type": type(error).__name__,
        "message": _text(error),
        "traceback": "".join(lines).rstrip()[-_TRACEBACK_CHARACTERS:],
    }


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"asked to exit with {error.code!r}"
    try:
        return str(error)
    except Exception as unprintable:  # noqa: BLE001  a user's __str__, as an error is told
        return f"(its message could not be printed: {type(unprintable).__name__})"


def _put_back(folder: str, environment: dict[str, str]) -> None:
    """Undoes what a job did to the folder and the environment."""
    os.chdir(folder)
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _shown(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def _stop(number: int, frame: Any) -> NoReturn:
    raise Stopped(128 + number)
