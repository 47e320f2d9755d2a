"""Avro schemas: their fields as columns, and values that were written with them.

Types are Avro's own names, or those of its logical types: `long`, `timestamp-millis`,
`decimal(10, 2)`, `enum(new, paid)`, `array<string>`, `record`; a union with null is a column that
may be null, one of several types is `int | string`. A field with an alias is the renamed field of
that name.

Source: Avro 1.12, Schema Declaration, Binary encoding and Aliases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from io import BytesIO
from typing import Any

import fastavro
from fastavro._read_py import schemaless_reader as read_in_python
from pydantic_core import from_json

from reactor.core.contract import TableSchema
from reactor.typed import dumped
from sensors.registry.columns import VALUE, Columns, either
from sensors.registry.schema import Read, Resolved, Undecodable, Unusable

_RECORDS = frozenset({"record", "error"})


Named = Mapping[str, Any]


def table(resolved: Resolved) -> TableSchema:
    """The fields of a record, those of nested records too; `value` if it is no record."""
    schema, named = _parsed(resolved)
    found = Columns()
    _Walk(named, found).top(schema)
    return found.table("avro")


def reader(resolved: Resolved) -> Read:
    """What reads values that were written with a schema.

    Raises: Unusable.
    """
    schema, named = _parsed(resolved)
    shape = _Shape(named)
    if shape.takes_no_bytes_for_ever(schema):
        raise Unusable("it has an array of items that take no bytes: a few bytes make billions")
    # The compiled reader overflows its stack, and the process dies, where nesting has no bound.
    read: Any = read_in_python if shape.recursive(schema) else fastavro.schemaless_reader
    return partial(_read, lambda source: read(source, schema, None))


def _read(read: Callable[[BytesIO], Any], value: bytes) -> bytes:
    source = BytesIO(value)
    try:
        written = dumped(read(source))
    except Exception as error:  # bytes of something else raise nearly anything
        raise Undecodable(f"not what its schema says: {type(error).__name__}: {error}") from error
    if rest := len(value) - source.tell():
        raise Undecodable(f"not what its schema says: {rest} bytes are left over")
    return written


def _parsed(resolved: Resolved) -> tuple[Any, Named]:
    """The schema with full names, and all named types. Raises ValueError or what else is wrong."""
    named: dict[str, Any] = {}
    for text in resolved.others.values():
        fastavro.parse_schema(from_json(text), named)
    return fastavro.parse_schema(from_json(resolved.schema.text), named), named


def _known(schema: Any, named: Named) -> Any:
    """A type itself, where only its name is said."""
    return named.get(schema, schema) if isinstance(schema, str) else schema


def _kind(schema: Any) -> str:
    """`record`, `union` or any other type's name."""
    if isinstance(schema, list):
        return "union"
    kind = schema if isinstance(schema, str) else schema["type"]
    return kind if isinstance(kind, str) else _kind(kind)


class _Walk:
    """Notes the columns of a schema."""

    def __init__(self, named: Named, found: Columns) -> None:
        self._named = named
        self._found = found
        self._inside: list[str] = []

    def top(self, schema: Any) -> None:
        branches, nullable = self._branches(schema)
        if len(branches) == 1 and _kind(branches[0]) in _RECORDS:
            self._fields(branches[0], "", "", nullable)
        else:
            self._column(VALUE, VALUE, schema, nullable=False)

    def _column(self, name: str, origin: str, schema: Any, nullable: bool) -> None:
        branches, null = self._branches(schema)
        nullable = nullable or null
        self._found.add(name, map(self._said, branches), nullable, origin)
        for one in branches:
            record = self._record(one)
            if record is not None and record["name"] not in self._inside:
                several = nullable or len(branches) > 1
                self._fields(record, f"{name}.", f"{origin}.", several)

    def _fields(self, record: Any, prefix: str, origins: str, nullable: bool) -> None:
        self._inside.append(record["name"])
        present = {one["name"] for one in record["fields"]}
        for one in record["fields"]:
            name = one["name"]
            former = next((old for old in one.get("aliases", ()) if old not in present), name)
            self._column(prefix + name, origins + former, one["type"], nullable)
        self._inside.pop()

    def _record(self, schema: Any) -> Any:
        """The record that a column consists of, or a list or mapping of them."""
        schema = _known(schema, self._named)
        kind = _kind(schema)
        if kind in _RECORDS:
            return schema
        inner = {"array": "items", "map": "values"}.get(kind)
        if inner is None:
            return None
        branches, _ = self._branches(schema[inner])
        return self._record(branches[0]) if len(branches) == 1 else None

    def _branches(self, schema: Any) -> tuple[list[Any], bool]:
        """The types that a value may have, besides null, and whether it may be null."""
        schema = _known(schema, self._named)
        if not isinstance(schema, list):
            return [schema], _kind(schema) == "null"
        known = [_known(one, self._named) for one in schema]
        some = [one for one in known if _kind(one) != "null"]
        return some or known[:1], len(some) < len(known)

    def _said(self, schema: Any) -> str:
        """A type as text; records are told by their fields."""
        kind = _kind(schema)
        about: Mapping[str, Any] = schema if isinstance(schema, dict) else {}
        match kind:
            case "record" | "error":
                return "record"
            case "enum":
                return f"enum({', '.join(about['symbols'])})"
            case "array":
                return f"array<{self._inner(about['items'])}>"
            case "map":
                return f"map<{self._inner(about['values'])}>"
        logical = about.get("logicalType")
        if logical == "decimal":
            return f"decimal({about.get('precision')}, {about.get('scale', 0)})"
        if logical:
            return str(logical)
        return f"fixed({about['size']})" if kind == "fixed" else kind

    def _inner(self, schema: Any) -> str:
        branches, nullable = self._branches(schema)
        return either([*map(self._said, branches), *(["null"] if nullable else [])])


class _Shape:
    """What of a schema decides how its values may be read."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._empties: dict[str, bool] = {}

    def recursive(self, schema: Any) -> bool:
        """Whether values may be nested without a bound."""
        return self._circular(schema, (), set())

    def takes_no_bytes_for_ever(self, schema: Any) -> bool:
        """Whether it has an array whose items take no bytes, so that any number of them fits."""
        return any(_kind(one) == "array" and self._empty(one["items"]) for one in self._all(schema))

    def _circular(self, schema: Any, inside: tuple[str, ...], done: set[str]) -> bool:
        schema = _known(schema, self._named)
        name = schema.get("name") if isinstance(schema, dict) else None
        if name in inside:
            return True
        if name in done:
            return False
        path = inside if name is None else (*inside, name)
        found = any(self._circular(one, path, done) for one in _parts(schema))
        if name is not None:
            done.add(name)
        return found

    def _all(self, schema: Any) -> Iterable[Any]:
        """The schema and all that it consists of, named types once."""
        done: set[str] = set()
        left = [schema]
        while left:
            one = _known(left.pop(), self._named)
            name = one.get("name") if isinstance(one, dict) else None
            if name is not None and name in done:
                continue
            if name is not None:
                done.add(name)
            yield one
            left += _parts(one)

    def _empty(self, schema: Any) -> bool:
        schema = _known(schema, self._named)
        kind = _kind(schema)
        if kind == "fixed":
            return schema["size"] == 0
        if kind not in _RECORDS:
            return kind == "null"
        name = schema["name"]
        if name not in self._empties:
            # A record within itself takes bytes, or it would never end.
            self._empties[name] = False
            self._empties[name] = all(map(self._empty, _parts(schema)))
        return self._empties[name]


def _parts(schema: Any) -> list[Any]:
    """The types that a type consists of."""
    if isinstance(schema, list):
        return schema
    if not isinstance(schema, dict):
        return []
    if _kind(schema) in _RECORDS:
        return [one["type"] for one in schema["fields"]]
    return [schema[name] for name in ("items", "values") if name in schema]
