"""Which database a URL names, as one text for all its spellings.

Knows: what in a URL says where a database is. Refuses to know: how one is opened.

Law: two URLs have different texts only if no query at the one reads a table of the other. Where a
URL alone does not tell, the text is empty.
"""

from __future__ import annotations

import os
import re
from typing import Final

_URL: Final = re.compile(
    r"(?P<scheme>[\w+]+)://(?:[^:/]*(?::[^@]*)?@)?(?P<host>[^/?@]*)(?:/(?P<database>[^?]*))?"
    r"(?:\?(?P<options>.*))?",
    re.DOTALL,
)
_KINDS: Final = {"postgres": "postgresql", "mariadb": "mysql"}
_FILES: Final = frozenset({"sqlite", "duckdb"})
_LOCAL: Final = frozenset({"127.0.0.1", "[::1]"})
_ELSEWHERE: Final = re.compile(r"(?:^|&)(?:host|hostaddr|port|dbname|service)=")
"""Options that say in another way where a PostgreSQL database is."""


def database_of(url: str) -> str:
    """The database of a URL, without credentials and options; empty if the URL does not tell.

    The file of SQLite and DuckDB, with links followed; server, port and database of PostgreSQL.
    Others may read across databases, and only their kind is told. The name of a connection tells
    nothing.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return ""
    scheme = found["scheme"].lower().partition("+")[0]
    kind = _KINDS.get(scheme, scheme)
    if kind in _FILES:
        return _file(kind, found["database"] or "")
    if kind != "postgresql":
        return f"{kind}://"
    host, port = _server(found["host"].lower())
    if not host or "," in host or not found["database"]:
        return ""
    if _ELSEWHERE.search(found["options"] or ""):
        return ""
    host = "localhost" if host in _LOCAL else host
    return f"{kind}://{host}:{port or '5432'}/{found['database']}"


def _server(text: str) -> tuple[str, str]:
    """Host and port; the host of an IPv6 address has colons of its own."""
    host, colon, port = text.rpartition(":")
    return (host, port) if colon and not text.endswith("]") else (text, "")


def _file(kind: str, path: str) -> str:
    if not path or path.startswith((":memory:", "file:", "md:")):
        return ""
    return f"{kind}:///{os.path.realpath(path)}"
