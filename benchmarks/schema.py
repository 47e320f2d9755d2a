"""From the commit of a schema change in PostgreSQL to the first line of the asset's code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg

from benchmarks.disk import fdatasyncs
from benchmarks.figure import Figure, shown, spread
from benchmarks.latency import received
from benchmarks.service import serving
from reactor.ports import Batch
from sensors import SchemaChanges
from sensors.schema.event_trigger import CHANNEL, install
from tests.integration.desk import Recorder, running
from tests.servers.postgres import Postgres

COUNT = 200
GAP = 0.137
AIM_MS = 30
MIGRATION = 50
SETTLED = 0.5


def measure(folder: Path, count: int = COUNT) -> Iterator[Figure]:
    """Polled, told, and the floor: a listener with nothing behind it."""
    postgres = Postgres()
    try:
        polled = _one(folder / "polled", postgres.database(), max(count // 5, 1), GAP * 8)
        yield Figure("column added in PostgreSQL to first line, polled every 1 s", shown(polled))
        told = postgres.database()
        install(told)
        yield Figure("the disk's fdatasync, p50 / p99", shown(fdatasyncs(folder, count)))
        yield Figure("PostgreSQL alone: commit to a bare listener", shown(_bare(told, count)))
        took = _one(folder / "told", told, count, GAP)
        what = "column added in PostgreSQL to first line, with notify"
        met = spread(took)[0] <= AIM_MS
        yield Figure(what, shown(took), f"p50 <= {AIM_MS} ms", met)
        for name, each in (("one transaction", False), (f"{MIGRATION} transactions", True)):
            looks, last = asyncio.run(_migration(told, name[0], each))
            what = f"migration of {MIGRATION} tables in {name}: looks, last commit to last event"
            yield Figure(what, f"{looks}, {last * 1e3:.1f} ms")
    finally:
        postgres.close()


def _one(folder: Path, url: str, count: int, gap: float) -> list[float]:
    folder.mkdir()
    out = folder / "out.txt"
    out.touch()
    with psycopg.connect(url, autocommit=True) as shop:
        columns = ", ".join(f"c{n} integer" for n in range(10))
        shop.execute(f"CREATE TABLE orders ({columns})".encode())
        env = {"BENCH_OUT": str(out), "BENCH_KINDS": "schema", "BENCH_EVERY": "1s"}
        with serving("first_line", folder, BENCH_DATABASE=url, **env):
            sent = _alter(shop, count, gap)
            got = received(out, count)
    return [(got[n] - sent[n]) / 1e9 for n in sent if n >= 0]


def _alter(shop: psycopg.Connection, count: int, gap: float) -> dict[int, int]:
    """Adds a column at a time, -3 to -1 to warm up; answers when each was to be committed.

    The one before is dropped, so that the table does not grow wide.
    """
    sent: dict[int, int] = {}
    for n in range(-3, count):
        shop.execute("BEGIN")
        last = f'DROP COLUMN IF EXISTS "{n - 1}"'
        shop.execute(f'ALTER TABLE orders ADD COLUMN "{n}" text, {last}'.encode())
        sent[n] = time.time_ns()
        shop.execute("COMMIT")
        time.sleep(gap)
    return sent


def _bare(url: str, count: int) -> list[float]:
    """What PostgreSQL and its driver take by themselves."""
    got: list[int] = []

    def listen() -> None:
        for _ in ear.notifies(stop_after=count + 3):
            got.append(time.time_ns())

    with (
        psycopg.connect(url, autocommit=True) as ear,
        psycopg.connect(url, autocommit=True) as shop,
    ):
        shop.execute("CREATE TABLE bare (id integer)")
        ear.execute(f"LISTEN {CHANNEL}".encode())
        thread = Thread(target=listen)
        thread.start()
        sent: list[int] = []
        for n in range(count + 3):
            shop.execute("BEGIN")
            shop.execute(f'ALTER TABLE bare ADD COLUMN "{n}" text'.encode())
            sent.append(time.time_ns())
            shop.execute("COMMIT")
            time.sleep(GAP / 4)
        thread.join(30)
    return [(at - began) / 1e9 for began, at in zip(sent, got, strict=True)][3:]


async def _migration(url: str, prefix: str, each: bool) -> tuple[int, float]:
    """How many looks it made, and how long after its end the last of it was seen."""
    desk = _Desk()
    sensor = SchemaChanges(url, every="1h", name="shop")

    def migrate() -> float:
        with psycopg.connect(url, autocommit=each) as shop:
            for n in range(MIGRATION):
                shop.execute(f'CREATE TABLE "{prefix}{n}" (id integer)'.encode())
            shop.commit()
            return time.perf_counter()

    async with running(sensor, desk):
        await desk.until(lambda: "listening for schema changes" in desk.log.said)
        await asyncio.sleep(SETTLED)
        before = desk.looks
        ended = await asyncio.to_thread(migrate)
        await desk.until(lambda: len(desk.events) == MIGRATION)
        await asyncio.sleep(SETTLED)
        return desk.looks - before, desk.last - ended


class _Desk(Recorder):
    last = 0.0

    async def offer(self, batch: Batch) -> None:
        await super().offer(batch)
        self.last = time.perf_counter()
