"""Looks at a database, in a thread: one connection, kept, and one short transaction a look."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from reactor.core.contract import TableSchema
from reactor.core.errors import SensorError, SensorRefused
from reactor.ports import Log
from sensors.schema.catalogue import Inspected, said
from sensors.schema.pattern import Tables
from sensors.schema.postgres import Postgres
from sensors.schema.sqlite import Sqlite

_PATIENCE = 5
"""How many looks in a row may find the database busy before that counts as being down."""
_STUCK_SECONDS = 60.0
"""A connection on which nothing comes for so long is dead, although nobody said so."""


def catalogue(url: str, tables: Tables) -> Inspected:
    """How to read the database at `url`.

    Raises: SensorRefused if the URL cannot be read.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Not the error's own words: they may quote a password.
        raise SensorRefused("the URL of the database cannot be read") from error
    kinds = {"sqlite": Sqlite, "postgresql": Postgres, "postgres": Postgres}
    return kinds.get(parsed.get_backend_name(), Inspected)(parsed, tables)


class Database:
    """The tables of one database. Every method blocks; `close` may be called from any thread."""

    def __init__(self, catalogue: Inspected, log: Log, patience: float = _STUCK_SECONDS) -> None:
        self.patience = patience
        self._catalogue = catalogue
        self._log = log
        self._lock = Lock()
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._seen: object | None = None
        self._busy = 0
        self._closed = False

    @property
    def sure(self) -> bool:
        """Whether the last look did not find the database busy."""
        return not self._busy

    def matches(self, table: str) -> bool:
        """Whether a table of this name would be watched."""
        return self._catalogue.matches(table)

    def look(self) -> dict[str, TableSchema] | None:
        """All watched tables; None if nothing changed since the last look, or it is not sure.

        Raises: SensorError if the database cannot be reached or read, SensorRefused without driver.
        """
        with self._lock:
            if self._closed:
                return None
            try:
                tables = self._look()
                self._busy = 0
            except DBAPIError as error:
                if not self._patient(error):
                    self._disconnect()
                    raise self._failed(error) from error
                tables = None
            except SQLAlchemyError as error:
                self._disconnect()
                raise SensorError(f"the schema cannot be read: {error}") from error
            except SensorError:
                self._disconnect()
                raise
            if self._closed:
                self._disconnect()
            return tables

    def close(self) -> None:
        """Ends a look that is under way, and the connection."""
        self._closed = True
        if not self._lock.acquire(blocking=False):
            self._interrupt()
            self._lock.acquire()
        try:
            self._disconnect()
        finally:
            self._lock.release()

    def _look(self) -> dict[str, TableSchema] | None:
        if self._connection is not None and self._catalogue.stale():
            self._disconnect()
        connection = self._connection or self._connect()
        self._catalogue.begin(connection)
        try:
            fingerprint = self._catalogue.fingerprint(connection)
            if fingerprint is not None and fingerprint == self._seen:
                return None
            tables = self._catalogue.look(connection)
        finally:
            connection.rollback()
        self._seen = fingerprint
        return tables

    def _connect(self) -> Connection:
        try:
            self._engine = self._catalogue.engine()
        except (ImportError, NoSuchModuleError) as error:
            raise SensorRefused(f"no driver for this database: {error}") from error
        self._connection = self._engine.connect()
        self._catalogue.connected(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        self._seen = None
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _interrupt(self) -> None:
        connection = self._connection
        if connection is not None:
            # Whatever goes wrong here, the timeouts of the connection end the look all the same.
            with suppress(Exception):
                self._catalogue.interrupt(connection.connection.driver_connection)

    def _patient(self, error: DBAPIError) -> bool:
        """Whether the error will pass by itself, and came but a few times in a row."""
        self._busy += 1
        if self._closed or not self._catalogue.busy(error) or self._busy > _PATIENCE:
            return False
        self._log.info("schema not read, database busy", tries=self._busy, error=said(error))
        return True

    def _failed(self, error: DBAPIError) -> SensorError:
        return SensorError(
            f"the schema cannot be read: {said(error)}", hint=self._catalogue.hint(error)
        )
