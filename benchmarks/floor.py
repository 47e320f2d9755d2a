"""The floor: bare getmany, model_validate_json, one durable SQLite insert a batch."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.order import Order

_TABLE = """create table event (
    seq integer primary key, source text, id text, type text, subject text, key text,
    time integer, received integer, headers text, data blob, unique (source, id))"""
_INSERT = "insert into event values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


async def run(folder: Path, bootstrap: str, count: int, every: int) -> float:
    """Events a second."""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)

    def in_thread(work: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return loop.run_in_executor(pool, work, *arguments)

    base = await in_thread(_open, folder)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    partitions = [TopicPartition("throughput", number) for number in range(3)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    seen, seq, began = 0, 0, time.perf_counter()
    while seen < count:
        rows: list[tuple[Any, ...]] = []
        for partition, records in (
            await consumer.getmany(timeout_ms=1000, max_records=1000)
        ).items():
            for record in records:
                order = Order.model_validate_json(record.value or b"")
                seen += 1
                if every == 1 or order.region == "eu":
                    seq += 1
                    id = f"{partition.partition}/{record.offset}"
                    rows.append((seq, "throughput", id, "kafka.message", "throughput", None,
                                 record.timestamp, 0, None, record.value))  # fmt: skip
        if rows:
            await in_thread(_insert, base, rows)
    took = time.perf_counter() - began
    await consumer.stop()
    return count / took


def _open(folder: Path) -> sqlite3.Connection:
    base = sqlite3.connect(folder / "floor.db")
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = full")
    base.execute(_TABLE)
    return base


def _insert(base: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    base.executemany(_INSERT, rows)
    base.commit()


if __name__ == "__main__":
    print(asyncio.run(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
