"""From a URL to a store.

Laws: an error never repeats a URL, which may hold a password; it names the setting.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from reactor.core.errors import SettingsError, StoreError
from reactor.store import migrate
from reactor.store.reading import Reading
from reactor.store.sqlite import Reader, SqliteStore

SETTING = "REACTOR_STORE"
_SUPPORTED = "use sqlite:///path/to/file.db, or sqlite:////absolute/path.db"


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[SqliteStore]:
    """The store behind a URL, owned by this process until the block ends.

    Raises: SettingsError for a URL of no kind we know; StoreUnavailable if another process owns it
        or it cannot be written; StoreError if it is damaged or written by a newer version.
    """
    store = await SqliteStore.open(sqlite_path(url))
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def open_reading(url: str) -> AsyncIterator[Reading]:
    """The store behind a URL to read only, whether or not a service has it open.

    Raises: as `open_store`, and StoreError if there is none or its revision is not ours.
    """
    path = sqlite_path(url)
    if not path.exists():
        raise StoreError("there is no store", where=str(path), hint="a service makes it")
    reader = Reader(path)
    try:
        revision = await reader.run(migrate.revision)
        if revision != migrate.HEAD:
            raise StoreError(
                f"the store is at revision {revision or 'none'}, this version needs {migrate.HEAD}",
                where=str(path),
                hint="read it with the version that writes it, or let this one upgrade it",
            )
        yield Reading(reader.run)
    finally:
        await reader.aclose()


def sqlite_path(url: str) -> Path:
    """The file that a URL names.

    Raises: SettingsError.
    """
    scheme, separator, path = url.partition("://")
    if not separator:
        raise SettingsError("is not a URL", where=SETTING, hint=_SUPPORTED)
    if scheme != "sqlite":
        raise SettingsError(f"cannot open {scheme}:// stores", where=SETTING, hint=_SUPPORTED)
    name = path.removeprefix("/")
    if name == path or name in ("", "/", ":memory:"):
        raise SettingsError("names no file", where=SETTING, hint=_SUPPORTED)
    if "?" in name:
        raise SettingsError("takes no options after ?", where=SETTING, hint=_SUPPORTED)
    return Path(name)
