"""The same work as the floor's, done by the whole service."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import structlog

from benchmarks.order import Order
from reactor import Event, Pipeline, field
from reactor.cli.service import running
from reactor.settings import read
from sensors import KafkaTopic


async def run(folder: Path, bootstrap: str, count: int, every: int) -> float:
    """Events a second, from the start of the sensors until the last event reached its asset."""
    os.chdir(folder)
    bench = Pipeline("bench", owner="bench")
    topic = KafkaTopic("throughput", model=Order, bootstrap=bootstrap, start="earliest")
    wanted = topic if every == 1 else topic.where(field.region == "eu")
    expected = count if every == 1 else len(range(0, count, every))
    seen, done = 0, anyio.Event()

    @bench.asset(on=wanted)
    async def take(events: Sequence[Event]) -> int:
        nonlocal seen
        seen += len(events)
        if seen >= expected:
            done.set()
        return len(events)

    async with running(bench.definition(), read(port=0)):
        began = time.perf_counter()
        await done.wait()
        took = time.perf_counter() - began
    return count / took


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder, bootstrap, count, every = sys.argv[1:]
    print(anyio.run(run, Path(folder), bootstrap, int(count), int(every)))
