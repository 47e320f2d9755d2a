"""Our engine by itself: typed events in turns of a thousand, its state and journal included.

Nothing is read, written or planned. `python -m benchmarks.engine` for the engine alone; with
`reactor` as a last argument its firings are planned as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, assert_never

from benchmarks.order import Order
from benchmarks.workload import (
    TURN,
    WINDOW,
    Between,
    Condition,
    Equal,
    Firing,
    Pair,
    Prefix,
    Workload,
    asked,
    happened,
    order,
)
from reactor import field
from reactor.core.asset import Asset, Rule
from reactor.core.engine import Engine
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.state import State
from reactor.core.trigger.expression import Source, Trigger


@dataclass(frozen=True)
class Stream(Source):
    """A sensor that is nothing but its name and its model."""

    name: str = "orders"
    model: Any = Order
    kind: ClassVar[str] = "stream"


ORDERS = Stream()


class Indexed:
    """The engine over a graph and its state, as the host drives it."""

    def __init__(self, work: Workload) -> None:
        self._state = State()
        self._engine = Engine(graph(work), self._state)
        self._accepted: list[Any] = []
        self._groups: list[Any] = []
        # The first event puts the index in order, once for good: one that no rule lets in.
        self.feed(self.ready([order(0, amount=-1)]))

    def ready(self, orders: Sequence[Order]) -> Sequence[Event]:
        return [event(each) for each in orders]

    def feed(self, events: Sequence[Any]) -> int:
        engine, state, fired = self._engine, self._state, 0
        self._groups = []
        for start in range(0, len(events), TURN):
            some = events[start : start + TURN]
            engine.begin()
            engine.arrive("orders", some, some[-1].received)
            # A sensor says how far it was read with each batch.
            engine.reach("orders", some[-1].received, some[-1].received)
            state.end_turn()
            self._accepted.append(engine.accepted)
            for group in engine.groups.values():
                self._groups.append(group)
                fired += len(group.matches)
        return fired

    def fired(self) -> Iterable[Firing]:
        numbers = {seq: event.data.order_id for turn in self._accepted for seq, event in turn}
        for group in self._groups:
            for match in group.matches:
                yield group.rule, tuple(numbers[seq] for seq in match)

    def forget(self) -> None:
        """Lets go of what was accepted and fired so far."""
        self._accepted, self._groups = [], []

    def close(self) -> None:
        pass


def event(placed: Order) -> Event:
    """An order as its sensor would hand it over."""
    time = happened(placed.order_id)
    return Event(str(placed.order_id), "orders", "order", "orders", time, time, placed)


def graph(work: Workload) -> Graph:
    """One asset for each rule."""
    rules = [Rule(name, trigger(cond), (name,)) for name, cond in work.rules.items()]
    return Graph.of("bench", [Asset(name) for name in work.rules], rules)


def trigger(condition: Condition) -> Trigger:
    """A rule in our words."""
    match condition:
        case Equal(name, value):
            return ORDERS.where(getattr(field, name) == value)
        case Between(name, low, high):
            return ORDERS.where(getattr(field, name).between(low, high))
        case Prefix(name, text):
            return ORDERS.where(getattr(field, name).startswith(text))
        case Pair(first, second, key):
            one, other = trigger(first), trigger(second)
            if condition.ordered:
                return one.then(other).within(WINDOW).by(getattr(field, key))
            return (one & other).within(WINDOW).by(getattr(field, key))
        case _:
            assert_never(condition)


if __name__ == "__main__":
    asked(Indexed)
