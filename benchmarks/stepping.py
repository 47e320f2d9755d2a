"""The scheduler by itself: steps that start and end, as fast as it decides.

A firing launches all that it affects; what one turn starts has ended by the next. A transition is a
step that starts or ends. Nothing is read or written.

`python -m benchmarks.stepping KIND SIZE TIMES` prints the transitions a second as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from benchmarks.core import took
from benchmarks.engine import ORDERS, event
from benchmarks.figure import Figure
from benchmarks.layered import chain, fan, layered, root_above
from benchmarks.matching import spawned
from benchmarks.workload import START, order
from reactor.core.asset import Asset, Rule
from reactor.core.decision import Arrived, Ending, Finished, Input, Start
from reactor.core.graph import Graph
from reactor.core.reactor import Reactor
from reactor.core.run import Materialization
from reactor.core.state import State, Table

AIM = 20_000
ROUNDS = 5
KINDS = (
    ("layered", 100_000, 5, "1,000 steps a firing, of a graph of 100,000 assets"),
    ("fan", 10_000, 1, "one asset above 10,000"),
    ("chain", 10_000, 1, "a chain of 10,000 assets, one decision a step"),
)
MAKE: dict[str, Callable[[int], Sequence[Asset]]] = {"layered": layered, "fan": fan, "chain": chain}


class Stepping:
    """A reactor over a graph of which everything was made once, and its only rule."""

    def __init__(self, graph: Graph) -> None:
        made = (Materialization(name, None, 0, START) for name in graph.assets)
        rows = ((Table.MATERIALIZATION, (row.asset, None), row) for row in made)
        self._reactor, self._now = Reactor(graph, State.of(rows)), START
        self._starts: list[Start] = []
        self._events = 0

    def fire(self) -> None:
        """An event comes, and its run is launched."""
        self._events += 1
        self._receive([Arrived("orders", [event(order(self._events))])])

    def carry_out(self) -> int:
        """Lets all that starts end, turn by turn; answers how many steps ended."""
        ended = 0
        while self._starts:
            ended += len(self._starts)
            self._receive(
                [Finished(start.step, start.number, Ending.SUCCEEDED) for start in self._starts]
            )
        if self._reactor.waiting:
            raise RuntimeError(f"{self._reactor.waiting} steps wait for nothing")
        return ended

    def _receive(self, inputs: Sequence[Input]) -> None:
        self._now += timedelta(milliseconds=1)
        effects = self._reactor.receive(inputs, self._now).effects
        self._starts = [effect for effect in effects if isinstance(effect, Start)]


def measure() -> Iterator[Figure]:
    """A figure for each kind of graph."""
    for kind, size, times, words in KINDS:
        rate = spawned("benchmarks.stepping", kind, size, times)["rate"]
        yield Figure(
            f"scheduler: {words}",
            f"{rate:,.0f} transitions/s",
            f">= {AIM:,} transitions/s",
            rate >= AIM,
        )


def main() -> None:
    kind, size, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    assets = MAKE[kind](size)
    root = root_above(Graph.of("bench", assets, []), 1_000) if kind == "layered" else "a0"
    stepping = Stepping(Graph.of("bench", assets, [Rule("rule", ORDERS, (root,))]))
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    rates = sorted(_rate(stepping, times) for _ in range(ROUNDS))
    print(json.dumps({"rate": rates[ROUNDS // 2], "rates": rates}))


def _rate(stepping: Stepping, times: int) -> float:
    ended: list[int] = []

    def firings() -> None:
        for _ in range(times):
            stepping.fire()
            ended.append(stepping.carry_out())

    seconds = took(firings)
    return 2 * sum(ended) / seconds


if __name__ == "__main__":
    main()
