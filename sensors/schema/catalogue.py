"""What a database says about its tables: one class a kind of database.

`Inspected` reads any database through SQLAlchemy's inspector. SQLite and PostgreSQL have classes of
their own because they can tell cheaply that nothing changed, and because the inspector loses types
that it does not know, and needs rights on a schema only to say what columns are in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType

from reactor.core.contract import Column, TableSchema
from sensors.schema.ledger import UNKNOWN
from sensors.schema.pattern import Tables


class Row(NamedTuple):
    """One column as a catalogue lists it; `column` is None for a table without columns."""

    table: str
    identity: str | None
    number: int | None
    column: str | None
    type: str
    nullable: bool
    key: int | None
    """Its place in the primary key, from 1; None or 0 if it is no part of it."""


class Inspected:
    """Any database, through SQLAlchemy's inspector: each look reads everything."""

    extra: ClassVar[str] = ""
    """The extra that brings the driver, where one does."""

    def __init__(self, url: URL, tables: Tables) -> None:
        self.url = url
        self.tables = tables
        self.default = ""

    def engine(self) -> Engine:
        """An engine; it connects when first used."""
        return create_engine(self.url, poolclass=NullPool)

    def connected(self, connection: Connection) -> None:
        """Called once with each new connection."""
        self.default = inspect(connection).default_schema_name or ""

    def stale(self) -> bool:
        """Whether the connection no longer leads to what the address names."""
        return False

    def begin(self, connection: Connection) -> None:
        """Begins a short transaction that only reads, and sees one state."""
        connection.begin()

    def fingerprint(self, connection: Connection) -> object | None:
        """Equal as long as no watched table changed; None if that cannot be told cheaply."""
        return None

    def look(self, connection: Connection) -> dict[str, TableSchema]:
        """All watched tables. Views are not tables: watch the tables they read."""
        inspector = inspect(connection)
        found: dict[str, TableSchema] = {}
        for schema in inspector.get_schema_names():
            names = inspector.get_table_names(schema)
            wanted = [name for name in names if self.tables.match(schema, name, self.default)]
            keys = inspector.get_multi_pk_constraint(schema, filter_names=wanted) if wanted else {}
            columns = inspector.get_multi_columns(schema, filter_names=wanted) if wanted else {}
            for (_, name), described in columns.items():
                key = keys.get((schema, name)) or {}
                found[f"{schema}.{name}"] = TableSchema(
                    tuple(
                        Column(one["name"], self._type(connection, one["type"]), one["nullable"])
                        for one in described
                    ),
                    tuple(key.get("constrained_columns", ())),
                )
        return found

    def matches(self, name: str) -> bool:
        """Whether a table of this name would be watched."""
        schema, _, table = name.partition(".")
        return self.tables.match(schema, table, self.default)

    def busy(self, error: DBAPIError) -> bool:
        """Whether the database is well and only could not answer now."""
        return False

    def hint(self, error: DBAPIError) -> str:
        """What to do about an error, where that is known."""
        return ""

    def interrupt(self, driver: Any) -> None:
        """Makes a query that another thread runs on this driver's connection end."""

    def _type(self, connection: Connection, type_: Any) -> str:
        if isinstance(type_, NullType):
            return UNKNOWN
        return normal(type_.compile(dialect=connection.dialect))


def said(error: DBAPIError) -> str:
    """What the database itself said, on one line."""
    return " ".join(str(error.orig).split())


def assembled(rows: Iterable[Row]) -> dict[str, TableSchema]:
    """Tables from rows that are grouped by table, columns in order."""
    found: dict[str, TableSchema] = {}
    for table, group in groupby(rows, key=lambda row: row.table):
        listed = list(group)
        key = sorted((row for row in listed if row.key), key=lambda row: row.key or 0)
        found[table] = TableSchema(
            tuple(
                Column(row.column, row.type, row.nullable, row.number)
                for row in listed
                if row.column is not None
            ),
            tuple(row.column for row in key if row.column is not None),
            listed[0].identity,
        )
    return found


def normal(type_: str) -> str:
    """A type's text in lower case, with single spaces and none around brackets and commas."""
    text = " ".join(type_.lower().split())
    for mark in "(),":
        text = text.replace(f" {mark}", mark).replace(f"{mark} ", mark)
    return text.replace(",", ", ")
