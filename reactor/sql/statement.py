"""What a SQL asset is: its query, and the table of which database it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from reactor.core.errors import StepError

DEFAULT_CONNECTION = "default"
"""The connection of assets that say no database."""

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
    if "://" not in database:
        return ""
    scheme = urlsplit(database).scheme.partition("+")[0]
    return _DIALECTS.get(scheme, scheme)
