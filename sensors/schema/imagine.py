"""Schema changes that nobody made: for tests, for `reactor emit` and for `reactor plan`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reactor.core.contract import Change, SchemaChange
from sensors.schema.payload import SchemaChanged

Names = str | tuple[str, ...]
Model = TypeVar("Model", bound=BaseModel)


class Description(BaseModel):
    """What to say of a change: the table, and the columns by what became of them.

    `changes` says it exactly, where types or nullability matter.
    """

    model_config = ConfigDict(extra="forbid")

    table: str
    created: bool = False
    dropped: bool = False
    renamed_to: str = ""
    removed: Names = ()
    renamed: Mapping[str, str] = {}
    retyped: Names = ()
    nullable: Names = ()
    added: Names = ()
    changes: tuple[Change, ...] = ()


def imagined(fields: Mapping[str, Any]) -> SchemaChanged:
    """The payload for the change described: a whole payload, or a `Description`.

    Raises: ValueError if it is neither, or says that nothing changed.
    """
    if "breaking" in fields:
        payload = _checked(SchemaChanged, fields)
    else:
        said = _checked(Description, fields)
        changes = (*_changes(said), *said.changes)
        touched = dict.fromkeys(name for one in changes for name in _touched(one))
        payload = SchemaChanged.of(said.table, 0, SchemaChange(changes, tuple(touched)))
    if not payload.changes:
        known = ", ".join(name for name in Description.model_fields if name != "table")
        raise ValueError(f"nothing changed of {payload.table}: say what did ({known})")
    return payload


def _changes(said: Description) -> Iterator[Change]:
    if said.created:
        yield Change("table_created", False)
    if said.dropped:
        yield Change("table_dropped", True)
    if said.renamed_to:
        yield Change("table_renamed", True, before=said.table, after=said.renamed_to)
    for name in _each(said.removed):
        yield Change("column_removed", True, name)
    for old, new in said.renamed.items():
        yield Change("column_renamed", True, old, old, new)
    for name in _each(said.retyped):
        yield Change("column_retyped", True, name)
    for name in _each(said.nullable):
        yield Change("nullability_changed", True, name, "not null", "null")
    for name in _each(said.added):
        yield Change("column_added", False, name)


def _each(names: Names) -> Iterable[str]:
    return (names,) if isinstance(names, str) else names


def _touched(change: Change) -> Iterable[str]:
    if change.kind == "column_renamed":
        return (change.before, change.after)
    return (change.column,) if change.column else ()


def _checked(model: type[Model], fields: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"a schema change: {place}: {first['msg']}") from error
