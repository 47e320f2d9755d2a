"""A day in the simulator: one event a second through a hundred rules.

`python -m benchmarks.simulating` prints the seconds that each round took.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from benchmarks.engine import ORDERS, event
from benchmarks.figure import Figure
from benchmarks.matching import spawned
from benchmarks.workload import ROUNDS, START, order
from reactor import Pipeline, field
from reactor.testing import simulate

RULES, EVENTS = 100, 86_400
AIM = 5.0


def measure() -> Iterator[Figure]:
    """One figure."""
    took = statistics.median(spawned("benchmarks.simulating")["seconds"])
    words = f"simulator: a day of one event a second through {RULES} rules"
    yield Figure(words, f"{took:.1f} s", f"< {AIM:.0f} s", took < AIM)


def main() -> None:
    definition = pipeline()
    orders = [
        replace(event(order(n, f"customer {n % RULES}", amount=n)), time=at, received=at)
        for n in range(EVENTS)
        for at in [START + timedelta(seconds=n)]
    ]
    seconds: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        with simulate(definition, START, keep="firings") as sim:
            sim.replay(orders).later("1h")
        seconds.append(time.process_time() - began)
        if len(sim.firings) != EVENTS:
            raise RuntimeError(f"{len(sim.firings)} firings")
    print(json.dumps({"seconds": seconds}))


def pipeline() -> Pipeline:
    """A hundred assets, each with a rule of its own."""
    found = Pipeline("bench")
    for n in range(RULES):

        def asset(events: object) -> None: ...

        asset.__name__ = f"asset_{n}"
        found.asset(on=ORDERS.where(field.customer == f"customer {n}"))(asset)
    return found


if __name__ == "__main__":
    main()
