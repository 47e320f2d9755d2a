"""The rows are all there is: what was loaded, or taken back, decides as what lived on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Asset, Retry, Rule, Upstream
from reactor.core.decision import Arrived, Decision, Ending, Finished, Input
from reactor.core.field import field
from reactor.core.graph import Graph
from reactor.core.reactor import Reactor
from reactor.core.state import State, Table
from reactor.core.trigger.expression import at_least
from tests.unit.core.depth import examples
from tests.unit.core.stage import Stage, drawn
from tests.unit.core.tap import START, Tap
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
        assert_alike(self.twin.receive(inputs, now), decision)
        super().keep(decision)

    def _decide_and_undo(self, inputs: Sequence[Input]) -> None:
        super()._decide_and_undo(inputs)
        assert self.reactor.wake_at() == self.loaded().wake_at()


def assert_alike(one: Decision, other: Decision) -> None:
    """The same facts and effects; rows may have been looked at in another order."""
    ours, theirs = (
        {(change.table, change.key): change for change in decision.facts.changes}
        for decision in (one, other)
    )
    assert ours == theirs
    assert replace(one.facts, changes=()) == replace(other.facts, changes=())
    assert (one.effects, one.wake_at) == (other.effects, other.wake_at)


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


@examples(20)
@given(st.integers(0, 2**32), st.integers(1, 6), st.lists(st.integers(0, 12), max_size=40))
def test_what_was_loaded_decides_as_what_lived_on(seed: int, size: int, actions: list[int]) -> None:
    world = twins(random_graph(random.Random(seed), size), seed + 1)
    for action in actions:
        world.act(action if action != 11 else 0)
    world.play_out()


TAPS = {name: Tap(name) for name in "ab"}
A, B = TAPS.values()
TRIGGERS = [
    A.where(field.n > 1) | B,
    A.batch(3, "5s"),
    A.by(field.k).batch(2, "5s"),
    (A | B).debounce("2s", "7s"),
    A.by(field.k).throttle("3s"),
    A.throttle("3s", trailing=False),
    (A & B).within("4s"),
    (A.by(field.k) & B.by(field.k)).within("4s", pair="oldest"),
    at_least(2, A.where(field.n == 1), A.where(field.n == 2), B).within("4s", pair="collect"),
    (A.batch(2, "3s") & B).within("20s").throttle("10s"),
    A.then(B).then(A).within("4s"),
    A.by(field.k).then(B.by(field.k)).within("4s", pair="collect"),
    A.by(field.k).complete(["1", "2"], "4s", member=field.n),
    A.complete(3, "4s", member=field.n),
    A.by(field.k).count(3, "4s"),
    (A | B).aggregate("4s", sum=field.n > 3),
    A.delay("2s").distinct(field.n, ttl="5s"),
    A.by(field.k).changed(field.n).by(None).batch(2, "3s"),
    A.during("00:01-23:00"),
]
RULES = [Rule(f"r{number}", trigger, ("x",)) for number, trigger in enumerate(TRIGGERS)]
MATCHING = Graph.of("matching", [Asset("x"), Asset("y", (Upstream("x"),))], RULES)

MOVES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from("kl"), st.integers(0, 4)),
    max_size=12,
)


@examples(15)
@given(st.lists(MOVES, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_matching_goes_on_from_its_rows_at_any_point(
    turns: list[list[tuple[str, int, str, int]]], undone: list[bool]
) -> None:
    stage = Stage(MATCHING)
    stage.restart()
    for moves, undo in zip(turns, undone, strict=False):
        inputs: list[Input] = []
        for tap, n, key, late in moves:
            stage.numbers += 1
            seconds = (stage.now - START).total_seconds() - late
            inputs.append(Arrived(tap, [TAPS[tap].event(f"e{stage.numbers}", seconds, n=n, k=key)]))
        if undo:
            stage.reactor.undo(stage.reactor.receive(inputs, stage.now))
        twin = stage.loaded()
        assert twin.wake_at() == stage.reactor.wake_at()
        expected = twin.receive(inputs, stage.now)
        assert_alike(stage.receive(*inputs), expected)
        stage.passes("1500ms")
        outcomes = [
            Finished(start.step, start.number, Ending.SUCCEEDED) for start in stage.running_starts()
        ]
        stage.going.clear()
        stage.receive(*outcomes)


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


def test_a_watermark_that_was_taken_back_does_not_expire_anything() -> None:
    rule = Rule("r", (A & B).within("1s"), ("x",))
    stage = Stage(Graph.of("x", [Asset("x")], [rule]))
    stage.receive(Arrived("a", [A.event("a1", 0)]))
    stage.now = START.replace(hour=1)
    far = [Arrived("a", [A.event("a2", 3600)]), Arrived("b", [B.event("b2", 3590)])]
    stage.reactor.undo(stage.reactor.receive(far, stage.now))
    stage.receive(Arrived("b", [B.event("b1", 0.5)]))
    assert stage.running == ["x"]


def test_what_is_loaded_is_rows_and_nothing_else() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.ends("raw")
    tables = {table for table, _, _ in stage.rows()}
    assert tables == {Table.RUN, Table.STEP, Table.ATTEMPT, Table.MATERIALIZATION, Table.COUNTER}
