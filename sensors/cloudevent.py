"""CloudEvents as they come over HTTP: one in headers and body, one in JSON, or a batch.

Source: CloudEvents 1.0.2, HTTP protocol binding section 3, JSON format sections 2 to 4.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import unquote

from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

_CONTEXT = {"id", "source", "type", "subject", "time", "specversion", "data", "data_base64"}
MOST = 1000
"""How many events a batch may have."""
_LONGEST = 1024
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}")
# Only such numbers can be too large for a float.
_HUGE = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{300}")
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class Malformed(ValueError):
    """What came is no CloudEvent; the message says what is wrong with it.

    `raw` is the event in question as JSON, where it was one of several.
    """

    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event as it came. `raw` is its data as JSON: the bytes sent, or made of what was sent.

    Data that is not JSON is a JSON string: text as it is, anything else in base64. `content` is the
    data itself, as the bytes that it is; empty if there is none.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime | None
    raw: bytes
    extensions: Mapping[str, str]
    content: bytes


def mode(headers: Mapping[str, str]) -> str:
    """How CloudEvents are in a request: `batch`, `structured`, `binary`, or empty if not at all."""
    media = _media(headers)
    if media.startswith("application/cloudevents-batch"):
        return "batch"
    if media.startswith("application/cloudevents"):
        return "structured"
    return "binary" if "ce-specversion" in headers else ""


def read(headers: Mapping[str, str], body: bytes) -> list[CloudEvent | Malformed]:
    """The events of a request whose `mode` is not empty, in order. In a batch, an error stands in
    place of an event that is none, and the others stand. `headers` has lower-case names.

    Raises: Malformed if it has no events at all.
    """
    match mode(headers):
        case "batch":
            listed = _document(headers, body)
            if not isinstance(listed, list) or len(listed) > MOST:
                raise Malformed(f"a batch of CloudEvents is a JSON array of at most {MOST}")
            return [_one_of_many(one) for one in listed]
        case "structured":
            return [_structured(_document(headers, body))]
        case _:
            return [_binary(headers, body)]


def json_value(raw: bytes) -> Any:
    """What JSON text stands for.

    Raises: ValueError for what is no JSON, nested too deeply, or beyond what a number can be.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if _HUGE.search(raw) and not _finite(value):
        raise ValueError("not JSON that we take: a number is too large")
    return value


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list) else True


def _one_of_many(found: Any) -> CloudEvent | Malformed:
    try:
        return _structured(found)
    except Malformed as error:
        error.raw = to_json(found)
        return error


def _media(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _document(headers: Mapping[str, str], body: bytes) -> Any:
    media = _media(headers)
    if not media.endswith("+json"):
        raise Malformed(f"CloudEvents are read in JSON, not as {media[:100]}")
    try:
        return json_value(body)
    except ValueError as error:
        raise Malformed(str(error)) from error


def _structured(found: Any) -> CloudEvent:
    if not isinstance(found, dict):
        raise Malformed("a CloudEvent is a JSON object")
    # Source: JSON format 2.2, null is the same as absent; but not for data (3.1.1).
    given = {name: value for name, value in found.items() if value is not None or name == "data"}
    if "data_base64" in given:
        if "data" in given:
            raise Malformed("an event has data or data_base64, not both")
        media = _type_of(given) or "application/octet-stream"
        content = _bytes(given["data_base64"])
        return _event(given, _encoded(content, media), content)
    raw = to_json(given.get("data"))
    if "data" not in given or _is_json(_type_of(given)):
        return _event(given, raw, raw if "data" in given else b"")
    if not isinstance(given["data"], str):
        raise Malformed("data that is not JSON is a text")
    return _event(given, raw, given["data"].encode())


def _binary(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    attributes = {
        name.removeprefix("ce-"): _header(name, value)
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    for name in ("data", "data_base64"):
        attributes.pop(name, None)
    if media := headers.get("content-type"):
        attributes["datacontenttype"] = media
    raw = _encoded(body, _type_of(attributes)) if body else b"null"
    return _event(attributes, raw, body)


def _event(given: Mapping[str, Any], raw: bytes, content: bytes) -> CloudEvent:
    if given.get("specversion") != "1.0":
        raise Malformed("specversion is not 1.0")
    subject = given.get("subject")
    return CloudEvent(
        id=_text(given, "id"),
        source=_text(given, "source"),
        type=_text(given, "type"),
        subject="" if subject is None else _text(given, "subject"),
        time=_time(given.get("time")),
        raw=raw,
        extensions={
            name: value if isinstance(value, str) else to_json(value).decode()
            for name, value in given.items()
            if name not in _CONTEXT and value is not None and _ATTRIBUTE.fullmatch(name)
        },
        content=content,
    )


def _encoded(content: bytes, media: str) -> bytes:
    """Bytes of some media type as JSON; those that are JSON stay as they came."""
    if _is_json(media):
        return content
    if media.startswith("text/") or media.endswith(("/xml", "+xml")):
        try:
            return to_json(content.decode())
        except UnicodeDecodeError:
            pass
    return to_json(base64.b64encode(content).decode())


def _type_of(given: Mapping[str, Any]) -> str:
    return str(given.get("datacontenttype", "")).partition(";")[0].strip().lower()


def _is_json(media: str) -> bool:
    return not media or media.endswith(("/json", "+json"))


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Malformed("data_base64 is not base64") from error


def _header(name: str, value: str) -> str:
    """An attribute from a header. Source: HTTP binding 3.1.3.2, quotes first, then percent."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeError as error:
        raise Malformed(f"{name[:100]} is not percent-encoded UTF-8") from error


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is missing" if value in (None, "") else f"{name} is not a text")
    if len(value) > _LONGEST or _NOT_TEXT.search(value):
        raise Malformed(f"{name} is too long or has control characters")
    return value


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, str) and _RFC3339.match(value):
            return _TIME.validate_strings(value).astimezone(UTC)
    except (ValidationError, OverflowError):
        pass
    raise Malformed("time is not an RFC 3339 instant")
