"""What every engine is given: the same plain rules and the same events, and how it is judged.

A rule and an event are said once, here; each engine says them in its own words. An engine whose
firings differ from the others' has not done the work, so its speed is not told.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from benchmarks.order import Order

START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = "1h"
TURN = 1_000
"""How many events the host hands over at once."""
ROUNDS = 3
KEYS = 100_000


@dataclass(frozen=True, slots=True)
class Equal:
    """A field is exactly this."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Between:
    """A number is at least `low` and at most `high`."""

    field: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text begins like this."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One event and another with the same `key` within an hour; `ordered`: in this order."""

    first: Equal
    second: Equal
    key: str
    ordered: bool = False


Condition = Equal | Between | Prefix | Pair


@dataclass(frozen=True, slots=True)
class Workload:
    """Rules by name; orders that come first, unmeasured; and what is measured, without end."""

    rules: Mapping[str, Condition]
    before: Sequence[Order]
    orders: Callable[[int], Sequence[Order]]
    """So many of the orders that are measured."""
    per_firing: int = 1
    """How many of the measured orders make one firing."""


Firing = tuple[str, tuple[int, ...]]
"""The name of a rule, and the order_ids it fired with."""


class Contestant(Protocol):
    """An engine with the rules of a workload in it, at the start of a round."""

    def ready(self, orders: Sequence[Order]) -> Sequence[object]:
        """The orders as the engine takes them. Not measured."""
        ...

    def feed(self, events: Sequence[object]) -> int:
        """Takes the events, in turns or one by one, and answers how often a rule fired."""
        ...

    def fired(self) -> Iterable[Firing]:
        """The firings of what was fed last. Not measured."""
        ...

    def close(self) -> None:
        """Ends the round."""
        ...


def order(number: int, customer: str = "", amount: float = 0, note: str = "") -> Order:
    """An order."""
    return Order(order_id=number, region="eu", amount=amount, customer=customer, note=note)


def happened(number: int) -> datetime:
    """When an order was placed: one every millisecond."""
    return START + timedelta(milliseconds=number)


def workload(kind: str, size: int) -> Workload:
    """One of the workloads: `equal`, `between` and `prefix` of so many rules, `and` and `then` of
    so many live keys."""
    match kind:
        case "equal":
            rules = {f"r{n}": Equal("customer", f"customer {n}") for n in range(size)}
            return Workload(rules, [], lambda count: [
                order(n, customer=f"customer {_spread(n, size)}") for n in range(count)
            ])  # fmt: skip
        case "between":
            rules = {f"r{n}": Between("amount", n * 10, n * 10 + 9) for n in range(size)}
            return Workload(rules, [], lambda count: [
                order(n, amount=_spread(n, size) * 10 + n % 10) for n in range(count)
            ])  # fmt: skip
        case "prefix":
            rules = {f"r{n}": Prefix("note", f"landing/{n:05}/") for n in range(size)}
            return Workload(rules, [], lambda count: [
                order(n, note=f"landing/{_spread(n, size):05}/{n}.csv") for n in range(count)
            ])  # fmt: skip
        case "and" | "then":
            placed, paid = Equal("note", "placed"), Equal("note", "paid")
            rules = {"pair": Pair(placed, paid, "customer", ordered=kind == "then")}
            before = [order(n, f"customer {n}", note="placed") for n in range(size)]
            return Workload(rules, before, lambda count: list(_pairs(size, count)), per_firing=2)
        case _:
            raise ValueError(kind)


def _spread(number: int, size: int) -> int:
    return number * 7_919 % size


def _pairs(size: int, count: int) -> Iterator[Order]:
    """In turn: the oldest order is paid, and a new customer places one. As many stay unpaid."""
    for n in range(count):
        oldest, paid = n // 2, n % 2 == 0
        customer = oldest if paid else size + oldest
        yield order(size + n, f"customer {customer}", note="paid" if paid else "placed")


def compete(make: Callable[[Workload], Contestant], kind: str, size: int, count: int, limit: int,
            warm: bool = False) -> None:  # fmt: skip
    """Runs the rounds, and prints what came of them as JSON.

    Args: the digest is of the firings among the first `limit` measured events; a `warm` engine is
    given a round beforehand that does not count.
    """
    work = workload(kind, size)
    orders = work.orders(count)
    rates: list[float] = []
    seen: list[Firing] = []
    for number in range(ROUNDS + warm):
        contestant = make(work)
        before, measured = contestant.ready(work.before), contestant.ready(orders)
        contestant.feed(before)
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        wall, core = time.perf_counter(), time.process_time()
        times = contestant.feed(measured)
        core, wall = time.process_time() - core, time.perf_counter() - wall
        if times != count // work.per_firing:
            raise RuntimeError(f"{times} firings of {count} events")
        if number >= warm:
            # A core's worth, on a machine that others use; more threads than one may use more.
            rates.append(count / min(core, wall))
        seen = sorted(contestant.fired())
        contestant.close()
        gc.unfreeze()
    last = len(work.before) + limit
    among = [firing for firing in seen if max(firing[1]) < last]
    digest = hashlib.sha256(repr(among).encode()).hexdigest()
    print(json.dumps({"rates": rates, "digest": digest, "firings": len(among)}))


def asked(make: Callable[[Workload], Contestant], warm: bool = False) -> None:
    """`python -m benchmarks.ENGINE KIND SIZE COUNT LIMIT`."""
    kind, *numbers = sys.argv[1:]
    compete(make, kind, *map(int, numbers), warm=warm)
