"""How a process ended, in words."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a process and of everything it started.

    `status` is its exit code, or the signal that ended it as a negative number; None if nobody saw
    it end. `refused` says why it could not be started, and `what` could not be (a program, a
    folder). `left` counts what it left behind and was ended for it.
    """

    status: int | None = None
    refused: str = ""
    what: str = ""
    left: int = 0

    def __str__(self) -> str:
        if self.refused:
            return f"could not be started: {self.what}: {self.refused}"
        if self.status is None:
            return "was lost: the process that watched over it was killed"
        if self.status >= 0:
            return f"exited with {self.status}"
        return f"was killed by {_signal_name(-self.status)}"


class OutOfMemory:
    """Notices when the kernel has killed something for want of memory.

    The count is the machine's, not one process's: with a SIGKILL that nobody here sent, it is as
    good as certain. Source: proc(5), /proc/vmstat, `oom_kill`.
    """

    def __init__(self) -> None:
        self._seen = _kills()

    def explains(self, ending: Ending) -> bool:
        """Whether memory ran out since the last time this was asked."""
        if ending.status != -signal.SIGKILL:
            return False
        before, self._seen = self._seen, _kills()
        return self._seen > before


def _kills() -> int:
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
