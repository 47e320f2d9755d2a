"""pgbouncer: Debian's package, a pooler before one PostgreSQL database."""

import shutil
from contextlib import suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from tests.servers.errors import ServerMissing
from tests.servers.postgres import unprivileged
from tests.servers.process import Process, free_port

PACKAGES = ("pgbouncer",)


class PgBouncer:
    """A pooler on 127.0.0.1 before the database at `behind`; every client is its one user.

    Args:
        mode: for how long a client is lent a session: until it goes, or for a transaction.

    Raises:
        ServerMissing: it is not installed.
    """

    def __init__(self, behind: str, mode: Literal["session", "transaction"]) -> None:
        program = _program()
        if program is None:
            raise ServerMissing("pgbouncer", PACKAGES)
        database = urlsplit(behind)
        port = free_port()
        netloc = f"{database.username}@127.0.0.1:{port}"
        self.url = urlunsplit(database._replace(netloc=netloc))
        self._process = Process("pgbouncer", user=unprivileged())
        users = self._process.folder / "users.txt"
        users.write_text(f'"{database.username}" ""\n')
        config = self._process.folder / "pgbouncer.ini"
        config.write_text(
            f"""
[databases]
{database.path[1:]} = host=127.0.0.1 port={database.port} user={database.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {users}
pool_mode = {mode}
"""
        )
        for file in (users, config):
            file.chmod(0o644)
        self._process.start([program, config], self._ready)

    def close(self) -> None:
        """Stop it and remove what it wrote."""
        self._process.stop()
        self._process.close()

    def _ready(self) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False


def installed() -> bool:
    """Whether the program is here."""
    return _program() is not None


def _program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
