"""The store on SQLite: all that is particular to that database.

Laws: one thread writes through one connection, which alone checkpoints (which also keeps clear of
the WAL-reset race of SQLite before 3.51.3); readers cannot write; each write begins as a write,
since a read transaction that turns into one fails at once, whatever the busy timeout; a failed
fsync is never tried again, since what the kernel dropped would be taken for written.
Source: sqlite.org/wal.html, sqlite.org/isolation.html, sqlite.org/howtocorrupt.html.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool, StaticPool

from reactor.core.errors import StoreBroken, StoreConflict, StoreUnavailable
from reactor.ports import Turn
from reactor.store import commands, migrate, statements
from reactor.store.database import Database, Work
from reactor.store.lock import FileLock, refuse_network
from reactor.store.sqlite_fault import END, damaged, faults, wal_reset_warning
from reactor.store.statements import Statement, sql
from reactor.store.writer import Writer
from reactor.store.writes import ALL, Write, writes

Result = TypeVar("Result")

READERS = 4
BUSY_SECONDS = 5.0
CHECKED_BYTES = 32 << 20
"""A file up to this size is checked whole whenever it is opened; a larger one on request."""
LOG_BYTES = 4 << 20
"""The size that the write-ahead log is given at once: a commit that overwrites part of a file is
about twice as fast as one that makes it longer."""
UNTIDY_ROWS = 500
"""Rows written before a checkpoint is worth it when there is nothing else to do."""
CHUNK = 500
"""Ids asked for in one query."""

_DIALECT = sqlite.dialect(paramstyle="qmark")
SQL: dict[Statement, str] = {each: sql(each, sqlite.insert, _DIALECT) for each in ALL}

Execute = Callable[[sqlite3.Connection, str, Sequence[Any]], int]


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """A connection whose transactions begin and end only where we say so."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    # Text that is not Unicode (a file's name, say) comes back as `_carefully` wrote it.
    connection.text_factory = lambda raw: str(raw, "utf-8", "surrogatepass")
    return connection


def engine(path: Path, connection: sqlite3.Connection | None = None) -> sa.Engine:
    """SQLAlchemy on the writer's connection, or on a few of its own that can only read."""
    if connection is not None:
        made = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    else:
        made = sa.create_engine(
            "sqlite://",
            creator=lambda: connect(path, write=False),
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=0,
        )
    begin = "BEGIN" if connection is None else "BEGIN IMMEDIATE"
    event.listen(made, "begin", lambda started: started.exec_driver_sql(begin))
    return made


class Reader:
    """Short read-only transactions, in threads, a few at once."""

    def __init__(self, path: Path) -> None:
        self._path, self._engine = path, engine(path)
        self._limit = anyio.CapacityLimiter(READERS)
        self._closed = False

    async def run(self, work: Work[Result]) -> Result:
        """Does `work` upon the file as it is at one instant."""

        def read() -> Result:
            with faults(self._path), self._engine.begin() as connection:
                return work(connection)

        if self._closed:
            raise StoreUnavailable("the store is closed", where=str(self._path))
        return await anyio.to_thread.run_sync(read, limiter=self._limit)

    async def aclose(self) -> None:
        """Waits for the reads under way."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            for _ in range(READERS):
                await self._limit.acquire_on_behalf_of(object())
        self._engine.dispose()


class SqliteStore(Database):
    """See `Database`. Made by `SqliteStore.open`, ended by `aclose`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._reader = Reader(path)
        self._broken: StoreBroken | None = None
        self._unfolded = 0
        # What the writer's thread opens.
        self._held = ExitStack()
        self._raw: sqlite3.Connection
        self._engine: sa.Engine
        self._epoch: str
        self._file: tuple[int, int]
        self._writer = Writer(f"store {path.name}", self._untidy, self._checkpoint)

    @classmethod
    async def open(cls, path: Path) -> SqliteStore:
        """The store in a file; the file is made if there is none, and its folder too.

        Raises: StoreUnavailable if another process owns the file or it cannot be written;
            StoreError if it is damaged, no store of ours, or written by a newer version.
        """
        store = cls(path)
        try:
            await store._writer.run(store._open)
        except BaseException:
            await store.aclose()
            raise
        warning = wal_reset_warning(sqlite3.sqlite_version_info)
        store.warnings = (warning,) if warning else ()
        return store

    async def aclose(self) -> None:
        """Ends the readers, then the writer, which empties the log into the file."""
        await self._reader.aclose()
        await self._writer.run(self._held.close, last=True)

    async def commit(self, turn: Turn) -> None:
        await self._writer.run(lambda: self._record(turn))

    async def known(self, ids: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return await self._writer.run(lambda: self._known(ids))

    async def check(self) -> list[str]:
        """What is wrong with the file, in SQLite's words; empty if it is sound. Reads all of it."""
        return await self._read(_damage)

    async def _read(self, work: Work[Result]) -> Result:
        return await self._reader.run(work)

    async def _write(self, work: Work[Result], *, durable: bool = True) -> Result:
        return await self._writer.run(lambda: self._change(work, durable))

    # What follows runs on the writer's thread.

    def _open(self) -> None:
        path = self._path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"its folder cannot be made: {error.strerror}", where=str(path)
            ) from error
        refuse_network(path)
        self._held.callback(FileLock(path.with_name(f"{path.name}.lock"), path).release)
        with faults(path):
            self._raw = connect(path, write=True)
            self._held.callback(self._shut)
            _settings(self._raw, path)
            self._engine = engine(path, self._raw)
            with self._engine.begin() as connection:
                migrate.prepare(connection, where=str(path))
                if path.stat().st_size <= CHECKED_BYTES and (damage := _damage(connection)):
                    raise damaged(path, damage[0])
                self._epoch = commands.next_epoch(connection)
                commands.untake_dead(connection)
            _stretch_log(self._raw)
        self._file = _identity(path)

    def _shut(self) -> None:
        # The last connection checkpoints as it closes; if that fails, the log is kept and is read
        # at the next start.
        with suppress(sqlite3.Error):
            self._raw.close()

    def _untidy(self) -> bool:
        return self._unfolded >= UNTIDY_ROWS

    def _checkpoint(self) -> None:
        """Writes the log back into the file while nobody waits. What fails now fails again later,
        where somebody hears of it.
        """
        self._unfolded = 0
        with suppress(sqlite3.Error):
            self._raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _record(self, turn: Turn) -> None:
        found = writes(turn)
        with self._guarded():
            try:
                try:
                    self._apply(found, _at_once)
                except UnicodeEncodeError:
                    self._apply(found, _carefully)
            except _Refused as refused:
                raise StoreConflict(
                    self._explained(refused),
                    where=str(self._path),
                    hint="load the state again and decide anew",
                ) from refused
        self._unfolded += sum(len(write.rows) for write in found)

    def _apply(self, found: Sequence[Write], execute: Execute) -> None:
        raw = self._raw
        raw.execute("BEGIN IMMEDIATE")
        try:
            self._check_ownership()
            for write in found:
                statement, rows, exact = write
                try:
                    count = execute(raw, SQL[statement], rows)
                except sqlite3.IntegrityError as error:
                    raise _Refused(write) from error
                if exact and count != len(rows):
                    raise _Refused(write)
            raw.execute("COMMIT")
        except BaseException:
            # SQLite itself rolled back after some errors.
            with suppress(sqlite3.Error):
                raw.execute("ROLLBACK")
            raise

    def _check_ownership(self) -> None:
        """Raises: StoreBroken if the lock's or the database's file was taken from under us."""
        held = self._raw.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        what = ""
        if held is None or held[0] != self._epoch:
            what = "another process has taken this store over"
        elif _identity(self._path) != self._file:
            what = "the file was moved, deleted or replaced while in use"
        if what:
            raise StoreBroken(what, where=str(self._path), hint=END)

    def _explained(self, refused: _Refused) -> str:
        """Which row was refused, and why, by what is stored."""
        statement, rows, _ = refused.write
        if statement in (statements.MOVE_NEW, statements.MOVE_ON, statements.MOVE_OFF):
            for row in rows:
                if statement is statements.MOVE_ON:
                    _, sensor, part, before = row
                else:
                    sensor, part, value = row
                    before = None if statement is statements.MOVE_NEW else value
                held = _select(self._raw, _POSITION, (sensor, part))
                if (held[0][0] if held else None) != before:
                    stands = repr(held[0][0]) if held else "nowhere"
                    return f"{sensor} stands at {stands} for {part}, not at {before!r}"
        if statement is statements.ADD_EVENTS:
            ids = [(row[1], row[2]) for row in rows]
            known = self._known(ids)
            again = next((each for each in ids if each in known or ids.count(each) > 1), None)
            if again:
                return f"event {again[1]} of {again[0]} was recorded before"
        return f"could not {statement.name}: {refused.__cause__ or 'no such row'}"

    def _known(self, ids: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        by_source: dict[str, list[str]] = {}
        for source, id in ids:
            by_source.setdefault(source, []).append(id)
        found: set[tuple[str, str]] = set()
        with faults(self._path):
            for source, names in by_source.items():
                for start in range(0, len(names), CHUNK):
                    some = names[start : start + CHUNK]
                    query = _KNOWN.format(", ".join("?" * len(some)))
                    rows = _select(self._raw, query, (source, *some, source, *some))
                    found.update((source, row[0]) for row in rows)
        return found

    def _change(self, work: Work[Result], durable: bool) -> Result:
        self._unfolded += 1
        with self._guarded():
            if not durable:
                self._raw.execute("PRAGMA synchronous = NORMAL")
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            finally:
                if not durable:
                    self._raw.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Refuses to write once the store is broken, and notes when it breaks."""
        if self._broken is not None:
            raise StoreBroken(self._broken.what, where=str(self._path), hint=END)
        try:
            with faults(self._path):
                yield
        except StoreBroken as error:
            self._broken = error
            raise


class _Refused(Exception):
    """A row of a turn contradicts what is stored."""

    def __init__(self, write: Write) -> None:
        super().__init__(write.statement.name)
        self.write = write


_POSITION = "SELECT value FROM position WHERE sensor = ? AND part = ?"
_KNOWN = (
    "SELECT id FROM event WHERE source = ? AND id IN ({0}) UNION ALL "
    "SELECT id FROM dead_letter WHERE sensor = ? AND id IN ({0}) AND status <> 'taken'"
)


def _settings(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnavailable(
            f"SQLite cannot keep a write-ahead log here (it offers {mode!r})", where=str(path)
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -16000")


def _stretch_log(connection: sqlite3.Connection) -> None:
    """Lets SQLite spill a transaction into its log, and rolls it back."""
    (size,) = connection.execute("PRAGMA cache_size").fetchone()
    connection.execute("PRAGMA cache_size = 10")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("INSERT INTO meta VALUES ('log', zeroblob(?))", (LOG_BYTES,))
    finally:
        connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA cache_size = {size}")


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def _damage(connection: sa.Connection) -> list[str]:
    found = connection.exec_driver_sql("PRAGMA quick_check(10)").scalars().all()
    return [] if found == ["ok"] else [str(line) for line in found]


def _at_once(connection: sqlite3.Connection, query: str, rows: Sequence[Any]) -> int:
    return connection.executemany(query, rows).rowcount


def _carefully(connection: sqlite3.Connection, query: str, rows: Sequence[Any]) -> int:
    """Row by row, with text that is not Unicode given as bytes that SQLite takes for text."""
    return sum(connection.execute(*_cast(query, row)).rowcount for row in rows)


def _select(connection: sqlite3.Connection, query: str, values: Sequence[Any]) -> list[Any]:
    try:
        return connection.execute(query, values).fetchall()
    except UnicodeEncodeError:
        return connection.execute(*_cast(query, values)).fetchall()


def _cast(query: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    first, *rest = query.split("?")
    text, given = [first], list(values)
    for place, after in enumerate(rest):
        value, mark = given[place], "?"
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                given[place], mark = value.encode("utf-8", "surrogatepass"), "CAST(? AS TEXT)"
        text.extend((mark, after))
    return "".join(text), given
