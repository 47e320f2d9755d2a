"""PostgreSQL's own catalogue."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import TextClause

from reactor.core.contract import TableSchema
from reactor.core.errors import SensorRefused
from sensors.schema.catalogue import Inspected, Row, assembled
from sensors.schema.pattern import Tables, like

# All that a schema is, so that a hash over these rows moves exactly when a schema does.
# A partition of a table is where its rows lie, not a table of its own.
_COLUMNS = """
    SELECT n.nspname, t.relname, t.oid::text, c.attnum, c.attname,
           pg_catalog.format_type(c.atttypid, c.atttypmod), NOT c.attnotnull,
           pg_catalog.array_position(k.conkey, c.attnum)
    FROM pg_catalog.pg_class AS t
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
    LEFT JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'p'
    LEFT JOIN pg_catalog.pg_attribute AS c
      ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
    WHERE t.relkind IN ('r', 'p', 'f') AND NOT t.relispartition AND t.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND ({wanted})
"""
_FINGERPRINT = """
    SELECT count(*), sum(pg_catalog.hashtextextended(listed::text, 0)) FROM ({columns}) AS listed
"""
# One transaction sees one state, writes nothing, and holds nobody up for long.
_BEGIN = """
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = '10s';
    SET LOCAL lock_timeout = '1s';
    SET LOCAL idle_in_transaction_session_timeout = '30s'
"""
# A server that is gone without a word is noticed within about ten seconds.
_CONNECT: dict[str, Any] = {
    "application_name": "reactor",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_BUSY = frozenset({"55P03", "57014", "40001", "40P01"})
_HINTS = (
    ("permission denied for database", "GRANT CONNECT ON DATABASE ... TO the role"),
    (
        "permission denied for",
        "the role must be able to read pg_catalog, as every role is at first",
    ),
    ("password authentication failed", "check the user and the password; PGPASSFILE is read too"),
    ("no password supplied", "give a password in the URL, in PGPASSWORD or in PGPASSFILE"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf must let this role in from here"),
)


_FEW = 500
"""So many columns are read as quickly as a hash over them is computed."""


class Postgres(Inspected):
    """A PostgreSQL database, through psycopg.

    Whether anything changed is told by the columns themselves where they are few: then one query
    says that, and what. Where they are many, by a hash that the server computes.
    """

    extra = "postgres"

    def __init__(self, url: URL, tables: Tables) -> None:
        super().__init__(url, tables)
        self.default = "public"
        self._columns = self._asked(f"{_COLUMNS} ORDER BY 1, 2, 4")
        self._hash = self._asked(_FINGERPRINT.format(columns=_COLUMNS))
        self._few = False
        self._read: Sequence[tuple[Any, ...]] | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What the driver is told beyond the URL."""
        own = {name: value for name, value in _CONNECT.items() if name not in self.url.query}
        # A pooler between us and the server may hand each transaction to another session.
        return {**own, "prepare_threshold": None}

    def engine(self) -> Engine:
        try:
            return create_engine(
                self.url.set(drivername="postgresql+psycopg"),
                poolclass=NullPool,
                connect_args=self.arguments,
            )
        except ImportError as error:
            raise SensorRefused(
                "PostgreSQL needs a driver that is not installed",
                hint="pip install 'reactor-orchestrator[postgres]'",
            ) from error

    def connected(self, connection: Connection) -> None:
        """Nothing to ask: a table without a schema is in `public`."""

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql(_BEGIN)

    def fingerprint(self, connection: Connection) -> object | None:
        if self._few:
            self._read = self._listed(connection)
            return self._read
        return tuple(connection.execute(self._hash).one())

    def look(self, connection: Connection) -> dict[str, TableSchema]:
        rows = self._listed(connection) if self._read is None else self._read
        self._read, self._few = None, len(rows) <= _FEW
        return assembled(
            Row(f"{schema}.{table}", identity, number, column, type_ or "", bool(nullable), key)
            for schema, table, identity, number, column, type_, nullable, key in rows
            if self.tables.match(schema, table, self.default)
        )

    def busy(self, error: DBAPIError) -> bool:
        return getattr(error.orig, "sqlstate", None) in _BUSY

    def hint(self, error: DBAPIError) -> str:
        said = str(error.orig)
        return next((hint for part, hint in _HINTS if part in said), "")

    def interrupt(self, driver: Any) -> None:
        try:
            driver.cancel_safe(timeout=1)
        finally:
            # A server that does not even cancel may never answer who still waits for it.
            with socket.socket(fileno=os.dup(driver.fileno())) as connection:
                connection.shutdown(socket.SHUT_RDWR)

    def _listed(self, connection: Connection) -> Sequence[tuple[Any, ...]]:
        return [tuple(row) for row in connection.execute(self._columns)]

    def _asked(self, query: str) -> TextClause:
        """`query` with the globs in it, as LIKE patterns that are bound, not pasted."""
        globs = self.tables.parts(self.default)
        wanted = " OR ".join(
            f"(n.nspname LIKE :schema{at} AND t.relname LIKE :table{at})"
            for at in range(len(globs))
        )
        bound = {
            f"{name}{at}": like(glob)
            for at, parts in enumerate(globs)
            for name, glob in zip(("schema", "table"), parts, strict=True)
        }
        return text(query.replace("{wanted}", wanted)).bindparams(**bound)
