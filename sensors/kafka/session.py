"""One consumer, from the moment its partitions and positions are known until something changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import Any

import anyio
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    OffsetOutOfRangeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition
from anyio.streams.memory import MemoryObjectSendStream

from reactor.ports import Batch, DeadLetter, Desk
from sensors.kafka.cluster import Client, let_go
from sensors.kafka.health import Pace
from sensors.kafka.record import Part, Reader
from sensors.kafka.watch import Watch
from sensors.kafka.watermark import Watermark

_MAX_RECORDS = 1000
_FETCH_BYTES = 4 * 1024 * 1024
_PARTITION_BYTES = 1024 * 1024
_FETCH_WAIT_MS = 200
"""How long the broker may hold a fetch open. Kafka ends it with the first record; tansu 0.6 looks
only twice in that time, so this bounds its latency."""

Fetched = tuple[Part, Sequence[Any], int]
Handed = tuple[Batch | None, datetime | None]
"""A batch on its way to the desk, and up to when everything was read with it."""


class Suspect(Exception):
    """The consumer failed in a way that may have lost what it had fetched."""


class Session:
    """Reads some partitions into `outlet`, one batch for each `getmany`.

    It waits for each batch to be taken, so that at most one is made ahead. How far it has read goes
    the same way.
    """

    def __init__(
        self,
        desk: Desk,
        reader: Reader,
        outlet: MemoryObjectSendStream[Handed],
        parts: Iterable[Part],
        watch: Watch,
        pace: Pace,
    ) -> None:
        self._desk = desk
        self._reader = reader
        self._outlet = outlet
        self._parts = {part.tp: part for part in parts}
        self._watch = watch
        self._pace = pace
        self._watermark = Watermark(self._parts.values(), reader.lateness)
        self._behind: dict[TopicPartition, int] = {}
        self.delivered = False

    async def run(self, options: Mapping[str, Any], ids: Mapping[str, str]) -> str:
        """Reads until something changes, and says what.

        Args:
            options: aiokafka's options of a client.
            ids: of the topics, where they have one; no others are read.

        Raises: KafkaError or OSError if the cluster cannot be reached any more, Suspect if the
            partitions are to be read one by one.
        """
        client = Client(**options)
        client.ids, client.clock = ids, self._desk.clock
        consumer = _consumer(client, options)
        try:
            with anyio.fail_after(self._pace.patience):
                await consumer.start()
            consumer.assign(list(self._parts))
            for part in self._parts.values():
                consumer.seek(part.tp, part.offset)
            self._watch.looked = lambda: self._say_upto(client)
            return await self._read(consumer, client)
        finally:
            self._watch.looked = lambda: None
            await let_go(consumer.stop, client, self._pace.stop)

    async def _read(self, consumer: AIOKafkaConsumer, client: Client) -> str:
        """Reads and watches. A CancelledError that aiokafka makes up ends the reading, not us."""
        over = "the consumer broke off"

        async def read() -> None:
            nonlocal over
            try:
                over = await self._consume(consumer, client)
            finally:
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch.run)
                tasks.start_soon(read)
        except ExceptionGroup as errors:
            raise only(errors) from None
        if self._watch.failure:
            raise self._watch.failure
        return over

    async def _consume(self, consumer: AIOKafkaConsumer, client: Client) -> str:
        while not self._watch.over:
            fetched: list[Fetched] = []
            dead: list[DeadLetter] = []
            with anyio.move_on_after(self._pace.stall) as limit:
                try:
                    fetched = await self._fetch(consumer)
                except OffsetOutOfRangeError as error:
                    return f"offset out of range: {error}"
                except RecordTooLargeError as error:
                    dead.append(self._letter(error))
                    fetched = await self._passed(consumer)
            if limit.cancelled_caught:
                return "the consumer did not answer"
            if fetched or dead:
                await self._hand_on(fetched, dead, client)
            self._tell_lag(consumer, fetched)
            if client.estranged:
                return "a topic was created anew"
        return self._watch.over

    async def _fetch(self, consumer: AIOKafkaConsumer) -> list[Fetched]:
        """What came of each partition, and the offset after it; empty if nothing came in time."""
        wait_ms = int(self._pace.poll * 1000)
        try:
            got = await consumer.getmany(timeout_ms=wait_ms, max_records=_MAX_RECORDS)
        except (OffsetOutOfRangeError, RecordTooLargeError, TopicAuthorizationFailedError):
            raise
        except Exception as error:  # parsers and codecs raise anything
            raise Suspect(f"{type(error).__name__}: {error}") from error
        if not got:
            return await self._passed(consumer)
        parts = self._parts
        return [(parts[tp], records, await consumer.position(tp)) for tp, records in got.items()]

    async def _passed(self, consumer: AIOKafkaConsumer) -> list[Fetched]:
        """Partitions that went on without a record: those of an aborted transaction, say."""
        after = [(part, await consumer.position(part.tp)) for part in self._parts.values()]
        return [(part, (), offset) for part, offset in after if offset != part.offset]

    async def _hand_on(
        self, fetched: Sequence[Fetched], dead: Sequence[DeadLetter], client: Client
    ) -> None:
        self._watch.busy = True
        if not await self._decodable(fetched):
            return
        now = self._desk.clock.now()
        batch = self._reader.batch(fetched, now, dead)
        for part, records, _ in fetched:
            self._watermark.saw(part, records, now)
        await self._outlet.send((batch, self._upto(client)))
        self._watch.busy = False
        self.delivered = True

    async def _decodable(self, fetched: Iterable[Fetched]) -> bool:
        """Waits until what was fetched can be decoded; whether it came to that before the end."""
        decoding = self._reader.decoding
        if decoding is None:
            return True
        records = chain.from_iterable(records for _, records, _ in fetched)
        return await decoding.ready(records, lambda: self._watch.over)

    def _say_upto(self, client: Client) -> None:
        """Says how far we are, unless a batch is on its way, which will say it."""
        if (upto := self._upto(client)) is not None:
            with suppress(anyio.WouldBlock):
                self._outlet.send_nowait((None, upto))

    def _upto(self, client: Client) -> datetime | None:
        sure = self._watch.sure
        return self._watermark.upto(client.answers, sure) if sure is not None else None

    def _tell_lag(self, consumer: AIOKafkaConsumer, fetched: Iterable[Fetched]) -> None:
        """Says how old the newest record is of the partition that is furthest behind."""
        for part, records, after in fetched:
            end = consumer.last_stable_offset(part.tp)
            if end is None or end < 0:
                end = consumer.highwater(part.tp)
            if end is None or after >= end or not records:
                self._behind.pop(part.tp, None)
            else:
                self._behind[part.tp] = records[-1].timestamp
        lag = 0.0
        if self._behind:
            oldest = min(self._behind.values()) / 1000
            lag = max(0.0, self._desk.clock.now().timestamp() - oldest)
        self._desk.lag(lag)

    def _letter(self, error: RecordTooLargeError) -> DeadLetter:
        """A record that the broker would not send whole; aiokafka has stepped over it."""
        _, tp, offset, limit = error.args
        part = self._parts[tp]
        return self._reader.letter(
            part,
            offset,
            f"the record is too long for a fetch of {limit} bytes, and the broker sends no more",
            self._desk.clock.now(),
        )


def only(errors: ExceptionGroup[Exception]) -> Exception:
    """The error that a task group wrapped, if it is one."""
    return errors.exceptions[0] if len(errors.exceptions) == 1 else errors


def _consumer(client: Client, options: Mapping[str, Any]) -> AIOKafkaConsumer:
    """A consumer that does nothing by itself: no group, no commit, no reset."""
    made = AIOKafkaConsumer(
        **options,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        fetch_max_bytes=_FETCH_BYTES,
        max_partition_fetch_bytes=_PARTITION_BYTES,
    )
    made._client = client
    return made
