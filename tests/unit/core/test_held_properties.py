"""Whatever happens to a table and to the work, held assets stand still and nothing else does."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core.asset import Asset
from reactor.core.contract import TableSchema, diff
from reactor.core.decision import Ack, Arrived, Decision, Materialize, Start
from reactor.core.graph import Graph
from reactor.core.lineage import ALL, Columns, Lineage
from reactor.core.reader import Readers, schema_rules
from reactor.core.run import RunStatus, StepStatus
from reactor.core.state import Hold, Table
from sensors import SchemaChanges
from sensors.schema.payload import SchemaChanged, changed
from tests.unit.core.reference.shapes import shape, shapes, told_by_history
from tests.unit.core.tap import Tap
from tests.unit.core.world import World, random_graph

tables = SchemaChanges("postgresql://localhost/shop")
SHAPES = [None, *map(shape, ("", "a:int", "a:int b:int", "a:text b:int", "b:int", "b:text c:int"))]


def reading_graph(chance: random.Random, size: int, tame: bool) -> Graph:
    """A random graph, some of whose assets read columns of a table."""
    plain = random_graph(chance, size, tame=tame)
    assets = [_reading(asset, chance) for asset in plain.assets.values()]
    rules = list(plain.rules.values())
    rules += schema_rules(assets, rules, [tables])
    return Graph.of("random", assets, rules, [Tap("t0"), tables], pools=dict(plain.pools))


def _reading(asset: Asset, chance: random.Random) -> Asset:
    if chance.random() < 0.5:
        return asset
    above: dict[str, Columns] = {upstream.name: ALL for upstream in asset.upstream}
    mine: Columns = chance.choice([ALL, frozenset("a"), frozenset("b"), frozenset("ab")])
    return replace(asset, lineage=Lineage({**above, "orders": mine}))


class Tables(World):
    """A world in which a table changes, and operators let go of what that holds."""

    def __init__(self, graph: Graph, seed: int) -> None:
        super().__init__(graph, seed)
        self.shape: TableSchema | None = SHAPES[3]

    def act(self, action: int) -> None:
        chance = self.chance
        match action:
            case 13 | 14:
                self.changes(chance.choice(SHAPES))
            case 15 if self.holds:
                self.receive(Ack(chance.choice(self.holds).id))
            case 16:
                name = chance.choice(sorted(self.graph.assets))
                self.receive(Materialize((name,), forced=chance.random() < 0.5))
            case _:
                super().act(action)

    def changes(self, after: TableSchema | None) -> None:
        """The table gets another shape."""
        difference = diff(self.shape, after)
        if difference:
            self.numbers += 1
            payload = SchemaChanged.of("public.orders", self.numbers, difference, self.shape, after)
            self.receive(Arrived("shop", [changed("shop", payload, self.now)]))
        self.shape = after

    @property
    def holds(self) -> list[Hold]:
        rows = [row for (table, _), row in self.table.items() if table is Table.HOLD]
        return [row for row in rows if row.closed is None]

    @property
    def held(self) -> set[str]:
        return set(self.graph.affected({name for hold in self.holds for name in hold.assets}))

    def keep(self, decision: Decision) -> None:
        super().keep(decision)
        held = self.held
        for start in decision.effects:
            if isinstance(start, Start):
                forced = any(self.run(run).forced for run in start.runs)
                assert forced or start.asset not in held, "a held asset was started"
        self._check_states(held)

    def _check_states(self, held: set[str]) -> None:
        live = [step for step in self.steps if not step.finished]
        for step in live:
            stands = step.asset in held and not any(self.run(run).forced for run in step.runs)
            if step.status is StepStatus.HELD:
                assert stands, "a step is held for nothing"
            elif step.status is StepStatus.PENDING and not step.note:
                assert not stands, "a step of a held asset waits as if it could start"
        for run in self.runs:
            if not run.finished:
                left = {self.step(work.step) for work in run.works}
                statuses = {step.status for step in left if not step.finished}
                assert (run.status is RunStatus.HELD) == (statuses == {StepStatus.HELD})

    def acknowledge_all(self) -> None:
        for hold in self.holds:
            self.receive(Ack(hold.id))


@given(st.integers(0, 2**32), st.integers(1, 7), st.lists(st.integers(0, 16), max_size=40))
@settings(max_examples=300)
def test_held_assets_stand_still_until_they_are_let_go_and_then_catch_up(
    seed: int, size: int, actions: list[int]
) -> None:
    world = Tables(reading_graph(random.Random(seed), size, tame=False), seed)
    for action in actions:
        world.act(action)
    world.play_out()
    for step in world.steps:
        if not step.finished and step.status is not StepStatus.HELD:
            assert world.misses_something(step.id) or _needs_held(world, step.id)
    world.acknowledge_all()
    world.play_out()
    for step in world.steps:
        assert step.finished or world.misses_something(step.id)


# What is undone bit by bit is skipped bit by bit, and all of it in the end.
@example(
    0, 3, [shape(each) for each in ("a:int b:int c:int", "", "a:int b:int", "a:int b:int c:int")]
)
@given(st.integers(0, 2**32), st.integers(1, 6), st.lists(shapes, max_size=8))
@settings(max_examples=300)
def test_a_reader_runs_exactly_when_it_is_free_and_has_something_new_to_read(
    seed: int, size: int, line: list[TableSchema | None]
) -> None:
    """Nothing happens but changes, and all work is done before the next one."""
    chance = random.Random(seed)
    graph = lenient(reading_graph(chance, size, tame=True))
    world = Tables(graph, seed)
    history: list[TableSchema | None] = [world.shape]
    waiting: set[str] = set()
    for after in line:
        before = len(world.starts)
        world.changes(after)
        world.play_out()
        history.append(after)
        told = {
            name: told_by_history(lineage, history)
            for name, lineage in Readers(graph.assets).of("orders", "").items()
        }
        broken = {name for name, each in told.items() if each.broken}
        waiting |= {name for name, each in told.items() if each.sees_other and not each.broken}
        free = waiting.difference(graph.affected(broken))
        waiting -= free
        started = [each.asset for each in world.starts[before:] if world.step(each.step).root]
        assert sorted(started) == sorted(free)


def lenient(graph: Graph) -> Graph:
    """The same graph, in which an asset can do without each of its inputs, and follows them all."""
    assets = [
        replace(
            asset,
            upstream=tuple(replace(above, optional=True) for above in asset.upstream),
            follow=True,
        )
        for asset in graph.assets.values()
    ]
    return Graph.of("lenient", assets, list(graph.rules.values()), list(graph.sensors.values()))


def _needs_held(world: Tables, id: int) -> bool:
    runs = [world.run(run) for run in world.step(id).runs]
    above = {
        run.works[at].step
        for run in runs
        for work in run.works
        if work.step == id
        for at in work.upstream
    }
    return any(
        world.step(each).status is StepStatus.HELD or _needs_held(world, each)
        for each in above
        if not world.step(each).finished
    )
