"""A Kafka sensor that decodes what it reads with a schema registry; both are real."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from struct import pack
from typing import Annotated, Any
from uuid import UUID, uuid4

import anyio
import fastavro
import pytest
from annotated_types import Gt
from anyio import to_thread
from pydantic import BaseModel

from reactor import Pipeline
from reactor.core.errors import SensorError
from reactor.core.field import field
from reactor.core.predicate import predicate_of
from sensors import KafkaTopic, SchemaRegistry
from sensors.registry.access import parsed
from sensors.registry.client import connected
from sensors.registry.schemas import Schemas
from tests.integration.front import front
from tests.integration.kafka_desk import QUICK, Ledger, listening, new_topic, send, until
from tests.integration.serving import Serving, serving
from tests.integration.serving import until as until_true
from tests.servers.kafka import Broker
from tests.servers.registry import Registry

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    order_id: int
    amount: Decimal
    at: datetime
    region: str = "eu"


def order(*more: Any, name: str = "") -> dict[str, Any]:
    """The schema of an order; each test has one of its own, so that it has an id of its own."""
    fields = [
        {"name": "order_id", "type": "long"},
        {
            "name": "amount",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        },
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        *more,
    ]
    return {"type": "record", "name": name or f"O{uuid4().hex[:8]}", "fields": fields}


def one(number: int, **more: Any) -> dict[str, Any]:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return {"order_id": number, "amount": Decimal(number) / 4, "at": at, **more}


def avro(id: int, schema: Any, value: Any, named: Any = None) -> bytes:
    """A payload as a producer of Confluent's makes it."""
    written = BytesIO()
    parsed_schema = fastavro.parse_schema(schema, named)
    fastavro.schemaless_writer(written, parsed_schema, value)
    return pack(">bI", 0, id) + written.getvalue()


def sensor(broker: Broker, topic: str, url: str, **settings: Any) -> KafkaTopic:
    return KafkaTopic(
        topic,
        bootstrap=broker.bootstrap,
        start="earliest",
        schema=SchemaRegistry(url),
        **settings,
    )


@pytest.fixture
async def mended(registry: Registry) -> AsyncIterator[Registry]:
    """The registry, running again afterwards even if the test failed."""
    yield registry
    if not registry.running:
        await to_thread.run_sync(registry.start)


async def test_avro_arrives_as_the_model(kafka: Broker, registry: Registry) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    await send(kafka, topic, avro(id, schema, one(1)), avro(id, schema, one(2)), None)
    ledger, orders = Ledger(), sensor(kafka, topic, registry.url, model=Order)
    async with listening(orders, ledger):
        await until(lambda: len(ledger.events) == 3)
    assert ledger.data == [Order(**one(1)), Order(**one(2)), None]
    assert [event.type for event in ledger.events[1:]] == ["kafka.message", "kafka.tombstone"]
    for event in ledger.events[:2]:
        assert event.raw is not None
        assert orders.restore(event.raw) == event.data


async def test_without_a_model_logical_types_are_pythons_and_survive_a_restart(
    kafka: Broker, registry: Registry
) -> None:
    topic = await new_topic(kafka)
    schema = order(
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "photo", "type": "bytes"},
    )
    value = one(7, id=UUID(int=7), day=date(2026, 3, 1), photo=b"\x00\xff")
    id = registry.register(f"{topic}-value", schema)
    await send(kafka, topic, avro(id, schema, value))
    ledger, orders = Ledger(), sensor(kafka, topic, registry.url)
    async with listening(orders, ledger):
        await until(lambda: ledger.events)
    [event] = ledger.events
    assert event.data == value
    assert event.raw is not None
    assert json.loads(event.raw)["amount"] == {"$decimal": "1.75"}
    restored = replace(event, data=orders.restore(event.raw))
    assert restored == event
    for predicate in (field.amount < 2, field.at < datetime(2026, 3, 2, tzinfo=UTC)):
        assert predicate_of(predicate).test()(restored)


async def test_versions_may_alternate_and_each_is_read_with_its_own_schema(
    kafka: Broker, registry: Registry
) -> None:
    topic, old = await new_topic(kafka), order()
    new = {**old, "fields": [{"name": "region", "type": "string"}, *old["fields"]]}
    first = registry.register(f"{topic}-value", old)
    second = registry.register(f"{topic}-value", new)
    payloads = [
        avro(second, new, one(n, region="us")) if n % 2 else avro(first, old, one(n))
        for n in range(20)
    ]
    await send(kafka, topic, *payloads)
    ledger = Ledger()
    async with listening(sensor(kafka, topic, registry.url, model=Order), ledger):
        await until(lambda: len(ledger.events) == 20)
        assert [event.data.region for event in ledger.events] == ["eu", "us"] * 10
        newer = {**new, "fields": [*new["fields"], {"name": "note", "type": "string"}]}
        third = registry.register(f"{topic}-value", newer)
        await send(kafka, topic, avro(third, newer, one(20, region="jp", note="x")))
        await until(lambda: len(ledger.events) == 21)
    assert ledger.data[-1] == Order(**one(20, region="jp"))
    assert ledger.dead == []


async def test_json_is_decoded_and_checked(kafka: Broker, registry: Registry) -> None:
    topic = await new_topic(kafka)
    number = {"type": "integer", "minimum": 0}
    schema = {"title": topic, "type": "object", "properties": {"a": number}, "required": ["a"]}
    head = pack(">bI", 0, registry.register(f"{topic}-value", schema, "JSON"))
    await send(kafka, topic, head + b'{"a": 1}', head + b'{"a": -1}', head + b"{}", head + b"{")
    ledger = Ledger()
    async with listening(sensor(kafka, topic, registry.url), ledger):
        await until(lambda: len(ledger.events) + len(ledger.dead) == 4)
    assert ledger.data == [{"a": 1}]
    assert [letter.error.partition(": ")[2] for letter in ledger.dead] == [
        "a: the value is less than the minimum of 0",
        '"a" is a required property',
        "Invalid JSON: EOF while parsing an object at line 1 column 1",
    ]


async def test_references_are_resolved_through_others(kafka: Broker, registry: Registry) -> None:
    topic = await new_topic(kafka)
    names = {part: f"{part}{topic[2:]}" for part in ("City", "Customer", "Sale")}
    city = {"type": "record", "name": names["City"], "fields": [{"name": "zip", "type": "string"}]}
    customer = {
        "type": "record",
        "name": names["Customer"],
        "fields": [{"name": "home", "type": names["City"]}],
    }
    sale = {
        "type": "record",
        "name": names["Sale"],
        "fields": [
            {"name": "to", "type": names["Customer"]},
            {"name": "via", "type": names["City"]},
        ],
    }
    registry.register(f"{topic}-city", city)
    cities = (names["City"], f"{topic}-city", 1)
    registry.register(f"{topic}-customer", customer, references=[cities])
    customers = (names["Customer"], f"{topic}-customer", 1)
    id = registry.register(f"{topic}-value", sale, references=[customers, cities])
    named: dict[str, Any] = {}
    fastavro.parse_schema(city, named)
    fastavro.parse_schema(customer, named)
    value = {"to": {"home": {"zip": "10115"}}, "via": {"zip": "75001"}}
    await send(kafka, topic, avro(id, sale, value, named))
    ledger = Ledger()
    async with listening(sensor(kafka, topic, registry.url), ledger):
        await until(lambda: ledger.events)
    assert ledger.data == [value]


async def test_what_cannot_be_decoded_becomes_a_dead_letter_and_reading_goes_on(
    kafka: Broker, registry: Registry
) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    proto = registry.register(
        f"{topic}-proto", f'syntax = "proto3"; message M{topic[2:]} {{ int32 a = 1; }}', "PROTOBUF"
    )
    good = avro(id, schema, one(1))
    wrong = {
        b'{"order_id": 1}': "not in the wire format",
        b"": "not in the wire format",
        pack(">bI", 0, 2**31 - 7) + b"x": "schema 2147483641: the registry has no such schema",
        pack(">bI", 0, 2**32 - 7) + b"x": "not in the wire format",
        pack(">bI", 0, proto) + b"\x00\x08\x01": f"schema {proto}: it is of type PROTOBUF",
        good[:-1]: f"schema {id}: not what its schema says",
        good + b"\x00": f"schema {id}: not what its schema says: 1 bytes are left over",
    }
    await send(kafka, topic, *wrong, good)
    ledger, orders = Ledger(), sensor(kafka, topic, registry.url, model=Order)
    async with listening(orders, ledger) as desk:
        await until(lambda: ledger.events)
        assert desk.well
    assert [letter.raw for letter in ledger.dead] == list(wrong)
    for letter, why in zip(ledger.dead, wrong.values(), strict=True):
        assert why in letter.error
    with pytest.raises(SensorError, match="wire format"):
        orders.restore(good)


async def test_what_only_the_model_refuses_is_kept_decoded_so_that_it_can_be_replayed(
    kafka: Broker, registry: Registry
) -> None:
    class Big(Order):
        amount: Annotated[Decimal, Gt(100)]

    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    await send(kafka, topic, avro(id, schema, one(1)))
    ledger = Ledger()
    async with listening(sensor(kafka, topic, registry.url, model=Big), ledger):
        await until(lambda: ledger.dead)
    [letter] = ledger.dead
    assert "amount" in letter.error
    mended = sensor(kafka, topic, registry.url, model=Order)
    assert mended.restore(letter.raw) == Order(**one(1))


async def test_records_wait_while_the_registry_is_down_and_none_is_lost(
    kafka: Broker, mended: Registry
) -> None:
    topic, schema = await new_topic(kafka), order()
    id = mended.register(f"{topic}-value", schema)
    await to_thread.run_sync(mended.stop)
    await send(kafka, topic, *(avro(id, schema, one(n)) for n in range(3)))
    ledger, orders = Ledger(), sensor(kafka, topic, mended.url, model=Order)
    async with listening(orders, ledger) as desk:
        await until(lambda: "schema registry" in desk.why)
        assert not desk.well
        told = len(desk.health)
        # A look at the cluster, which is well, does not make the sensor well.
        await until(lambda: len(desk.health) > told + 3)
        assert not any(well for well, _ in desk.health[told:])
        assert (ledger.events, ledger.dead) == ([], [])
        await to_thread.run_sync(mended.start)
        await until(lambda: len(ledger.events) == 3)
        await until(lambda: desk.well)
    assert [event.data.order_id for event in ledger.events] == [0, 1, 2]
    assert ledger.dead == []


async def test_what_is_known_needs_no_registry_and_what_is_new_waits_with_all_behind_it(
    kafka: Broker, registry: Registry
) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    newer = order({"name": "region", "type": "string"})
    ledger, waits = Ledger(), ("warning", "records wait for the schema registry")
    async with (
        front(registry.url) as proxy,
        listening(sensor(kafka, topic, proxy.url, model=Order), ledger) as desk,
    ):
        await send(kafka, topic, avro(id, schema, one(0)))
        await until(lambda: len(ledger.events) == 1)
        proxy.status = 503
        await send(kafka, topic, avro(id, schema, one(1)))
        await until(lambda: len(ledger.events) == 2)
        assert desk.well
        new = registry.register(f"{topic}-value", newer)
        await send(kafka, topic, avro(new, newer, one(2, region="us")), avro(id, schema, one(3)))
        await until(lambda: "503" in desk.why)
        assert len(ledger.events) == 2
        asked = len(proxy.asked)
        await until(lambda: len(proxy.asked) > asked + 3)
        proxy.status = 0
        await until(lambda: len(ledger.events) == 4 and desk.well)
        assert desk.lines.events.count(waits) == 1
    found = [(event.data.order_id, event.data.region) for event in ledger.events]
    assert found == [(0, "eu"), (1, "eu"), (2, "us"), (3, "eu")]


async def test_a_service_that_ends_while_it_waits_reads_the_records_again(
    kafka: Broker, registry: Registry
) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    await send(kafka, topic, avro(id, schema, one(1)))
    ledger = Ledger()
    async with front(registry.url) as proxy:
        proxy.status = 503
        async with listening(sensor(kafka, topic, proxy.url), ledger) as desk:
            await until(lambda: "503" in desk.why)
        assert (ledger.events, ledger.dead) == ([], [])
        proxy.status = 0
        async with listening(sensor(kafka, topic, proxy.url), ledger):
            await until(lambda: ledger.events)
    assert ledger.data == [one(1)]


@pytest.mark.parametrize("status", [404, 200, 429])
async def test_a_wrong_url_is_an_outage_and_blames_no_record(
    kafka: Broker, registry: Registry, status: int
) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    await send(kafka, topic, avro(id, schema, one(1)))
    ledger = Ledger()
    async with front(registry.url) as proxy:
        proxy.status = status
        async with listening(sensor(kafka, topic, proxy.url), ledger) as desk:
            await until(lambda: "does not answer as a registry does" in desk.why)
            assert ledger.dead == []
            proxy.status = 0
            await until(lambda: ledger.events and desk.well)


async def test_a_slow_registry_is_waited_for(kafka: Broker, registry: Registry) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    await send(kafka, topic, *(avro(id, schema, one(n)) for n in range(3)))
    ledger, pace = Ledger(), replace(QUICK, patience=1.0)
    async with front(registry.url) as proxy:
        proxy.delay = 3
        async with listening(sensor(kafka, topic, proxy.url), ledger, pace) as desk:
            await until(lambda: "does not answer within 1 s" in desk.why)
            assert ledger.events == []
            proxy.delay = 0.3
            await until(lambda: len(ledger.events) == 3 and desk.well)
    assert ledger.dead == []


async def test_a_schema_is_asked_for_once(kafka: Broker, registry: Registry) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    missing = pack(">bI", 0, 2**30) + b"x"
    ledger = Ledger()
    async with (
        front(registry.url) as proxy,
        listening(sensor(kafka, topic, proxy.url), ledger),
    ):
        for number in range(5):
            await send(kafka, topic, avro(id, schema, one(number)), missing)
            await until(lambda number=number: len(ledger.dead) == number + 1)
    assert sorted(proxy.asked) == sorted([f"/schemas/ids/{id}", f"/schemas/ids/{2**30}"])


async def test_no_more_schemas_are_kept_than_the_limit(registry: Registry) -> None:
    topic = f"t-{uuid4().hex[:8]}"
    ids = [
        registry.register(topic, {"type": "record", "name": f"N{topic[2:]}{n}", "fields": []})
        for n in range(6)
    ]
    payloads = {id: pack(">bI", 0, id) for id in ids}
    async with front(registry.url) as proxy, connected(parsed(proxy.url, None, "")) as client:
        schemas = Schemas(client, limit=3)
        for id in [*ids[:3], ids[0], *ids[3:], ids[0], ids[5]]:
            await schemas.learn([payloads[id]])
            assert schemas.read(payloads[id]) == b"{}"
        # The fourth displaced the second, and so on; the first was asked for anew once.
        assert [path.rpartition("/")[2] for path in proxy.asked] == [
            str(id) for id in [*ids[:3], *ids[3:], ids[0]]
        ]
        await schemas.learn(payloads.values())
        assert {schemas.read(payload) for payload in payloads.values()} == {b"{}"}


async def test_schemas_of_deleted_subjects_are_still_there_for_old_records(
    kafka: Broker, registry: Registry
) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    registry.delete(f"{topic}-value")
    await send(kafka, topic, avro(id, schema, one(1)))
    ledger = Ledger()
    async with listening(sensor(kafka, topic, registry.url), ledger):
        await until(lambda: ledger.events)
    assert ledger.data == [one(1)]


async def test_a_registry_that_does_not_let_us_in_stops_the_sensor(
    kafka: Broker, registry: Registry
) -> None:
    topic, schema = await new_topic(kafka), order()
    await send(kafka, topic, avro(1, schema, one(1)))
    ledger = Ledger()
    async with front(registry.url) as proxy:
        proxy.status = 403
        with pytest.raises(ExceptionGroup) as raised:
            async with listening(sensor(kafka, topic, proxy.url), ledger):
                await anyio.sleep(60)
    assert "does not let us in: 403" in str(raised.value.exceptions[0])
    assert (ledger.events, ledger.dead) == ([], [])


async def test_a_service_launches_what_typed_values_ask_for_across_a_restart(
    kafka: Broker, registry: Registry, tmp_path: Path
) -> None:
    topic, schema = await new_topic(kafka), order()
    id = registry.register(f"{topic}-value", schema)
    schemas = SchemaRegistry(registry.url, f"{topic}-*", every="50ms")
    orders = sensor(kafka, topic, registry.url)
    shop = Pipeline("shop")
    seen: list[Any] = []

    @shop.asset(on=orders.where(field.amount >= Decimal("0.50")).batch(3, max_wait="1h"))
    async def big(events: Any) -> int:
        seen.extend(event.data for event in events)
        return len(seen)

    @shop.asset(on=schemas.where(field.columns.contains("region")))
    async def regions() -> None: ...

    async with serving(shop, tmp_path) as served:
        await send(kafka, topic, *(avro(id, schema, one(n)) for n in (1, 2, 3)))
        newer = {**schema, "fields": [*schema["fields"], {"name": "region", "type": "string"}]}
        await until_true(lambda: served.store.positions(f"registry/{schemas.name}"))
        id = registry.register(f"{topic}-value", newer)
        await served.until_status("regions", "materialized")
        await until_true(lambda: _read_to(served, topic, 3))
    async with serving(shop, tmp_path) as served:
        # The first two of the batch come from the store by now, not from the topic.
        await send(kafka, topic, avro(id, newer, one(4, region="us")))
        await served.until_status("big", "materialized")
    assert seen == [one(2), one(3), one(4, region="us")]


async def _read_to(served: Serving, topic: str, offset: int) -> bool:
    positions = await served.store.positions(f"kafka/{topic}")
    return any(text.endswith(f":{offset}") for text in positions.values())
