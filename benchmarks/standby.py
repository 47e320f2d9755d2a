"""What it costs to stand by: a hundred assets, and nothing happens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.service import serving

SECONDS = 60
READY, CPU, MEMORY = 1.5, 1.5, 100


def measure(folder: Path, seconds: float = SECONDS) -> Iterator[Figure]:
    """Start-up, memory and CPU of one process."""
    for number in range(3):
        (folder / f"in{number}").mkdir()
    with serving("hundred", folder):
        pass  # the first start makes the store and the bytecode
    with serving("hundred", folder) as service:
        yield Figure(
            "ready, from the start of the process",
            f"{service.ready_seconds:.2f} s",
            f"< {READY} s",
            service.ready_seconds < READY,
        )
        time.sleep(3)
        before = _cpu(service.pid)
        time.sleep(seconds)
        share = (_cpu(service.pid) - before) / seconds * 100
        memory = _memory(service.pid)
    what = f"CPU while idle for {seconds:.0f} s: 100 assets, 13 sensors"
    yield Figure(what, f"{share:.2f} % of a core", f"< {CPU} %", share < CPU)
    yield Figure("memory (RSS) while idle", f"{memory:.0f} MB", f"< {MEMORY} MB", memory < MEMORY)


def _cpu(pid: int) -> float:
    """Seconds of processor time so far, user and system, in all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"process {pid} has no VmRSS")
