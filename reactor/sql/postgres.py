"""PostgreSQL: the table is kept, with its grants, views and indexes, and its rows are replaced.

One transaction: the answer goes into a temporary table first, so that nobody is held up while the
query runs; then columns that came or went are altered, old rows deleted and new ones inserted.
Readers go on seeing the old rows until the commit.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

import psycopg
from sqlalchemy.engine import make_url

from reactor.core.errors import StepError
from reactor.sql.parameter import filled
from reactor.sql.writing import NEW, Order, belongs, missing, quoted, strays

_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_HINTS = {
    "2BP01": "a view needs a column that the query no longer answers: drop or change the view",
    "0A000": "a view needs a column whose type changed: drop or change the view",
    "42501": "the role must own the table, or may write it, and may make temporary tables",
}


class PostgresWriting:
    """Fulfils `reactor.sql.writing.Writing`."""

    backend: ClassVar[str] = "postgresql"

    def __init__(self, order: Order) -> None:
        self._order = order
        self._connection: psycopg.Connection[Any] | None = None
        self._stopped = False

    def perform(self) -> int:
        url = make_url(self._order.url).set(drivername="postgresql")
        try:
            with psycopg.connect(
                url.render_as_string(hide_password=False),
                application_name="reactor",
                cursor_factory=psycopg.ClientCursor,
                connect_timeout=10,
            ) as connection:
                self._connection = connection
                if self._stopped:
                    raise StepError("was interrupted")
                return self._replace(connection.cursor())
        except psycopg.Error as error:
            said = " ".join(str(error).split("\n", 1)[0].split())
            raise StepError(said, hint=_HINTS.get(error.sqlstate or "", "")) from error
        finally:
            self._connection = None

    def interrupt(self) -> None:
        self._stopped = True
        connection = self._connection
        if connection is not None:
            # Whatever goes wrong here, it is asked again.
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=1)

    def _replace(self, cursor: Any) -> int:
        order = self._order
        text, values = filled(order.statement.sql, order.statement.dialect, order.values, "%({})s")
        new = f"CREATE TEMPORARY TABLE {NEW} ON COMMIT DROP AS {text}"
        cursor.execute(new, values or None)
        columns = self._columns(cursor, NEW)
        table = quoted(order.statement.table)
        # Two attempts at a table that is not there yet: one of them makes it.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"reactor {table}"])
        before = self._columns(cursor, table)
        if order.replaces_a_part:
            self._clear_part(cursor, table, columns, before)
        elif before:
            cursor.execute(f"DELETE FROM {table}")
        if not before:
            cursor.execute(f"CREATE TABLE {table} AS SELECT * FROM {NEW}")
            return cursor.rowcount
        self._alter(cursor, table, before, columns)
        listed = ", ".join(quoted(name) for name in columns)
        cursor.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {NEW}")
        return cursor.rowcount

    def _clear_part(
        self, cursor: Any, table: str, columns: dict[str, str], before: dict[str, str]
    ) -> None:
        column = self._order.statement.partition_column
        if column not in columns:
            raise missing(self._order)
        part, values = belongs(self._order, before.get(column) or columns[column], "%s")
        stray = f"SELECT count(*) FROM {NEW} WHERE ({part}) IS NOT TRUE"
        if count := cursor.execute(stray, values).fetchone()[0]:
            raise strays(self._order, count)
        if before:
            cursor.execute(f"DELETE FROM {table} WHERE {part}", values)

    def _alter(
        self, cursor: Any, table: str, before: dict[str, str], columns: dict[str, str]
    ) -> None:
        """Makes the table's columns those of the answer; other partitions lose none."""
        part = self._order.replaces_a_part
        changes = [
            f"ADD COLUMN {quoted(name)} {type_}"
            for name, type_ in columns.items()
            if name not in before
        ]
        if not part:
            changes += [f"DROP COLUMN {quoted(name)}" for name in before if name not in columns]
            changes += [
                f"ALTER COLUMN {quoted(name)} TYPE {type_} USING NULL"
                for name, type_ in columns.items()
                if before.get(name, type_) != type_
            ]
        if changes:
            cursor.execute(f"ALTER TABLE {table} {', '.join(changes)}")

    def _columns(self, cursor: Any, table: str) -> dict[str, str]:
        return dict(cursor.execute(_COLUMNS, [table]).fetchall())
