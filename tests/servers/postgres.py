"""PostgreSQL: Debian's package, with a fresh cluster for each test session."""

import os
import pwd
import shutil
import signal
from contextlib import suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.servers.errors import ServerMissing
from tests.servers.process import Process, free_port, listening

PACKAGES = ("postgresql",)
_USER = "reactor"


def programs() -> Path | None:
    """The folder with `initdb` and `postgres` of the newest version here."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parts[-3]), default=None)
    return None if newest is None else newest.parent


class Postgres:
    """A PostgreSQL server on 127.0.0.1 that trusts every connection.

    Every method blocks: from a coroutine, call it with `anyio.to_thread.run_sync`.

    Restart: data is kept; `kill` is a crash that the server recovers from at the next `start`.

    Raises:
        ServerMissing: it is not installed.
    """

    def __init__(self) -> None:
        found = programs()
        if found is None:
            raise ServerMissing("PostgreSQL", PACKAGES)
        self.programs = found
        self.port = free_port()
        self._process = Process("PostgreSQL", user=unprivileged())
        self._data = self._process.folder / "data"
        self._names = count(1)
        # Only the making of the empty cluster goes without fsync; the server itself syncs.
        initdb = [found / "initdb", "-D", self._data, "-U", _USER, "-A", "trust", "--no-sync"]
        self._process.run([*initdb, "-E", "UTF8", "--locale=C.UTF-8"])
        self.start()

    @property
    def url(self) -> str:
        """The address of the database that is there from the start."""
        return self._url("postgres")

    def database(self) -> str:
        """Make an empty database; return its address."""
        import psycopg

        name = f"test_{next(self._names)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url(name)

    def start(self) -> None:
        """Start the server and return when it accepts connections."""
        argv = [self.programs / "postgres", "-D", self._data, "-p", str(self.port)]
        options = ["-h", "127.0.0.1", "-k", "", "-c", "max_connections=200"]
        self._process.start([*argv, *options], self._ready)

    def stop(self) -> None:
        """Shut down in order, ending the clients that are connected."""
        self._process.stop(signal.SIGINT)

    def kill(self) -> None:
        """End the server as a power cut would."""
        self._process.kill()

    def restart(self) -> None:
        """Shut down in order and start again on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it for good and remove its data."""
        # At once: what it would write to disk now is removed next.
        self._process.stop(signal.SIGQUIT)
        self._process.close()

    def _url(self, database: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def _ready(self) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return listening(self.port)
        return False


class Standby:
    """A copy of a server that follows it and can only be read, until it is promoted."""

    def __init__(self, primary: Postgres) -> None:
        programs = (primary.programs / "postgres").resolve().parent
        self.port = free_port()
        self._process = Process("PostgreSQL standby", user=unprivileged())
        data = self._process.folder / "data"
        source = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", _USER]
        copy = [programs / "pg_basebackup", "-D", data, "--write-recovery-conf", "--no-sync"]
        self._process.run([*copy, "--checkpoint=fast", *source])
        options = ["-h", "127.0.0.1", "-k", "", "-c", "max_connections=200", "-c", "fsync=off"]
        argv = [programs / "postgres", "-D", data, "-p", str(self.port)]
        self._process.start([*argv, *options], self._ready)

    def url(self, of: str) -> str:
        """Where the database is that has this address on the primary."""
        found = urlsplit(of)
        return urlunsplit(found._replace(netloc=f"{_USER}@127.0.0.1:{self.port}"))

    def close(self) -> None:
        """Stop it and remove its data."""
        self._process.stop(signal.SIGQUIT)
        self._process.close()

    def _ready(self) -> bool:
        import psycopg

        url = f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres"
        with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
            return True
        return False


def installed() -> bool:
    """Whether the server's programs are here."""
    return programs() is not None


def unprivileged() -> str | None:
    """Whom to run as, since the server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"
