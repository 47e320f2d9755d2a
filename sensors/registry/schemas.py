"""The schemas that payloads name, as far as they were needed: learned first, then used.

A schema with an id never changes, so what was learned stays; what a registry did not know, or what
is no schema, is asked again after a while.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import monotonic

from sensors.registry.access import Access
from sensors.registry.client import Client, Unresolved, connected
from sensors.registry.schema import Read, Undecodable, Unusable
from sensors.registry.wire import HEAD, reader, schema_id

LIMIT = 1_000
"""How many schemas are kept, those of the last question in any case."""
_ASKED_AGAIN = 10.0
"""Seconds after which a schema that could not be had is asked for again."""


class Schemas:
    """What reads payloads in the wire format."""

    def __init__(self, client: Client, limit: int = LIMIT) -> None:
        self._client = client
        self._limit = limit
        self._readers: dict[int, Read] = {}
        self._without: dict[int, tuple[str, float]] = {}

    async def learn(self, payloads: Iterable[bytes]) -> None:
        """Gets the schemas that payloads name and that are not known.

        Raises: Unavailable; what was learned until then stays. SensorRefused.
        """
        wanted = {id for payload in payloads if (id := schema_id(payload)) is not None}
        now = monotonic()
        self._without = {
            id: (why, at) for id, (why, at) in self._without.items() if now - at < _ASKED_AGAIN
        }
        for id in sorted(wanted - self._readers.keys() - self._without.keys()):
            await self._learn(id)
        self._forget(wanted)

    def read(self, payload: bytes) -> bytes:
        """The value of a payload whose schema was learned, as JSON in which every type is kept.

        Raises: Undecodable, and nothing else.
        """
        id = schema_id(payload)
        if id is None:
            raise Undecodable(
                "not in the wire format of a schema registry: it begins with no zero byte and id"
            )
        read = self._readers.get(id)
        if read is None:
            why, _ = self._without.get(id, ("the registry was not asked for it", 0.0))
            raise Undecodable(f"schema {id}: {why}")
        try:
            return read(payload[HEAD:])
        except Undecodable as error:
            raise Undecodable(f"schema {id}: {error}") from error

    async def _learn(self, id: int) -> None:
        try:
            schema = await self._client.by_id(id)
            if schema is None:
                raise Unusable("the registry has no such schema")
            self._readers[id] = reader(await self._client.resolve(schema))
        except (Unusable, Unresolved) as error:
            self._without[id] = (str(error), monotonic())

    def _forget(self, wanted: set[int]) -> None:
        """Drops what was not used for longest, down to the limit."""
        for id in wanted & self._readers.keys():
            self._readers[id] = self._readers.pop(id)
        for id in list(self._readers)[: max(0, len(self._readers) - self._limit)]:
            if id not in wanted:
                del self._readers[id]


@asynccontextmanager
async def schemas_of(access: Access, patience: float) -> AsyncIterator[Schemas]:
    """The schemas of a registry; it is asked when the first is needed."""
    async with connected(access, patience) as client:
        yield Schemas(client)
