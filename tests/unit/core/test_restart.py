"""The rows are all there is: what was loaded, or taken back, decides as what lived on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Retry
from reactor.core.decision import Decision, Ending, Finished, Input
from reactor.core.graph import Graph
from reactor.core.reactor import Reactor
from reactor.core.state import State, Table
from tests.unit.core.depth import examples
from tests.unit.core.stage import Stage, drawn
from tests.unit.core.world import World, random_graph


class Twins(World):
    """A world in which, at every turn, a reactor made of the rows must decide the same."""

    twin: Reactor
    last: tuple[Sequence[Input], datetime]

    def receive(self, *inputs: Input) -> Decision:
        self.twin = self.loaded()
        return super().receive(*inputs)

    def keep(self, decision: Decision) -> None:
        inputs, now = self.last
        assert self.twin.receive(inputs, now) == decision
        super().keep(decision)

    def _decide_and_undo(self, inputs: Sequence[Input]) -> None:
        super()._decide_and_undo(inputs)
        assert self.reactor.wake_at() == self.loaded().wake_at()


class _Watched(Reactor):
    """A reactor that tells a world what it was asked."""

    world: Twins

    def receive(self, inputs: Sequence[Input], now: datetime) -> Decision:
        self.world.last = (inputs, now)
        return super().receive(inputs, now)


def twins(graph: Graph, seed: int) -> Twins:
    world = Twins(graph, seed)
    world.reactor = _Watched(graph, State(), world.slots)
    world.reactor.world = world
    return world


@examples(30)
@given(st.integers(0, 2**32), st.integers(1, 6), st.lists(st.integers(0, 12), max_size=40))
def test_what_was_loaded_decides_as_what_lived_on(seed: int, size: int, actions: list[int]) -> None:
    world = twins(random_graph(random.Random(seed), size), seed + 1)
    for action in actions:
        world.act(action if action != 11 else 0)
    world.play_out()


def test_equal_inputs_give_equal_decisions_byte_for_byte() -> None:
    def told(seed: int) -> list[str]:
        world = World(random_graph(random.Random(seed), 6), seed, undoes=0)
        for _ in range(40):
            world.act(world.chance.randrange(13))
        return [repr(decision) for decision in world.decisions]

    for seed in range(5):
        assert told(seed) == told(seed)


def test_a_decision_taken_back_leaves_no_trace() -> None:
    stage = Stage(drawn("raw, clean(raw)", raw={"retry": Retry(1)}))
    stage.fire("raw")
    before = {table: dict(rows) for table, rows in stage.reactor.state.rows.items()}
    wake = stage.reactor.wake_at()
    decision = stage.reactor.receive([Finished(1, 1, Ending.FAILED, error="x")], stage.now)
    assert decision.facts.changes
    stage.reactor.undo(decision)
    assert {table: dict(rows) for table, rows in stage.reactor.state.rows.items()} == before
    assert stage.reactor.wake_at() == wake
    assert stage.ends("raw").effects, "and the attempt can still end otherwise"


def test_what_is_loaded_is_rows_and_nothing_else() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.ends("raw")
    tables = {table for table, _, _ in stage.rows()}
    assert tables == {Table.RUN, Table.STEP, Table.ATTEMPT, Table.MATERIALIZATION, Table.COUNTER}
