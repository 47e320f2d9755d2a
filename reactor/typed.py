"""JSON that keeps the Python types which payloads may have and JSON has not.

A Decimal is written `{"$decimal": "12.50"}`, and likewise instants, dates, times, UUIDs, bytes
(base64) and the floats that are no numbers; everything else is plain JSON. So what was decoded once
can be read again without its schema, and crosses to another process as it is.

Law: `revived(from_json(dumped(value))) == value`, types included, for all that Avro or JSON decode
to; text that has no `"$` in it stands for itself.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from pydantic_core import to_json

MARK = b'"$'
"""In every text that has to be revived, and hardly in another."""
_MAP = "$map"

_WRITTEN: Mapping[type, tuple[str, Callable[[Any], str]]] = {
    Decimal: ("$decimal", str),
    datetime: ("$timestamp", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", time.isoformat),
    UUID: ("$uuid", str),
    bytes: ("$bytes", lambda value: b64encode(value).decode()),
    float: ("$float", str),
}
_READ: Mapping[str, Callable[[str], Any]] = {
    "$decimal": Decimal,
    "$timestamp": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$uuid": UUID,
    "$bytes": lambda text: b64decode(text, validate=True),
    "$float": float,
}


def dumped(value: Any) -> bytes:
    """The text of a decoded value."""
    return to_json(written(value))


def revived(value: Any) -> Any:
    """The value that was dumped, from the JSON of it.

    Raises: ValueError if it says of a text that it is something which it is not.
    """
    if isinstance(value, list):
        return [revived(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(name, inner)] = value.items()
        if name == _MAP and isinstance(inner, dict):
            return {key: revived(one) for key, one in inner.items()}
        read = _READ.get(name)
        if read is not None and isinstance(inner, str):
            return _read(name, read, inner)
    return {key: revived(one) for key, one in value.items()}


def _read(name: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"{text[:100]!r} is no {name.removeprefix('$')}") from error


def written(value: Any) -> Any:
    """The JSON data that stands for a value; what is none of ours is left as it is."""
    kind = type(value)
    if kind is dict:
        inner = {key: written(one) for key, one in value.items()}
        # A mapping that looks like one of ours is said to be none.
        return {_MAP: inner} if len(value) == 1 and str(next(iter(value)))[:1] == "$" else inner
    if kind is list or kind is tuple:
        return [written(one) for one in value]
    if kind is float and isfinite(value):
        return value
    tag = _WRITTEN.get(kind)
    if tag is None:
        return value
    name, write = tag
    return {name: write(value)}
