"""Random graphs, launches and outcomes against the promises of waves and demand."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.asset import Asset, Retry, Rule, Upstream
from reactor.core.decision import (
    Arrived,
    CancelRun,
    Ending,
    Finished,
    Materialize,
    Restarted,
    ResumeRun,
    Start,
    Stop,
)
from reactor.core.graph import Graph
from reactor.core.reactor import Reactor
from reactor.core.run import Run, Step, StepStatus
from reactor.core.state import State, Table
from reactor.core.trigger.expression import leaves
from tests.unit.core.tap import START, Tap


@dataclass
class World:
    """The reactor, and everything it ever decided, with what a store would hold."""

    graph: Graph
    chance: random.Random
    now: datetime = START
    running: dict[int, Start] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    seen: dict[int, dict[str, int]] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    steps: dict[int, Step] = field(default_factory=dict)
    table: dict[tuple[Table, tuple[object, ...]], object] = field(default_factory=dict)
    handed: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    accepted: dict[int, str] = field(default_factory=dict)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.reactor = Reactor(self.graph, State(), slots=8)

    def receive(self, *inputs: object) -> None:
        self.now += timedelta(milliseconds=1)
        if self.chance.random() < 0.15:
            self._decide_and_undo(inputs)
        decision = self.reactor.receive(inputs, self.now)  # type: ignore[arg-type]
        for change in decision.facts.changes:
            if change.after is None:
                self.table.pop((change.table, change.key), None)
            else:
                self.table[change.table, change.key] = change.after
            if change.table is Table.RUN and change.after:
                self.runs[change.after.id] = change.after
            if change.table is Table.STEP and change.after:
                self.steps[change.after.id] = change.after
        for seq, event in decision.facts.accepted:
            self.accepted[seq] = event.source
        for effect in decision.effects:
            if isinstance(effect, Start):
                self._start(effect)
            elif isinstance(effect, Stop):
                del self.running[effect.step]
                self.receive(Finished(effect.step, effect.number, Ending.CANCELLED))

    def _decide_and_undo(self, inputs: tuple[object, ...]) -> None:
        """A decision that could not be recorded leaves no trace."""
        before = {table: dict(rows) for table, rows in self.reactor.state.rows.items()}
        decision = self.reactor.receive(inputs, self.now)  # type: ignore[arg-type]
        self.reactor.undo(decision)
        after = self.reactor.state.rows
        assert {table: dict(rows) for table, rows in after.items()} == before

    def _start(self, start: Start) -> None:
        for other in self.running.values():
            reads = {up.name for up in self.graph.assets[other.asset].upstream}
            mine = {up.name for up in self.graph.assets[start.asset].upstream}
            assert other.asset != start.asset, "one asset is being written twice at once"
            assert other.asset not in mine, "a step starts while its input is being rewritten"
            if not self.graph.assets[start.asset].versioned:
                assert start.asset not in reads, "a step rewrites what another one is reading"
        self.running[start.step] = start
        if self.steps[start.step].root:
            self.handed.setdefault(start.asset, []).extend(
                (seq, start.step) for low, high in start.events for seq in range(low, high + 1)
            )

    def end(self, step: int, ending: Ending) -> None:
        start = self.running.pop(step)
        self.numbers += 1
        handle = self.numbers if ending is Ending.SUCCEEDED else None
        self.receive(Finished(step, start.number, ending, handle=handle, error="no luck"))

    def finish_all(self) -> None:
        for _ in range(10_000):
            if self.running:
                self.end(next(iter(self.running)), Ending.SUCCEEDED)
                continue
            wake = self.reactor.wake_at()
            if wake is None:
                return
            self.now = max(self.now, wake)
            self.receive()
        raise AssertionError("it goes on for ever")

    def restart(self) -> None:
        """Kills the process: only rows of what has not ended are loaded."""
        rows: list[tuple[Table, tuple[object, ...], object]] = []
        live = {
            key
            for (table, key), row in self.table.items()
            if table is Table.RUN and not row.finished
        }  # type: ignore[attr-defined]
        needed = {work.step for key in live for work in self.table[Table.RUN, key].works}  # type: ignore[attr-defined]
        for (table, key), row in self.table.items():
            if table is Table.RUN and key not in live:
                continue
            if table is Table.STEP and key[0] not in needed and row.finished:  # type: ignore[attr-defined]
                continue
            if table is Table.ATTEMPT and row.finished:  # type: ignore[attr-defined]
                continue
            rows.append((table, key, row))
        self.running.clear()
        self.reactor = Reactor(self.graph, State.of(rows), slots=8)
        self.receive(Restarted())


def make_graph(chance: random.Random, size: int) -> Graph:
    assets: list[Asset] = []
    for number in range(size):
        names = [asset.name for asset in assets]
        above = chance.sample(names, min(len(names), chance.choice([0, 1, 1, 2, 3])))
        assets.append(
            Asset(
                f"a{number}",
                tuple(Upstream(name, optional=chance.random() < 0.8) for name in above),
                retry=Retry(chance.choice([0, 0, 1, 2])),
                follow=chance.random() < 0.9,
                versioned=chance.random() < 0.15,
                pool=chance.choice([None, None, "small"]),
            )
        )
    rules = [
        Rule(
            f"r{number}",
            Tap(f"t{number}"),
            tuple(
                chance.sample([a.name for a in assets], chance.choice([1, 1, 2]) if size > 1 else 1)
            ),
        )
        for number in range(3)
    ]
    return Graph.of("random", assets, rules, pools={"small": 2})


def act(world: World, action: int) -> None:
    chance = world.chance
    if action <= 4:
        rule = chance.randrange(3)
        world.numbers += 1
        world.receive(Arrived(f"t{rule}", [Tap(f"t{rule}").event(f"e{world.numbers}")]))
    elif action <= 7 and world.running:
        world.end(chance.choice(sorted(world.running)), Ending.SUCCEEDED)
    elif action == 8 and world.running:
        world.end(chance.choice(sorted(world.running)), Ending.FAILED)
    elif action == 9:
        live = [run.id for run in world.runs.values() if not run.finished]
        if live and chance.random() < 0.5:
            world.receive(CancelRun(chance.choice(live)))
        else:
            failed = [r for r in world.runs.values() if r.finished and r.status == "failed"]
            if failed:
                run = chance.choice(failed)
                steps = tuple(world.steps[work.step] for work in run.works)
                world.receive(ResumeRun(run, steps))
    elif action == 10:
        world.now += timedelta(seconds=chance.choice([1, 60]))
        world.receive()
    elif action == 11:
        world.restart()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 7), st.lists(st.integers(0, 11), max_size=40))
def test_no_tear_no_deadlock_and_every_run_ends(seed: int, size: int, actions: list[int]) -> None:
    world = World(make_graph(random.Random(seed), size), random.Random(seed + 1))
    for action in actions:
        act(world, action)
        _bounded(world)
    world.finish_all()
    _all_ended(world)


def _bounded(world: World) -> None:
    """However many events came, what waits is bounded by the graph.

    One pending and one behind, for each way in which it or something above it can wait.
    """
    live = [s for s in world.reactor.state.rows[Table.STEP].values() if s.finished is None]
    fresh = Counter(step.asset for step in live if step.tries == 0)
    for asset, number in fresh.items():
        assert number <= 2 * (len(world.graph.ancestors(asset)) + 2), fresh


def _all_ended(world: World) -> None:
    for run in world.runs.values():
        if run.finished:
            continue
        stuck = [step for work in run.works if (step := world.steps[work.step]).finished is None]
        assert all(_misses_something(world, step) for step in stuck), (
            f"{run.id} never ends: {stuck}"
        )


def _misses_something(world: World, step: Step) -> bool:
    """Whether the step, or one it needs in one of its runs, waits for an input nobody made."""
    if step.status is StepStatus.BLOCKED:
        return True
    above = {
        run.works[at].step
        for id in step.runs
        for run in [world.runs[id]]
        for work in run.works
        if work.step == step.id
        for at in work.upstream
    }
    return any(
        _misses_something(world, world.steps[id]) for id in above if not world.steps[id].finished
    )


def test_a_materialization_by_hand_runs_what_follows() -> None:
    graph = Graph.of("x", [Asset("a"), Asset("b", (Upstream("a"),))], [])
    world = World(graph, random.Random(0))
    world.receive(Materialize(("a",)))
    world.finish_all()
    assert [world.steps[id].status for id in sorted(world.steps)] == [StepStatus.MATERIALIZED] * 2


def run_quietly(seed: int) -> World:
    """A random history without failures, cancellations or restarts, played to its end."""
    chance = random.Random(seed)
    world = World(make_graph(chance, 5), random.Random(seed + 1))
    for _ in range(30):
        act(world, chance.choice([0, 1, 5, 6, 10]))
    world.finish_all()
    return world


def test_every_event_reaches_each_asset_it_launches_exactly_once() -> None:
    for seed in range(200):
        world = run_quietly(seed)
        for rule in world.graph.rules.values():
            sources = {leaf.name for leaf in leaves(rule.trigger)}
            ours = [seq for seq, source in world.accepted.items() if source in sources]
            for root in rule.assets:
                ended = {step.id for step in world.steps.values() if step.finished}
                handed = Counter(
                    seq for seq, step in set(world.handed.get(root, [])) if step in ended
                )
                for seq in ours:
                    assert handed[seq] == 1 or _waits(world, root), (seed, root, seq, handed)


def _waits(world: World, asset: str) -> bool:
    """Whether the asset still waits for an input that nobody ever made."""
    live = [s for s in world.steps.values() if s.asset == asset and not s.finished]
    return any(_misses_something(world, step) for step in live)


def test_in_the_end_everything_was_made_from_the_newest_of_its_inputs() -> None:
    for seed in range(200):
        world = run_quietly(seed)
        made = {row.asset: row for row in world.reactor.state.rows[Table.MATERIALIZATION].values()}
        for row in made.values():
            if world.graph.assets[row.asset].follow and not _waits(world, row.asset):
                for asset, _, step in row.inputs:
                    assert made[asset].step == step, (seed, row.asset, asset)
