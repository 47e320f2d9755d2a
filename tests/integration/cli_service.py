"""A service started as its users start it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.processes import until

PATIENCE_S = 60


@dataclass
class Served:
    """A process of `reactor serve` and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def lines(self) -> list[dict[str, object]]:
        """What it logged so far."""
        text = self.log.read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    @property
    def url(self) -> str:
        """Where it listens; empty while it does not."""
        return next((str(line["url"]) for line in self.lines if "url" in line), "")

    @property
    def port(self) -> int:
        """The port of its own."""
        return int(self.url.rpartition(":")[2])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stops it; answers its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def served(
    folder: Path, target: str = "pipeline.py", *flags: str, env: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Serves a pipeline of that folder on a free port, until the block ends."""
    with started(folder, ["serve", target, "--port=0", *flags], env) as running:
        until(lambda: running.url or running.process.poll() is not None, within=PATIENCE_S)
        assert running.url, running.log.read_text()
        yield running


@contextmanager
def started(
    folder: Path, arguments: Sequence[str], env: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Starts a command of ours in that folder; whatever it says is in its log."""
    log = folder / f"{arguments[0]}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "reactor.cli", *arguments],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield Served(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)
