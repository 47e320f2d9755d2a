"""Bytes to payload, as the sensor says: JSON, a model of JSON, or the bytes themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

Format = Literal["json", "bytes"]
Decode = Callable[[bytes], Any]

_SHOWN = 5


@lru_cache(maxsize=256)
def decoder(model: Any, form: Format) -> Decode:
    """What turns a message value into `Event.data`.

    It raises whatever the model's own validators raise, besides ValueError (of which pydantic's
    ValidationError is one). JSON means RFC 8259: NaN and Infinity are refused.
    """
    if form == "bytes":
        return _as_it_is
    if model is None:
        return partial(from_json, allow_inf_nan=False)
    return TypeAdapter(model).validator.validate_json


def encode(payload: Any) -> bytes:
    """The bytes that a producer would have sent for this payload."""
    return payload if isinstance(payload, bytes) else to_json(payload)


def complaint(error: Exception) -> str:
    """What is wrong with a value, in one line that does not quote it."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [_where(one["loc"]) + one["msg"] for one in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"and {len(found) - _SHOWN} more")
        return "; ".join(lines)
    if isinstance(error, ValueError):
        return f"Invalid JSON: {error}"
    return f"{type(error).__name__}: {error}"


def _where(loc: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, loc))}: " if loc else ""


def _as_it_is(raw: bytes) -> bytes:
    return raw
