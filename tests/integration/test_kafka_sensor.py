"""What a Kafka sensor makes of the messages it reads."""

import json
from datetime import UTC, datetime
from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, field_validator

from sensors import KafkaTopic
from tests.integration.kafka_desk import Ledger, abort, listening, new_topic, producer, send, until
from tests.servers.kafka import Broker

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    order_id: int
    region: str

    @field_validator("region")
    @classmethod
    def known(cls, region: str) -> str:
        if region == "nowhere":
            raise RuntimeError("no such region")
        return region


def order(number: int, region: str = "eu") -> bytes:
    return json.dumps({"order_id": number, "region": region}).encode()


def from_start(broker: Broker, topic: str, **settings: object) -> KafkaTopic:
    return KafkaTopic(topic, bootstrap=broker.bootstrap, start="earliest", **settings)  # type: ignore


async def test_json_arrives_as_the_model(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, order(1), order(2, "us"))
    ledger = Ledger()
    async with listening(from_start(kafka, topic, model=Order), ledger):
        await until(lambda: len(ledger.events) == 2)
    assert ledger.data == [Order(order_id=1, region="eu"), Order(order_id=2, region="us")]
    assert [event.raw for event in ledger.events] == [order(1), order(2, "us")]


async def test_json_without_a_model_arrives_as_plain_data(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b'{"a": [1, 2.5, null]}', b'"text"', b"[]")
    ledger = Ledger()
    async with listening(from_start(kafka, topic), ledger):
        await until(lambda: len(ledger.events) == 3)
    assert ledger.data == [{"a": [1, 2.5, None]}, "text", []]


async def test_bytes_arrive_as_they_are(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b"\xff\x00\xfe", b"")
    ledger = Ledger()
    async with listening(from_start(kafka, topic, format="bytes"), ledger):
        await until(lambda: len(ledger.events) == 2)
    assert ledger.data == [b"\xff\x00\xfe", b""]


async def test_the_envelope_has_key_headers_time_and_a_lasting_id(kafka: Broker) -> None:
    topic = await new_topic(kafka, partitions=2)
    at = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    async with producer(kafka) as client:
        await client.send_and_wait(
            topic,
            order(1),
            key=b"caf\xc3\xa9",
            partition=1,
            timestamp_ms=int(at.timestamp() * 1000),
            headers=[("trace", b"abc"), ("odd", b"\xff!"), ("trace", b"last")],
        )
        await client.send_and_wait(topic, order(2), key=b"\xff\x00", partition=1)
    ledger = Ledger()
    async with listening(from_start(kafka, topic, model=Order, name="orders"), ledger):
        await until(lambda: len(ledger.events) == 2)
    first, second = ledger.events
    assert (first.source, first.type, first.subject) == ("orders", "kafka.message", f"{topic}/1")
    assert (first.key, first.time) == ("café", at)
    assert first.headers == {"trace": "last", "odd": "\\xff!"}
    assert second.key == "\\xff\x00"
    assert second.headers == {}
    assert first.received >= second.time > at

    again = Ledger()
    async with listening(from_start(kafka, topic, model=Order, name="orders"), again):
        await until(lambda: len(again.events) == 2)
    assert [event.id for event in again.events] == [first.id, second.id]
    assert first.id != second.id


async def test_a_tombstone_is_an_event_without_data(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, order(1), None)
    ledger = Ledger()
    async with listening(from_start(kafka, topic, model=Order), ledger):
        await until(lambda: len(ledger.events) == 2)
    gone = ledger.events[1]
    assert (gone.type, gone.key, gone.data, gone.raw) == ("kafka.tombstone", "gone", None, None)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_messages_are_read(kafka: Broker, codec: str) -> None:
    topic = await new_topic(kafka)
    wanted = [order(number) for number in range(200)]
    await send(kafka, topic, *wanted, compression_type=codec, linger_ms=50)
    ledger = Ledger()
    async with listening(from_start(kafka, topic), ledger):
        await until(lambda: len(ledger.events) == 200)
    assert [event.raw for event in ledger.events] == wanted


async def test_what_cannot_be_read_becomes_a_dead_letter_and_stops_nothing(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    bad = [b"{", b'{"order_id": "x"}', b"\xff", order(7, "nowhere"), b"[" * 5_000]
    await send(kafka, topic, order(1), *bad, order(2))
    ledger = Ledger()
    async with listening(from_start(kafka, topic, model=Order), ledger):
        await until(lambda: len(ledger.events) == 2)
    assert [event.data.order_id for event in ledger.events] == [1, 2]
    assert [letter.raw for letter in ledger.dead] == bad
    errors = [letter.error for letter in ledger.dead]
    assert "Invalid JSON" in errors[0]
    assert "order_id: Input should be a valid integer" in errors[1]
    assert "region: Field required" in errors[1]
    assert errors[3] == "RuntimeError: no such region"
    assert all(letter.subject == f"{topic}/0" for letter in ledger.dead)
    assert ledger.positions[f"{topic}/0"].endswith(":7")


async def test_not_a_number_is_not_json(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b'{"a": NaN}', b"1")
    ledger = Ledger()
    async with listening(from_start(kafka, topic), ledger):
        await until(lambda: len(ledger.events) == 1)
    assert len(ledger.dead) == 1


async def test_a_value_longer_than_max_bytes_is_kept_only_in_part(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b'"' + b"x" * 998 + b'"', b'"' + b"x" * 999 + b'"', b"1")
    ledger = Ledger()
    async with listening(from_start(kafka, topic, max_bytes=1000), ledger):
        await until(lambda: len(ledger.events) == 2)
    assert ledger.data == ["x" * 998, 1]
    (letter,) = ledger.dead
    assert letter.raw == b'"' + b"x" * 999
    assert "1001 bytes long, more than max_bytes=1000" in letter.error


@pytest.mark.needs_broker("large_messages")
async def test_a_message_of_50_megabytes_does_not_stop_the_sensor(kafka: Broker) -> None:
    size = 50 * 1024 * 1024
    topic = await new_topic(kafka, settings={"max.message.bytes": str(size + 1024)})
    await send(kafka, topic, order(1))
    await send(kafka, topic, b"x" * size, max_request_size=size + 1024)
    await send(kafka, topic, order(2))
    ledger = Ledger()
    async with listening(from_start(kafka, topic, model=Order), ledger):
        await until(lambda: len(ledger.events) == 2)
    assert [event.data.order_id for event in ledger.events] == [1, 2]
    (letter,) = ledger.dead
    assert letter.id.endswith("/1")
    assert len(letter.raw) <= 1024 * 1024


async def test_several_topics_are_one_sensor(kafka: Broker) -> None:
    one, two = await new_topic(kafka), await new_topic(kafka, partitions=3)
    for partition in range(3):
        await send(kafka, two, b"2", partition=partition)
    await send(kafka, one, b"1")
    topic = KafkaTopic(one, two, bootstrap=kafka.bootstrap, start="earliest")
    ledger = Ledger()
    async with listening(topic, ledger):
        await until(lambda: len(ledger.events) == 4)
    assert topic.name == f"{one}+{two}"
    assert {event.source for event in ledger.events} == {topic.name}
    assert {event.subject for event in ledger.events} == {
        f"{one}/0", f"{two}/0", f"{two}/1", f"{two}/2",
    }  # fmt: skip


@pytest.mark.needs_broker("transactions")
async def test_aborted_transactions_are_not_seen(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    ledger = Ledger()
    async with listening(from_start(kafka, topic), ledger):
        writer = producer(kafka, transactional_id=f"{topic}-writer")
        async with writer as client, client.transaction():
            await client.send(topic, b'"kept"')
        await abort(kafka, topic, b'"dropped"')
        await send(kafka, topic, b'"after"')
        await until(lambda: len(ledger.events) == 2)
    assert ledger.data == ["kept", "after"]


@pytest.mark.needs_broker("transactions")
async def test_the_position_passes_an_aborted_transaction(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    ledger = Ledger()
    async with listening(from_start(kafka, topic), ledger) as desk:
        await abort(kafka, topic, b'"dropped"')
        await until(lambda: ledger.positions.get(f"{topic}/0", "").endswith(":2"))
        assert ledger.events == []
        assert desk.lags[-1] == 0


async def test_while_the_host_is_behind_only_one_batch_is_made_ahead(kafka: Broker) -> None:
    decoded: list[int] = []
    number = Annotated[int, AfterValidator(lambda value: decoded.append(value) or value)]
    topic = await new_topic(kafka)
    await send(kafka, topic, *(b"%d" % number for number in range(5_000)))
    ledger = Ledger()
    async with listening(from_start(kafka, topic, model=number), ledger, shut=True) as desk:
        await until(lambda: desk.offered == 1 and decoded)
        looks = len(desk.health)
        await until(lambda: len(desk.health) > looks + 5, "five more looks at the cluster")
        ahead = len(decoded)
        desk.gate.set()
        await until(lambda: len(ledger.events) == 5_000)
    sizes = [len(batch.events) for batch in ledger.batches]
    assert (sizes[0], sizes[1]) == (0, ahead)
    assert max(sizes) <= 1_000
    assert ledger.data == list(range(5_000))


async def test_lag_is_the_age_of_what_was_read_until_it_has_caught_up(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    hour_ago = int((datetime.now(UTC).timestamp() - 3600) * 1000)
    async with producer(kafka) as client:
        for number in range(3_000):
            await client.send(topic, b"%d" % number, partition=0, timestamp_ms=hour_ago)
    ledger = Ledger()
    async with listening(from_start(kafka, topic), ledger) as desk:
        await until(lambda: len(ledger.events) == 3_000 and desk.lags[-1] == 0)
    assert 3600 <= max(desk.lags) < 3700
