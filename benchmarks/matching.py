"""Matching, as a race: our engine, a naive loop over the rules, and ansible-rulebook's engine.

Each runs in a process of its own, on the same rules and events; a figure is told only if all fired
the same. Rates are events a second of one core's time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import drools
from benchmarks.figure import Figure
from benchmarks.workload import KEYS

SOUGHT = 2_000
"""Among the first so many events, all must have fired the same."""
FIRST, EVEN, WINDOWS = 200_000, 150_000, 50_000


@dataclass(frozen=True, slots=True)
class Race:
    """One workload, and how many events each engine gets: the slow ones fewer."""

    kind: str
    size: int
    words: str
    ours: int
    naive: int
    drools: int
    aim: int = 0


RACES = (
    Race("equal", 10, "10 equality rules, one matches", 200_000, 100_000, 50_000, FIRST),
    Race("equal", 100, "100 equality rules, one matches", 200_000, 50_000, 50_000, EVEN),
    Race("equal", 1_000, "1,000 equality rules, one matches", 200_000, 20_000, 50_000, EVEN),
    Race("equal", 10_000, "10,000 equality rules, one matches", 200_000, SOUGHT, 50_000, EVEN),
    Race("between", 10_000, "10,000 ranges, one matches", 100_000, SOUGHT, SOUGHT),
    Race("prefix", 10_000, "10,000 prefixes, one matches", 100_000, SOUGHT, SOUGHT),
    Race("and", KEYS, f"a & b by key, {KEYS:,} keys wait", 100_000, 100_000, 50_000, WINDOWS),
    Race("then", KEYS, f"a.then(b) by key, {KEYS:,} keys wait", 100_000, 100_000, 0, WINDOWS),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one engine's rounds."""

    rate: float
    digest: str
    firings: int


def measure() -> Iterator[Figure]:
    """A figure for each race, with what the others made of it."""
    absent = drools.missing()
    if absent:
        yield Figure("ansible-rulebook's engine", "left out", note=absent)
    for race in RACES:
        yield _raced(race, with_drools=not absent)
    rate = _run("reactor", "equal", 10, 100_000).rate
    yield Figure("10 equality rules, their runs planned as well", f"{rate:,.0f} events/s")


def _raced(race: Race, with_drools: bool) -> Figure:
    ours = _run("engine", race.kind, race.size, race.ours)
    others = {"naive loop": _run("naive", race.kind, race.size, race.naive)}
    if with_drools and race.drools:
        others["ansible-rulebook"] = _run("drools", race.kind, race.size, race.drools)
    said: list[str] = []
    for name, other in others.items():
        if (other.digest, other.firings) != (ours.digest, ours.firings):
            raise RuntimeError(f"{race.words}: the {name} fired {other}, ours {ours}")
        said.append(f"{name} {other.rate:,.0f}: {ours.rate / other.rate:,.1f}x")
    aim = f">= {race.aim:,} events/s" if race.aim else ""
    met = ours.rate >= race.aim if race.aim else None
    return Figure(race.words, f"{ours.rate:,.0f} events/s", aim, met, "; ".join(said))


def _run(engine: str, kind: str, size: int, count: int) -> Result:
    said = spawned(f"benchmarks.{engine}", kind, size, count, SOUGHT)
    return Result(statistics.median(said["rates"]), said["digest"], said["firings"])


def spawned(module: str, *arguments: object) -> Any:
    """The last line of what a module of ours prints, in a process of its own."""
    argv = [sys.executable, "-m", module, *map(str, arguments)]
    environment = os.environ | drools.environment()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{module} {arguments}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
