"""Starts a file sensor in a process of its own (files_child.py) and listens to it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from tests.integration.files_desk import DEADLINE


class Child:
    """The process, and every line that it said."""

    def __init__(self, process: Process) -> None:
        self.said: list[dict[str, Any]] = []
        self._process = process

    @property
    def events(self) -> list[tuple[str, str]]:
        """What happened to which file, in order."""
        return [
            (one["event"].removeprefix("file."), os.path.basename(one["subject"]))
            for one in self.said
            if "event" in one
        ]

    @property
    def names(self) -> Counter[str]:
        """How often each file was announced."""
        return Counter(name for _, name in self.events)

    @property
    def log(self) -> list[tuple[str, dict[str, str]]]:
        return [(one["log"], one["about"]) for one in self.said if "log" in one]

    @property
    def health(self) -> list[tuple[bool, str]]:
        return [(one["up"], one["why"]) for one in self.said if "up" in one]

    @asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """The process does not run, nor know of it, until the block ends."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            await self.until(lambda: _state(self._process.pid) == "T")
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    async def until(self, true: Callable[[], Any]) -> None:
        """Waits for a condition; a test fails when it does not come true in time."""
        with anyio.move_on_after(DEADLINE):
            while not true():
                await anyio.sleep(0.02)
            return
        said = [one for one in self.said if "event" not in one]
        raise AssertionError(f"still not after {DEADLINE:g} s; {len(self.events)} events, {said}")

    async def listen(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            raise AssertionError("it cannot be heard")
        left = ""
        async for text in TextReceiveStream(stdout):
            *lines, left = (left + text).split("\n")
            self.said.extend(map(json.loads, lines))


@asynccontextmanager
async def child(pattern: str, *, confined: bool = False, **given: Any) -> AsyncIterator[Child]:
    """A sensor in a process of its own; when the block begins it has looked at everything once."""
    argument = json.dumps({"pattern": pattern, "confined": confined, **given})
    command = [sys.executable, "-m", "tests.integration.files_child", argument]
    async with await anyio.open_process(
        command, stderr=None, cwd=Path(__file__).parents[2]
    ) as process:
        heard = Child(process)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(heard.listen)
                await heard.until(lambda: any("ready" in one for one in heard.said))
                yield heard
                tasks.cancel_scope.cancel()
        finally:
            process.kill()


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
