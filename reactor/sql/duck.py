"""DuckDB: rows are replaced in one transaction, by one writer of a file at a time.

DuckDB lets one process have a file. In this process, attempts at one file take turns; between them
it is let go of, so that others can look at it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import duckdb
from sqlalchemy.engine import make_url

from reactor.core.errors import StepError
from reactor.sql.parameter import filled
from reactor.sql.writing import NEW, Order, Stop, belongs, missing, quoted, strays

_COLUMNS = """
    SELECT column_name, data_type FROM duckdb_columns()
    WHERE database_name = {} AND lower(table_name) = lower(?) AND lower(schema_name) = lower(?)
    ORDER BY column_index
"""
_TURN = 0.02
"""Seconds between two looks at whether it is this attempt's turn."""
_turns: dict[str, threading.Lock] = {}
_making = threading.Lock()


class DuckWriting:
    """Fulfils `reactor.sql.writing.Writing`."""

    backend: ClassVar[str] = "duckdb"

    def __init__(self, order: Order) -> None:
        self._order = order
        self._stop = Stop()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def perform(self) -> int:
        path = make_url(self._order.url).database or ":memory:"
        if path == ":memory:":
            raise StepError("a DuckDB database in memory ends with the step", hint="name a file")
        turn = _turn(path)
        while not turn.acquire(timeout=_TURN):
            self._stop.wait(0)
        try:
            return self._in_turn(path)
        finally:
            turn.release()

    def interrupt(self) -> None:
        self._stop.ask()
        connection = self._connection
        if connection is not None:
            with suppress(duckdb.Error):
                connection.interrupt()

    def _in_turn(self, path: str) -> int:
        try:
            connection = duckdb.connect(path)
        except duckdb.Error as error:
            hint = "another process may have the file open" if "lock" in str(error) else ""
            raise StepError(_said(error), hint=hint) from error
        self._connection = connection
        try:
            self._stop.wait(0)
            connection.execute("BEGIN")
            count = self._replace(connection)
            connection.execute("COMMIT")
        except duckdb.Error as error:
            raise StepError(_said(error)) from error
        finally:
            # What has not been committed is undone.
            self._connection = None
            connection.close()
        return count

    def _replace(self, connection: duckdb.DuckDBPyConnection) -> int:
        order = self._order
        dialect = order.statement.dialect or "duckdb"
        text, values = filled(order.statement.sql, dialect, order.values, "${}")
        connection.execute(f"CREATE TEMPORARY TABLE {NEW} AS {text}", values or None)
        columns = self._columns(connection, f"temp.{NEW}")
        table = quoted(order.statement.table)
        before = self._columns(connection, order.statement.table)
        if order.replaces_a_part:
            self._clear_part(connection, table, columns, before)
            for name, type_ in columns.items():
                if before and name not in before:
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {type_}")
        elif before == columns:
            connection.execute(f"DELETE FROM {table}")
        if not before or (before != columns and not order.replaces_a_part):
            connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM temp.{NEW} LIMIT 0")
        insert = f"INSERT INTO {table} BY NAME FROM temp.{NEW}"
        done: Any = connection.execute(insert).fetchone()
        return int(done[0])

    def _clear_part(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        columns: dict[str, str],
        before: dict[str, str],
    ) -> None:
        column = self._order.statement.partition_column
        if column not in columns:
            raise missing(self._order)
        type_ = before.get(column) or columns[column]
        part, values = belongs(self._order, type_.lower(), "?")
        stray = f"SELECT count(*) FROM temp.{NEW} WHERE ({part}) IS NOT TRUE"
        found: Any = connection.execute(stray, values).fetchone()
        if found[0]:
            raise strays(self._order, found[0])
        if before:
            connection.execute(f"DELETE FROM {table} WHERE {part}", values)

    def _columns(self, connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
        """The columns of a table with their types, in order; none if there is no such table."""
        schema, _, name = table.rpartition(".")
        if schema == "temp":
            return dict(connection.execute(_COLUMNS.format("'temp'"), [name, "main"]).fetchall())
        asked = _COLUMNS.format("current_database()")
        return dict(connection.execute(asked, [name, schema or "main"]).fetchall())


def _turn(path: str) -> threading.Lock:
    with _making:
        return _turns.setdefault(str(Path(path).absolute()), threading.Lock())


def _said(error: duckdb.Error) -> str:
    return " ".join(str(error).partition("\n")[0].split())
