"""How rows are shown to people and programs: as plain dictionaries, by the names of columns.

Instants are ISO 8601, UTC; JSON is its value; a payload is its JSON, its text or its bytes in
hexadecimal. Lists are newest first and bounded: `limit` rows before the key `before`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from reactor.store.encoding import from_headers, from_text, iso

Row = dict[str, Any]
Query = sa.Select[*tuple[Any, ...]]

SHOWN_BYTES = 4 << 10
"""The longest payload that a list shows."""
WHOLE_BYTES = 1 << 20
"""The longest payload that is shown at all; `Store.events` has the bytes of any."""

_INSTANTS = frozenset(
    (
        *("at", "created", "deadline", "due", "finished", "opened"),
        *("received", "resolved", "since", "started", "time"),
    )
)
_JSON = frozenset(
    (
        *("assets", "detail", "failed", "handle", "inputs", "metadata"),
        *("partitions", "runs", "waiting", "works"),
    )
)


def show(values: sa.RowMapping) -> Row:
    """A row of any table."""
    return {str(name): _shown(str(name), value) for name, value in values.items()}


def _shown(name: str, value: Any) -> Any:
    if name in _INSTANTS:
        return iso(value)
    if name in _JSON:
        return None if value is None else from_text(value)
    if name == "headers":
        return dict(from_headers(value))
    return value


def rows(connection: sa.Connection, query: Query, **given: Any) -> list[Row]:
    """What a query finds, with its parameters as given."""
    return [show(values) for values in connection.execute(query, given).mappings()]


def page(query: Query, key: sa.Column[Any], limit: int, before: Any) -> sa.Select[Any]:
    """The newest `limit` of what a query finds, or the newest before a key."""
    if before is not None:
        query = query.where(key < before)
    return query.order_by(key.desc()).limit(limit)


def sized(data: sa.Column[Any], longest: int) -> tuple[sa.ColumnElement[Any], ...]:
    """Columns for a payload: `size_bytes`, and the payload unless it is longer."""
    size = sa.func.coalesce(sa.func.length(data), 0)
    kept = sa.case((size <= longest, data), else_=None)
    return size.label("size_bytes"), kept.label(data.name)
