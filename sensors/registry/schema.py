"""A schema as a registry has it: text, and other schemas that the text refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

Read = Callable[[bytes], bytes]
"""From an encoded value to JSON that keeps its types (reactor/typed.py). Raises Undecodable."""


class Undecodable(Exception):
    """Bytes that are no payload, or not one of the schema that they name."""


class Unusable(Exception):
    """A schema by which nothing can be read."""


class Decoder(Protocol):
    """Decodes payloads in the wire format, once their schemas were learned."""

    async def learn(self, payloads: Iterable[bytes]) -> None:
        """Gets the schemas that payloads name. Raises SensorError if the registry is not there."""
        ...

    def read(self, payload: bytes) -> bytes:
        """The payload as JSON that keeps its types (reactor/typed.py). Raises Undecodable."""
        ...


@dataclass(frozen=True, slots=True)
class Reference:
    """A version of another subject, and the name by which a schema refers to it."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema as it was registered. `kind` is AVRO, JSON or PROTOBUF."""

    kind: str
    text: str
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """The newest version of a subject. The same schema has the same id under any subject."""

    subject: str
    number: int
    id: int
    schema: Schema


@dataclass(frozen=True, slots=True)
class Resolved:
    """A schema with the texts of all that it refers to, by name; what others need comes first."""

    schema: Schema
    others: Mapping[str, str] = field(default_factory=lambda: {})
