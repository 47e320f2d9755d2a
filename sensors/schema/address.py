"""What a target of `SchemaChanges` names, told without the library that opens it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from sensors.schema.file import FORMATS, split

# Everything up to the last @ may hold a password, whatever characters it has.
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9_+]*)://(?:.*@)?(?P<host>[^/?]*)(?:/(?P<database>[^?]*))?(?:\?.*)?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a sensor looks: `text` is free of credentials, `name` what it is called by default."""

    text: str
    name: str
    database: bool

    @property
    def postgres(self) -> bool:
        """Whether it is a PostgreSQL database."""
        return self.database and self.text.startswith(("postgresql://", "postgres://"))


def parsed(target: str) -> Address:
    """What `target` names: a database if it begins with a URL scheme, else files.

    Raises: ValueError if it can be neither.
    """
    if "://" not in target:
        return _files(target)
    found = _URL.fullmatch(target)
    if found is None:
        raise ValueError("this is not the URL of a database: scheme://user@host/database")
    # Which driver reads a database is no part of where it is.
    scheme = found["scheme"].lower().partition("+")[0]
    host, database = found["host"], found["database"] or ""
    text = f"{scheme}://{host}/{database}"
    if scheme != "sqlite":
        return Address(text, database or host or scheme, database=True)
    if database in ("", ":memory:"):
        raise ValueError("a SQLite database in memory is seen by its own connection only")
    return Address(text, PurePath(database).stem, database=True)


def _files(pattern: str) -> Address:
    suffix = PurePath(pattern).suffix.lower()
    if not pattern or (suffix not in FORMATS and not set(suffix or pattern) & set("*?[")):
        raise ValueError(f"{pattern!r} does not match {', '.join(FORMATS)} files")
    folder, _ = split(pattern)
    return Address(pattern, folder.name or "files", database=False)
