"""Looks at files, in a thread: their stat each time, their content when that moved."""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from reactor.core.contract import TableSchema
from reactor.core.errors import SensorError
from reactor.ports import Log
from sensors.schema.parquet import parquet_schema
from sensors.schema.text import HEAD_BYTES, csv_schema, json_lines_schema

_TEXT: dict[str, Callable[[bytes, bool], TableSchema]] = {
    ".csv": csv_schema,
    ".tsv": csv_schema,
    ".jsonl": json_lines_schema,
    ".ndjson": json_lines_schema,
}
FORMATS = (*_TEXT, ".parquet")
_SETTLED_SECONDS = 2.0
"""A last line without its end counts when nothing was written for so long."""

Identity = tuple[int, int, int]
_NEW = TableSchema()


class _Unfinished(Exception):
    """The last line of a file has no end yet."""


class Files:
    """The files that a path pattern matches. Every method blocks; `close` has nothing to close."""

    sure = True
    patience = math.inf

    def __init__(self, pattern: str, log: Log) -> None:
        self._pattern = pattern
        self._log = log
        self._seen: dict[str, Identity] = {}
        self._schemas: dict[str, TableSchema | None] = {}
        self._shut: list[str] = []

    def matches(self, table: str) -> bool:
        """Whether a look would have found a file of this name, had it been there."""
        return not any(table.startswith(f"{folder}/") for folder in self._shut)

    def look(self) -> dict[str, TableSchema | None] | None:
        """All matching files, None for one that cannot be read (yet); None if nothing changed.

        Raises: SensorError if the folder that the pattern begins with is not there.
        """
        self._shut = []
        found = {_text(path): path for path in self._found()}
        moved = found.keys() != self._schemas.keys()
        for name in self._schemas.keys() - found.keys():
            del self._schemas[name]
            self._seen.pop(name, None)
        for name, path in found.items():
            moved |= self._read(name, path)
        return dict(self._schemas) if moved else None

    def close(self) -> None:
        """Nothing is kept open between two looks."""

    def _read(self, name: str, path: Path) -> bool:
        """Reads the file if its stat moved; whether it did."""
        try:
            about = os.stat(path)
        except OSError:
            return False
        identity = (about.st_ino, about.st_size, about.st_mtime_ns)
        if self._seen.get(name) == identity:
            return False
        try:
            self._schemas[name] = self._schema(path, time.time() - about.st_mtime)
        except _Unfinished:
            # Known to be there, and read again at the next look.
            self._schemas.setdefault(name, None)
            return False
        except (OSError, ValueError) as error:
            if self._schemas.get(name, _NEW) is not None:
                self._log.warning("schema not read", path=name, error=str(error))
            self._schemas[name] = None
        self._seen[name] = identity
        return True

    def _schema(self, path: Path, age: float) -> TableSchema:
        read = _TEXT.get(path.suffix.lower())
        if read is None:
            return parquet_schema(path)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            cut = bool(file.read(1))
        if not cut and not head.endswith(b"\n") and age < _SETTLED_SECONDS:
            raise _Unfinished
        return read(head, cut)

    def _found(self) -> Iterator[Path]:
        root, parts = split(self._pattern)
        if not root.is_dir():
            raise SensorError(f"no folder {root}", hint="make it, or correct the pattern")
        for path in self._walk(root, parts):
            if path.suffix.lower() in FORMATS and _regular(path):
                yield path

    def _walk(self, folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
        """What matches below `folder`. `**` is any number of folders, and follows no link."""
        head, rest = parts[0], parts[1:]
        if head == "**":
            yield from self._walk(folder, rest or ("*",))
        for entry in self._entries(folder):
            if entry.name.startswith(".") and not head.startswith("."):
                continue
            if head == "**":
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(Path(entry.path), parts)
            elif fnmatchcase(entry.name, head):
                if not rest:
                    yield Path(entry.path)
                elif entry.is_dir():
                    yield from self._walk(Path(entry.path), rest)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._shut.append(_text(folder))
            self._log.warning("folder not read", path=_text(folder), error=error.strerror)
            return []


def split(pattern: str) -> tuple[Path, tuple[str, ...]]:
    """The folder that a pattern begins with, and the parts of it that may be globs."""
    parts = Path(pattern).parts
    fixed = next((at for at, part in enumerate(parts) if set(part) & set("*?[")), len(parts) - 1)
    fixed = min(fixed, len(parts) - 1)
    return Path(*parts[:fixed]), parts[fixed:]


def _regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _text(path: Path) -> str:
    """A path as text that any store takes, whatever bytes are in its name."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
