"""What an operator paused waits, and nothing of it is lost."""

from __future__ import annotations

from reactor.core.asset import Pending, Retry
from tests.unit.core.stage import Stage, drawn, rule


def test_a_paused_asset_waits_and_starts_when_it_is_resumed() -> None:
    stage = Stage(drawn("raw, clean(raw), report(clean)"))
    stage.pause("asset", "clean")
    stage.fire("raw")
    stage.ends("raw")
    assert stage.states == "raw materialized, clean pending, report pending"
    assert stage.of("clean")[0].note == "paused"
    stage.unpause("asset", "clean")
    assert stage.running == ["clean"]
    stage.all_end()
    assert stage.ends_of_runs == ["succeeded"]


def test_nothing_is_lost_while_an_asset_is_paused_and_it_runs_once() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.pause("asset", "raw")
    for _ in range(20):
        stage.fire("raw")
    assert stage.states == "raw pending, clean pending"
    stage.unpause("asset", "raw")
    assert stage.starts[0].events == ((1, 20),)
    stage.all_end()
    assert stage.started == ["raw", "clean"]


def test_a_paused_reader_does_not_hold_up_its_upstream() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.pause("asset", "clean")
    for _ in range(3):
        stage.fire("raw")
        stage.ends("raw")
    assert stage.started == ["raw"] * 3
    stage.unpause("asset", "clean")
    stage.all_end()
    assert stage.started.count("clean") == 1
    assert set(stage.ends_of_runs) == {"succeeded"}


def test_a_paused_rule_keeps_its_runs_and_lets_other_rules_go_on() -> None:
    graph = drawn("raw", rule("raw", name="one", on="one"), rule("raw", name="two", on="two"))
    stage = Stage(graph)
    stage.pause("rule", "one")
    stage.fire("one")
    stage.fire("one")
    assert stage.states == "raw pending"
    stage.fire("two")
    assert stage.running == ["raw"]
    assert stage.starts[0].events == ((3, 3),)
    stage.ends("raw")
    assert stage.running == []
    stage.unpause("rule", "one")
    assert stage.starts[1].events == ((1, 2),)


def test_a_shared_step_waits_only_while_all_its_rules_are_paused() -> None:
    stage = Stage(drawn("left, right, end(left? right?)", rule("left"), rule("right")))
    stage.fire("left", "right")
    stage.pause("rule", "left")
    stage.ends("left", "right")
    assert stage.running == ["end"]


def test_a_pause_lets_a_running_attempt_end_and_holds_its_retry() -> None:
    stage = Stage(drawn("raw", raw={"retry": Retry(1, backoff="1s", jitter=0)}))
    stage.fire("raw")
    stage.pause("asset", "raw")
    stage.fails("raw")
    stage.passes("10s")
    assert stage.states == "raw pending"
    stage.unpause("asset", "raw")
    assert stage.running == ["raw"]


def test_a_launch_by_hand_of_a_paused_asset_waits_too() -> None:
    stage = Stage(drawn("raw"))
    stage.pause("asset", "raw")
    stage.by_hand("raw")
    assert stage.running == []
    stage.unpause("asset", "raw")
    assert stage.running == ["raw"]


def test_a_pause_survives_a_restart() -> None:
    stage = Stage(drawn("raw"))
    stage.pause("asset", "raw")
    stage.fire("raw")
    stage.restart()
    assert stage.running == []
    stage.unpause("asset", "raw")
    assert stage.running == ["raw"]


def test_what_was_paused_goes_on_in_the_order_it_came() -> None:
    graph = drawn("raw", rule("raw", pending=Pending.QUEUE))
    stage = Stage(graph)
    stage.pause("rule", "raw")
    for _ in range(12):
        stage.fire("raw")
    stage.unpause("rule", "raw")
    stage.all_end()
    assert [start.events[0][0] for start in stage.starts] == list(range(1, 13))


def test_a_paused_run_can_be_cancelled() -> None:
    stage = Stage(drawn("raw"))
    stage.pause("asset", "raw")
    stage.fire("raw")
    stage.cancel(1)
    assert stage.ends_of_runs == ["cancelled"]
    stage.unpause("asset", "raw")
    assert stage.running == []


def test_a_pause_that_is_asked_for_twice_counts_from_the_first() -> None:
    stage = Stage(drawn("raw"))
    stage.pause("asset", "raw")
    stage.passes("1h")
    assert stage.pause("asset", "raw").facts.changes == ()
    stage.unpause("asset", "raw")
    assert stage.unpause("asset", "raw").facts.changes == ()


def test_what_is_paused_need_not_exist_and_sensors_are_not_the_cores_to_pause() -> None:
    stage = Stage(drawn("raw"))
    stage.pause("asset", "gone")
    stage.pause("sensor", "raw")
    stage.fire("raw")
    assert stage.running == ["raw"]
