"""The shape of a table, and what changed between two looks at it.

Knows: columns, keys, the difference of two schemas, and which differences break a reader. Refuses
to know: where a schema was read, how types are spelled there, or who reads the table.

Laws: `diff(a, a)` is empty; the changes of `diff(a, b)`, carried out on `a`, give `b`; columns are
told apart by name, and a rename is recognised only where the source numbers its columns.

A change is breaking when something that worked on the table as it was may now fail or silently read
something else:

- table_dropped, table_renamed, column_removed, column_renamed: always;
- column_retyped: unless every old value keeps its meaning (`widens`: a wider integer or float of
  the same kind, a longer varchar, a numeric with room on both sides of the point, an enumeration
  with more values);
- nullability_changed: when nulls may now come; not when they no longer can;
- key_changed: when the columns of the old key need not be unique any more;
- table_created, column_added, columns_reordered: never; columns are read by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

Kind = Literal[
    "table_created",
    "table_dropped",
    "table_renamed",
    "column_added",
    "column_removed",
    "column_renamed",
    "column_retyped",
    "nullability_changed",
    "key_changed",
    "columns_reordered",
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` is normalised text, as its source spells it.

    `number` is the source's own lasting number for the column, which survives a rename; it is no
    part of what the column is.
    """

    name: str
    type: str
    nullable: bool = True
    number: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of a table in order, and the columns of its primary key.

    `identity` tells a table from another one made later under its name, where the source can;
    column numbers are compared only within one identity.
    """

    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    identity: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"a table has each column once, not {names}")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, for reading and for rules: `before` and `after` are text.

    For a column: its type; `null` or `not null`; its name if renamed. For a key and an order: the
    names, separated by commas. For a table: its names, if it was renamed. `column` is the name
    before the change, or the new column's.
    """

    kind: Kind
    breaking: bool
    column: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return _SAID[self.kind](self)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """All differences between two looks at one table; false if there is none."""

    changes: tuple[Change, ...] = ()
    columns: tuple[str, ...] = ()
    """Every column that a change is about, by the names its readers know, each once."""

    @property
    def breaking(self) -> bool:
        """Whether any change is."""
        return any(change.breaking for change in self.changes)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "; ".join(map(str, self.changes))


@runtime_checkable
class TableChanged(Protocol):
    """What the payload of a schema sensor's event says. The shapes may be unknown (None)."""

    @property
    def table(self) -> str: ...
    @property
    def changes(self) -> tuple[Change, ...]: ...
    @property
    def before(self) -> TableSchema | None: ...
    @property
    def after(self) -> TableSchema | None: ...


def diff(before: TableSchema | None, after: TableSchema | None) -> SchemaChange:
    """What turned `before` into `after`; None is a table that does not exist.

    Returns: changes in this order: columns removed, renamed, retyped, nullability (in the order
    before), added (in the order after), reordered, key.
    Cost: O(columns).
    """
    if before is None or after is None:
        return _whole(before, after)
    old = {column.name: column for column in before.columns}
    new = {column.name: column for column in after.columns}
    renamed = _renames(before, after)
    renames = set(renamed.values())
    kept = {
        name: renamed.get(name, name)
        for name in old
        if name in renamed or (name in new and name not in renames)
    }
    taken = set(kept.values())
    changes = [
        Change("column_removed", True, name, column.type)
        for name, column in old.items()
        if name not in kept
    ]
    changes += [Change("column_renamed", True, name, name, to) for name, to in renamed.items()]
    for name, to in kept.items():
        changes += _altered(old[name], new[to])
    added = [column for name, column in new.items() if name not in taken]
    changes += [
        Change("column_added", False, column.name, after=_described(column)) for column in added
    ]
    touched = [change.column for change in changes] + list(renamed.values())
    order = [name for name in new if name in taken]
    if order != list(kept.values()):
        changes.append(
            Change("columns_reordered", False, "", ", ".join(kept.values()), ", ".join(order))
        )
    key = [kept.get(name, name) for name in before.key]
    if key != list(after.key):
        breaking = bool(key) and not (after.key and set(after.key) <= set(key))
        changes.append(
            Change("key_changed", breaking, "", ", ".join(before.key), ", ".join(after.key))
        )
        touched += [*before.key, *after.key]
    return SchemaChange(tuple(changes), tuple(dict.fromkeys(touched)))


def renamed(change: SchemaChange, old: str, new: str) -> SchemaChange:
    """A table that was dropped, or created, told as what it was: one table that took a new name.

    Who reads the old name has lost its table, as when it is dropped; the new name is one more.
    """
    return replace(change, changes=tuple(_renamed(one, old, new) for one in change.changes))


def widens(before: str, after: str) -> bool:
    """Whether each value of type `before` is one of type `after` with the same meaning.

    A short list on purpose, and what is not on it counts as breaking: integers to wider integers,
    floats to wider floats, varchar(n) to varchar(m >= n) or text, numeric(p, s) to one with at
    least as many digits before and after the point, enum(a, b) to one that lists these and more. An
    integer to a float is not: it is rounded.
    """
    for chain in _CHAINS:
        if before in chain and after in chain:
            return chain[before] <= chain[after]
    if before.startswith("enum(") and after.startswith("enum("):
        return _listed(before) <= _listed(after)
    (kind, limits), (wider, room) = _parsed(before), _parsed(after)
    if kind in _VARCHAR:
        if wider == "text":
            return True
        return wider in _VARCHAR and (not room or (bool(limits) and limits[0] <= room[0]))
    if kind in _NUMERIC and wider in _NUMERIC:
        if not room or not limits:
            return not room
        (digits, scale), (more, finer) = (*limits, 0)[:2], (*room, 0)[:2]
        return scale <= finer and digits - scale <= more - finer
    return False


_VARCHAR = frozenset({"character varying", "varchar", "nvarchar"})
_NUMERIC = frozenset({"numeric", "decimal", "decimal128", "decimal256"})
_CHAINS: Sequence[dict[str, int]] = (
    {
        "int8": 1, "tinyint": 1,
        "int16": 2, "smallint": 2,
        "int32": 4, "integer": 4, "int": 4,
        "int64": 8, "bigint": 8, "long": 8,
    },
    {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8},
    {"halffloat": 2, "real": 4, "float": 4, "double": 8, "double precision": 8},
)  # fmt: skip


def _parsed(text: str) -> tuple[str, tuple[int, ...]]:
    """A type's name and the numbers in its brackets: `numeric(10, 2)` is numeric, (10, 2)."""
    match = re.fullmatch(r"([a-z0-9 ]+?) ?\(([0-9, ]+)\)", text)
    if match is None:
        return text, ()
    return match[1], tuple(int(number) for number in match[2].split(",") if number.strip())


def _listed(enum: str) -> set[str]:
    """The values of an enumeration: `enum(new, paid)`."""
    return set(enum.removeprefix("enum(").removesuffix(")").split(", "))


def _whole(before: TableSchema | None, after: TableSchema | None) -> SchemaChange:
    """The table came or went as a whole."""
    if before is after:
        return SchemaChange()
    table = before or after or TableSchema()
    change = Change("table_created", False) if before is None else Change("table_dropped", True)
    return SchemaChange((change,), tuple(column.name for column in table.columns))


def _renamed(change: Change, old: str, new: str) -> Change:
    match change.kind:
        case "table_dropped":
            return Change("table_renamed", True, before=old, after=new)
        case "table_created":
            return replace(change, before=old, after=new)
        case _:
            return change


def _renames(before: TableSchema, after: TableSchema) -> dict[str, str]:
    """Old name to new name of the columns that carry the same number in the same table."""
    if before.identity is None or before.identity != after.identity:
        return {}
    now = {column.number: column.name for column in after.columns if column.number is not None}
    return {
        column.name: now[column.number]
        for column in before.columns
        if column.number in now and now[column.number] != column.name
    }


def _altered(old: Column, new: Column) -> list[Change]:
    changes: list[Change] = []
    if old.type != new.type:
        breaking = not widens(old.type, new.type)
        changes.append(Change("column_retyped", breaking, old.name, old.type, new.type))
    if old.nullable != new.nullable:
        null, now = _nullability(old), _nullability(new)
        changes.append(Change("nullability_changed", new.nullable, old.name, null, now))
    return changes


def _nullability(column: Column) -> str:
    return "null" if column.nullable else "not null"


def _described(column: Column) -> str:
    return column.type if column.nullable else f"{column.type} not null"


_SAID: dict[Kind, Callable[[Change], str]] = {
    "table_created": lambda change: (
        f"table created, renamed from {change.before}" if change.before else "table created"
    ),
    "table_dropped": lambda change: "table dropped",
    "table_renamed": lambda change: f"table renamed to {change.after}",
    "column_added": lambda change: f"column {change.column} added ({change.after})",
    "column_removed": lambda change: f"column {change.column} removed",
    "column_renamed": lambda change: f"column {change.before} renamed to {change.after}",
    "column_retyped": lambda change: (
        f"column {change.column} is {change.after}, was {change.before}"
    ),
    "nullability_changed": lambda change: f"column {change.column} is {change.after} now",
    "key_changed": lambda change: f"key is ({change.after}), was ({change.before})",
    "columns_reordered": lambda change: "columns reordered",
}
