"""How a Kafka sensor lives through what happens to its broker, its client and its group."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import anyio
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import LeaderNotAvailableError
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import TopicPartition
from anyio import to_thread

from sensors import KafkaTopic
from tests.integration.kafka_desk import DEADLINE, QUICK, Ledger, listening, new_topic, send, until
from tests.servers.kafka import Broker
from tests.servers.process import free_port
from tests.servers.process import listening as listening_on

pytestmark = pytest.mark.anyio


def sensor(broker: Broker, *topics: str, **settings: Any) -> KafkaTopic:
    return KafkaTopic(*topics, bootstrap=broker.bootstrap, start="earliest", **settings)


@pytest.fixture
async def mended(kafka: Broker) -> AsyncIterator[Broker]:
    """The broker, running again afterwards even if the test failed."""
    yield kafka
    if not listening_on(int(kafka.bootstrap.rpartition(":")[2])):
        await to_thread.run_sync(kafka.start)


async def committed(broker: Broker, group: str, topic: str) -> int | None:
    """What a tool that shows lag would find."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return await consumer.committed(TopicPartition(topic, 0))
    finally:
        await consumer.stop()


async def send_raw(broker: Broker, topic: str, batch: bytes) -> None:
    """Produces a batch that aiokafka's producer would refuse to make."""
    client = AIOKafkaClient(bootstrap_servers=broker.bootstrap)
    await client.bootstrap()
    try:
        await client._wait_on_metadata(topic)
        leader = client.cluster.leader_for_partition(TopicPartition(topic, 0))
        request = ProduceRequest(
            required_acks=1, timeout=10_000, topics=[(topic, [(0, batch)])], transactional_id=None
        )
        answer = await client.send(leader, request)
        ((_, ((_, code, *_),)),) = answer.topics
        assert code == 0
    finally:
        await client.close()


def batch_with_header_names(*names: bytes) -> bytes:
    """One record for each name, which is the name of its only header."""

    class Name(str):
        def encode(self, *_: Any) -> bytes:  # type: ignore[override]
            return self.raw  # type: ignore[attr-defined]

    builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset, raw in enumerate(names):
        name = Name("name")
        name.raw = raw  # type: ignore[attr-defined]
        builder.append(offset, 1_767_225_600_000, None, b"%d" % offset, [(name, b"value")])
    return bytes(builder.build())


@pytest.mark.needs_broker("restart")
async def test_a_broker_that_is_down_at_the_start_is_waited_for(mended: Broker) -> None:
    await to_thread.run_sync(mended.stop)
    topic = f"t-{uuid4().hex[:12]}"
    ledger = Ledger()
    async with listening(sensor(mended, topic), ledger) as desk:
        await until(lambda: len(desk.health) > 3)
        assert not any(well for well, _ in desk.health)
        assert "Connect call failed" in desk.why
        await to_thread.run_sync(mended.start)
        await until(lambda: desk.why == f"topic {topic} does not exist")
        await new_topic(mended, topic)
        await send(mended, topic, b"1")
        await until(lambda: ledger.events and desk.well)
    assert ledger.data == [1]


@pytest.mark.needs_broker("restart", "durable_restart")
async def test_a_broker_that_is_killed_and_comes_back_loses_and_repeats_nothing(
    mended: Broker,
) -> None:
    topic = await new_topic(mended, partitions=2)
    ledger = Ledger()
    async with listening(sensor(mended, topic), ledger) as desk:
        await send(mended, topic, *(b"%d" % number for number in range(100)))
        await until(lambda: len(ledger.events) == 100 and desk.well)
        await to_thread.run_sync(mended.kill)
        await until(lambda: not desk.well)
        failures = len(desk.health)
        await until(lambda: len(desk.health) > failures + 3)
        await to_thread.run_sync(mended.start)
        await until(lambda: desk.well)
        await send(mended, topic, *(b"%d" % number for number in range(100, 200)), partition=1)
        await until(lambda: len(ledger.events) == 200)
    assert ledger.data == list(range(200))


@pytest.mark.parametrize("known", [True, False], ids=["a known topic", "the first time"])
async def test_a_partition_that_gets_its_leader_late_is_read_and_well(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    topic, other = await new_topic(kafka, partitions=2), await new_topic(kafka)
    await send(kafka, topic, b"1", partition=1)
    ledger = Ledger()
    both = KafkaTopic(topic, other, bootstrap=kafka.bootstrap, start="earliest")
    if known:
        async with listening(both, ledger) as desk:
            await until(lambda: ledger.events and desk.well)
        await send(kafka, topic, b"2", partition=1)
    ask, elected = AIOKafkaClient.send, anyio.Event()

    async def lack_a_leader(self: AIOKafkaClient, node: Any, request: Any, **about: Any) -> Any:
        answer = await ask(self, node, request, **about)
        if isinstance(request, OffsetRequest) and not elected.is_set():
            for name, partitions in answer.topics:
                if name == topic:
                    partitions[:] = [(1, LeaderNotAvailableError.errno, -1, -1)]
        return answer

    monkeypatch.setattr(AIOKafkaClient, "send", lack_a_leader)
    async with listening(both, ledger) as desk:
        await until(lambda: f"no leader for {topic}/0, {topic}/1" in desk.why)
        elected.set()
        await until(lambda: desk.well and len(ledger.events) == 1 + known)
    assert ledger.data == [1, 2][: 1 + known]


@pytest.mark.needs_broker("restart")
async def test_a_broker_that_falls_silent_is_noticed(mended: Broker) -> None:
    topic = await new_topic(mended)
    ledger = Ledger()
    async with listening(sensor(mended, topic), ledger, replace(QUICK, patience=0.5)) as desk:
        await until(lambda: ledger.batches and desk.well)
        mended.pause()
        try:
            await until(lambda: not desk.well)
        finally:
            mended.resume()
        await until(lambda: desk.well)
        await send(mended, topic, b"1")
        await until(lambda: ledger.events)
    assert ledger.data == [1]


async def test_a_sensor_whose_cluster_never_answers_stops_at_once() -> None:
    topic = KafkaTopic("orders", bootstrap=f"127.0.0.1:{free_port()}")
    with anyio.fail_after(DEADLINE):
        async with listening(topic, Ledger()) as desk:
            await until(lambda: len(desk.health) > 2)
    assert not desk.well


async def test_a_consumer_that_got_stuck_is_replaced(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Fetcher._proc_fetch_request
    stuck: set[Fetcher] = set()

    async def stick(self: Fetcher, *about: Any) -> bool:
        if not stuck or self in stuck:
            stuck.add(self)
            await anyio.sleep_forever()
        return await fetch(self, *about)

    monkeypatch.setattr(Fetcher, "_proc_fetch_request", stick)
    topic = await new_topic(kafka)
    await send(kafka, topic, b"1")
    ledger = Ledger()
    async with listening(sensor(kafka, topic), ledger, replace(QUICK, stall=0.5)) as desk:
        await until(lambda: ledger.events)
    assert len(stuck) == 1
    restarts = [about["why"] for _, event, about in desk.lines.said if event.endswith("anew")]
    assert restarts == [f"{topic}/0 has records, but none came for 0.5 s"]


async def test_a_client_that_does_not_stop_is_left_behind(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(self: AIOKafkaConsumer) -> None:
        self._closed = True
        await anyio.sleep_forever()

    topic = await new_topic(kafka)
    await send(kafka, topic, b"1")
    ledger = Ledger()
    with monkeypatch.context() as broken:
        broken.setattr(AIOKafkaConsumer, "stop", hang)
        with anyio.fail_after(DEADLINE):
            async with listening(sensor(kafka, topic), ledger, replace(QUICK, stop=0.2)):
                await until(lambda: ledger.events)
    assert ledger.data == [1]


async def test_a_cancellation_that_the_client_makes_up_does_not_end_the_sensor(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, getmany = AIOKafkaConsumer.stop, AIOKafkaConsumer.getmany
    broken_off: list[str] = []

    async def stop_badly(self: AIOKafkaConsumer) -> None:
        await stop(self)
        broken_off.append("stop")
        raise asyncio.CancelledError

    async def read_badly(self: AIOKafkaConsumer, **about: Any) -> Any:
        if "getmany" not in broken_off:
            broken_off.append("getmany")
            raise asyncio.CancelledError
        return await getmany(self, **about)

    topic = await new_topic(kafka)
    await send(kafka, topic, b"1")
    ledger = Ledger()
    with monkeypatch.context() as broken:
        broken.setattr(AIOKafkaConsumer, "stop", stop_badly)
        broken.setattr(AIOKafkaConsumer, "getmany", read_badly)
        async with listening(sensor(kafka, topic), ledger):
            await until(lambda: ledger.events)
            assert broken_off == ["getmany", "stop"]
    assert ledger.data == [1]


async def test_offsets_are_committed_for_lag_tools(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    await send(kafka, topic, b"1", b"2", b"3")
    ledger = Ledger()
    async with listening(sensor(kafka, topic, name="orders"), ledger):
        await until(lambda: len(ledger.events) == 3)
        with anyio.fail_after(DEADLINE):
            while await committed(kafka, "reactor-orders", topic) != 3:
                await anyio.sleep(0.1)


async def test_a_group_that_refuses_our_offsets_disturbs_nothing(kafka: Broker) -> None:
    topic = await new_topic(kafka)
    group = f"busy-{topic}"
    member = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False
    )
    await member.start()
    try:
        ledger = Ledger()
        async with listening(sensor(kafka, topic, group=group), ledger) as desk:
            await send(kafka, topic, b"1")
            await until(lambda: ledger.events)
            await until(lambda: ("warning", "offsets are not committed") in desk.lines.events)
            await send(kafka, topic, b"2")
            await until(lambda: len(ledger.events) == 2)
            assert desk.well
        said = [line for line in desk.lines.events if line[0] == "warning"]
        assert said == [("warning", "offsets are not committed")]
    finally:
        await member.stop()


async def test_a_header_name_that_is_no_text_stops_nothing(kafka: Broker) -> None:
    topic, other = await new_topic(kafka), await new_topic(kafka)
    await send_raw(kafka, topic, batch_with_header_names(b"fine", b"\xff\xfe", b"fine"))
    await send(kafka, topic, b"3")
    await send(kafka, other, b"4")
    ledger = Ledger()
    async with listening(sensor(kafka, topic, other), ledger) as desk:
        await until(lambda: len(ledger.events) == 5)
        await send(kafka, topic, b"5")
        await until(lambda: len(ledger.events) == 6)
        assert desk.well
    assert sorted(ledger.data) == [0, 1, 2, 3, 4, 5]
    names = {event.data: list(event.headers) for event in ledger.events if event.headers}
    assert names == {0: ["fine"], 1: ["\\xff\\xfe"], 2: ["fine"]}


@pytest.mark.needs_broker("restart", "durable_restart")
async def test_a_damaged_batch_stops_its_own_partition_only(mended: Broker) -> None:
    topic = await new_topic(mended, partitions=2)
    await send(mended, topic, b"1")
    await send(mended, topic, b'"to be damaged"')
    await send(mended, topic, b"2", partition=1)
    await to_thread.run_sync(mended.stop)
    log = mended.folder / "data" / f"{topic}-0" / f"{0:020}.log"
    log.write_bytes(log.read_bytes().replace(b"to be damaged", b"is now damaged"[:13]))
    await to_thread.run_sync(mended.start)
    ledger = Ledger()
    async with listening(sensor(mended, topic), ledger) as desk:
        await until(lambda: len(ledger.events) == 2)
        await until(lambda: "is set aside: at offset 1" in desk.why)
        await send(mended, topic, b"3", partition=1)
        await until(lambda: len(ledger.events) == 3)
        assert not desk.well
    assert sorted(ledger.data) == [1, 2, 3]
    assert ledger.positions[f"{topic}/0"].endswith(":1")
