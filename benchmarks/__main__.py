"""`make bench`: prints a table and writes `benchmarks/results.json`."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import (
    durable,
    latency,
    matching,
    planning,
    remembering,
    saving,
    schema,
    simulating,
    standby,
    stepping,
    storm,
    throughput,
)
from benchmarks.figure import Figure, publish
from tests.servers import kafka

RESULTS = Path(__file__).with_name("results.json")
ALONE = (matching, remembering, simulating, stepping, planning, storm, saving)
"""What needs neither a folder nor a server."""
NAMES = (
    *("latency", "schema", "throughput", "standby", "durable"),
    *(each.__name__.rpartition(".")[2] for each in ALONE),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(NAMES)}; all of them if none")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    names: list[str] = chosen.names or [*NAMES]
    with tempfile.TemporaryDirectory(prefix="reactor-bench-") as folder:
        publish(list(_figures(names, Path(folder))), chosen.out)


def _figures(names: list[str], folder: Path) -> Iterator[Figure]:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    yield Figure("machine", machine, note=f"load {os.getloadavg()[0]:.1f} at the start")
    for name in names:
        (folder / name).mkdir()
    if {"latency", "throughput"} & set(names):
        broker = kafka.chosen().start()
        yield Figure("Kafka broker", broker.kind)
        try:
            if "latency" in names:
                yield from latency.measure(folder / "latency", broker)
            if "throughput" in names:
                yield from throughput.measure(folder / "throughput", broker)
        finally:
            broker.close()
    if "schema" in names:
        yield from schema.measure(folder / "schema")
    if "standby" in names:
        yield from standby.measure(folder / "standby")
    if "durable" in names:
        yield from durable.measure(folder / "durable")
    for each in ALONE:
        if each.__name__.rpartition(".")[2] in names:
            yield from each.measure()


if __name__ == "__main__":
    main()
