"""`KafkaTopic`: the value that says which topics to listen to, and how."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar, Literal, Unpack

from reactor.core.duration import Duration, duration
from reactor.core.errors import SensorError, SettingsError
from reactor.core.event import NO_HEADERS, Event
from reactor.core.trigger.expression import Source
from reactor.ports import Desk, RunningSensor
from sensors.kafka.payload import Form, Format, complaint, decoder, encode
from sensors.kafka.position import part_of
from sensors.kafka.resume import OnOutOfRange
from sensors.kafka.security import Security, SecurityOptions
from sensors.registry import SchemaRegistry

MESSAGE = "kafka.message"
TOMBSTONE = "kafka.tombstone"

Start = Literal["latest", "earliest"] | datetime

_LEGAL_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_LEGAL_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:,/\[\]]+)(:\d{1,5})?")
_NOTHING: Any = object()
_tests = count()


@dataclass(frozen=True, slots=True, init=False)
class KafkaTopic(Source):
    """The messages of one or several Kafka topics.

    An event is `kafka.message`, or `kafka.tombstone` (its data is None, whatever the model) for a
    message without a value. Its subject is `topic/partition`, its time the record's timestamp, its
    key the message key as UTF-8 with `\\xNN` for bytes that are not; of headers that repeat a name
    the last counts. Transactions that were aborted are not seen.

    A value that is not JSON, does not fit the model or is longer than `max_bytes` becomes a dead
    letter, and reading goes on.

    With a `schema` registry, values are Avro or JSON in Confluent's wire format, each read with the
    schema that it names; Avro's logical types are Python's (Decimal, datetime, date, time, UUID).
    A value that names no schema of the registry, or is not what its schema says, becomes a dead
    letter; while the registry cannot be asked the sensor is down, and records wait.

    Args:
        topics: one name or more. One that does not exist is waited for; new partitions are found
            within seconds and read from their beginning.
        schema: the registry of the schemas that values were written with; None: they are JSON.
        model: what the value is validated into: a pydantic model, or any type pydantic knows.
        bootstrap: `host:port`, several separated by commas. None: the REACTOR_KAFKA setting.
        start: where to start the very first time: "latest", "earliest", or the instant of the first
            record wanted. It is resolved once, and stored before anything is read.
        on_out_of_range: what to do if records were deleted before they were read, or the topic was
            created anew: stop ("halt"), or go on from the "earliest" or the "latest" record, with a
            dead letter that says what was skipped.
        group: the group under which offsets are committed for lag tools; never read back, and
            nobody joins it. None: `reactor-` and the sensor's name.
        format: "json", or "bytes" to leave the value as it is.
        name: what the sensor is called. None: the topics, joined by `+`.
        max_bytes: the longest value that is decoded.
        lateness: how far behind the newest record of its partition a record may be before it
            counts as late.
        security: see `sensors.kafka.security.Security`.

    Restart: goes on from the position recorded with the last batch. Event ids are `topic`,
    `partition`, the topic's id and offset: they stay the same however often a record is read.
    """

    topics: tuple[str, ...]
    name: str
    model: Any
    schema: SchemaRegistry | None
    bootstrap: str | None
    start: Start
    on_out_of_range: OnOutOfRange
    group: str
    format: Format
    max_bytes: int
    lateness: timedelta
    security: Security

    kind: ClassVar[str] = "kafka"

    def __init__(
        self,
        *topics: str,
        model: Any = None,
        schema: SchemaRegistry | None = None,
        bootstrap: str | None = None,
        start: Start | str = "latest",
        on_out_of_range: OnOutOfRange = "halt",
        group: str | None = None,
        format: Format = "json",
        name: str | None = None,
        max_bytes: int = 8 * 1024 * 1024,
        lateness: Duration = "1m",
        **security: Unpack[SecurityOptions],
    ) -> None:
        name = name or "+".join(topics)
        given = {
            "topics": topics,
            "name": name,
            "model": model,
            "schema": schema,
            "bootstrap": bootstrap,
            "start": _start(start),
            "on_out_of_range": on_out_of_range,
            "group": group or f"reactor-{name}",
            "format": format,
            "max_bytes": max_bytes,
            "lateness": duration(lateness),
            "security": Security(**security),  # pyright: ignore[reportArgumentType]
        }
        for field in fields(self):
            object.__setattr__(self, field.name, given[field.name])
        _check(self)

    @property
    def address(self) -> str:
        return f"kafka://{self.bootstrap or '$REACTOR_KAFKA'}/{','.join(self.topics)}"

    @property
    def form(self) -> Form:
        """How the payload of a recorded event is written."""
        return self.format if self.schema is None else "typed"

    @property
    def identity(self) -> str:
        """Positions are by topic and its id, so that other servers or more topics are no danger."""
        return "kafka"

    def __str__(self) -> str:
        return self.name

    def servers(self) -> str:
        """The bootstrap servers, as given or else from the environment.

        Raises: SettingsError if neither names any, or if REACTOR_KAFKA is no list of servers.
        """
        servers = self.bootstrap or os.environ.get("REACTOR_KAFKA", "")
        if not servers:
            raise SettingsError(
                f"no Kafka servers are known for topic {', '.join(self.topics)}",
                where=f"sensor {self.name}",
                hint="set REACTOR_KAFKA=host:port, or give KafkaTopic(..., bootstrap='host:port')",
            )
        try:
            _check_servers(servers)
        except ValueError as error:
            raise SettingsError(str(error), where="REACTOR_KAFKA") from None
        return servers.replace(" ", "")

    def open(self, desk: Desk) -> RunningSensor:
        """A sensor that reads these topics on from `desk.positions`.

        Raises: SettingsError if it is not said where the cluster is.
        """
        # aiokafka takes longer to import than the rest: only a service that listens pays for it.
        from sensors.kafka.running import RunningKafka  # noqa: PLC0415

        return RunningKafka(self, desk, self.servers())

    def restore(self, raw: bytes) -> Any:
        """The payload that the bytes of a message stand for.

        Raises: SensorError if they do not fit (any more).
        """
        try:
            return decoder(self.model, self.form)(raw)
        except Exception as error:
            raise SensorError(
                f"a payload cannot be read: {complaint(error)}", where=f"sensor {self.name}"
            ) from error

    def event(
        self,
        payload: Any = _NOTHING,
        /,
        *,
        key: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        topic: str | None = None,
        partition: int = 0,
        offset: int | None = None,
        time: datetime | None = None,
        **values: Any,
    ) -> Event:
        """An event as it would arrive, for tests: `orders.event(order_id=1, region="eu")`.

        The payload is a mapping, a model or bytes, or its fields as keywords; None is a tombstone.
        Without an offset each has a new one.

        Raises: SensorError if the payload does not fit the model.
        """
        if payload is _NOTHING:
            payload = values
        elif values:
            raise TypeError(f"give a payload or its fields, not both: {', '.join(values)}")
        part = part_of(topic or self.topics[0], partition)
        raw = None if payload is None else encode(payload, self.form)
        at = time or datetime.now(UTC)
        return Event(
            id=f"{part}/test/{next(_tests) if offset is None else offset}",
            source=self.name,
            type=TOMBSTONE if raw is None else MESSAGE,
            subject=part,
            time=at,
            received=at,
            data=None if raw is None else self.restore(raw),
            key=key,
            headers=headers,
            raw=raw,
        )


def _start(start: Start | str) -> Start:
    """The start position that was meant."""
    if start in ("latest", "earliest"):
        return start  # pyright: ignore[reportReturnType]
    try:
        at = start if isinstance(start, datetime) else datetime.fromisoformat(start)
    except ValueError:
        raise ValueError(
            "start is 'latest', 'earliest' or an instant such as '2026-01-01T00:00:00Z',"
            f" not {start!r}"
        ) from None
    if at.tzinfo is None:
        raise ValueError(f"start {at.isoformat()} has no time zone: write {at.isoformat()}Z")
    return at.astimezone(UTC)


def _check_servers(servers: str) -> None:
    for server in servers.split(","):
        if not _LEGAL_SERVER.fullmatch(server.strip()):
            raise ValueError(f"{server!r} is no Kafka server: write host:port,host:port")


def _check(topic: KafkaTopic) -> None:
    if not topic.topics:
        raise ValueError("KafkaTopic needs the name of a topic")
    for name in topic.topics:
        if not _LEGAL_TOPIC.fullmatch(name) or name in (".", ".."):
            raise ValueError(f"{name!r} is not a legal name of a Kafka topic")
    if len(set(topic.topics)) != len(topic.topics):
        raise ValueError(f"a topic is named twice: {', '.join(topic.topics)}")
    if topic.bootstrap is not None:
        _check_servers(topic.bootstrap)
    if topic.on_out_of_range not in ("halt", "earliest", "latest"):
        raise ValueError(
            f"on_out_of_range is 'halt', 'earliest' or 'latest', not {topic.on_out_of_range!r}"
        )
    if topic.format not in ("json", "bytes"):
        raise ValueError(f"format is 'json' or 'bytes', not {topic.format!r}")
    if topic.format == "bytes" and topic.model is not None:
        raise ValueError("format='bytes' leaves values as they are: it has no use for a model")
    if topic.format == "bytes" and topic.schema is not None:
        raise ValueError("format='bytes' leaves values as they are: it has no use for a schema")
    if topic.max_bytes < 1:
        raise ValueError(f"max_bytes is at least 1, not {topic.max_bytes}")
