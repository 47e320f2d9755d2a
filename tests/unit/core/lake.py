"""A lake of data under a reactor: what each step really read and wrote, and what it should have.

Everything here is said the obvious way: data are values, a step computes its value from those it
reads, and what should be there in the end is computed from the sources alone, from scratch.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import networkx as nx

from reactor.core.asset import Asset, Pending, Retry, Rule, Upstream
from reactor.core.decision import Decision, Ending, Finished, Input, Start, Stop
from reactor.core.field import field as payload
from reactor.core.field import path_of
from reactor.core.graph import Graph
from reactor.core.mapping import All, Keys, Mapped, Mapping, Offset, Rollup, Same
from reactor.core.partition import Dynamic, Partitions, Static
from reactor.core.state import Table
from reactor.core.window import Daily, Hourly
from tests.unit.core.stage import Stage
from tests.unit.core.tap import Tap

Place = tuple[str, str | None]

DAYS, HOURS = Daily("2026-01-01"), Hourly("2026-01-01")
PQ, PQR = Static("p", "q"), Static("p", "q", "r")
CUSTOMERS = Dynamic("customer")
KEYS: dict[Partitions | None, tuple[str | None, ...]] = {
    None: (None,),
    DAYS: tuple(f"2026-01-{day:02}" for day in range(1, 13)),
    HOURS: ("2026-01-01T00", "2026-01-01T23", "2026-01-02T05"),
    PQ: ("p", "q"),
    PQR: ("p", "q", "r"),
    CUSTOMERS: ("ann", "bob", "cid", "p", "q", "r"),
}
"""All keys that come up; events have the first few."""


def reads(mapping: Mapping | None, key: str | None, above: Partitions | None) -> list[str | None]:
    """The keys above that a key below reads: each mapping once more, in the plainest words."""
    everything = list(KEYS[above])
    if above is None:
        return [None]
    match mapping:
        case Same():
            return [key] if key in everything else []
        case Rollup():
            return [each for each in everything if str(each).startswith(str(key))]
        case Offset():
            days = list(KEYS[DAYS])
            at = [days.index(key) + n for n in range(mapping.first, mapping.last + 1)]
            return [days[n] for n in at if 0 <= n < len(days)]
        case Mapped():
            rows = mapping.rows
            if callable(rows):
                return [each for each in everything if rows(str(each)) == key]
            return [each for each, below in rows if key in below]
        case _:
            return everything


def _by_first(key: str) -> str:
    return {"a": "ann", "b": "bob", "p": "p", "q": "q", "r": "r"}.get(key[0], "cid")


def _chosen(chance: random.Random, above: Partitions | None, below: Partitions) -> Mapping | None:
    """A mapping that makes sense between these; None if there is none."""
    found: list[Mapping] = [All()] if isinstance(below, Static) else []
    if above == below:
        found += [Same(), Same()]
    if (above, below) == (HOURS, DAYS):
        found += [Rollup(), Rollup()]
    if above == below == DAYS:
        found += [Offset(-1), Offset(-1, 0)]
    if isinstance(above, Static) and isinstance(below, Static):
        found.append(Mapped({"p": ["p", "q"], "q": "p"}))
    if below == CUSTOMERS and above != CUSTOMERS:
        found.append(Mapped(_by_first))
    return chance.choice(found) if found else None


def random_lake(chance: random.Random, size: int, *, plain: bool = False) -> Graph:
    """Some assets with all kinds of partitions; those that read nothing are sources.

    In a plain one every change is of whole asset partitions, and overwrites what was there.
    """
    assets: list[Asset] = []
    rules: list[Rule] = []
    kinds = [None, None, DAYS, HOURS, PQ, PQR, CUSTOMERS]
    spread: dict[str, Partitions] = {}
    """What the keys of an asset without partitions name: one kind, whoever reads them."""
    for number in range(size):
        own = chance.choice(kinds)
        ups: list[Upstream] = []
        for above in chance.sample(assets, min(len(assets), chance.choice([0, 1, 1, 2, 3]))):
            if own is not None and above.partitions is None:
                if not plain and spread.setdefault(above.name, own) == own:
                    ups.append(Upstream(above.name, mapping=Keys()))
                continue
            if own is None:
                ups.append(Upstream(above.name, mapping=All() if above.partitions else None))
            elif (mapping := _chosen(chance, above.partitions, own)) is not None:
                ups.append(Upstream(above.name, mapping=mapping))
        versioned = chance.random() < 0.15 and not plain
        name = f"a{number}"
        retry = Retry(chance.choice([0, 1]), backoff="1s", jitter=0)
        pool = chance.choice([None, None, "small"])
        assets.append(
            Asset(name, tuple(ups), True, retry, None, pool, 0, versioned, partitions=own)
        )
        if not ups:
            key = path_of(payload.key) if own is not None else None
            rules.append(Rule(name, Tap(name), (name,), key, Pending.COALESCE))
    return Graph.of("lake", assets, rules, pools={"small": 1})


@dataclass
class Written:
    """What is in one asset partition: its value, and by which change of it that came."""

    value: Any
    version: int


@dataclass
class Reading:
    """What a running attempt has read: of each upstream, by key, the value and its version."""

    start: Start
    seen: dict[str, dict[str | None, Written]]
    source: Any = None


@dataclass
class Lake(Stage):
    """A stage whose steps compute. Every start and every end is checked."""

    graph: Graph
    chance: random.Random
    coarse: bool = True
    sources: dict[Place, Any] = field(default_factory=lambda: {})
    data: dict[Place, Written] = field(default_factory=lambda: {})
    parts: dict[Place, dict[str, int]] = field(default_factory=lambda: {})
    reading: dict[tuple[int, int], Reading] = field(default_factory=lambda: {})
    consumed: dict[Place, Any] = field(default_factory=lambda: {})
    origins: dict[Place, dict[Place, int]] = field(default_factory=lambda: {})
    """Of all data, which version of which source it comes from."""
    ran: list[Place] = field(default_factory=lambda: [])
    versions: int = 0

    def __post_init__(self) -> None:
        super().__init__(self.graph)

    # What happens.

    def happens(self, asset: Asset) -> None:
        """An event: a source has a new value, perhaps the same one as before."""
        key = self.chance.choice(KEYS[asset.partitions][:3])
        if self._keyed(asset):
            held = dict(self.sources.get((asset.name, None), {}))
            held[str(self.chance.choice(self._names(asset)[:3]))] = self.chance.randrange(3)
            self.sources[asset.name, None] = held
        else:
            self.sources[asset.name, key] = self.chance.randrange(3)
        self.fire(asset.name, key=key)

    def _keyed(self, asset: Asset) -> bool:
        """Whether partitions below it follow from the keys that it says changed."""
        below = (self.graph.assets[name] for name in self.graph.downstream[asset.name])
        return asset.partitions is None and any(each.partitions for each in below)

    def _names(self, asset: Asset) -> list[str]:
        """All keys that any asset below reads a source by."""
        below = [self.graph.assets[name] for name in self.graph.downstream[asset.name]]
        return [str(key) for each in below if each.partitions for key in KEYS[each.partitions][:3]]

    def receive(self, *inputs: Input) -> Decision:
        self.now += timedelta(milliseconds=1)
        if self.chance.random() < 0.1:
            self.reactor.undo(self.reactor.receive(inputs, self.now))
        return super().receive(*inputs)

    def keep(self, decision: Decision) -> None:
        super().keep(decision)
        for effect in decision.effects:
            if isinstance(effect, Start):
                self._begin(effect)
            assert not isinstance(effect, Stop)

    # What a step does.

    def _seen(self, place: Place) -> dict[str, dict[str | None, Written]]:
        asset = self.graph.assets[place[0]]
        found: dict[str, dict[str | None, Written]] = {}
        for up in asset.upstream:
            above = self.graph.assets[up.name]
            keys = reads(up.mapping, place[1], above.partitions)
            there = [key for key in keys if (up.name, key) in self.data]
            held = {key: self.data[up.name, key] for key in there}
            if isinstance(up.mapping, Keys) and held:
                held[None] = self._one_key(up.name, place[1], held[None])
            if held:
                found[up.name] = held
        return found

    def _one_key(self, above: str, key: str | None, whole: Written) -> Written:
        """Of data with keys, what concerns one of them."""
        value = whole.value.get(key) if isinstance(whole.value, dict) else whole.value
        return Written(value, self.parts[above, None].get(str(key), 0))

    def _begin(self, start: Start) -> None:
        place = (start.asset, start.partition)
        seen = self._seen(place)
        for up, held in seen.items():
            for running in self.reading.values():
                written = (running.start.asset, running.start.partition)
                torn = written[0] == up and written[1] in held
                assert not torn, f"{place} reads {written}, which is being written"
        asset = self.graph.assets[start.asset]
        for running in self.reading.values():
            writer = (running.start.asset, running.start.partition)
            assert writer != place, f"{place} is written twice at once"
            if not asset.versioned:
                held = running.seen.get(start.asset, {})
                assert place[1] not in held, f"{place} is written while {writer} reads it"
        self.reading[start.step, start.number] = Reading(start, seen, self._source(place))
        now = {up: {k: w.version for k, w in held.items()} for up, held in seen.items()}
        if asset.upstream:
            assert self.consumed.get(place) != now, f"{place} runs, and its inputs did not change"
        if not self.coarse:
            self._sees_one_version(place, seen)

    def _sees_one_version(self, place: Place, seen: dict[str, dict[str | None, Written]]) -> None:
        """All that a step reads comes from the same version of each source."""
        found: dict[Place, int] = {}
        for up, held in seen.items():
            for key in held:
                for source, version in self.origins[up, key].items():
                    one = found.setdefault(source, version)
                    assert one == version, f"{place} sees two versions of {source}"

    def _source(self, place: Place) -> Any:
        return self.sources.get(place)

    def succeeds(self, start: Start) -> None:
        """The attempt ends well: what it computed is written."""
        place = (start.asset, start.partition)
        read = self.reading.pop((start.step, start.number))
        asset = self.graph.assets[start.asset]
        for up, held in read.seen.items():
            if not self.graph.assets[up].versioned:
                now = self._seen(place)[up]
                same = {key: each.version for key, each in held.items()}
                assert {key: now[key].version for key in held} == same, f"{place} read torn data"
        inputs = {up: {k: w.value for k, w in held.items()} for up, held in read.seen.items()}
        value = computed(asset, inputs, read.source)
        about: dict[str, Any] = {"handle": str(value)}
        last = self.data.get(place)
        moved = True
        if self._keyed(asset):
            changed = self._changed(last, value, asset)
            moved = bool(changed)
            about["changed"] = tuple(changed)
        elif self.declares(asset):
            about["version"] = str(value)
            moved = last is None or last.value != value
        if moved:
            self.versions += 1
            self.data[place] = Written(value, self.versions)
            held = self.parts.setdefault(place, {})
            held |= dict.fromkeys(about.get("changed", ()), self.versions)
        else:
            self.data[place] = Written(value, last.version if last else self.versions)
        self.consumed[place] = {
            up: {k: w.version for k, w in held.items()} for up, held in read.seen.items()
        }
        self.ran.append(place)
        self.origins[place] = {
            source: version
            for up, held in read.seen.items()
            for key in held
            for source, version in self.origins[up, key].items()
        } or {place: self.versions}
        self._over(start)
        self.receive(Finished(start.step, start.number, Ending.SUCCEEDED, **about))

    def _changed(self, last: Written | None, value: Any, asset: Asset) -> list[str]:
        """The keys that are not as they were. A value without keys is one for all of them."""
        before = last.value if last is not None else None
        if isinstance(value, dict):
            held = before if isinstance(before, dict) else {}
            return sorted(key for key in value if held.get(key) != value[key] or key not in held)
        return sorted(self._names(asset)) if before != value or last is None else []

    def declares(self, asset: Asset) -> bool:
        """Whether an asset says the version of its data: every second one."""
        return self.coarse and int(asset.name[1:]) % 2 == 0

    def breaks(self, start: Start) -> None:
        """The attempt fails; what it may have half written is not looked at."""
        del self.reading[start.step, start.number]
        self._over(start)
        self.receive(Finished(start.step, start.number, Ending.FAILED, error="no luck"))

    def _over(self, start: Start) -> None:
        self.going[start.asset].remove(start)
        if not self.going[start.asset]:
            del self.going[start.asset]

    def dies(self) -> None:
        """The process is killed; what was running is lost."""
        self.reading = {}
        self.restart()

    def act(self, action: int) -> None:
        """One of the things that may happen."""
        running = self.running_starts()
        match action:
            case 0 | 1 | 2 | 3:
                sources = [asset for asset in self.graph.assets.values() if not asset.upstream]
                for _ in range(1 + action % 2):
                    self.happens(self.chance.choice(sources))
            case 4 | 5 | 6 if running:
                self.succeeds(self.chance.choice(running))
            case 7 if running:
                self.breaks(self.chance.choice(running))
            case 8:
                self.passes(timedelta(seconds=self.chance.choice([0, 1])))
            case 9 if not any(start.attempt > 2 for start in running):
                self.dies()
            case _:
                bad = [run.id for run in self.runs if run.status == "failed"]
                if bad:
                    self.resume(self.chance.choice(bad))

    def play_out(self) -> None:
        """What failed is resumed, and everything succeeds, until nothing is left to do.

        What failed in a run that still waits for something is made by hand.
        """
        for _ in range(5_000):
            running = self.running_starts()
            bad = [run.id for run in self.runs if run.status == "failed"]
            wake = self.reactor.wake_at()
            if running:
                self.succeeds(running[0])
            elif wake is not None:
                self.passes(max(timedelta(0), wake - self.now))
            elif bad:
                self.resume(bad[0])
            elif failed := self._failed():
                self.by_hand(failed[0], partition=failed[1])
            else:
                return
        raise AssertionError("it goes on for ever")

    def _failed(self) -> Place | None:
        """An asset partition whose last step failed."""
        newest = {(step.asset, step.partition): step.status for step in self.steps}
        return next((place for place, status in newest.items() if status == "failed"), None)

    # What should be.

    def expected(self) -> dict[Place, Any]:
        """The data of everything that follows from the sources, computed from scratch."""
        drawn: Any = nx.DiGraph()
        drawn.add_nodes_from(self.graph.assets)
        for asset in self.graph.assets.values():
            drawn.add_edges_from((up.name, asset.name) for up in asset.upstream)
        found: dict[Place, Any] = {}
        for name in nx.topological_sort(drawn):
            asset = self.graph.assets[name]
            for key in KEYS[asset.partitions]:
                if not asset.upstream:
                    if (name, key) in self.sources:
                        found[name, key] = computed(asset, {}, self.sources[name, key])
                    continue
                inputs = self._inputs(asset, key, found)
                if inputs is not None:
                    found[name, key] = computed(asset, inputs, None)
        return found

    def _inputs(self, asset: Asset, key: str | None, found: dict[Place, Any]) -> Any:
        """What an asset partition would read; None if some is missing, or nothing leads to it."""
        inputs: dict[str, dict[str | None, Any]] = {}
        wanted = False
        for up in asset.upstream:
            keys = reads(up.mapping, key, self.graph.assets[up.name].partitions)
            held = {each: found[up.name, each] for each in keys if (up.name, each) in found}
            if isinstance(up.mapping, Keys) and held:
                whole: Any = held[None]
                if isinstance(whole, dict):
                    held[None] = whole.get(key)  # pyright: ignore[reportUnknownMemberType]
                    wanted = wanted or key in whole
                else:
                    wanted = wanted or key in KEYS[asset.partitions][:3]
            elif held:
                wanted = True
            if held:
                inputs[up.name] = held
            elif keys or (isinstance(up.mapping, Mapped) and callable(up.mapping.rows)):
                return None
        return inputs if wanted else None

    def waiting(self) -> set[str]:
        """The assets of which a step waits for an input that nobody makes, and all below them."""
        return self.reachable({step.asset for step in self.steps if not step.finished})

    def reachable(self, roots: Iterable[str]) -> set[str]:
        """Everything downstream of some assets, and they."""
        drawn: Any = nx.DiGraph()
        drawn.add_nodes_from(self.graph.assets)
        for asset in self.graph.assets.values():
            drawn.add_edges_from((up.name, asset.name) for up in asset.upstream)
        return set(roots).union(*(nx.descendants(drawn, root) for root in roots))


def computed(asset: Asset, inputs: dict[str, dict[str | None, Any]], source: Any) -> Any:
    """The value of an asset partition: of every third one much is lost on the way."""
    if not asset.upstream:
        return source
    text = repr(sorted((up, sorted(held.items(), key=str)) for up, held in inputs.items()))
    digest = sum(text.encode()) * 7919 % 10_007
    return digest % 2 if int(asset.name[1:]) % 3 == 0 else digest


def bare(graph: Graph) -> Graph:
    """The same graph without pools."""
    assets = [replace(asset, pool=None) for asset in graph.assets.values()]
    return Graph.of(graph.name, assets, list(graph.rules.values()))


TABLES = (Table.RUN, Table.STEP, Table.MATERIALIZATION)
