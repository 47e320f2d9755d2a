"""The statements of a turn, made once from the tables; each takes many rows of values at once.

A statement is dialect-free until `sql` writes it out for one, so that every database records a
turn with the same statements in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from reactor.core.errors import InvariantError
from reactor.store import schema

Insert = Callable[[sa.Table], Any]
"""The dialect's `insert`, which knows `on_conflict_do_update`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`values` names what a row holds, in order; `make` takes the dialect's insert."""

    name: str
    values: tuple[str, ...]
    make: Callable[[Insert], Any] = field(compare=False, repr=False)


def sql(statement: Statement, insert: Insert, dialect: sa.Dialect) -> str:
    """The text of a statement, with its parameters by position."""
    clause = statement.make(insert)
    given = list(statement.values) if isinstance(clause, sa.Insert) else None
    compiled = clause.compile(dialect=dialect, column_keys=given)
    if tuple(compiled.positiontup or ()) != statement.values:
        raise InvariantError(f"{statement.name} takes {compiled.positiontup}", where=str(compiled))
    return str(compiled)


def _names(table: sa.Table) -> tuple[str, ...]:
    """The columns that we give: all but a key that the database counts."""
    return tuple(
        column.name for column in table.columns if column is not table.autoincrement_column
    )


def insert(table: sa.Table) -> Statement:
    """New rows; one that exists already is a conflict."""
    return Statement(f"insert {table.name}", _names(table), lambda make: make(table).inline())


def insert_new(table: sa.Table) -> Statement:
    """New rows; those that exist already stay as they are."""
    return Statement(
        f"insert new {table.name}",
        _names(table),
        lambda make: make(table).inline().on_conflict_do_nothing(),
    )


def upsert(table: sa.Table, unique: tuple[str, ...] | None = None) -> Statement:
    """Rows as they are now, whether new or known by their key (or by `unique` columns)."""
    key = unique or tuple(column.name for column in table.primary_key)
    names = _names(table)

    def make(start: Insert) -> Any:
        statement = start(table).inline()
        changed = {name: statement.excluded[name] for name in names if name not in key}
        if not changed:
            return statement.on_conflict_do_nothing(index_elements=key)
        return statement.on_conflict_do_update(index_elements=key, set_=changed)

    return Statement(f"upsert {table.name}", names, make)


def delete(table: sa.Table, *by: str) -> Statement:
    """Rows by the columns named, else by their key."""
    names = by or tuple(column.name for column in table.primary_key)
    matches = [table.c[name] == sa.bindparam(name) for name in names]
    return Statement(f"delete {table.name}", names, lambda _: sa.delete(table).where(*matches))


def _move_on(_: Insert) -> Any:
    held = schema.position.c
    return (
        sa.update(schema.position)
        .values(value=sa.bindparam("after"))
        .where(
            held.sensor == sa.bindparam("of"),
            held.part == sa.bindparam("at"),
            held.value == sa.bindparam("before"),
        )
    )


def update(table: sa.Table, without: str) -> Statement:
    """Rows by their `id`, of which one column, that may be long, stays as it is."""
    names = [name for name in _names(table) if name not in ("id", without)]
    clause = (
        sa.update(table)
        .values({name: sa.bindparam(f"new_{name}") for name in names})
        .where(table.c.id == sa.bindparam("of"))
    )
    values = (*(f"new_{name}" for name in names), "of")
    return Statement(f"update {table.name}", values, lambda _: clause)


def _add_tally(start: Insert) -> Any:
    statement = start(schema.tally).inline()
    total = schema.tally.c.count + statement.excluded.count
    return statement.on_conflict_do_update(index_elements=["kind", "name"], set_={"count": total})


MOVE_ON = Statement("update position", ("after", "of", "at", "before"), _move_on)
MOVE_NEW = insert(schema.position)
MOVE_OFF = delete(schema.position, "sensor", "part", "value")
UPDATE_RUN = update(schema.run, without="works")
UPDATE_BACKFILL = update(schema.backfill, without="partitions")
ADD_TALLY = Statement("add tally", _names(schema.tally), _add_tally)
ADD_EVENTS = insert(schema.event)
ADD_FIRINGS = insert(schema.firing)
ADD_FATES = insert(schema.fate)
ADD_VERSIONS = insert(schema.rule_version)
ADD_CAUSES = insert_new(schema.cause)
ADD_RUN_ASSETS = insert_new(schema.run_asset)
CLEAR_RUN_ASSETS = delete(schema.run_asset, "run")
ADD_HISTORY = insert(schema.materialization_history)
ADD_RAISED = insert(schema.raised)
PUT_DEAD = upsert(schema.dead_letter, ("sensor", "id"))
TAKE_INBOX = delete(schema.inbox, "id")
