"""From the world to the first line of the asset's code."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.disk import fdatasyncs
from benchmarks.figure import Figure, shown, spread
from benchmarks.service import Running, serving
from benchmarks.throughput import create_topic
from tests.servers.kafka.broker import Broker

COUNT = 200
GAP = 0.03
INTERVAL = 0.1

Send = Callable[[int], None]


def measure(folder: Path, broker: Broker, count: int = COUNT) -> Iterator[Figure]:
    """One figure for each kind of event, with the disk's own figure from the same time."""
    asyncio.run(create_topic(broker, "latency", 1))
    disk = fdatasyncs(folder, count)
    yield Figure("the disk's fdatasync, p50 / p99", shown(disk))
    allowance = 2 * spread(disk)[0]
    bare = asyncio.run(_bare(broker, count))
    yield Figure("Kafka alone: produce to a bare getmany, p50 / p99", shown(bare))
    for kind, aim in (("kafka", 5), ("webhook", 5), ("file", 15), ("schema", INTERVAL * 1e3 + 20)):
        took = _one(kind, folder / kind, broker, count)
        limit = aim if kind == "schema" else aim + allowance
        what = f"{_WORDS[kind]} to first line, p50 / p99"
        yield Figure(what, shown(took), f"p50 <= {limit:.1f} ms", spread(took)[0] <= limit)


_WORDS = {
    "kafka": "Kafka message",
    "webhook": "webhook",
    "file": "file renamed into place",
    "schema": f"column added (polled every {INTERVAL * 1e3:.0f} ms)",
}


def _one(kind: str, folder: Path, broker: Broker, count: int) -> list[float]:
    folder.mkdir()
    out = folder / "out.txt"
    out.touch()
    (folder / "in").mkdir()
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.execute("create table orders (id integer)")
    env = {"BENCH_OUT": str(out), "BENCH_KINDS": kind, "REACTOR_KAFKA": broker.bootstrap}
    with serving("first_line", folder, **env) as service:
        sent = asyncio.run(_send(kind, folder, service, broker, count))
        got = received(out, count)
    return [(got[n] - sent[n]) / 1e9 for n in sorted(sent) if n >= 0]


async def _send(
    kind: str, folder: Path, service: Running, broker: Broker, count: int
) -> dict[int, int]:
    """Sends -1 (to warm up) and then `count` events, some apart; answers when each was sent."""
    match kind:
        case "kafka":
            return await _produce(broker, count)
        case "webhook":
            return await _post(service, count)
        case "file":
            return await _paced(count, lambda n: _rename(folder, n))
        case _:
            return await _paced(count, lambda n: _alter(folder, n), gap=INTERVAL * 1.37)


async def _paced(count: int, send: Send, gap: float = GAP) -> dict[int, int]:
    sent: dict[int, int] = {}
    for n in range(-3, count):
        sent[n] = time.time_ns()
        send(n)
        await asyncio.sleep(gap)
    return sent


def _rename(folder: Path, n: int) -> None:
    hidden = folder / "in" / f".{n}.tmp"
    hidden.write_text("x\n")
    os.rename(hidden, folder / "in" / f"{n}.csv")


def _alter(folder: Path, n: int) -> None:
    with closing(sqlite3.connect(folder / "shop.db", timeout=10)) as shop:
        shop.execute(f'alter table orders add column "{n}" text')


async def _produce(broker: Broker, count: int) -> dict[int, int]:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=0)
    await producer.start()
    sent: dict[int, int] = {}
    try:
        for n in range(-3, count):
            sent[n] = time.time_ns()
            await producer.send("latency", json.dumps({"n": n}).encode())
            await asyncio.sleep(GAP)
    finally:
        await producer.stop()
    return sent


async def _bare(broker: Broker, count: int) -> list[float]:
    """What Kafka and its client take by themselves, with nothing behind them."""
    await create_topic(broker, "bare", 1)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    consumer.assign([TopicPartition("bare", 0)])
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=0)
    await producer.start()
    took: list[float] = []
    for n in range(-3, count):
        began = time.perf_counter()
        await producer.send("bare", json.dumps({"n": n}).encode())
        while not await consumer.getmany(timeout_ms=1000):
            pass
        if n >= 0:
            took.append(time.perf_counter() - began)
        await asyncio.sleep(GAP)
    await producer.stop()
    await consumer.stop()
    return took


async def _post(service: Running, count: int) -> dict[int, int]:
    sent: dict[int, int] = {}
    async with httpx.AsyncClient(base_url=service.url) as client:
        for n in range(-3, count):
            sent[n] = time.time_ns()
            answer = await client.post("/hooks/hook", json={"n": n})
            answer.raise_for_status()
            await asyncio.sleep(GAP)
    return sent


def received(out: Path, count: int, seconds: float = 30) -> dict[int, int]:
    """When the asset began with each event, as it wrote down in `out`."""
    deadline = time.monotonic() + seconds
    got: dict[int, int] = {}
    while time.monotonic() < deadline:
        got = {}
        for line in out.read_text().splitlines():
            _, about, at = line.split()
            for n in about.split(","):
                got.setdefault(int(n), int(at))
        if all(n in got for n in range(count)):
            return got
        time.sleep(0.05)
    raise RuntimeError(f"only {len(got)} of {count} events reached the asset")
