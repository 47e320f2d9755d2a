"""What a SQL asset is: its query, and the table of which database it keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from reactor.core.errors import StepError

DEFAULT_CONNECTION = "default"
"""The connection of assets that say no database."""

WRITABLE = ("duckdb", "postgresql", "sqlite")
"""The databases whose tables can be replaced whole."""

_CONNECTION = re.compile(r"\w[\w.-]*")
_DIALECTS = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "mssql": "tsql",
    "mariadb": "mysql",
    "awsathena": "athena",
    "databricks": "databricks",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A query whose answer is a table.

    `database` is a URL, or the name of a connection in the settings. With a `partition_column` only
    the rows of one partition are written. `dialect` is empty for what most databases understand.
    """

    asset: str
    sql: str
    table: str
    database: str = DEFAULT_CONNECTION
    dialect: str = ""
    partition_column: str = ""

    def __call__(self, context: Any) -> Any:
        """Only the executor called `sql` carries it out."""
        raise StepError(f"{self.asset} is SQL and is run by the executor sql")


def dialect_of(database: str) -> str:
    """The dialect of a database URL; empty for the name of a connection, which tells nothing."""
    scheme = _scheme(database)
    return _DIALECTS.get(scheme, scheme)


def database_trouble(database: Any, written: bool) -> tuple[str, str] | None:
    """What is wrong with a `database=`, and a hint; None if it may well be one.

    Whether a connection of that name exists is only known where the settings are. A URL is not
    quoted: it may hold a password.

    Args:
        written: whether a table in it is to be written by the executor called `sql`.
    """
    hint = 'say a URL, such as "sqlite:///shop.db", or the name of a connection in the settings'
    if not isinstance(database, str):
        return f"database is {database!r}", hint
    if not database.strip():
        return "database is empty", f"{hint}; without it, it is the connection default"
    if "://" not in database:
        named = _CONNECTION.fullmatch(database) is not None
        return None if named else ("database is neither a URL nor the name of a connection", hint)
    try:
        scheme, _ = _scheme(database), urlsplit(database).port
    except ValueError:
        return "the URL of its database cannot be read", hint
    if written and scheme not in (*WRITABLE, "postgres"):
        what = f"its database is {scheme}, where a table cannot be replaced whole"
        hint = f"SQL assets run on {', '.join(WRITABLE)}"
        return what, f"{hint}; elsewhere, let a command or a function run the SQL"
    return None


def _scheme(database: str) -> str:
    return database.partition("://")[0].partition("+")[0].lower() if "://" in database else ""
