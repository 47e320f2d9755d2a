"""What an event of a schema sensor carries."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from reactor.core.contract import Change, Kind, SchemaChange, TableSchema
from reactor.core.event import Event

TYPE = "schema.changed"


class SchemaChanged(BaseModel):
    """One table (or file) was changed: how, and what it looked like before and after.

    `columns` are all columns that a change is about, by the names that readers know: write rules
    such as `tables.where(field.breaking == True)` or `.where(field.columns.contains("amount"))`.
    `kinds` are the kinds of change, each once. `before` is None for a table that was created,
    `after` for one that was dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    revision: int
    breaking: bool
    kinds: tuple[Kind, ...]
    columns: tuple[str, ...]
    changes: tuple[Change, ...]
    before: TableSchema | None = None
    after: TableSchema | None = None

    def __str__(self) -> str:
        return f"{self.table}: {'; '.join(map(str, self.changes))}"

    @classmethod
    def of(
        cls,
        table: str,
        revision: int,
        change: SchemaChange,
        before: TableSchema | None = None,
        after: TableSchema | None = None,
    ) -> SchemaChanged:
        """The payload for a difference of one table."""
        return cls(
            table=table,
            revision=revision,
            breaking=change.breaking,
            kinds=tuple(dict.fromkeys(one.kind for one in change.changes)),
            columns=change.columns,
            changes=change.changes,
            before=before,
            after=after,
        )


def changed(sensor: str, payload: SchemaChanged, at: datetime, id: str = "") -> Event:
    """The event for `payload`; its id is `table@revision` unless another is given."""
    return Event(
        id=id or f"{payload.table}@{payload.revision}",
        source=sensor,
        type=TYPE,
        subject=payload.table,
        time=at,
        received=at,
        data=payload,
        raw=payload.model_dump_json().encode(),
    )
