"""Makes sure that no server outlives the tests, however they end.

One small process waits on a pipe that only the test process holds. When that process is gone,
killed or not, the pipe closes, and the reaper ends the servers still named to it and removes
their folders. The kernel's own parent-death signal will not do: it fires when the *thread* that
started the child ends, and tests restart servers from worker threads.
"""

import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from os import killpg
from pathlib import Path
from signal import SIG_IGN, SIGINT, SIGKILL, SIGTERM, signal


class Reaper:
    """The test process's end of the pipe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def watch(self, kind: str, what: int | Path) -> None:
        """Have a process group (`group`) or a folder (`folder`) cleaned up at the end."""
        self._say(f"+{kind} {what}")

    def forget(self, kind: str, what: int | Path) -> None:
        """Leave alone what has been cleaned up already."""
        self._say(f"-{kind} {what}")

    def _say(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", __file__],
                    stdin=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            assert self._process.stdin is not None
            print(line, file=self._process.stdin, flush=True)


def main() -> None:
    """Read what to clean up until the pipe closes, then clean up."""
    signal(SIGINT, SIG_IGN)
    signal(SIGTERM, SIG_IGN)
    left: dict[tuple[str, str], None] = {}
    for line in sys.stdin:
        kind, _, what = line[1:].rstrip("\n").partition(" ")
        if line[0] == "+":
            left[kind, what] = None
        else:
            left.pop((kind, what), None)
    for kind, what in left:
        if kind == "group":
            with suppress(ProcessLookupError):
                killpg(int(what), SIGKILL)
    for kind, what in left:
        if kind == "folder":
            shutil.rmtree(what, ignore_errors=True)


reaper = Reaper()

if __name__ == "__main__":
    main()
