"""Looking at the machine's processes, to see what is left of something."""

import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 30


def marked(variable: str, value: str) -> dict[int, str]:
    """The processes that inherited `variable=value`, each with its command line."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"{variable}={value}".encode() in environment and line:
                found[int(entry.name)] = line.strip()
    return found


def facts(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on, which is the third."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def alive(pid: int) -> bool:
    """Whether there is such a process, and not only what its parent has yet to take note of."""
    try:
        return facts(pid)[0] != "Z"
    except OSError:
        return False


_servers: set[int] = set()


def children() -> list[int]:
    """The processes that this one has started and not ended, since `disregard_servers`."""
    return [pid for pid in _all_children() if pid not in _servers]


def disregard_servers() -> None:
    """Leaves out of `children` what the test session has started before: its servers."""
    _servers.update(_all_children())


def _all_children() -> list[int]:
    lists = Path("/proc/self/task").glob("*/children")
    return [int(pid) for each in lists for pid in each.read_text().split()]


def memory_kib() -> int:
    """What this process holds in memory now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def opened() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def until(condition: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Waits for a condition; fails after so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:g} s"
        time.sleep(0.01)
