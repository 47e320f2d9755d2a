"""Events a second from Kafka: consumed, decoded into a model, matched and made durable.

The floor, in the same run and on the same topic, is what nobody can leave out: bare `getmany`,
`model_validate_json`, and one SQLite insert a batch.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.figure import Figure
from tests.servers.kafka.broker import Broker

COUNT = 200_000
PARTITIONS = 3
ROUNDS = 3
RATIO, RARE = 0.7, 60_000


def measure(folder: Path, broker: Broker, count: int = COUNT) -> Iterator[Figure]:
    """Four figures: everything matches, and 1 in 100, each beside its floor."""
    asyncio.run(_fill(broker, count))
    for every, words in ((1, "every event matches"), (100, "1 in 100 matches")):
        floors: list[float] = []
        ours: list[float] = []
        for round in range(ROUNDS):
            for name, rates in (("floor", floors), ("ours", ours)):
                where = folder / f"{name}-{every}-{round}"
                where.mkdir()
                rates.append(_run(name, where, broker, count, every))
        floor, rate = statistics.median(floors), statistics.median(ours)
        ratio = statistics.median(mine / bare for mine, bare in zip(ours, floors, strict=True))
        yield Figure(f"floor, {words}", f"{floor:,.0f} events/s")
        if every == 1:
            aim, met = f">= {RATIO:.0%} of the floor", ratio >= RATIO
        else:
            aim, met = f">= {RARE:,} events/s", rate >= RARE
        yield Figure(
            f"reactor, {words}", f"{rate:,.0f} events/s", aim, met, f"{ratio:.0%} of floor"
        )


def _run(name: str, folder: Path, broker: Broker, count: int, every: int) -> float:
    argv = [sys.executable, "-m", f"benchmarks.{name}", str(folder), broker.bootstrap]
    done = subprocess.run(
        [*argv, str(count), str(every)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout.splitlines()[-1])


async def create_topic(broker: Broker, name: str, partitions: int) -> None:
    """Makes an empty topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1)])
    finally:
        await admin.close()


async def _fill(broker: Broker, count: int) -> None:
    await create_topic(broker, "throughput", PARTITIONS)
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, linger_ms=5, max_batch_size=262_144
    )
    await producer.start()
    for n in range(count):
        order = {
            "order_id": n,
            "region": "eu" if n % 100 == 0 else "us",
            "amount": n * 1.5,
            "customer": f"customer {n % 1000}",
            "note": "x" * 80,
        }
        await producer.send("throughput", json.dumps(order).encode(), partition=n % PARTITIONS)
    await producer.stop()
