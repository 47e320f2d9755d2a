"""How single values are written in columns, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_json

from reactor.core.event import NO_HEADERS, Event
from reactor.core.instant import instant, micros


def maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def maybe_instant(at: int | None) -> datetime | None:
    return None if at is None else instant(at)


def iso(at: int | None) -> str | None:
    """An instant for people and programs: ISO 8601, UTC, always with microseconds."""
    if at is None:
        return None
    return instant(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_text(value: Any) -> str:
    """JSON. What JSON has no form for becomes a string, so that writing never fails for it."""
    try:
        return to_json(value, fallback=str).decode()
    except PydanticSerializationError:
        # Lone surrogates, which a hostile payload may hold; bytes that are not text.
        return json.dumps(value, default=_plain, separators=(",", ":"))


def from_text(text: str | bytes) -> Any:
    """The JSON value."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def payload(event: Event) -> bytes | None:
    """What is kept of an event's payload: `raw` where it has one, else `data` as bytes or JSON."""
    if event.raw is not None:
        return event.raw
    data = event.data
    if data is None or isinstance(data, bytes):
        return data
    return to_text(data).encode()


def headers(mapping: Mapping[str, str]) -> str | None:
    return to_text(dict(mapping)) if mapping else None


def from_headers(text: str | None) -> Mapping[str, str]:
    return from_text(text) if text else NO_HEADERS


def keyed(name: str | None) -> str:
    """A name that may be None, as part of a primary key: "" is None, and "=" quotes the rest."""
    if name is None:
        return ""
    return f"={name}" if not name or name[0] == "=" else name


def unkeyed(text: str) -> str | None:
    """The inverse of `keyed`."""
    if not text:
        return None
    return text[1:] if text[0] == "=" else text


def shown(data: bytes | None) -> Any:
    """A payload for people: its JSON value, else its text, else its bytes in hexadecimal."""
    if data is None:
        return None
    try:
        return from_json(data)
    except ValueError:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return {"hex": data.hex()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    # Once more through pydantic, for dates and the like, unless it is this very value that fails.
    try:
        return from_json(to_json(value, fallback=str))
    except PydanticSerializationError:
        return str(value)
