"""Reads one partition without aiokafka's consumer, where that one fails.

aiokafka's `getmany` raises if a single record has a header name that is not UTF-8, or if one batch
is damaged; it raises again each time, for all partitions, and loses what it had already taken from
the others. So the partitions are then read once one by one: a strange header name is replaced, and
a damaged batch stops its own partition only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from sensors.kafka.cluster import FETCH_WAIT_MS, READ_COMMITTED, Cluster
from sensors.kafka.record import Part

_MAX_BYTES = 1024 * 1024


class Unreadable(Exception):
    """The next batch of a partition cannot be read, whoever tries."""


async def fetch_alone(cluster: Cluster, part: Part) -> tuple[Sequence[Any], int]:
    """The next records of one partition, if any, and the offset after them.

    Raises: Unreadable, or KafkaError or OSError if its leader does not answer.
    """
    topic, partition = part.tp
    wanted = [(topic, [(partition, part.offset, _MAX_BYTES)])]
    answer = await cluster.ask_leader(
        part.tp, FetchRequest(FETCH_WAIT_MS, 0, _MAX_BYTES, READ_COMMITTED, wanted)
    )
    for _, answered in answer.topics:
        for _, code, _, *rest in answered:
            if code:
                raise for_code(code)(part.name)
            aborted = rest[2] if answer.API_VERSION >= 11 else rest[-2]
            return read_tolerantly(part, rest[-1] or b"", aborted)
    return (), part.offset


def read_tolerantly(
    part: Part, raw: bytes, aborted: Sequence[tuple[int, int]] | None = None
) -> tuple[Sequence[Any], int]:
    """The records in what a broker sent, and the offset after them.

    It ends before a batch that cannot be read.

    Raises: Unreadable if that batch is the first.
    """
    records = PartitionRecords(
        part.tp, _Tolerant(raw), aborted, part.offset, None, None, True, READ_COMMITTED
    )
    found: list[Any] = []
    try:
        found.extend(records)
    except Exception as error:
        if records.next_fetch_offset == part.offset:
            raise Unreadable(f"{type(error).__name__}: {error}") from error
    return found, records.next_fetch_offset


class _Tolerant(_MemoryRecordsPy):  # pyright: ignore[reportGeneralTypeIssues]
    """Batches as `_Batch`, where they are not of the format before Kafka 0.11."""

    def next_batch(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        following = self._next_slice
        if following is None or following[self.MAGIC_OFFSET] < 2:
            return super().next_batch()
        self._cache_next()
        return _Batch(following)


class _Batch(_DefaultRecordBatchPy):  # pyright: ignore[reportGeneralTypeIssues]
    """aiokafka's own batch in Python, whose text may be anything."""

    def __iter__(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)
        return self


class _Bytes(bytearray):
    """Bytes of which any slice is text."""

    def __getitem__(self, key: Any) -> Any:
        found = bytearray.__getitem__(self, key)
        return _Bytes(found) if isinstance(key, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return bytearray.decode(self, encoding, errors)
