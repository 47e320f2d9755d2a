"""What passes between the service and its worker processes: JSON in frames, never a pickle.

A frame is four bytes of length and as many of JSON. A value in it is a pair of its kind and what it
is made of: `json` as it is, `bytes` in base64, `event` by its attributes, `events` as a list of
those, and `typed`, a pydantic model or a dataclass, by its class and its fields. The payload of an
event is `exact`: JSON that keeps its types (reactor/typed.py).
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from reactor.core.event import Event
from reactor.executors import reference
from reactor.executors.reference import Reference
from reactor.typed import revived, written

Packed = list[Any]
LENGTH = struct.Struct(">I")


def frame(message: dict[str, Any]) -> bytes:
    """The message as it goes over the socket.

    What json does not know is written as pydantic would: paths, instants, sets, decimals.

    Raises: ValueError or TypeError if something in it cannot become JSON data.
    """
    body = json.dumps(message, default=to_jsonable_python).encode()
    return LENGTH.pack(len(body)) + body


class Frames:
    """Puts together messages from bytes as they come."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        self._unread += data
        while len(self._unread) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._unread)[0]
            if len(self._unread) < end:
                return
            body = bytes(self._unread[LENGTH.size : end])
            del self._unread[:end]
            yield json.loads(body)


def pack(value: Any) -> Packed:
    """A value for a frame."""
    if isinstance(value, bytes):
        return ["bytes", _text(value)]
    if isinstance(value, Event):
        return ["event", _attributes(value)]
    if _holds_events(value):
        return ["events", [_attributes(event) for event in value]]
    if _is_typed(value):
        text = _adapter(type(value)).dump_json(value, by_alias=True, round_trip=True).decode()
        return ["typed", dataclasses.astuple(reference.of(type(value))), text]
    return ["json", value]


def unpack(packed: Packed, *, load: bool) -> Any:
    """The value. Its class is imported if `load`, else only looked for among what is imported."""
    kind, made_of = packed[0], packed[1]
    if kind == "bytes":
        return base64.b64decode(made_of)
    if kind == "event":
        return _event(made_of, load=load)
    if kind == "events":
        return tuple(_event(each, load=load) for each in made_of)
    if kind == "typed":
        named = Reference(*made_of)
        found = reference.resolve(named) if load else reference.known(named)
        text = packed[2]
        return json.loads(text) if found is None else _adapter(found).validate_json(text)
    return revived(made_of) if kind == "exact" else made_of


def _attributes(event: Event) -> list[Any]:
    return [
        event.id,
        event.source,
        event.type,
        event.subject,
        event.time.isoformat(),
        event.received.isoformat(),
        _payload(event.data),
        event.key,
        {**event.headers},
        None if event.raw is None else _text(event.raw),
    ]


def _payload(data: Any) -> Packed:
    packed = pack(data)
    return ["exact", written(data)] if packed[0] == "json" else packed


def _event(attributes: list[Any], *, load: bool) -> Event:
    id, source, type, subject, time, received, data, key, headers, raw = attributes
    return Event(
        id,
        source,
        type,
        subject,
        datetime.fromisoformat(time),
        datetime.fromisoformat(received),
        unpack(data, load=load),
        key,
        headers,
        None if raw is None else base64.b64decode(raw),
    )


def _holds_events(value: Any) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    items = cast("Sequence[Any]", value)
    return isinstance(items[0], Event) if items else not isinstance(value, list)


def _is_typed(value: Any) -> bool:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return True
    return hasattr(type(value), "__pydantic_validator__")


@functools.lru_cache(256)
def _adapter(of: type) -> TypeAdapter[Any]:
    return TypeAdapter(of)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
