"""SQLite's own catalogue, read without ever writing to the file or creating it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from reactor.core.contract import TableSchema
from reactor.core.errors import SensorError
from sensors.schema.catalogue import Inspected, Row, assembled, normal

# Virtual tables and the shadow tables behind them are how an index is stored, not data.
_COLUMNS = """
    SELECT t.name, c.cid, c.name, c.type, NOT c."notnull", c.pk
    FROM sqlite_master AS t JOIN pragma_table_xinfo(t.name) AS c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden <> 1
      AND t.sql NOT LIKE 'CREATE VIRTUAL %'
    ORDER BY t.name, c.cid
"""
_BUSY_SECONDS = 2.0


class Sqlite(Inspected):
    """A SQLite file: `PRAGMA schema_version` says cheaply whether anything changed.

    Tables are named without a schema, since there is only `main`. A column that was renamed was
    removed and added, since SQLite does not number its columns.
    """

    def engine(self) -> Engine:
        return create_engine("sqlite://", creator=self._open, poolclass=NullPool)

    def connected(self, connection: Connection) -> None:
        self.default = "main"

    def stale(self) -> bool:
        """Whether the file was replaced; an open connection would go on reading the old one."""
        return self._stat() != self._opened

    def begin(self, connection: Connection) -> None:
        # The driver itself begins nothing before a SELECT, and each would see a state of its own.
        connection.exec_driver_sql("BEGIN")

    def fingerprint(self, connection: Connection) -> object | None:
        return connection.exec_driver_sql("PRAGMA schema_version").scalar_one()

    def look(self, connection: Connection) -> dict[str, TableSchema]:
        rows = connection.exec_driver_sql(_COLUMNS).all()
        return assembled(
            Row(table, None, None, column, normal(type_), bool(nullable), key)
            for table, _, column, type_, nullable, key in rows
            if self.matches(table)
        )

    def matches(self, name: str) -> bool:
        return self.tables.match("main", name, self.default)

    def busy(self, error: DBAPIError) -> bool:
        return "locked" in str(error.orig)

    def interrupt(self, driver: Any) -> None:
        driver.interrupt()

    def _open(self) -> sqlite3.Connection:
        self._opened = self._stat()
        return sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=ro",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    @property
    def _path(self) -> Path:
        return Path(self.url.database or "").absolute()

    def _stat(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise SensorError(
                f"no database at {self.url.database}: {error.strerror}",
                hint="it is looked for again until it is there",
            ) from error
        return found.st_dev, found.st_ino
