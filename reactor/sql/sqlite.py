"""SQLite: rows are replaced in one transaction; the answer waits in a temporary table."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy.engine import make_url

from reactor.core.errors import StepError
from reactor.sql.parameter import filled
from reactor.sql.writing import NEW, Order, Stop, belongs, missing, quoted, strays

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PATIENCE = 0.05
"""Seconds between two looks at a database that somebody else is writing."""


class SqliteWriting:
    """Fulfils `reactor.sql.writing.Writing`."""

    backend: ClassVar[str] = "sqlite"

    def __init__(self, order: Order) -> None:
        self._order = order
        self._stop = Stop()
        self._connection: sqlite3.Connection | None = None

    def perform(self) -> int:
        path = make_url(self._order.url).database or ":memory:"
        if path == ":memory:":
            raise StepError("a SQLite database in memory ends with the step", hint="name a file")
        try:
            connection = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise StepError(f"{path}: {error}") from error
        self._connection = connection
        try:
            self._stop.wait(0)
            return self._replace(connection)
        except sqlite3.Error as error:
            raise StepError(str(error)) from error
        finally:
            self._connection = None
            connection.close()

    def interrupt(self) -> None:
        self._stop.ask()
        connection = self._connection
        if connection is not None:
            try:
                connection.interrupt()
            except sqlite3.ProgrammingError:
                return

    def _replace(self, connection: sqlite3.Connection) -> int:
        order = self._order
        given = {name: _plain(value) for name, value in order.values.items()}
        text, values = filled(order.statement.sql, order.statement.dialect, given, ":{}")
        self._patiently(connection, f"CREATE TEMPORARY TABLE {NEW} AS {text}", values)
        columns = self._columns(connection, f"temp.{NEW}")
        table = quoted(order.statement.table)
        self._patiently(connection, "BEGIN IMMEDIATE")
        try:
            before = self._columns(connection, order.statement.table)
            if order.replaces_a_part:
                self._clear_part(connection, table, columns, before)
            elif before:
                connection.execute(f"DELETE FROM {table}")
            self._shape(connection, table, before, columns)
            listed = ", ".join(quoted(name) for name in columns)
            insert = f"INSERT INTO {table} ({listed}) SELECT {listed} FROM temp.{NEW}"
            count = connection.execute(insert).rowcount
            self._patiently(connection, "COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise
        return count

    def _clear_part(
        self,
        connection: sqlite3.Connection,
        table: str,
        columns: dict[str, str],
        before: dict[str, str],
    ) -> None:
        column = self._order.statement.partition_column
        if column not in columns:
            raise missing(self._order)
        part, given = belongs(self._order, before.get(column) or columns[column], "?")
        values = [_plain(value) for value in given]
        stray = f"SELECT count(*) FROM temp.{NEW} WHERE ({part}) IS NOT TRUE"
        if count := connection.execute(stray, values).fetchone()[0]:
            raise strays(self._order, count)
        if before:
            connection.execute(f"DELETE FROM {table} WHERE {part}", values)

    def _shape(
        self,
        connection: sqlite3.Connection,
        table: str,
        before: dict[str, str],
        columns: dict[str, str],
    ) -> None:
        """Makes the table's columns those of the answer; other partitions lose none."""
        if not before:
            connection.execute(f"CREATE TABLE {table} AS SELECT * FROM temp.{NEW} LIMIT 0")
            return
        for name, type_ in columns.items():
            if name not in before:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {type_}")
        if not self._order.replaces_a_part:
            for name in before:
                if name not in columns:
                    connection.execute(f"ALTER TABLE {table} DROP COLUMN {quoted(name)}")

    def _columns(self, connection: sqlite3.Connection, table: str) -> dict[str, str]:
        schema, _, name = table.rpartition(".")
        asked = "SELECT name, lower(type) FROM pragma_table_info(?, ?)"
        return dict(self._patiently(connection, asked, [name, schema or "main"]))

    def _patiently(self, connection: sqlite3.Connection, text: str, values: Any = ()) -> list[Any]:
        """Carries out a statement, again and again while somebody else holds the lock."""
        while True:
            try:
                return connection.execute(text, values).fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (
                    sqlite3.SQLITE_BUSY,
                    sqlite3.SQLITE_LOCKED,
                ):
                    raise
            self._stop.wait(_PATIENCE)


def _plain(value: Any) -> Any:
    """Dates as SQLite's own functions write them."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else value
