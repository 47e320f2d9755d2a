"""The installed service as a process of its own, as its users run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PIPELINES = Path(__file__).with_name("pipelines")
READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is ready. `ready_seconds` is from its start as a process."""

    url: str
    pid: int
    ready_seconds: float


@contextmanager
def serving(pipeline: str, folder: Path, **env: str) -> Iterator[Running]:
    """Serves `pipelines/<pipeline>.py` with its working directory in `folder`."""
    log = folder / "service.log"
    argv = [sys.executable, "-m", "reactor.cli", "serve", str(PIPELINES / f"{pipeline}.py")]
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**_environment(), "REACTOR_PORT": "0", "REACTOR_LOG": "info", **env},
            stdout=out,
            stderr=out,
        )
    try:
        url = _until_ready(process, log)
        yield Running(url, process.pid, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _environment() -> dict[str, str]:
    """Ours, with compiled modules kept as they are for everybody else."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + READY_SECONDS
    url = ""
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        url = url or _listening(log)
        if url and _ready(url):
            return url
        time.sleep(0.005)
    raise RuntimeError(f"the service did not become ready:\n{log.read_text()[-2000:]}")


def _listening(log: Path) -> str:
    for line in log.read_text().splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if said.get("message") == "listening":
            return str(said["url"])
    return ""


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
