"""An event storm: far more events than there are assets, while steps take their time.

What waits is bounded by the graph, not by the events: of each asset partition at most one step
runs, one is pending and one stands behind.

`python -m benchmarks.storm EVENTS ASSETS` prints what was pending at most as JSON.
"""

from __future__ import annotations

import gc
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from benchmarks.core import took
from benchmarks.engine import ORDERS, event
from benchmarks.figure import Figure
from benchmarks.layered import layered
from benchmarks.matching import spawned
from benchmarks.remembering import resident
from benchmarks.workload import START, TURN, order
from reactor import field
from reactor.core.asset import Asset, Rule
from reactor.core.decision import Arrived, Ending, Finished, Input, Start
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.reactor import Reactor
from reactor.core.run import Step
from reactor.core.state import Table

EVENTS, ASSETS, LAYERS = 1_000_000, 1_000, 5
PER_PLACE = 3
"""Live steps of an asset partition: one that runs, one pending, one behind."""


class Storm:
    """A reactor in a storm, with a rule for each asset that reads nothing.

    Chance, drawn from the seed, says which steps end, and when.

    `live` is how many steps were live at most, `place` how many of one asset partition, `claimed`
    how many of those were claimed; `runs` is how many runs were live at most.
    """

    def __init__(self, assets: Sequence[Asset], *, seed: int = 4) -> None:
        roots = [asset.name for asset in assets if not asset.upstream]
        made = [
            Rule(f"rule {n}", ORDERS.where(field.customer == root), (root,))
            for n, root in enumerate(roots)
        ]
        self.graph = Graph.of("storm", assets, made)
        self._reactor, self._chance, self._now = Reactor(self.graph), random.Random(seed), START
        self._going: list[Start] = []
        self.live = self.place = self.claimed = self.runs = 0
        self.accepted: dict[str, list[int]] = {root: [] for root in roots}
        """The numbers of the events that each root was launched for."""
        self.handed: dict[str, list[tuple[int, int]]] = {root: [] for root in roots}
        """The ranges of events that each root's steps were given."""
        self._roots = roots

    def blow(self, events: Sequence[Event]) -> None:
        """One turn: events come, and some of the steps that run end."""
        self._receive([*self._some_end(), Arrived("orders", events)])

    def calm(self) -> None:
        """Lets all that is pending be done."""
        while self._going:
            self._receive(self._some_end())
        if self._reactor.waiting:
            raise RuntimeError(f"{self._reactor.waiting} steps wait for nothing")

    def _some_end(self) -> list[Input]:
        self._chance.shuffle(self._going)
        ending = self._chance.randint(1, max(1, len(self._going)))
        ended, self._going = self._going[:ending], self._going[ending:]
        return [Finished(start.step, start.number, Ending.SUCCEEDED) for start in ended]

    def _receive(self, inputs: Sequence[Input]) -> None:
        self._now += timedelta(milliseconds=1)
        decision = self._reactor.receive(inputs, self._now)
        for seq, came in decision.facts.accepted:
            self.accepted[came.data.customer].append(seq)
        for effect in decision.effects:
            if isinstance(effect, Start):
                self._going.append(effect)
                if effect.asset in self.handed:
                    self.handed[effect.asset].extend(effect.events)
        self._look()

    def _look(self) -> None:
        rows = self._reactor.state.rows
        steps: list[Step] = [step for step in rows[Table.STEP].values() if step.finished is None]
        places = Counter((step.asset, step.partition) for step in steps)
        claimed = Counter((step.asset, step.partition) for step in steps if step.tries)
        self.live = max(self.live, len(steps))
        self.place = max(self.place, *places.values(), 0)
        self.claimed = max(self.claimed, *claimed.values(), 0)
        self.runs = max(self.runs, len(rows[Table.RUN]))

    def orders(self, first: int, count: int) -> list[Event]:
        """Events, from a number on, that are spread over the rules."""
        roots = self._roots
        numbers = range(first, first + count)
        return [event(order(number, roots[number % len(roots)])) for number in numbers]


def measure() -> Iterator[Figure]:
    """One figure."""
    said = spawned("benchmarks.storm", EVENTS, ASSETS)
    most = PER_PLACE * ASSETS
    yield Figure(
        f"event storm: {EVENTS:,} events on {ASSETS:,} assets, pending at most",
        f"{said['live']:,} steps",
        f"<= {most:,}",
        said["live"] <= most and said["place"] <= PER_PLACE,
        f"in {said['runs']:,} runs; {said['bytes'] / 1e6:,.0f} MB more; {said['seconds']:.0f} s",
    )


def main() -> None:
    events, size = map(int, sys.argv[1:])
    storm = Storm(layered(size, layers=LAYERS))
    gc.collect()
    before = resident()
    grown = 0
    seconds = 0.0
    for first in range(0, events, TURN):
        some = storm.orders(first, TURN)
        seconds += took(lambda some=some: storm.blow(some))
        storm.accepted = {root: [] for root in storm.accepted}
        storm.handed = {root: [] for root in storm.handed}
        grown = max(grown, resident() - before)
    seconds += took(storm.calm)
    said = {"live": storm.live, "place": storm.place, "runs": storm.runs}
    print(json.dumps({**said, "bytes": grown, "seconds": seconds}))


if __name__ == "__main__":
    main()
