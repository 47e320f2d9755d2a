"""The least that must run on the jaffle shop, computed the obvious way: by looking at the data.

An asset partition must run if it is there to be made and was not, or if a column that it reads has
other content than at its last run; a copy also if its table was loaded since, because only the
load can tell whether that changed anything. What a breaking change holds waits until it is let go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.jaffle import COPIES, DAILY, MODELS, TABLES

Place = tuple[str, str | None]
Content = Mapping[str, str]
"""What is in each column, in a word."""
ROWS = "*"
"""Which rows there are, as if it were a column: a column that is gone has none."""


@dataclass
class Shop:
    """The truth: which columns the tables have, and what was loaded into them."""

    types: dict[str, dict[str, str]] = field(
        default_factory=lambda: {
            table: dict.fromkeys(columns, "t0") for table, columns in TABLES.items()
        }
    )
    rows: dict[Place, int] = field(default_factory=lambda: {})
    """Counts the rows of a table's day that somebody uses."""
    rest: dict[Place, int] = field(default_factory=lambda: {})
    """Counts those that every model filters out."""

    def copied(self, place: Place) -> Content:
        """A table as it is copied now."""
        table, day = place[0].removeprefix("raw_"), place[1]
        rows, rest = self.rows.get((table, day), 0), self.rest.get((table, day), 0)
        there = {**self.types[table], ROWS: ""}
        return {column: f"{type_}/{rows}/{rest}" for column, type_ in there.items()}


Data = dict[Place, Content]


def computed(name: str, day: str | None, data: Data) -> Content:
    """What a model makes of what is there."""
    model = MODELS[name]
    shaping = [column_of(data, name, day, *origin) for origin in sorted(model.shaping)]
    return {
        column: _digest(*shaping, *(column_of(data, name, day, *each) for each in sorted(origins)))
        for column, origins in model.columns.items()
    }


def column_of(data: Data, reader: str, day: str | None, above: str, column: str) -> str:
    """What a reader finds in a column; of a copied table, only the rows that anybody uses count."""
    there = [data[place] for place in inputs(data, reader, day, above)]
    found = [each.get(column) or f"gone{each.get(ROWS, '')}" for each in there]
    if above in COPIES:
        found = [each.rpartition("/")[0] for each in found]
    return _digest(*found)


def inputs(data: Data, reader: str, day: str | None, above: str) -> list[Place]:
    """What of an upstream is there and is read."""
    if above not in DAILY:
        places: list[Place] = [(above, None)]
    elif reader in DAILY:
        places = [(above, day)]
    else:
        places = sorted((place for place in data if place[0] == above), key=str)
    return [place for place in places if place in data]


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


@dataclass
class Minimum:
    """What is there if only what must run does."""

    shop: Shop
    data: Data = field(default_factory=lambda: {})
    asked: set[Place] = field(default_factory=set[Place])
    """Copies whose table was loaded since they ran."""
    read: dict[Place, object] = field(default_factory=lambda: {})
    """What each saw at its last run."""
    broken: dict[str, dict[str, str]] = field(default_factory=lambda: {})
    """By table, the columns that broke and what they were."""

    def breaks(self, table: str, column: str, was: str) -> None:
        """A column goes."""
        self.broken.setdefault(table, {}).setdefault(column, was)

    def mends(self, table: str, column: str, now: str) -> None:
        """A column comes; if it is the one that went, as it was, that breaks nothing any more."""
        broken = self.broken.get(table, {})
        if broken.get(column) == now:
            del broken[column]
        if not broken:
            self.broken.pop(table, None)

    def settles(self) -> list[Place]:
        """All that must run now, upstreams first."""
        held = below({f"raw_{table}" for table in self.broken})
        ran: list[Place] = []
        for name in (*COPIES, *MODELS):
            for place in () if name in held else self._places(name):
                saw = self._seen(place)
                if place in self.asked or self.read.get(place) != saw:
                    self.data[place] = self._made(place)
                    self.read[place] = saw
                    self.asked.discard(place)
                    ran.append(place)
        return ran

    def _places(self, name: str) -> Iterable[Place]:
        """What of an asset can be made."""
        if name in COPIES:
            known = [place for place in {*self.asked, *self.data} if place[0] == name]
            return sorted(known, key=str)
        every = sorted({day for _, day in self.data if day is not None})
        days: list[str | None] = [*every] if name in DAILY else [None]
        above = MODELS[name].upstream
        return [
            (name, day) for day in days if all(inputs(self.data, name, day, up) for up in above)
        ]

    def _seen(self, place: Place) -> object:
        name, day = place
        if name in COPIES:
            return tuple(sorted(self.shop.types[name.removeprefix("raw_")].items()))
        model = MODELS[name]
        reads = [*model.reads, *((up, ROWS) for up in model.upstream)]
        return tuple(
            (up, column, at, self.data[at].get(column))
            for up, column in reads
            for at in inputs(self.data, name, day, up)
        )

    def _made(self, place: Place) -> Content:
        return self.shop.copied(place) if place[0] in COPIES else computed(*place, self.data)


def below(names: Iterable[str]) -> set[str]:
    """Some assets and all that follow from them."""
    found = set(names)
    for model in MODELS.values():
        if not found.isdisjoint(model.upstream):
            found.add(model.name)
    return found


def everything(data: Data, name: str, day: str | None, *, every: bool = False) -> set[Place]:
    """An asset partition (or `every` one) and all that is there and follows from it, by the days
    that they are of.
    """
    found: set[Place] = {(name, day)} if not every else {p for p in data if p[0] == name}
    for model in MODELS.values():
        above = {each for each in found if each[0] in model.upstream}
        if not above:
            continue
        if model.name not in DAILY:
            found.add((model.name, None))
        elif any(at is None for _, at in above):
            found |= {place for place in data if place[0] == model.name}
        else:
            found |= {(model.name, at) for _, at in above}
    return found
