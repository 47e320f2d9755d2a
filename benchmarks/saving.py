"""Work saved: the steps that a stream of mixed events costs on the jaffle shop.

Loads of tables with new rows, with rows that every model filters out, and with what was there
already; for one day or for all of a table; several at once; columns that come, get wider, go, come
back, and are acknowledged. Counted beside what "run everything downstream" would run, and beside
the least that must run (minimum.py).

`python -m benchmarks.saving EVENTS SEED` prints the counts as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from benchmarks.figure import Figure
from benchmarks.jaffle import COPIES, DAILY, DAYS, LOADS, SHAPES, TABLES, graph
from benchmarks.matching import spawned
from benchmarks.minimum import Content, Data, Minimum, Place, Shop, computed, everything
from benchmarks.workload import START
from reactor.core.contract import Change
from reactor.core.decision import Ack, Arrived, Ending, Finished, Input, Start
from reactor.core.event import Event
from reactor.core.reactor import Reactor

EVENTS, SEED = 1_000, 4
AIM = 1.00
KINDS: Mapping[str, int] = {
    "new rows": 35,
    "rows that nobody uses": 12,
    "the same again": 25,
    "several at once": 8,
    "a new column": 4,
    "a wider column": 6,
    "a column that goes": 3,
    "a column that comes back": 3,
    "an acknowledgement": 4,
}
"""What happens, and of a hundred events how many are so."""

Happens = Callable[[], tuple[list[Input], int]]
_DAYS = DAYS.between("2026-01-01", "2026-01-10")


class Service:
    """A reactor whose steps really compute: a version is what is in the columns."""

    def __init__(self, shop: Shop) -> None:
        self.reactor, self.data, self._shop = Reactor(graph()), Data(), shop
        self._now = START

    def receive(self, *inputs: Input) -> list[Place]:
        """Takes inputs, and carries out all that follows; answers what ran, in order."""
        ran: list[Place] = []
        waiting: Sequence[Input] = inputs
        while waiting:
            self._now += timedelta(seconds=1)
            effects = self.reactor.receive(waiting, self._now).effects
            starts = [effect for effect in effects if isinstance(effect, Start)]
            waiting = [self._carry_out(start) for start in starts]
            ran += [(start.asset, start.partition) for start in starts]
        return ran

    def _carry_out(self, start: Start) -> Finished:
        place = (start.asset, start.partition)
        self.data[place] = made = self._made(place)
        version = json.dumps(made, sort_keys=True)
        return Finished(start.step, start.number, Ending.SUCCEEDED, start.asset, version)

    def _made(self, place: Place) -> Content:
        if place[0] in COPIES:
            return self._shop.copied(place)
        return computed(*place, self.data)


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of the stream, and what ran because of it."""

    what: str
    ours: list[Place]
    least: list[Place]
    all: int

    @property
    def too_much(self) -> Counter[Place]:
        """What ran that had not to, or more often than it had to."""
        return Counter(self.ours) - Counter(self.least)

    @property
    def missed(self) -> Counter[Place]:
        """What had to run and did not."""
        return Counter(self.least) - Counter(self.ours)


@dataclass
class Stream:
    """A seeded life of the shop: the same events to the reactor and to the minimum.

    It begins with what is not kept day by day; if `filled`, the days are there as well.
    """

    seed: int = SEED
    filled: bool = False
    shop: Shop = field(default_factory=Shop)
    numbers: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self.service, self.minimum = Service(self.shop), Minimum(self.shop)
        for table in TABLES:
            daily = f"raw_{table}" in DAILY
            for day in ((), _DAYS)[self.filled] if daily else (None,):
                self._play("the first load", partial(self._load, table, day, 1, 0))

    def plays(self, events: int, only: Container[str] = KINDS) -> Iterator[Happened]:
        """So many events of these kinds, each carried out to its end before the next one comes."""
        makes: Mapping[str, Happens] = {
            "new rows": lambda: self._loads(1, 0),
            "rows that nobody uses": lambda: self._loads(0, 1),
            "the same again": lambda: self._loads(0, 0),
            "several at once": self._burst,
            "a new column": self._added,
            "a wider column": self._widened,
            "a column that goes": self._removed,
            "a column that comes back": self._restored,
            "an acknowledgement": self._acknowledged,
        }
        chosen = [kind for kind in KINDS if kind in only]
        weights = [KINDS[kind] for kind in chosen]
        for _ in range(events):
            [kind] = self._chance.choices(chosen, weights)
            yield self._play(kind, makes[kind])

    def _play(self, what: str, happens: Happens) -> Happened:
        inputs, all_ = happens()
        return Happened(what, self.service.receive(*inputs), self.minimum.settles(), all_)

    # Each of these changes the shop, and answers what is said of it and what a service would run
    # that runs everything downstream.

    def _loads(self, rows: int, rest: int) -> tuple[list[Input], int]:
        table = self._chance.choice([*TABLES, "orders", "items"])
        daily = f"raw_{table}" in DAILY
        return self._load(table, self._chance.choice(_DAYS) if daily else None, rows, rest)

    def _burst(self) -> tuple[list[Input], int]:
        """An order day with its items, and a table beside it."""
        day = self._chance.choice(_DAYS)
        beside = self._chance.choice(["products", "supplies", "customers"])
        loads = [("orders", day), ("items", day), (beside, None), ("orders", day)]
        found = [self._load(table, at, 1, 0) for table, at in loads]
        return [each for inputs, _ in found for each in inputs], sum(all_ for _, all_ in found)

    def _load(self, table: str, day: str | None, rows: int, rest: int) -> tuple[list[Input], int]:
        place = (table, day)
        self.shop.rows[place] = self.shop.rows.get(place, 0) + rows
        self.shop.rest[place] = self.shop.rest.get(place, 0) + rest
        self.minimum.asked.add((f"raw_{table}", day))
        said = LOADS.event(table=table, day=day)
        return [Arrived("loads", [said])], len(everything(self.service.data, f"raw_{table}", day))

    def _added(self) -> tuple[list[Input], int]:
        table = self._table()
        self.numbers += 1
        return self._changed(table, Change("column_added", False, f"c{self.numbers}", "", "t0"))

    def _widened(self) -> tuple[list[Input], int]:
        table = self._table()
        self.numbers += 1
        column = self._chance.choice(list(self.shop.types[table]))
        was, now = self.shop.types[table][column], f"t{self.numbers}"
        return self._changed(table, Change("column_retyped", False, column, was, now))

    def _removed(self) -> tuple[list[Input], int]:
        table = self._table()
        column = self._chance.choice(list(self.shop.types[table]))
        was = self.shop.types[table][column]
        self.minimum.breaks(table, column, was)
        return self._changed(table, Change("column_removed", True, column, was, ""))

    def _restored(self) -> tuple[list[Input], int]:
        for table, broken in self.minimum.broken.items():
            column, was = next(iter(broken.items()))
            self.minimum.mends(table, column, was)
            return self._changed(table, Change("column_added", False, column, "", was))
        return self._loads(0, 0)

    def _acknowledged(self) -> tuple[list[Input], int]:
        holds = list(self.service.reactor.holds.open)
        if not holds:
            return self._loads(0, 0)
        self.minimum.broken.pop(holds[0].table.removeprefix("ecom."))
        return [Ack(holds[0].id)], 0

    def _changed(self, table: str, change: Change) -> tuple[list[Input], int]:
        types = self.shop.types[table]
        if change.after:
            types[change.column] = change.after
        else:
            del types[change.column]
        event: Event = SHAPES.event(f"ecom.{table}", changes=[change])
        all_ = len(everything(self.service.data, f"raw_{table}", None, every=True))
        return [Arrived(SHAPES.name, [event])], all_

    def _table(self) -> str:
        """One that has columns left to lose."""
        return self._chance.choice([t for t, types in self.shop.types.items() if len(types) > 1])


def measure() -> Iterator[Figure]:
    """What it costs, what it saves, and how near that is to the least."""
    said = spawned("benchmarks.saving", EVENTS, SEED)
    ours, least, all_ = said["ours"], said["least"], said["all"]
    words = f"{EVENTS:,} mixed events on the jaffle shop"
    note = f"everything downstream: {all_:,}; the least that must: {least:,}"
    yield Figure(f"steps run for {words}", f"{ours:,}", note=note)
    yield Figure(
        f"work saved beside everything downstream: {words}",
        f"{1 - ours / all_:.0%}",
        note=f"{all_ / ours:.1f} times as many steps",
    )
    more = ", ".join(f"{steps} for {what}" for what, steps in said["too much"].items())
    ratio = (ours + said["missed"]) / least
    yield Figure(
        f"steps run to the least that must: {words}",
        f"{ratio:.2f}",
        f"{AIM:.2f}",
        ours == least and not said["missed"],
        f"too much: {more}" if more else "",
    )


def main() -> None:
    events, seed = map(int, sys.argv[1:])
    stream, sums, more = Stream(seed), Counter[str](), Counter[str]()
    for happened in stream.plays(events):
        sums["ours"] += len(happened.ours)
        sums["least"] += len(happened.least)
        sums["all"] += happened.all
        sums["missed"] += happened.missed.total()
        more[happened.what] += happened.too_much.total()
    if stream.service.data != stream.minimum.data:
        raise RuntimeError("in the end there is other data than there should be")
    print(json.dumps({**sums, "too much": dict((+more).most_common())}))


if __name__ == "__main__":
    main()
