"""Confluent's wire format: a zero byte, the id of the schema in four bytes, and the value.

The value is in Avro's binary encoding, or JSON. It is read with the schema it was written with.
Source: Confluent Platform, Wire format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from reactor.core.contract import TableSchema
from sensors.registry import avro, json_schema
from sensors.registry.schema import Read, Resolved, Unusable

HEAD = 5
_HIGHEST = 2**31 - 1
"""Ids are signed where they are given: what is higher is no id, and some registries choke on it."""
Made = TypeVar("Made")

_READERS = {"AVRO": avro.reader, "JSON": json_schema.reader}
_TABLES = {"AVRO": avro.table, "JSON": json_schema.table}


def schema_id(payload: bytes) -> int | None:
    """The id that a payload names; None if it is not in the wire format."""
    if len(payload) < HEAD or payload[0] != 0:
        return None
    id = int.from_bytes(payload[1:HEAD], "big")
    return id if id <= _HIGHEST else None


def reader(resolved: Resolved) -> Read:
    """What reads the values of a schema. Raises Unusable."""
    return _made(resolved, _READERS)


def table(resolved: Resolved) -> TableSchema:
    """The fields of a schema as columns. Raises Unusable."""
    return _made(resolved, _TABLES)


def _made(resolved: Resolved, kinds: Mapping[str, Callable[[Resolved], Made]]) -> Made:
    kind = resolved.schema.kind
    if kind not in kinds:
        raise Unusable(f"it is of type {kind}; only {' and '.join(kinds)} can be read")
    try:
        return kinds[kind](resolved)
    except Unusable:
        raise
    except Exception as error:  # whatever a library says of text that is no schema
        first = next(iter(str(error).splitlines()), "")
        raise Unusable(f"it is no {kind} schema: {type(error).__name__}: {first}") from error
