"""A server process: started, waited for, ended, and started again on the same port."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.servers.errors import ServerFailed
from tests.servers.reaper import reaper

_POLL = 0.05
# Below the range that the kernel hands out to outgoing connections: otherwise a client that keeps
# reconnecting to a stopped server can be given the server's own port, and connect to itself.
_PORTS = range(20_000, 30_000)


class Process:
    """One server, in a process group and a folder of its own, with its output in a log there.

    Args:
        name: what error messages call it.
        user: whom it runs as, when it refuses to run as root.

    Restart: the folder is kept until `close`, so that what is stored there survives `stop`, `kill`
    and `start`.
    """

    def __init__(self, name: str, *, user: str | None = None) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"reactor-test-{name.split()[0].lower()}-"))
        reaper.watch("folder", self.folder)
        self._user = user
        self._group = None if user is None else pwd.getpwnam(user).pw_gid
        self._groups = None if user is None else ()
        if user is not None:
            shutil.chown(self.folder, user)
        self._log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, argv: Sequence[str | Path]) -> None:
        """Run a command to its end, as the server's user.

        Raises:
            ServerFailed: it exited with an error.
        """
        with self._log.open("ab") as log:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._group,
                extra_groups=self._groups,
                check=False,
            )
        if done.returncode:
            raise self.failed(f"could not be set up ({Path(argv[0]).name}: {done.returncode})")

    def start(
        self,
        argv: Sequence[str | Path],
        ready: Callable[[], bool],
        *,
        within: float = 60,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the server and return when `ready` says so.

        Args:
            within: seconds.

        Raises:
            ServerFailed: it ended, or was not ready in time.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                user=self._user,
                group=self._group,
                extra_groups=self._groups,
            )
        reaper.watch("group", self._process.pid)
        deadline = time.monotonic() + within
        while not ready():
            if self._process.poll() is not None:
                raise self.failed(f"ended with {self._process.returncode} while starting")
            if time.monotonic() > deadline:
                self.kill()
                raise self.failed(f"was not ready within {within:g} s")
            time.sleep(_POLL)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send_signal(self, how: signal.Signals) -> None:
        """Send the server itself a signal."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        self._process.send_signal(how)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, within: float = 30) -> None:
        """Ask the server to end; kill it if it has not within so many seconds."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        self.kill()

    def kill(self) -> None:
        """End the server and all that it started, at once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        reaper.forget("group", self._process.pid)
        self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        reaper.forget("folder", self.folder)

    def failed(self, what: str) -> ServerFailed:
        """The error that says what went wrong, with the end of the log."""
        lines = self._log.read_text(errors="replace").splitlines()
        return ServerFailed(self.name, what, "\n".join(lines[-30:]) or "(empty)")


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port found in {_PORTS}")


def listening(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
