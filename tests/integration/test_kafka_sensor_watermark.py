"""How far a Kafka sensor says that it has read: what absence is concluded from."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka.admin import NewPartitions
from anyio import to_thread

from sensors import KafkaTopic
from tests.integration.kafka_desk import (
    Desk,
    Ledger,
    admin,
    listening,
    new_topic,
    producer,
    send,
    until,
)
from tests.servers.kafka import Broker
from tests.servers.process import listening as listening_on

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


def sensor(broker: Broker, *topics: str, **settings: Any) -> KafkaTopic:
    return KafkaTopic(*topics, bootstrap=broker.bootstrap, start="earliest", **settings)


def now() -> datetime:
    return datetime.now(UTC)


async def goes_on(desk: Desk) -> None:
    """Waits until what was read reaches a moment after this one."""
    asked = now()
    await until(
        lambda: desk.upto and desk.upto > asked,
        lambda: f"read to {desk.upto}, asked {asked}; it last said {desk.health[-4:]}",
    )


async def stands_still(desk: Desk) -> None:
    """Waits until what was read reaches no further for a while."""

    async def moves() -> bool:
        before, looks = desk.upto, len(desk.lags)
        await until(lambda: len(desk.lags) > looks + 5)
        return desk.upto != before

    while await moves():
        pass


async def send_dated(broker: Broker, topic: str, *ages: float, partition: int = 0) -> None:
    """Produces a record for each age, in seconds; its value is the age."""
    async with producer(broker) as client:
        for age in ages:
            at = int((time.time() - age) * 1000)
            await client.send(topic, b"%d" % age, partition=partition, timestamp_ms=at)
        await client.flush()


@pytest.fixture
async def mended(kafka: Broker) -> AsyncIterator[Broker]:
    """The broker, running again afterwards even if the test failed."""
    yield kafka
    if not listening_on(int(kafka.bootstrap.rpartition(":")[2])):
        await to_thread.run_sync(kafka.start)


async def test_idle_at_the_end_it_follows_the_clock(kafka: Broker) -> None:
    topic = await new_topic(kafka, partitions=3)
    await send(kafka, topic, b"1", partition=1)
    async with listening(sensor(kafka, topic), Ledger()) as desk:
        await goes_on(desk)
        assert len(desk.ledger.events) == 1
        await send(kafka, topic, b"2")
        await goes_on(desk)
        assert len(desk.ledger.events) == 2
        assert desk.upto is not None
        assert desk.upto < now()


async def test_behind_a_backlog_it_says_what_the_records_say(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    ages = [7200 - n for n in range(3000)]
    await send_dated(kafka, topic, *ages)
    async with listening(sensor(kafka, topic, lateness="10s"), Ledger(), shut=True) as desk:
        desk.slow = True
        desk.gate.set()
        await until(lambda: len(desk.ledger.events) == len(ages))
        await goes_on(desk)
        behind = [at for at in desk.marks if at < now() - timedelta(minutes=30)]
        assert behind
        assert behind == sorted(behind)
        assert desk.late == []
        assert behind[-1] < desk.ledger.events[-1].time - 10 * SECOND


async def test_the_partition_that_lags_holds_the_others_back(kafka: Broker) -> None:
    topic = await new_topic(kafka, partitions=2)
    await send_dated(kafka, topic, *[7200 - n for n in range(3500)])
    async with listening(sensor(kafka, topic, lateness="0s"), Ledger(), shut=True) as desk:
        desk.slow = True
        desk.gate.set()
        await until(lambda: len(desk.ledger.events) == 3500)
        await goes_on(desk)
        assert desk.marks[0] < now() - timedelta(hours=1)
        assert desk.late == []


@pytest.mark.needs_broker("restart", "durable_restart")
async def test_while_the_broker_is_away_it_says_nothing(mended: Broker) -> None:
    topic = await new_topic(mended)
    async with listening(sensor(mended, topic), Ledger()) as desk:
        await goes_on(desk)
        await to_thread.run_sync(mended.stop)
        stopped = now()
        await until(lambda: not desk.well)
        said = desk.upto
        assert said is not None
        assert said < stopped + SECOND
        failures = len(desk.health)
        await until(lambda: len(desk.health) > failures + 3)
        assert desk.upto == said
        await to_thread.run_sync(mended.start)
        await goes_on(desk)


async def test_of_a_topic_that_is_not_there_it_says_nothing(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    async with listening(sensor(kafka, topic, "not-there-yet"), Ledger()) as desk:
        await until(lambda: "not-there-yet does not exist" in desk.why)
        await stands_still(desk)
        assert desk.upto is None


@pytest.mark.needs_broker("more_partitions")
async def test_a_new_partition_is_read_before_anything_is_said_of_it(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    async with listening(sensor(kafka, topic), Ledger()) as desk:
        await goes_on(desk)
        async with admin(kafka) as client:
            await client.create_partitions({topic: NewPartitions(2)})
        await send(kafka, topic, b"1", partition=1)
        await until(lambda: desk.ledger.events)
        assert desk.late == []
        await goes_on(desk)


@pytest.mark.needs_broker("transactions")
async def test_an_open_transaction_holds_it_back(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    async with listening(sensor(kafka, topic), Ledger()) as desk:
        await goes_on(desk)
        async with producer(kafka, transactional_id=f"{topic}-opens") as client:
            await client.begin_transaction()
            await client.send_and_wait(topic, b"1")
            opened = now()
            await stands_still(desk)
            assert desk.upto is not None
            assert desk.upto < opened
            await client.commit_transaction()
        await until(lambda: desk.ledger.events)
        assert desk.late == []
        await goes_on(desk)
