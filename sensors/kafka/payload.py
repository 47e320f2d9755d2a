"""Bytes to payload, as the sensor says: JSON, a model of JSON, or the bytes themselves.

A value that was written with a schema becomes JSON which keeps its types first, "typed": that is
what a store keeps, and what a model is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from reactor.typed import MARK, dumped, revived
from sensors.registry.schema import Undecodable

Format = Literal["json", "bytes"]
Form = Literal["json", "bytes", "typed"]
Decode = Callable[[bytes], Any]

_SHOWN = 5


@lru_cache(maxsize=256)
def decoder(model: Any, form: Form) -> Decode:
    """What turns a message value into `Event.data`.

    It raises whatever the model's own validators raise, besides ValueError (of which pydantic's
    ValidationError is one). JSON means RFC 8259: NaN and Infinity are refused.
    """
    if form == "bytes":
        return _as_it_is
    if model is None:
        plain = partial(from_json, allow_inf_nan=False)
        return partial(_typed, plain, _same) if form == "typed" else plain
    validator = TypeAdapter(model).validator
    if form == "typed":
        return partial(_typed, validator.validate_json, validator.validate_python)
    return validator.validate_json


def encode(payload: Any, form: Form = "json") -> bytes:
    """The bytes that a store would keep of this payload."""
    if isinstance(payload, bytes):
        return payload
    return dumped(payload) if form == "typed" else to_json(payload)


def complaint(error: Exception) -> str:
    """What is wrong with a value, in one line that does not quote it."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [_where(one["loc"]) + one["msg"] for one in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"and {len(found) - _SHOWN} more")
        return "; ".join(lines)
    if isinstance(error, Undecodable):
        return str(error)
    if isinstance(error, ValueError):
        return f"Invalid JSON: {error}"
    return f"{type(error).__name__}: {error}"


def _where(loc: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, loc))}: " if loc else ""


def _typed(plain: Decode, validate: Callable[[Any], Any], raw: bytes) -> Any:
    """JSON as it is wherever no type has to be told, so that a model reads it as JSON."""
    if raw.startswith(b"\0"):
        raise Undecodable("it is in a registry's wire format, which only the sensor itself reads")
    return validate(revived(from_json(raw))) if MARK in raw else plain(raw)


def _same(value: Any) -> Any:
    return value


def _as_it_is(raw: bytes) -> bytes:
    return raw
