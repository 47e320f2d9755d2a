"""The version of a store: makes a new one, brings an older one up to date, refuses a newer one.

Alembic is imported only when there is something to do: the usual start is one SELECT.
"""

from __future__ import annotations

import importlib

import sqlalchemy as sa

from reactor.core.errors import StoreError
from reactor.store.schema import metadata

REVISIONS = ("0001", "0002", "0003")
"""All revisions, oldest first, as in migrations/versions."""
HEAD = REVISIONS[-1]

_stamp = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic keeps the revision."""


def prepare(connection: sa.Connection, where: str) -> None:
    """Makes the tables, or migrates them, inside the connection's transaction.

    Raises: StoreError if this is another program's database or a newer version's store.
    """
    version = revision(connection)
    if version == HEAD:
        return
    if version is None:
        _create(connection, where)
    elif version in REVISIONS:
        importlib.import_module("reactor.store.upgrade").upgrade(connection, HEAD)
    else:
        raise StoreError(
            f"the store is at revision {version}; this version knows revisions up to {HEAD}",
            where=where,
            hint="it was written by a newer reactor-orchestrator: install that version again, "
            "or put back a backup from before the upgrade",
        )


def revision(connection: sa.Connection) -> str | None:
    """The store's revision; None if it was never given one."""
    if not connection.dialect.has_table(connection, _stamp.name):
        return None
    return connection.execute(sa.select(_stamp.c.version_num)).scalar()


def _create(connection: sa.Connection, where: str) -> None:
    """The newest tables at once; a test proves that the migrations make the same."""
    others = connection.dialect.get_table_names(connection)
    if others:
        raise StoreError(
            f"the database holds tables of another program ({', '.join(sorted(others)[:3])})",
            where=where,
            hint="name a file of its own in REACTOR_STORE",
        )
    metadata.create_all(connection, checkfirst=False)
    _stamp.create(connection, checkfirst=False)
    connection.execute(sa.insert(_stamp).values(version_num=HEAD))
