"""What one writes without an engine: a loop over the rules, and a dict for what must wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from benchmarks.order import Order
from benchmarks.workload import (
    Between,
    Condition,
    Equal,
    Firing,
    Pair,
    Prefix,
    Workload,
    asked,
    happened,
)

Holds = Callable[[datetime, Order], "tuple[int, ...] | None"]


class Loop:
    """Every rule is asked about every event."""

    def __init__(self, work: Workload) -> None:
        self._rules = [(name, holds(condition)) for name, condition in work.rules.items()]
        self._fired: list[Firing] = []

    def ready(self, orders: Sequence[Order]) -> Sequence[tuple[datetime, Order]]:
        return [(happened(order.order_id), order) for order in orders]

    def feed(self, events: Sequence[Any]) -> int:
        rules, fired = self._rules, []
        for time, order in events:
            for name, asks in rules:
                if (found := asks(time, order)) is not None:
                    fired.append((name, found))
        self._fired = fired
        return len(fired)

    def fired(self) -> Iterable[Firing]:
        return self._fired

    def close(self) -> None:
        pass


def holds(condition: Condition) -> Holds:
    """A rule as a function: the events it fires with, or None."""
    match condition:
        case Equal("customer", value):
            return lambda _, order: (order.order_id,) if order.customer == value else None
        case Between("amount", low, high):
            return lambda _, order: (order.order_id,) if low <= order.amount <= high else None
        case Prefix("note", text):
            return lambda _, order: (order.order_id,) if order.note.startswith(text) else None
        case Pair():
            return pairing(condition)
        case Equal() | Between() | Prefix():
            raise ValueError(condition)
        case _:
            assert_never(condition)


def pairing(pair: Pair) -> Holds:
    """The last unpaired event of each key, on either side."""
    first, second, ordered = pair.first.value, pair.second.value, pair.ordered
    within = timedelta(hours=1)
    sides: tuple[dict[str, tuple[datetime, int]], dict[str, tuple[datetime, int]]] = {}, {}

    def ask(time: datetime, order: Order) -> tuple[int, ...] | None:
        if order.note == first:
            side = 0
        elif order.note == second:
            side = 1
        else:
            return None
        if not (ordered and side == 0):
            other = sides[1 - side].get(order.customer)
            if other is not None and abs(time - other[0]) <= within:
                del sides[1 - side][order.customer]
                return (other[1], order.order_id)
        if not (ordered and side == 1):
            sides[side][order.customer] = (time, order.order_id)
        return None

    return ask


if __name__ == "__main__":
    asked(Loop)
