"""kill -9 in the middle of a burst, ten times in a row: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from reactor.store import open_reading
from tests.servers.kafka.broker import Broker

pytestmark = pytest.mark.anyio

KILLS, MESSAGES, FILES = 10, 10_000, 1_000
PARTITIONS = 3


class Service:
    """The installed service in a process of its own, on the store in `folder`."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder, self._env = folder, env
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        target = Path(__file__).with_name("burst.py")
        argv = [sys.executable, "-m", "reactor.cli", "serve", str(target)]
        with (self._folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=self._folder, env=self._env, stdout=log, stderr=log
            )

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, (self._folder / "service.log").read_text()[-3000:]
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def starts(self) -> int:
        """How often it came so far as to listen, and so to heed a signal."""
        return (self._folder / "service.log").read_text().count('"listening"')

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def service(folder: Path, broker: Broker, topic: str) -> Iterator[Service]:
    (folder / "in").mkdir()
    env = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "BURST_KAFKA": broker.bootstrap,
        "BURST_TOPIC": topic,
        "BURST_FOLDER": str(folder / "in"),
        "REACTOR_STORE": f"sqlite:///{folder / 'reactor.db'}",
        "REACTOR_PORT": "0",
    }
    made = Service(folder, env)
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """What the store's file says now, read beside its owner."""
    path = folder / "reactor.db"
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def number(folder: Path, query: str) -> int:
    rows = ask(folder, query)
    return int(rows[0][0]) if rows else 0


async def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    with anyio.fail_after(seconds):
        while not holds():
            await anyio.sleep(0.03)


def _grew(folder: Path, query: str, before: int) -> bool:
    return number(folder, query) > before


async def produce(producer: AIOKafkaProducer, topic: str, numbers: range) -> None:
    for n in numbers:
        await producer.send(topic, b'{"n":%d}' % n, partition=n % PARTITIONS)
    await producer.flush()


def drop(folder: Path, numbers: range) -> None:
    for n in numbers:
        hidden = folder / "in" / f".{n}.tmp"
        hidden.write_text(f"{n}\n")
        os.rename(hidden, folder / "in" / f"{n}.csv")


async def test_ten_kills_in_a_burst_lose_nothing_and_do_nothing_twice(
    kafka: Broker, tmp_path: Path
) -> None:
    topic = f"burst-{time.time_ns()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    chance = random.Random(20261124)
    accepted = "select count(*) from event"
    try:
        with service(tmp_path, kafka, topic) as served:
            for round in range(KILLS):
                which = "orders" if round % 2 else "files"
                progress = f"{accepted} where source = '{which}'"
                before = number(tmp_path, progress)
                served.start()
                async with anyio.create_task_group() as tasks:
                    each, some = MESSAGES // KILLS, FILES // KILLS
                    tasks.start_soon(
                        produce, producer, topic, range(round * each, (round + 1) * each)
                    )
                    dropped = range(round * some, (round + 1) * some)
                    tasks.start_soon(anyio.to_thread.run_sync, drop, tmp_path, dropped)
                    await until(partial(_grew, tmp_path, progress, before))
                    await anyio.sleep(chance.uniform(0, 0.15))
                    served.kill()
            starts = served.starts
            served.start()
            await until(lambda: served.starts > starts)
            await until(lambda: number(tmp_path, accepted) >= MESSAGES + FILES, 120)
            unfinished = "select count(*) from run where finished is null"
            await until(lambda: number(tmp_path, unfinished) == 0)
            assert served.stop() == 0
    finally:
        await producer.stop()
    await _handled_exactly_once(tmp_path)


async def _handled_exactly_once(folder: Path) -> None:
    assert ask(folder, "select source, count(*) from event group by source order by source") == [
        ("files", FILES),
        ("orders", MESSAGES),
    ]
    assert {row[0] for row in ask(folder, "select distinct status from run")} == {"succeeded"}
    handled: dict[str, Counter[int]] = {"ordered": Counter(), "filed": Counter()}
    async with open_reading(f"sqlite:///{folder / 'reactor.db'}") as store:
        for (id,) in ask(folder, "select id from run"):
            run = await store.run(id, events_limit=MESSAGES + FILES)
            assert run is not None
            root = next(work["asset"] for work in run["works"] if work["root"])
            handled[root].update(event["seq"] for event in run["events"])
    by_source = dict(ask(folder, "select seq, source from event"))
    for root, source in (("ordered", "orders"), ("filed", "files")):
        wanted = Counter(seq for seq, origin in by_source.items() if origin == source)
        assert handled[root] == wanted
