"""What the Kafka sensor's tests run it with: a ledger that records as a store does, and a desk."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import anyio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from reactor.core.event import Event
from reactor.ports import Batch, Clock, DeadLetter, Log
from sensors.kafka import KafkaTopic
from sensors.kafka.health import Pace
from sensors.kafka.running import RunningKafka
from tests.servers.kafka import Broker

DEADLINE = 60.0
QUICK = Pace(poll=0.1, watch=0.1, settle=0.1, stall=5.0, commit=0.05, last_retry=0.5)


class Ledger:
    """Durable state, as far as one sensor can tell: it outlives the sensors that write to it."""

    def __init__(self) -> None:
        self.positions: dict[str, str] = {}
        self.batches: list[Batch] = []
        self._ids: set[str] = set()

    def record(self, batch: Batch) -> None:
        """Records a batch whole, or refuses it."""
        for move in batch.moves:
            if self.positions.get(move.part) != move.before:
                raise AssertionError(f"{move} does not follow {self.positions.get(move.part)}")
        for one in (*batch.events, *batch.dead):
            if one.id in self._ids:
                raise AssertionError(f"{one.id} is recorded twice")
            self._ids.add(one.id)
        for move in batch.moves:
            if move.after is None:
                del self.positions[move.part]
            else:
                self.positions[move.part] = move.after
        self.batches.append(batch)

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def dead(self) -> list[DeadLetter]:
        return [letter for batch in self.batches for letter in batch.dead]

    @property
    def data(self) -> list[Any]:
        return [event.data for event in self.events]


class Machine:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, at: datetime) -> None:
        await anyio.sleep((at - self.now()).total_seconds())


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    @property
    def events(self) -> list[tuple[str, str]]:
        """The level and the event of each line."""
        return [(level, event) for level, event, _ in self.said]

    def debug(self, event: str, **about: Any) -> None:
        self.said.append(("debug", event, about))

    def info(self, event: str, **about: Any) -> None:
        self.said.append(("info", event, about))

    def warning(self, event: str, **about: Any) -> None:
        self.said.append(("warning", event, about))

    def error(self, event: str, **about: Any) -> None:
        self.said.append(("error", event, about))


class Desk:
    """A host that records each batch at once, when `gate` is open.

    `upto` is how far the sensor has read, as it said in `marks`; `late` are the events that it
    offered all the same. If `slow`, it records nothing before the sensor has looked at its cluster
    again.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.positions: Mapping[str, str] = dict(ledger.positions)
        self.clock: Clock = Machine()
        self.lines = Lines()
        self.log: Log = self.lines
        self.gate = anyio.Event()
        self.slow = False
        self.offered = 0
        self.health: list[tuple[bool, str]] = []
        self.lags: list[float] = []
        self.upto: datetime | None = None
        self.marks: list[datetime] = []
        self.late: list[Event] = []
        self.sensor: RunningKafka | None = None

    async def offer(self, batch: Batch) -> None:
        self.offered += 1
        await self.gate.wait()
        looks = len(self.health)
        if self.slow:
            await until(lambda: len(self.health) > looks + 2)
        self.late += [event for event in batch.events if self.upto and event.time <= self.upto]
        self.ledger.record(batch)
        if self.sensor is not None:
            await self.sensor.recorded(batch)

    def up(self, well: bool, why: str = "") -> None:
        self.health.append((well, why))

    def lag(self, seconds: float) -> None:
        self.lags.append(seconds)

    def reached(self, upto: datetime) -> None:
        self.marks.append(upto)
        self.upto = upto if self.upto is None else max(self.upto, upto)

    @property
    def well(self) -> bool:
        return bool(self.health) and self.health[-1][0]

    @property
    def why(self) -> str:
        return self.health[-1][1] if self.health else "nothing was said"


@asynccontextmanager
async def listening(
    topic: KafkaTopic, ledger: Ledger, pace: Pace = QUICK, *, shut: bool = False
) -> AsyncIterator[Desk]:
    """A desk whose sensor runs until the block ends; `shut`: it records nothing yet."""
    desk = Desk(ledger)
    if not shut:
        desk.gate.set()
    desk.sensor = RunningKafka(topic, desk, topic.servers(), pace)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.sensor.run)
        yield desk
        tasks.cancel_scope.cancel()


async def until(true: Callable[[], Any], what: str | Callable[[], str] = "") -> None:
    """Waits for a condition; a test fails, saying what, when it does not come true in time."""
    with anyio.move_on_after(DEADLINE):
        while not true():
            await anyio.sleep(0.01)
        return
    told = what() if callable(what) else what
    raise AssertionError(f"still not after {DEADLINE:g} s: {told or true}")


@asynccontextmanager
async def admin(broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def producer(broker: Broker, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    client = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, **options)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def new_topic(
    broker: Broker, name: str = "", *, partitions: int = 1, settings: Mapping[str, str] = {}
) -> str:
    """A topic for one test."""
    name = name or f"t-{uuid4().hex[:12]}"
    async with admin(broker) as client:
        made = NewTopic(name, partitions, 1, topic_configs=dict(settings))
        await client.create_topics([made])
    return name


async def send(
    broker: Broker, topic: str, *values: bytes | None, partition: int = 0, **options: Any
) -> None:
    """Produces some values in order; None is a tombstone, of the key "gone"."""
    async with producer(broker, **options) as client:
        sent = [
            await client.send(
                topic, value, partition=partition, key=b"gone" if value is None else None
            )
            for value in values
        ]
        for one in sent:
            await one


async def abort(broker: Broker, topic: str, value: bytes) -> None:
    """Produces a value in a transaction that is aborted."""
    async with producer(broker, transactional_id=f"{topic}-aborts") as client:
        await client.begin_transaction()
        await client.send_and_wait(topic, value)
        await client.abort_transaction()
