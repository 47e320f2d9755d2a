"""Which of the steps that may start goes first, and how many run at once."""

from __future__ import annotations

from reactor.core.run import StepStatus
from tests.unit.core.stage import Stage, drawn, rule


def test_a_higher_priority_goes_first() -> None:
    stage = Stage(drawn("low, high, mid", high={"priority": 9}, mid={"priority": 5}), slots=1)
    stage.fire("low", "mid", "high")
    stage.all_end()
    assert stage.started == ["high", "mid", "low"]


def test_the_priority_of_a_rule_counts_for_all_it_launches() -> None:
    graph = drawn(
        "slow(top), quick(top), top", rule("slow"), rule("quick", priority=1), rule("top")
    )
    stage = Stage(graph, slots=1)
    stage.fire("top")
    stage.ends("top")
    stage.all_end()
    stage.fire("slow", "quick")
    assert stage.running == ["quick"]


def test_among_equals_the_older_goes_first_then_the_one_declared_first() -> None:
    stage = Stage(drawn("one, two, three"), slots=1)
    stage.fire("three")
    stage.passes("1s")
    stage.fire("two", "one")
    stage.all_end()
    assert stage.started == ["three", "one", "two"]


def test_an_urgent_run_that_joins_a_waiting_step_brings_it_forward() -> None:
    graph = drawn("busy, old, shared", rule("busy"), rule("old"), rule("shared", name="s", on="s"),
                  rule("shared", name="urgent", on="urgent", priority=9))  # fmt: skip
    stage = Stage(graph, slots=1)
    stage.fire("busy")
    stage.fire("old")
    stage.passes("1s")
    stage.fire("s")
    stage.fire("urgent")
    assert len(stage.of("shared")) == 1
    stage.ends("busy")
    assert stage.running == ["shared"]


def test_a_step_whose_urgent_run_was_cancelled_waits_its_turn_again() -> None:
    graph = drawn("busy, old, shared", rule("busy"), rule("old"), rule("shared", name="s", on="s"),
                  rule("shared", name="urgent", on="urgent", priority=9))  # fmt: skip
    stage = Stage(graph, slots=1)
    stage.fire("busy")
    stage.fire("old")
    stage.passes("1s")
    stage.fire("s", "urgent")
    stage.cancel(stage.runs[-1].id)
    stage.ends("busy")
    assert stage.running == ["old"]


def test_no_more_attempts_run_than_there_are_slots() -> None:
    stage = Stage(drawn("a, b, c"), slots=2)
    stage.fire("a", "b", "c")
    assert stage.running == ["a", "b"]
    assert (stage.reactor.running, stage.reactor.waiting) == (2, 1)
    stage.ends("a")
    assert stage.running == ["b", "c"]


def test_a_pool_runs_as_many_as_it_says_and_one_if_it_says_nothing() -> None:
    two = {"pool": "two"}
    one = {"pool": "one"}
    graph = drawn("a, b, c, d, e", pools={"two": 2}, a=two, b=two, c=two, d=one, e=one)
    stage = Stage(graph)
    stage.fire("a", "b", "c", "d", "e")
    assert stage.running == ["a", "b", "d"]
    stage.ends("b")
    assert stage.running == ["a", "d", "c"]


def test_a_full_pool_holds_nobody_else_up() -> None:
    graph = drawn("a, b, c", a={"pool": "p"}, b={"pool": "p", "priority": 9}, c={})
    stage = Stage(graph, slots=2)
    stage.fire("a")
    stage.fire("b", "c")
    assert stage.running == ["a", "c"]


def test_after_drain_nothing_starts_and_what_runs_may_end() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.reactor.drain()
    stage.ends("raw")
    assert stage.states == "raw materialized, clean pending"


def test_a_step_that_waits_for_a_slot_is_offered_once() -> None:
    graph = drawn("busy, raw", rule("busy"), *(rule("raw", name=f"r{n}", on="t") for n in range(9)))
    stage = Stage(graph, slots=1)
    stage.fire("busy")
    for _ in range(10):
        stage.fire("t")
    assert [step.status for step in stage.of("raw")] == [StepStatus.PENDING]
    heaps = stage.reactor._scheduler._pools._waiting  # pyright: ignore[reportPrivateUsage]
    assert sum(map(len, heaps.values())) == 1
