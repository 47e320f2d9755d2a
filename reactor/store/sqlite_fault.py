"""SQLite's errors as ours: what is wrong, whether trying again can help, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from reactor.core.errors import StoreBroken, StoreConflict, StoreError, StoreUnavailable

END = "end this process and start it again: it then goes on from what was recorded"


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Raises SQLite's errors as StoreError, naming the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except DBAPIError as error:
        raise translated(error.orig, path) from error


def translated(error: BaseException | None, path: Path) -> StoreError:
    """Our error for one of SQLite's."""
    where = str(path)
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    if code is None:
        return StoreError(str(error), where=where)
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreUnavailable(
                "the disk is full", where=where, hint="free some space; nothing was lost"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailable(
                f"another program holds the file's lock ({name})",
                where=where,
                hint="end the program that has it open for writing",
            )
        case sqlite3.SQLITE_IOERR:
            if code in (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC):
                return StoreBroken(f"the disk failed to keep data ({name})", where=where, hint=END)
            return StoreUnavailable(
                f"the disk failed ({name})", where=where, hint="look at the disk and its space"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreUnavailable(
                f"the file cannot be written ({name})",
                where=where,
                hint="the service must be able to write the file and its folder",
            )
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnavailable(
                f"the file cannot be opened ({name})",
                where=where,
                hint="look at the path, and at who may read and write it",
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(error))
        case sqlite3.SQLITE_CONSTRAINT:
            return StoreConflict(str(error), where=where)
        case _:
            return StoreError(f"{error} ({name})", where=where)


def damaged(path: Path, how: str) -> StoreBroken:
    """The file's content is not what SQLite wrote."""
    return StoreBroken(
        f"the file is damaged, or is no SQLite database: {how}",
        where=str(path),
        hint="keep a copy of it, and put back a backup",
    )


def wal_reset_warning(version: tuple[int, ...]) -> str | None:
    """What to know about a SQLite with the WAL-reset race, or None for one without.

    Source: sqlite.org/wal.html#walresetbug: 3.7.0 to 3.51.2, but for 3.44.6 and 3.50.7.
    """
    mended = version >= (3, 51, 3) or any(
        version[:2] == branch[:2] and version >= branch for branch in ((3, 44, 6), (3, 50, 7))
    )
    if mended or version < (3, 7, 0):
        return None
    shown = ".".join(map(str, version))
    return (
        f"SQLite {shown} can damage a database that several connections write; this service writes "
        "with one, so let no other program write its file (SQLite 3.51.3 has this mended)"
    )
