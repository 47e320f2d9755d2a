"""Kafka records to events: the hot path, so every name in its loop is local.

Cost: about 1.5 us a record on top of decoding its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka.structs import TopicPartition

from reactor.core.event import NO_HEADERS, Event
from reactor.ports import Batch, DeadLetter, Move
from sensors.kafka.decoding import Decoding
from sensors.kafka.payload import complaint, decoder
from sensors.kafka.position import Position, part_of
from sensors.kafka.topic import MESSAGE, TOMBSTONE, KafkaTopic

KEPT = 1024 * 1024
"""How much is kept, in bytes, of a value that is too long to be decoded."""

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(slots=True)
class Part:
    """A partition that is being read: where we are in it, and what that is called.

    `recorded` is the position as the last move wrote it, None before the first.
    """

    tp: TopicPartition
    name: str
    incarnation: str
    offset: int
    recorded: str

    @classmethod
    def at(cls, tp: TopicPartition, position: Position) -> Part:
        name = part_of(tp.topic, tp.partition)
        return cls(tp, name, position.incarnation, position.offset, str(position))

    def move(self, offset: int) -> Move:
        """Goes on to `offset`."""
        before, self.recorded = self.recorded, f"{self.incarnation}:{offset}"
        self.offset = offset
        return Move(self.name, before, self.recorded)

    def id(self, offset: int | str) -> str:
        """The identity of a record for ever."""
        return f"{self.name}/{self.incarnation}/{offset}"


class _Draft:
    """An event while it is filled in: assigning to a frozen dataclass costs five times as much.

    Its instants are aware by construction, so nothing that `Event` checks is passed over.
    """

    __slots__ = Event.__slots__

    def __init__(
        self,
        id: str,
        type: str,
        source: str,
        subject: str,
        time: datetime,
        received: datetime,
        data: Any,
        key: str | None,
        headers: Mapping[str, str],
        raw: bytes | None,
    ) -> None:
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.received = received
        self.data = data
        self.key = key
        self.headers = headers
        self.raw = raw


class Reader:
    """Makes batches of one sensor from what was fetched.

    Args:
        decoding: what decodes values with a schema registry, where the sensor has one. It must be
            ready for the records that a batch is made of.
    """

    def __init__(self, topic: KafkaTopic, decoding: Decoding | None = None) -> None:
        self.lateness = topic.lateness
        self.decoding = decoding
        self._name = topic.name
        self._unwrap = decoding.read if decoding is not None else None
        self._decode = decoder(topic.model, topic.form)
        self._max_bytes = topic.max_bytes

    def batch(
        self,
        fetched: Iterable[tuple[Part, Sequence[Any], int]],
        received: datetime,
        dead: Iterable[DeadLetter] = (),
    ) -> Batch:
        """One batch of (part, its records, the offset after them)."""
        events: list[Event] = []
        letters = list(dead)
        moves: list[Move] = []
        for part, records, after in fetched:
            self._read(part, records, received, events, letters)
            moves.append(part.move(after))
        return Batch(self._name, events, moves, letters)

    def _read(
        self,
        part: Part,
        records: Sequence[Any],
        received: datetime,
        events: list[Event],
        dead: list[DeadLetter],
    ) -> None:
        """Appends the records of one partition as events, or as dead letters."""
        prefix, subject, source = part.id(""), part.name, self._name
        decode, max_bytes, add = self._decode, self._max_bytes, events.append
        unwrap = self._unwrap
        stamp, time = -1, received
        for record in records:
            raw, headers, key = record.value, record.headers, record.key
            if raw is None:
                kind, data = TOMBSTONE, None
            elif len(raw) > max_bytes:
                dead.append(self._too_long(part, record, received))
                continue
            else:
                kind = MESSAGE
                try:
                    if unwrap is not None:
                        raw = unwrap(raw)
                    data = decode(raw)
                except Exception as error:  # noqa: BLE001 - a model's own validators may raise anything
                    dead.append(
                        self.letter(part, record.offset, complaint(error), received, raw, headers)
                    )
                    continue
            if record.timestamp != stamp:
                stamp = record.timestamp
                time = _instant(stamp, received)
            draft: Any = _Draft(
                f"{prefix}{record.offset}",
                kind,
                source,
                subject,
                time,
                received,
                data,
                None if key is None else key.decode("utf-8", "backslashreplace"),
                texts(headers) if headers else NO_HEADERS,
                raw,
            )
            draft.__class__ = Event
            add(draft)

    def letter(
        self,
        part: Part,
        offset: int,
        error: str,
        at: datetime,
        raw: bytes = b"",
        headers: Headers = (),
    ) -> DeadLetter:
        """A record that cannot become an event."""
        return DeadLetter(part.id(offset), self._name, part.name, error, at, raw, texts(headers))

    def _too_long(self, part: Part, record: Any, at: datetime) -> DeadLetter:
        raw = record.value
        kept = min(self._max_bytes, KEPT)
        error = (
            f"the value is {len(raw)} bytes long, more than max_bytes={self._max_bytes};"
            f" its first {kept} bytes are kept"
        )
        return self.letter(part, record.offset, error, at, bytes(raw[:kept]), record.headers)


def texts(headers: Headers) -> Mapping[str, str]:
    """Headers as text: bytes that are not UTF-8 as `\\xNN`, a null as the empty string."""
    return {
        name: "" if value is None else value.decode("utf-8", "backslashreplace")
        for name, value in headers
    }


def _instant(milliseconds: int, otherwise: datetime) -> datetime:
    """A record's timestamp; `otherwise` if it has none, or one beyond the year 9999."""
    if milliseconds < 0:
        return otherwise
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return otherwise
