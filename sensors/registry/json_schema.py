"""JSON Schemas: their properties as columns, and values that are to fit them.

Types are JSON Schema's own names; a format stands in brackets, `string(date-time)`, and so do the
values of an enumeration: `enum(new, paid)`. A property that need not be there is a column that may
be null. `allOf` is read as all of its parts, `anyOf` and `oneOf` as any of them.

Source: JSON Schema 2020-12, and draft 7 for what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any
from urllib.parse import unquote, urljoin

import jsonschema_rs
from pydantic_core import from_json

from reactor.core.contract import TableSchema
from reactor.typed import MARK, dumped
from sensors.registry.columns import ANY, VALUE, Columns, either
from sensors.registry.schema import Read, Resolved, Undecodable, Unusable

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_DEEPEST = 50
_MOST_STEPS = 20_000


def reader(resolved: Resolved) -> Read:
    """What checks values against a schema. Nothing is fetched from wherever it points to.

    Raises: ValueError if it is no schema.
    """
    schema = from_json(resolved.schema.text)
    others = _parsed(resolved, schema)
    registry = jsonschema_rs.Registry(list(others.items())) if others else None
    validator = jsonschema_rs.validator_for(
        schema, registry=registry, offline=True, mask="the value"
    )
    return partial(_read, validator.iter_errors)


def _read(errors: Callable[[Any], Any], value: bytes) -> bytes:
    try:
        found = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise Undecodable(f"Invalid JSON: {error}") from error
    wrong = next(errors(found), None)
    if wrong is not None:
        place = ".".join(map(str, wrong.instance_path))
        raise Undecodable(f"{place}: {wrong.message}" if place else wrong.message)
    return dumped(found) if MARK in value else value


def _parsed(resolved: Resolved, schema: Any) -> dict[str, Any]:
    """What is referred to, by its name, and by what that name means within the schema."""
    base = _id(schema)
    found: dict[str, Any] = {}
    for name, text in resolved.others.items():
        found[name] = found[urljoin(base, name)] = from_json(text)
    return found


def _id(document: Any) -> str:
    found = document.get("$id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""


def table(resolved: Resolved) -> TableSchema:
    """The properties of an object, those of nested objects too; `value` if it is no object."""
    document = from_json(resolved.schema.text)
    look = _Look(_parsed(resolved, document))
    found = Columns()
    node = look.at(document, document)
    if node.properties:
        _note(look, node, "", found, node.null, ())
    else:
        found.add(VALUE, node.types, node.null)
    return found.table()


@dataclass(frozen=True, slots=True)
class _Place:
    """A schema within a document, which its references are relative to."""

    schema: Any
    document: Any


@dataclass(frozen=True, slots=True)
class _Node:
    """What a value may be: its types, whether null, and the properties that it has if an object.

    Of each property, where its schemas are, and whether it must be there.
    """

    types: frozenset[str] = frozenset()
    null: bool = False
    properties: Mapping[str, tuple[tuple[_Place, ...], bool]] = field(default_factory=lambda: {})

    def and_(self, other: _Node) -> _Node:
        """Both hold."""
        found = dict(self.properties)
        for name, (places, must) in other.properties.items():
            known, needed = found.get(name, ((), False))
            found[name] = ((*known, *places), needed or must)
        types = self.types & other.types or self.types | other.types
        return _Node(types, self.null and other.null, found)

    def or_(self, other: _Node) -> _Node:
        """One of them holds."""
        found: dict[str, tuple[tuple[_Place, ...], bool]] = {}
        for name in (*self.properties, *other.properties):
            here, needed = self.properties.get(name, ((), False))
            there, must = other.properties.get(name, ((), False))
            found[name] = ((*here, *there), needed and must)
        return _Node(self.types | other.types, self.null or other.null, found)


def _note(
    look: _Look, node: _Node, prefix: str, found: Columns, nullable: bool, inside: tuple[int, ...]
) -> None:
    """Notes the properties of an object, and those of the objects in them."""
    for name, (places, must) in node.properties.items():
        inner = reduce(_Node.or_, (look.at(one.schema, one.document) for one in places))
        null = nullable or inner.null or not must
        found.add(prefix + name, inner.types, null)
        marks = tuple(id(one.schema) for one in places)
        if not set(marks) & set(inside) and len(inside) < _DEEPEST:
            _note(look, inner, f"{prefix}{name}.", found, null, (*inside, *marks))


class _Look:
    """Finds what a schema says, in its document and in those that it refers to."""

    def __init__(self, others: Mapping[str, Any]) -> None:
        self._others = others
        self._steps = 0

    def at(self, schema: Any, document: Any, inside: tuple[int, ...] = ()) -> _Node:
        """What a value that fits a schema may be; what it says of itself says nothing more.

        Raises: Unusable if that takes too long to find out.
        """
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise Unusable("it is too intricate to be told in columns")
        if not isinstance(schema, dict) or id(schema) in inside or len(inside) > _DEEPEST:
            return _Node(null=True)
        inside = (*inside, id(schema))
        parts = [self._plain(schema, document, inside)] if _says_something(schema) else []
        if isinstance(reference := schema.get("$ref"), str):
            parts.append(self._referred(reference, document, inside))
        parts += [self.at(one, document, inside) for one in _listed(schema, "allOf")]
        for word in ("anyOf", "oneOf"):
            if choices := _listed(schema, word):
                nodes = [self.at(one, document, inside) for one in choices]
                parts.append(reduce(_Node.or_, nodes))
        return reduce(_Node.and_, parts) if parts else _Node(null=True)

    def _plain(self, schema: Mapping[str, Any], document: Any, inside: tuple[int, ...]) -> _Node:
        types, null = _types(schema)
        if "array" in types and isinstance(items := schema.get("items"), dict):
            item = self.at(items, document, inside)
            inner = either([*(item.types or {ANY}), *(["null"] if item.null else [])])
            types = types - {"array"} | {f"array<{inner}>"}
            return _Node(types, null, item.properties)
        needed = schema.get("required")
        must = set(needed) if isinstance(needed, list) else set()
        said = schema.get("properties")
        properties = said.items() if isinstance(said, dict) else ()
        found = {name: ((_Place(one, document),), name in must) for name, one in properties}
        return _Node(types, null, found)

    def _referred(self, reference: str, document: Any, inside: tuple[int, ...]) -> _Node:
        name, _, pointer = reference.partition("#")
        if name:
            document = self._others.get(name) or self._others.get(urljoin(_id(document), name))
        target = document
        for step in filter(None, unquote(pointer).split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        return self.at(target, document, inside)


def _says_something(schema: Mapping[str, Any]) -> bool:
    return not schema.keys().isdisjoint({"type", "properties", "items", "enum", "const", "format"})


def _types(schema: Mapping[str, Any]) -> tuple[frozenset[str], bool]:
    """The types that a schema states or implies, and whether null is among them."""
    values = [schema["const"]] if "const" in schema else _listed(schema, "enum")
    said = schema.get("type")
    named = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    types = [str(one) for one in named] or [_TYPES.get(type(one), ANY) for one in values]
    if not types:
        types = ["object"] if "properties" in schema else ["array"] if "items" in schema else []
    null = "null" in types if types else True
    some = {one for one in types if one != "null"}
    if isinstance(form := schema.get("format"), str) and "string" in some:
        some = some - {"string"} | {f"string({form})"}
    texts = [one for one in values if one is not None]
    if texts and all(isinstance(one, str) for one in texts):
        some = {f"enum({', '.join(sorted(texts))})"}
        null = null and (None in values or not named)
    return frozenset(some), null


def _listed(schema: Mapping[str, Any], word: str) -> list[Any]:
    found = schema.get(word)
    return found if isinstance(found, list) else []
