"""What a turn costs follows from what it changes: counted in instructions, not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from reactor.core.asset import Asset, Pending, Retry, Rule, Upstream
from reactor.core.decision import Arrived, Decision, Ending, Finished, Input
from reactor.core.field import field
from reactor.core.graph import Graph
from tests.unit.core.stage import Stage, drawn, rule
from tests.unit.core.tap import Tap


def cost(stage: Stage, *inputs: Input) -> int:
    """How many of Python's instructions a turn takes."""
    number = 0

    def count(frame: Any, event: str, arg: Any) -> Any:
        nonlocal number
        frame.f_trace_opcodes = True
        number += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        decision = stage.reactor.receive(inputs, stage.now)
    finally:
        sys.settrace(before)
    stage.keep(decision)
    return number


def assert_flat(make: Callable[[int], int], few: int = 20, many: int = 200) -> None:
    """Ten times as much beside it costs the same."""
    assert make(many) <= make(few) * 1.2 + 50


def assert_linear(make: Callable[[int], int], few: int = 25, many: int = 200) -> None:
    """Eight times as much to do costs about eight times as much."""
    assert make(many) <= make(few) * (many / few) * 1.3


def wide(number: int, *more: Rule, **options: Any) -> Graph:
    """One asset `a0` and that many that read it."""
    readers = [Asset(f"a{n}", (Upstream("a0"),)) for n in range(1, number)]
    return Graph.of("wide", [Asset("a0", **options), *readers], [rule("a0"), *more])


def long(number: int, **options: Any) -> Graph:
    """A chain of assets, each reading the one before."""
    names = [f"a{n}" for n in range(number)]
    rest = [Asset(low, (Upstream(high),)) for high, low in pairwise(names)]
    return Graph.of("long", [Asset("a0", **options), *rest], [rule("a0")])


def arrival(stage: Stage, tap: str, **data: Any) -> Input:
    return Arrived(tap, [stage.event(tap, **data)])


def outcome(stage: Stage, asset: str, ending: Ending = Ending.SUCCEEDED) -> Input:
    start = stage.going.pop(asset)[0]
    return Finished(start.step, start.number, ending)


def test_an_event_costs_the_same_however_many_other_runs_go() -> None:
    def one(others: int) -> int:
        names = [f"slow{n}" for n in range(others)]
        stage = Stage(drawn(", ".join(["raw", *names])), slots=10_000)
        stage.fire(*names)
        return cost(stage, arrival(stage, "raw")) + cost(stage, outcome(stage, "raw"))

    assert_flat(one)


def test_an_event_costs_the_same_however_many_other_rules_there_are() -> None:
    def one(others: int) -> int:
        tap = Tap("t")
        rules = [Rule(f"r{n}", tap.where(field.n == n), ("raw",)) for n in range(others)]
        stage = Stage(drawn("raw", *rules))
        return cost(stage, arrival(stage, "t", n=7))

    assert_flat(one)


def test_an_event_costs_the_same_however_many_other_keys_are_kept() -> None:
    def one(others: int) -> int:
        tap = Tap("raw")
        stage = Stage(drawn("raw", rule("raw", trigger=tap.by(field.k).batch(9, "1h"))))
        stage.receive(Arrived("raw", [stage.event("raw", k=n) for n in range(others)]))
        return cost(stage, arrival(stage, "raw", k=3))

    assert_flat(one)


def test_an_event_costs_the_same_however_many_a_batch_holds() -> None:
    def one(held: int) -> int:
        stage = Stage(drawn("raw", rule("raw", trigger=Tap("raw").batch(10**6, "1h"))))
        stage.burst("raw", held)
        return cost(stage, arrival(stage, "raw"))

    assert_flat(one)


def test_the_end_of_a_step_costs_the_same_however_long_its_chain() -> None:
    def one(length: int) -> int:
        stage = Stage(long(length))
        stage.fire("a0")
        return cost(stage, outcome(stage, "a0")) + cost(stage, outcome(stage, "a1"))

    assert_flat(one)


def test_an_event_that_joins_a_run_that_has_not_begun_plans_nothing() -> None:
    def one(length: int) -> int:
        stage = Stage(long(length), slots=0)
        stage.fire("a0")
        return cost(stage, arrival(stage, "a0"))

    assert_flat(one)


def test_the_hundredth_event_while_a_slow_reader_runs_costs_what_the_tenth_did() -> None:
    def one(events: int) -> int:
        stage = Stage(drawn("raw, model(raw)", raw={"versioned": True}))
        stage.fire("raw")
        stage.ends("raw")
        for _ in range(events):
            stage.fire("raw")
            stage.ends("raw")
        return cost(stage, arrival(stage, "raw")) + cost(stage, outcome(stage, "raw"))

    assert_flat(one)


def test_the_next_of_a_queue_costs_the_same_however_long_the_queue() -> None:
    def one(length: int) -> int:
        stage = Stage(drawn("raw", rule("raw", pending=Pending.QUEUE)))
        stage.burst("raw", length)
        return cost(stage, arrival(stage, "raw")) + cost(stage, outcome(stage, "raw"))

    assert_flat(one)


@pytest.mark.parametrize("graph", [wide, long])
def test_a_launch_costs_what_it_affects(graph: Callable[[int], Graph]) -> None:
    assert_linear(lambda size: cost(stage := Stage(graph(size)), arrival(stage, "a0")))


@pytest.mark.parametrize("graph", [wide, long])
def test_a_second_launch_that_joins_the_pending_steps_costs_what_it_affects(
    graph: Callable[..., Graph],
) -> None:
    def one(size: int) -> int:
        made = graph(size)
        twice = [rule("a0"), rule("a0", name="again", on="again")]
        stage = Stage(Graph.of("g", list(made.assets.values()), twice), slots=0)
        stage.fire("a0")
        return cost(stage, arrival(stage, "again"))

    assert_linear(one)


@pytest.mark.parametrize("graph", [wide, long])
def test_a_failure_and_a_retry_cost_what_waits_for_them(graph: Callable[..., Graph]) -> None:
    def one(size: int) -> int:
        stage = Stage(graph(size, retry=Retry(1, jitter=0)))
        stage.fire("a0")
        spent = cost(stage, outcome(stage, "a0", Ending.FAILED))
        stage.now = stage.reactor.wake_at() or stage.now
        spent += cost(stage)
        return spent + cost(stage, outcome(stage, "a0", Ending.FAILED))

    assert_linear(one)


def test_the_end_of_a_step_that_many_runs_wanted_costs_what_they_are() -> None:
    def one(runs: int) -> int:
        stage = Stage(drawn("raw, model(raw)", raw={"versioned": True}))
        stage.fire("raw")
        stage.ends("raw")
        for _ in range(runs):
            stage.fire("raw")
            stage.ends("raw")
        stage.ends("model")
        stage.ends("model")
        assert not stage.going
        last: Decision = stage.decisions[-1]
        return len(last.facts.changes)

    assert_linear(one)
