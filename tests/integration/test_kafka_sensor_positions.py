"""Where a Kafka sensor starts, and how it goes on after restarts and after the topic changed."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiokafka.admin import NewPartitions, RecordsToDelete
from aiokafka.structs import TopicPartition

from reactor.core.errors import SensorRefused
from sensors import KafkaTopic
from sensors.kafka.running import RunningKafka
from tests.integration.kafka_desk import (
    QUICK,
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

pytestmark = pytest.mark.anyio


def sensor(broker: Broker, topic: str, **settings: object) -> KafkaTopic:
    return KafkaTopic(topic, bootstrap=broker.bootstrap, **settings)  # type: ignore[arg-type]


async def refusal(topic: KafkaTopic, ledger: Ledger) -> tuple[SensorRefused, Desk]:
    """What the sensor says when it refuses to go on."""
    desk = Desk(ledger)
    desk.gate.set()
    with pytest.raises(SensorRefused) as refused:
        await RunningKafka(topic, desk, topic.servers(), QUICK).run()
    return refused.value, desk


async def delete_topic(broker: Broker, topic: str) -> None:
    async with admin(broker) as client:
        await client.delete_topics([topic])


async def exists(broker: Broker, topic: str) -> bool:
    async with admin(broker) as client:
        return topic in await client.list_topics()


async def delete_before(broker: Broker, topic: str, offset: int) -> None:
    async with admin(broker) as client:
        await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})


def offsets(ledger: Ledger) -> list[int]:
    return [int(event.id.rpartition("/")[2]) for event in ledger.events]


async def test_latest_is_resolved_once_and_recorded_before_anything_is_read(kafka: Broker) -> None:
    topic = await new_topic(kafka, partitions=2)
    await send(kafka, topic, b"1", b"2")
    ledger = Ledger()
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.batches)
    (first,) = ledger.batches
    assert (first.events, first.dead) == ((), [])
    assert {move.part for move in first.moves} == {f"{topic}/0", f"{topic}/1"}

    await send(kafka, topic, b"3")
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.events)
    assert ledger.data == [3]


@pytest.mark.needs_broker("offsets_for_times")
async def test_an_instant_starts_with_the_first_record_from_then_on(kafka: Broker) -> None:
    topic = await new_topic(kafka, partitions=2)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    async with producer(kafka) as client:
        for hour in range(4):
            at = noon + timedelta(hours=hour)
            await client.send_and_wait(
                topic, b"%d" % hour, partition=0, timestamp_ms=int(at.timestamp() * 1000)
            )
        await client.send_and_wait(
            topic, b"-1", partition=1, timestamp_ms=int(noon.timestamp() * 1000)
        )
    ledger = Ledger()
    async with listening(sensor(kafka, topic, start="2026-01-01T14:00:00Z"), ledger):
        await until(lambda: len(ledger.events) == 2)
        await send(kafka, topic, b"-2", partition=1)
        await until(lambda: len(ledger.events) == 3)
    assert ledger.data == [2, 3, -2]


async def test_a_restart_goes_on_where_the_last_batch_was_recorded(kafka: Broker) -> None:
    topic = await new_topic(kafka, partitions=3)
    ledger = Ledger()
    for round in range(4):
        for partition in range(3):
            values = (b"%d" % (100 * round + number) for number in range(50))
            await send(kafka, topic, *values, partition=partition)
        async with listening(sensor(kafka, topic, start="earliest"), ledger):
            await until(lambda wanted=150 * (round + 1): len(ledger.events) == wanted)
    for partition in range(3):
        read = [event.data for event in ledger.events if event.subject == f"{topic}/{partition}"]
        assert read == [100 * round + number for round in range(4) for number in range(50)]


async def test_a_batch_that_was_not_recorded_comes_again(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, *(b"%d" % number for number in range(10)))
    ledger = Ledger()
    async with listening(sensor(kafka, topic, start="earliest"), ledger, shut=True) as desk:
        await until(lambda: desk.offered == 1)
    assert ledger.batches == []
    async with listening(sensor(kafka, topic, start="earliest"), ledger):
        await until(lambda: len(ledger.events) == 10)
    assert ledger.data == list(range(10))


@pytest.mark.needs_broker("more_partitions")
async def test_a_new_partition_is_read_from_its_beginning(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    ledger = Ledger()
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.batches)
        async with admin(kafka) as client:
            await client.create_partitions({topic: NewPartitions(3)})
        await send(kafka, topic, b"1", partition=2)
        await until(lambda: ledger.events)
        await send(kafka, topic, b"2", partition=0)
        await until(lambda: len(ledger.events) == 2)
    assert [event.subject for event in ledger.events] == [f"{topic}/2", f"{topic}/0"]


@pytest.mark.needs_broker("more_partitions")
async def test_a_partition_that_came_while_nobody_looked_is_read_too(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    ledger = Ledger()
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.batches)
    async with admin(kafka) as client:
        await client.create_partitions({topic: NewPartitions(2)})
    await send(kafka, topic, b"1", partition=1)
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.events)
    assert ledger.data == [1]


async def test_a_topic_that_does_not_exist_is_waited_for_and_not_created(kafka: Broker) -> None:
    topic = f"t-{uuid4().hex[:12]}"
    ledger = Ledger()
    async with listening(sensor(kafka, topic), ledger) as desk:
        await until(lambda: desk.why == f"topic {topic} does not exist")
        looks = len(desk.health)
        await until(lambda: len(desk.health) > looks + 2)
        assert not await exists(kafka, topic)
        await new_topic(kafka, topic)
        await send(kafka, topic, b"1")
        await until(lambda: ledger.events)
        await until(lambda: desk.well)
    assert ledger.data == [1]
    assert set(ledger.positions) == {f"{topic}/0"}


async def test_latest_holds_for_a_topic_created_while_nobody_looked(kafka: Broker) -> None:
    topic = f"t-{uuid4().hex[:12]}"
    ledger = Ledger()
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.batches)
    await new_topic(kafka, topic)
    await send(kafka, topic, b"1")
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.events)
    assert ledger.data == [1]


async def test_a_missing_topic_does_not_keep_the_others_from_being_read(kafka: Broker) -> None:
    there, missing = await new_topic(kafka), f"t-{uuid4().hex[:12]}"
    topic = KafkaTopic(there, missing, bootstrap=kafka.bootstrap)
    ledger = Ledger()
    async with listening(topic, ledger) as desk:
        await until(lambda: desk.why == f"topic {missing} does not exist")
        await send(kafka, there, b"1")
        await until(lambda: ledger.events)
        await new_topic(kafka, missing)
        await send(kafka, missing, b"2")
        await until(lambda: len(ledger.events) == 2)
        await until(lambda: desk.well)
    assert ledger.data == [1, 2]


async def test_a_topic_deleted_while_it_is_read_stays_deleted(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b"1")
    ledger = Ledger()
    async with listening(sensor(kafka, topic, start="earliest"), ledger) as desk:
        await until(lambda: ledger.events)
        await delete_topic(kafka, topic)
        await until(lambda: desk.why == f"topic {topic} does not exist")
        looks = len(desk.health)
        await until(lambda: len(desk.health) > looks + 2)
    assert not await exists(kafka, topic)


async def test_a_topic_created_anew_halts_the_sensor(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b"1")
    ledger = Ledger()
    async with listening(sensor(kafka, topic, start="earliest"), ledger):
        await until(lambda: ledger.events)
    await delete_topic(kafka, topic)
    await new_topic(kafka, topic)
    await send(kafka, topic, b"2", b"3")
    error, desk = await refusal(sensor(kafka, topic), ledger)
    assert f"{topic}/0: the topic was deleted and created again" in str(error)
    assert "on_out_of_range='earliest'" in error.hint
    assert not desk.well
    assert ledger.data == [1]


@pytest.mark.parametrize(("choice", "wanted"), [("earliest", [1, 2, 3, 4]), ("latest", [1, 4])])
async def test_a_topic_created_anew_is_read_as_another_incarnation(
    kafka: Broker, choice: str, wanted: list[int]
) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b"1")
    orders = sensor(kafka, topic, start="earliest", on_out_of_range=choice)
    ledger = Ledger()
    async with listening(orders, ledger):
        await until(lambda: ledger.events)
    await delete_topic(kafka, topic)
    await new_topic(kafka, topic)
    await send(kafka, topic, b"2", b"3")
    async with listening(orders, ledger):
        await until(lambda: ledger.dead)
        await send(kafka, topic, b"4")
        await until(lambda: ledger.data == wanted)
    (letter,) = ledger.dead
    assert "deleted and created again" in letter.error
    assert len({event.id for event in ledger.events}) == len(wanted)


async def test_no_record_of_a_new_topic_is_taken_for_one_of_the_old(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    orders = sensor(kafka, topic, start="earliest", on_out_of_range="earliest")
    ledger = Ledger()
    sent: list[int] = []
    async with listening(orders, ledger) as desk:
        for life in range(4):
            # Each life has more records than the last, so that the old offset exists in the new.
            values = [100 * life + number for number in range(10 * (life + 1))]
            sent += values
            await send(kafka, topic, *(b"%d" % value for value in values))
            await until(lambda: len(ledger.events) >= len(sent))  # noqa: B023 - one list
            assert ledger.data == sent
            await delete_topic(kafka, topic)
            await new_topic(kafka, topic)
        await until(lambda: len(ledger.dead) == 4)
        await until(lambda: desk.well)
    assert len({event.id.split("/")[2] for event in ledger.events}) == 4


@pytest.mark.needs_broker("delete_records")
async def test_records_deleted_before_they_were_read_halt_the_sensor(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    ledger = Ledger()
    async with listening(sensor(kafka, topic), ledger):
        await until(lambda: ledger.batches)
    await send(kafka, topic, *(b"%d" % number for number in range(10)))
    await delete_before(kafka, topic, 6)
    error, desk = await refusal(sensor(kafka, topic), ledger)
    assert "6 offsets (0 to 5) were deleted" in str(error)
    assert "6 offsets (0 to 5) were deleted" in desk.why
    assert ledger.events == []
    assert ledger.positions[f"{topic}/0"].endswith(":0")


@pytest.mark.needs_broker("delete_records")
@pytest.mark.parametrize(("choice", "wanted"), [("earliest", [6, 7, 8, 9, 10]), ("latest", [10])])
async def test_records_deleted_before_they_were_read_are_accounted_for(
    kafka: Broker, choice: str, wanted: list[int]
) -> None:
    topic = await new_topic(kafka)
    orders = sensor(kafka, topic, on_out_of_range=choice)
    ledger = Ledger()
    async with listening(orders, ledger):
        await until(lambda: ledger.batches)
    await send(kafka, topic, *(b"%d" % number for number in range(10)))
    await delete_before(kafka, topic, 6)
    async with listening(orders, ledger) as desk:
        await until(lambda: ledger.dead)
        await send(kafka, topic, b"10")
        await until(lambda: ledger.data == wanted)
        assert ("error", "records are skipped") in desk.lines.events
    (letter,) = ledger.dead
    assert "6 offsets (0 to 5) were deleted" in letter.error
    assert f"goes on at offset {wanted[0]}" in letter.error


@pytest.mark.needs_broker("delete_records", "out_of_range")
async def test_records_deleted_under_a_running_sensor_are_accounted_for(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    orders = sensor(kafka, topic, on_out_of_range="earliest", format="bytes")
    ledger = Ledger()
    async with listening(orders, ledger, shut=True) as desk:
        await until(lambda: desk.offered == 1)
        await send(kafka, topic, *(b"x" * 1_000 for _ in range(6_000)))
        await delete_before(kafka, topic, 5_000)
        desk.gate.set()
        await until(lambda: offsets(ledger)[-1:] == [5_999])
        assert desk.well
    lost = set(range(6_000)) - set(offsets(ledger))
    (letter,) = ledger.dead
    assert lost
    assert f"{len(lost)} offsets ({min(lost)} to {max(lost)})" in letter.error


async def test_an_offset_past_the_end_halts_the_sensor(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b"1", b"2")
    ledger = Ledger()
    async with listening(sensor(kafka, topic, start="earliest"), ledger):
        await until(lambda: len(ledger.events) == 2)
    ledger.positions[f"{topic}/0"] = ledger.positions[f"{topic}/0"].replace(":2", ":2000")
    error, _ = await refusal(sensor(kafka, topic), ledger)
    assert "offset 2000 lies past the end, 2" in str(error)


async def test_a_partition_that_lost_its_tail_is_read_as_another_incarnation(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b"1", b"2")
    orders = sensor(kafka, topic, start="earliest", on_out_of_range="earliest")
    ledger = Ledger()
    async with listening(orders, ledger):
        await until(lambda: len(ledger.events) == 2)
    ledger.positions[f"{topic}/0"] = ledger.positions[f"{topic}/0"].replace(":2", ":2000")
    async with listening(orders, ledger):
        await until(lambda: len(ledger.events) == 4)
    assert ledger.data == [1, 2, 1, 2]
    (letter,) = ledger.dead
    assert "offset 2000 lies past the end, 2" in letter.error
