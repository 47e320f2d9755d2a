"""The whole reactor: what the engine fires is planned into runs, and their steps are started."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.engine import event, graph
from benchmarks.order import Order
from benchmarks.workload import TURN, Firing, Workload, asked
from reactor.core.decision import Arrived, Ending, Finished, Start
from reactor.core.event import Event
from reactor.core.reactor import Reactor


class Planned:
    """`Reactor.receive`, as the host calls it; what one turn starts has ended by the next."""

    def __init__(self, work: Workload) -> None:
        self._reactor = Reactor(graph(work))
        self._facts: list[Any] = []
        self._ended: list[Finished] = []

    def ready(self, orders: Sequence[Order]) -> Sequence[Event]:
        return [event(order) for order in orders]

    def feed(self, events: Sequence[Any]) -> int:
        fired = 0
        for start in range(0, len(events), TURN):
            some = events[start : start + TURN]
            inputs = [*self._ended, Arrived("orders", some)]
            decision = self._reactor.receive(inputs, some[-1].received)
            self._ended = [
                Finished(effect.step, effect.number, Ending.SUCCEEDED)
                for effect in decision.effects
                if isinstance(effect, Start)
            ]
            self._facts.append(decision.facts)
            fired += sum(len(each.matches) for each in decision.facts.fired)
        return fired

    def fired(self) -> Iterable[Firing]:
        for facts in self._facts:
            for each in facts.fired:
                for match in each.matches:
                    yield each.rule, tuple(seq - 1 for seq in match)

    def close(self) -> None:
        pass


if __name__ == "__main__":
    asked(Planned)
