"""Steps a second through the whole service: async functions that do nothing, recorded in SQLite.

Each step's start and end are made durable, as ever. It is wall-clock time: the disk takes part.

`python -m benchmarks.durable FOLDER KIND SIZE CHAINS` prints the steps a second as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import structlog

from benchmarks.figure import Figure
from benchmarks.matching import spawned
from reactor import Pipeline
from reactor.cli.service import running
from reactor.core.decision import Materialize
from reactor.host.loop import Host
from reactor.settings import read

AIM = 1_500
ROUNDS = 5
KINDS = (
    ("fan", 4_000, 1, AIM, "one asset above 4,000"),
    ("chains", 4_000, 64, AIM, "64 chains of assets side by side"),
    ("chains", 500, 1, 0, "one chain alone, where each step waits for the disk"),
)


def measure(folder: Path) -> Iterator[Figure]:
    """A figure for each kind of graph."""
    for kind, size, count, aim, words in KINDS:
        where = folder / f"{kind}-{count}"
        where.mkdir()
        said = spawned("benchmarks.durable", where, kind, size, count)
        sought, met = (f">= {aim:,} steps/s", said["rate"] >= aim) if aim else ("", None)
        note = f"{said['cpu']:,.0f} a second of processor time"
        yield Figure(f"durable steps: {words}", f"{said['rate']:,.0f} steps/s", sought, met, note)


def fan(size: int) -> Pipeline:
    """One asset, and all others below it."""
    made = Pipeline("bench", owner="bench")
    top = _asset(made, "a0")
    for number in range(1, size):
        _ = top >> _asset(made, f"a{number}")
    return made


def chains(size: int, count: int) -> Pipeline:
    """So many chains of equal length."""
    made = Pipeline("bench", owner="bench")
    for number in range(count):
        above = _asset(made, f"a{number}_0")
        for depth in range(1, size // count):
            below = _asset(made, f"a{number}_{depth}")
            _ = above >> below
            above = below
    return made


def _asset(pipeline: Pipeline, name: str) -> Any:
    async def nothing() -> int:
        return 1

    nothing.__name__ = name
    return pipeline.asset(nothing)


async def run(pipeline: Pipeline) -> dict[str, float]:
    """The median rates of a few rounds, in each of which every asset is made."""
    definition = pipeline.definition()
    assets = definition.graph.assets.values()
    roots = tuple(asset.name for asset in assets if not asset.upstream)
    rates: list[float] = []
    processor: list[float] = []
    async with running(definition, read(port=0)) as service:
        for _ in range(ROUNDS):
            wall, core = time.perf_counter(), time.process_time()
            await service.host.command(Materialize(roots))
            await _done(service.host)
            rates.append(len(assets) / (time.perf_counter() - wall))
            processor.append(len(assets) / (time.process_time() - core))
    return {"rate": sorted(rates)[ROUNDS // 2], "cpu": sorted(processor)[ROUNDS // 2]}


async def _done(host: Host) -> None:
    while host.reactor.running or host.reactor.waiting:
        await anyio.sleep(0.002)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder, kind, size, count = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
    os.chdir(folder)
    made = fan(size) if kind == "fan" else chains(size, count)
    print(json.dumps(anyio.run(run, made)))


if __name__ == "__main__":
    main()
