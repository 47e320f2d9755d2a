"""CloudEvents over HTTP: one event in headers and body, one in JSON, or a batch of them.

Source: CloudEvents 1.0.2 HTTP protocol binding, section 3, and JSON format, sections 2 to 4.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote

from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

MOST = 1000
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
_CONTEXT = frozenset(
    {
        "id",
        "source",
        "type",
        "subject",
        "time",
        "specversion",
        "datacontenttype",
        "dataschema",
        "data",
        "data_base64",
    }
)
_LONGEST = 2000


class Malformed(ValueError):
    """What came is no CloudEvent; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event as it came; `data` is the payload's bytes, `extensions` whatever else it says."""

    id: str
    source: str
    type: str
    subject: str = ""
    time: datetime | None = None
    data: bytes = b""
    extensions: Mapping[str, str] = field(default_factory=lambda: {})

    @property
    def key(self) -> str | None:
        """The partitioning extension's key."""
        return self.extensions.get("partitionkey")


def read(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    """The events of a request, in order. `headers` has lower-case names.

    Raises: Malformed.
    """
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "application/cloudevents-batch+json":
        return _batch(_json(body))
    if media == "application/cloudevents+json":
        return [_structured(_json(body))]
    if "ce-specversion" in headers or "ce-id" in headers:
        return [_binary(headers, body)]
    if media in ("", "application/json"):
        found = _json(body)
        return _batch(found) if isinstance(found, list) else [_structured(found)]
    raise Malformed(
        f"a body of type {media[:100]} without ce- headers is no CloudEvent; "
        "send application/cloudevents+json, or the headers ce-id, ce-source, ce-type and "
        "ce-specversion"
    )


def _json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"the body is no JSON: {error}") from error


def _batch(found: Any) -> list[CloudEvent]:
    if not isinstance(found, list):
        raise Malformed("a batch of CloudEvents is a JSON array")
    items = cast("list[Any]", found)
    if len(items) > MOST:
        raise Malformed(f"a batch has at most {MOST} events, this one has {len(items)}")
    events: list[CloudEvent] = []
    for number, item in enumerate(items):
        try:
            events.append(_structured(item))
        except Malformed as error:
            raise Malformed(f"event {number} of the batch: {error}") from error
    return events


def _structured(found: Any) -> CloudEvent:
    if not isinstance(found, dict):
        raise Malformed("a CloudEvent is a JSON object")
    attributes = cast("dict[str, Any]", found)
    if "data" in attributes and "data_base64" in attributes:
        raise Malformed("an event has data or data_base64, not both")
    if "data_base64" in attributes:
        try:
            data = base64.b64decode(attributes["data_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise Malformed("data_base64 is no base64") from error
    else:
        data = _encoded(attributes)
    return _event(attributes, data)


def _encoded(attributes: Mapping[str, Any]) -> bytes:
    """The payload's bytes: JSON, unless it is a text that says it is something else."""
    if "data" not in attributes:
        return b""
    value = attributes["data"]
    media = str(attributes.get("datacontenttype", "application/json")).lower()
    if isinstance(value, str) and "json" not in media:
        return value.encode()
    return to_json(value)


def _binary(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    attributes = {
        name.removeprefix("ce-"): unquote(value)
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    return _event(attributes, body)


def _event(attributes: Mapping[str, Any], data: bytes) -> CloudEvent:
    version = attributes.get("specversion")
    if version != "1.0":
        raise Malformed("specversion is missing" if version is None else "specversion is not 1.0")
    extensions = {
        name: value if isinstance(value, str) else to_json(value).decode()
        for name, value in attributes.items()
        if name not in _CONTEXT and value is not None
    }
    return CloudEvent(
        id=_text(attributes, "id"),
        source=_text(attributes, "source"),
        type=_text(attributes, "type"),
        subject=_text(attributes, "subject", needed=False),
        time=_time(attributes.get("time")),
        data=data,
        extensions=extensions,
    )


def _text(attributes: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    value = attributes.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value):
        raise Malformed(f"{name} is missing" if value in (None, "") else f"{name} is not a text")
    if len(value) > _LONGEST:
        raise Malformed(f"{name} is longer than {_LONGEST:,} characters")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Malformed(f"{name} holds what is no text")
    return value


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            raise Malformed("time is not a text")
        return _TIME.validate_python(value).astimezone(UTC)
    except (ValidationError, OverflowError) as error:
        raise Malformed("time is no RFC 3339 instant with a time zone") from error


def sources(events: Sequence[CloudEvent]) -> list[str]:
    """The sources named, each once, in order."""
    return list(dict.fromkeys(event.source for event in events))
