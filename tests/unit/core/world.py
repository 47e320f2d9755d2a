"""Random graphs and random histories on a stage that watches for what must never happen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reactor.core.asset import Asset, Pending, Retry, Rule, Upstream
from reactor.core.decision import (
    Arrived,
    CancelRun,
    Decision,
    Ending,
    Finished,
    Input,
    Materialize,
    Start,
    Stop,
)
from reactor.core.field import field as payload
from reactor.core.field import path_of
from reactor.core.graph import Graph
from reactor.core.run import StepStatus
from reactor.core.state import Table
from tests.unit.core.stage import Stage, at
from tests.unit.core.tap import Tap

PARTITIONS = (None, "x", "y")


def random_graph(chance: random.Random, size: int, *, tame: bool = False) -> Graph:
    """A graph of `size` assets and three rules; a tame one only coalesces and has no partitions."""
    assets: list[Asset] = []
    for number in range(size):
        names = [asset.name for asset in assets]
        above = chance.sample(names, min(len(names), chance.choice([0, 1, 1, 2, 3])))
        assets.append(
            Asset(
                f"a{number}",
                tuple(Upstream(name, optional=chance.random() < 0.8) for name in above),
                retry=Retry(chance.choice([0, 0, 1, 2])),
                timeout=chance.choice([None, timedelta(seconds=30)]),
                follow=chance.random() < 0.9,
                versioned=chance.random() < 0.15,
                pool=chance.choice([None, None, "small"]),
                max_events=10_000 if tame else chance.choice([2, 10_000]),
            )
        )
    chance.shuffle(assets)
    return Graph.of("random", assets, _rules(chance, assets, tame), pools={"small": 2})


def _rules(chance: random.Random, assets: list[Asset], tame: bool) -> list[Rule]:
    names = [asset.name for asset in assets]
    return [
        Rule(
            f"r{number}",
            Tap(f"t{number}"),
            tuple(chance.sample(names, chance.choice([1, 1, 2]) if len(names) > 1 else 1)),
            partition=None if tame or chance.random() < 0.7 else path_of(payload.part),
            pending=Pending.COALESCE if tame else chance.choice([*Pending, Pending.COALESCE]),
            priority=chance.choice([0, 0, 5]),
        )
        for number in range(3)
    ]


class World(Stage):
    """A stage on which chance acts. Every start is checked against what runs already."""

    def __init__(self, graph: Graph, seed: int, *, undoes: float = 0.15, slots: int = 8) -> None:
        super().__init__(graph, slots)
        self.chance, self.undoes = random.Random(seed), undoes
        self.handed: dict[str, list[tuple[int, int]]] = {}
        self.sources: dict[int, str] = {}

    def receive(self, *inputs: Input) -> Decision:
        self.now += timedelta(milliseconds=1)
        if self.chance.random() < self.undoes:
            self._decide_and_undo(inputs)
        decision = super().receive(*inputs)
        for stop in [effect for effect in decision.effects if isinstance(effect, Stop)]:
            self._stopped(stop)
        return decision

    def _decide_and_undo(self, inputs: Sequence[Input]) -> None:
        """A decision that could not be recorded leaves no trace."""
        rows = self.reactor.state.rows
        before = {table: dict(rows[table]) for table in Table}
        self.reactor.undo(self.reactor.receive(inputs, self.now))
        assert {table: dict(rows[table]) for table in Table} == before

    def keep(self, decision: Decision) -> None:
        before = self.running_starts()
        super().keep(decision)
        for start in [effect for effect in decision.effects if isinstance(effect, Start)]:
            self._check(start, before)
            before.append(start)
            if self.step(start.step).root:
                pairs = [(seq, start.step) for seq in at(start)]
                self.handed.setdefault(start.asset, []).extend(pairs)
        self.sources.update((seq, event.source) for seq, event in decision.facts.accepted)

    def _check(self, start: Start, running: Sequence[Start]) -> None:
        asset = self.graph.assets[start.asset]
        for other in running:
            reads = {up.name for up in self.graph.assets[other.asset].upstream}
            if start.asset == other.asset:
                assert start.partition != other.partition, "one is being written twice at once"
            if _meet(start, other):
                mine = {up.name for up in asset.upstream}
                assert other.asset not in mine, "a step starts while its input is rewritten"
            if not asset.versioned and _meet(other, start):
                assert start.asset not in reads, "a step rewrites what another one is reading"

    def _stopped(self, stop: Stop) -> None:
        for starts in self.going.values():
            for start in [each for each in starts if each.step == stop.step]:
                starts.remove(start)
        self.going = {asset: starts for asset, starts in self.going.items() if starts}
        ending = self.chance.choice([Ending.CANCELLED, Ending.CANCELLED, Ending.FAILED])
        self.receive(Finished(stop.step, stop.number, ending, error="stopped"))

    def act(self, action: int) -> None:
        """Does one of the things that may happen."""
        chance = self.chance
        match action:
            case 0 | 1 | 2 | 3 | 4:
                tap = f"t{chance.randrange(3)}"
                events = [self.event(tap, part=chance.choice(PARTITIONS)) for _ in range(action)]
                self.receive(Arrived(tap, events or [self.event(tap)]))
            case 5 | 6 | 7 if self.going:
                about: dict[str, Any] = {"handle": self.numbers}
                if chance.random() < 0.2:
                    about["version"] = chance.choice("ab")
                self.ends(chance.choice(sorted(self.going)), **about)
            case 8 if self.going:
                check = "refused" if chance.random() < 0.3 else ""
                self.fails(chance.choice(sorted(self.going)), check=check)
            case 9:
                self._command()
            case 10:
                self.passes(timedelta(seconds=chance.choice([1, 60])))
            case 11:
                self.restart()
            case 12:
                kind = chance.choice(["asset", "rule"])
                names = self.graph.assets if kind == "asset" else self.graph.rules
                act = self.pause if chance.random() < 0.5 else self.unpause
                act(kind, chance.choice(sorted(names)))
            case _:
                self.receive()

    def _command(self) -> None:
        chance, runs = self.chance, self.runs
        live = [run.id for run in runs if not run.finished]
        bad = [run.id for run in runs if run.status in ("failed", "cancelled")]
        if live and chance.random() < 0.4:
            self.receive(CancelRun(chance.choice(live)))
        elif bad and chance.random() < 0.8:
            self.resume(chance.choice(bad))
        else:
            self.receive(Materialize((chance.choice(sorted(self.graph.assets)),)))

    def play_out(self) -> None:
        """Nothing is paused any more, and everything succeeds, until nothing is left to do."""
        for pause in list(self.reactor.state.rows[Table.PAUSE].values()):
            self.unpause(pause.kind, pause.name)
        for _ in range(10_000):
            if self.going:
                self.ends(next(iter(self.going)))
                continue
            wake = self.reactor.wake_at()
            if wake is None:
                return
            self.passes(max(timedelta(0), wake - self.now))
        raise AssertionError("it goes on for ever")

    def waits(self, asset: str) -> bool:
        """Whether the asset still waits for an input that nobody ever made."""
        live = [step for step in self.of(asset) if not step.finished]
        return any(self.misses_something(step.id) for step in live)

    def misses_something(self, id: int) -> bool:
        """Whether the step, or one it needs in one of its runs, lacks an input nobody made."""
        step = self.step(id)
        if step.finished:
            return False
        if step.status is StepStatus.BLOCKED:
            return True
        runs = [self.run(run) for run in step.runs]
        above = {
            run.works[at].step
            for run in runs
            for work in run.works
            if work.step == id
            for at in work.upstream
        }
        return any(self.misses_something(each) for each in above)


def _meet(reader: Start, writer: Start) -> bool:
    """Whether one reads the partition that the other writes, if it reads the asset at all."""
    return writer.partition in (reader.partition, None)


def without_timeouts(graph: Graph) -> Graph:
    """The same graph, where no attempt is ever stopped for its length."""
    assets = [replace(asset, timeout=None) for asset in graph.assets.values()]
    return Graph.of(graph.name, assets, list(graph.rules.values()), pools=graph.pools)
