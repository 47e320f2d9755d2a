"""What is out of date, against what each success really read; restarts that catch up, anywhere."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Asset
from reactor.core.decision import CancelRun, Decision, Ending, Finished, Restarted, Start, Stop
from reactor.core.graph import Graph
from reactor.core.mapping import Keys, Mapped
from reactor.core.stale import given_up, stale
from tests.unit.core.depth import examples
from tests.unit.core.lake import KEYS, Lake, Place, random_lake, reads

ALONE, CANCELLED = 11, 12


def thinned(graph: Graph, chance: random.Random) -> Graph:
    """The same pipeline without some of its edges; whatever read something still does."""
    assets: list[Asset] = []
    for asset in graph.assets.values():
        # A source that says which keys changed is one in every version of the pipeline.
        spare = [up for up in asset.upstream if not isinstance(up.mapping, Keys)]
        thins = spare and len(asset.upstream) > 1 and chance.random() < 0.7
        gone = chance.choice(spare) if thins else None
        kept = tuple(up for up in asset.upstream if up is not gone)
        assets.append(replace(asset, upstream=kept))
    return Graph.of(graph.name, assets, list(graph.rules.values()), pools=graph.pools)


@dataclass
class Neglected(Lake):
    """A lake of which things are made without what follows, cancelled, or left out for a while."""

    versions_of: list[Graph] = field(default_factory=lambda: [])

    def act(self, action: int) -> None:
        if action == ALONE:
            sources = [asset for asset in self.graph.assets.values() if not asset.upstream]
            asset = self.chance.choice(sources)
            key = None if self._keyed(asset) else self.chance.choice(KEYS[asset.partitions])
            value: Any = self.chance.randrange(3)
            if self._keyed(asset):
                held = dict(self.sources.get((asset.name, None), {}))
                value = {**held, str(self.chance.choice(self._names(asset))): value}
            self.sources[asset.name, key] = value
            self.by_hand(asset.name, partition=key, downstream=False)
        elif action == CANCELLED:
            live = [run.id for run in self.runs if not run.finished]
            if live:
                self.receive(CancelRun(self.chance.choice(live)))
        else:
            super().act(action)

    def keep(self, decision: Decision) -> None:
        effects = tuple(each for each in decision.effects if not isinstance(each, Stop))
        super().keep(replace(decision, effects=effects))
        for stop in [each for each in decision.effects if isinstance(each, Stop)]:
            [start] = [each for each in self.running_starts() if each.step == stop.step]
            del self.reading[start.step, start.number]
            self._over(start)
            self.receive(Finished(start.step, start.number, Ending.CANCELLED))

    def _begin(self, start: Start) -> None:
        """A partition that a changed pipeline lets read nothing has no inputs to be the same."""
        place = (start.asset, start.partition)
        kept = self.consumed.pop(place, None) if not start.upstream else None
        super()._begin(start)
        if kept is not None:
            self.consumed[place] = kept

    def dies(self) -> None:
        """The process is killed; the next one, perhaps on another pipeline, catches up."""
        self.reading, self.going = {}, {}
        self.graph = self.chance.choice(self.versions_of)
        self.reactor = self.loaded()
        self.receive(Restarted(catch_up=True, left=given_up(self.steps)))

    def outdated(self) -> tuple[set[Place], set[Place]]:
        """What consumed other versions than there are now and could be made; and what could not,
        or only reads that or such.
        """
        every = {place for place in self.consumed if self._reads_other(place)}
        roots = {place for place in every if not self._lacks(place)}
        while True:
            more = {place for place in self.consumed if self._above(place) & every} - every
            if not more:
                return roots, every - roots
            every |= more

    def _reads_other(self, place: Place) -> bool:
        now = {
            up: {k: w.version for k, w in held.items()} for up, held in self._seen(place).items()
        }
        return bool(self.graph.assets[place[0]].upstream) and self.consumed[place] != now

    def _lacks(self, place: Place) -> bool:
        """Whether something that an asset partition needs was never made."""
        seen = self._seen(place)
        for up in self.graph.assets[place[0]].upstream:
            keys = reads(up.mapping, place[1], self.graph.assets[up.name].partitions)
            told = isinstance(up.mapping, Mapped) and callable(up.mapping.rows)
            if up.name not in seen and (keys or told):
                return True
        return False

    def behind(self) -> set[str]:
        """The assets that are out of date, and do not wait for what nobody makes."""
        every = {place for some in self.outdated() for place in some}
        lacking = {name for name, key in every if self._lacks((name, key))}
        return {name for name, _ in every} - self.waiting() - self.reachable(lacking)

    def _above(self, place: Place) -> set[Place]:
        return {
            (up.name, key)
            for up in self.graph.assets[place[0]].upstream
            for key in reads(up.mapping, place[1], self.graph.assets[up.name].partitions)
        }

    def calm(self) -> None:
        """What is under way ends; nothing is resumed."""
        while running := self.running_starts():
            self.succeeds(running[0])


def neglected(seed: int, size: int) -> Neglected:
    chance = random.Random(seed)
    whole = random_lake(chance, size)
    return Neglected(whole, random.Random(seed + 1), versions_of=[whole, thinned(whole, chance)])


ACTIONS = st.lists(st.integers(0, 12), max_size=50)


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 7), ACTIONS)
def test_out_of_date_is_what_read_something_else_than_there_is(
    seed: int, size: int, actions: list[int]
) -> None:
    lake = neglected(seed, size)
    for action in actions:
        lake.act(action)
        found = stale(lake.graph, lake.reactor.state)
        roots, others = lake.outdated()
        assert {each.place for each in found if each.root} == roots
        assert {each.place for each in found if not each.root} == others


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 7), ACTIONS)
def test_a_restart_brings_all_up_to_date_and_no_step_runs_twice_for_the_same_inputs(
    seed: int, size: int, actions: list[int]
) -> None:
    lake = neglected(seed, size)
    for action in actions:
        if action == CANCELLED:
            lake.calm()
            lake.dies()
        else:
            lake.act(action)
    lake.play_out()
    lake.dies()
    # What ran is checked at every start: see lake.py.
    lake.play_out()
    assert lake.behind() == set()
    ran = len(lake.ran)
    lake.versions_of = [lake.graph]
    lake.dies()
    assert len(lake.ran) == ran
    assert not lake.going


@examples(30)
@given(st.integers(0, 2**32), st.integers(2, 6), ACTIONS)
def test_all_that_is_out_of_date_is_brought_up_to_date_when_it_is_asked_for(
    seed: int, size: int, actions: list[int]
) -> None:
    lake = neglected(seed, size)
    for action in actions:
        lake.act(action)
    lake.by_hand(stale=True)
    lake.play_out()
    lake.by_hand(stale=True)
    lake.play_out()
    assert lake.behind() == set()


def test_the_reference_sees_what_is_neglected() -> None:
    """So that the properties above are about something."""
    seen = launched = 0
    for seed in range(30):
        lake = neglected(seed, 8)
        for _ in range(60):
            lake.act(lake.chance.randrange(13))
            seen += len(lake.outdated()[0])
        for _ in range(4):
            lake.calm()
            lake.dies()
        launched += sum(run.rule == "catch up" for run in lake.runs)
    assert seen > 100
    assert launched > 20
