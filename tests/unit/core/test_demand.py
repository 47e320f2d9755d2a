"""Demands: which step does the work of which run."""

from __future__ import annotations

from reactor.core.asset import Pending, Retry
from reactor.core.decision import ResumeRun
from reactor.core.field import field
from reactor.core.run import StepStatus
from reactor.core.state import Table
from tests.unit.core.stage import Stage, at, drawn, rule


def test_events_that_come_before_a_run_has_begun_join_it() -> None:
    stage = Stage(drawn("raw"), slots=0)
    for _ in range(5):
        stage.fire("raw")
    assert len(stage.runs) == 1
    assert stage.states == "raw pending"
    assert stage.runs[0].events == ((1, 5),)


def test_events_that_come_while_a_step_runs_form_one_step_behind_it() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    for _ in range(50):
        stage.fire("raw")
    assert stage.states == "raw running, clean pending, raw pending, clean pending"
    stage.all_end()
    assert stage.started == ["raw", "clean", "raw", "clean"]
    assert [list(at(start)) for start in stage.starts[::2]] == [[1], list(range(2, 52))]


def test_an_update_that_lands_while_a_step_runs_is_seen_by_one_later_step() -> None:
    stage = Stage(drawn("raw, clean(raw)", raw={"versioned": True}))
    stage.fire("raw")
    stage.ends("raw")
    for _ in range(5):
        stage.fire("raw")
        stage.ends("raw")
    assert stage.running == ["clean"]
    stage.all_end()
    assert stage.started.count("clean") == 2
    pending, behind = stage.of("clean")[1:]
    assert (pending.runs, behind.runs) == ((2,), (3, 4, 5, 6)), "each run records what it wanted"
    assert behind.status is StepStatus.UNCHANGED, "it had been made from the newest already"
    assert set(stage.ends_of_runs) == {"succeeded"}


def test_two_rules_share_a_pending_step_and_both_record_it() -> None:
    graph = drawn("left, right, end(left right)", rule("left"), rule("right"))
    stage = Stage(graph)
    stage.fire("left", "right")
    assert stage.running == ["left", "right"]
    stage.all_end()
    assert stage.started == ["left", "right", "end"]
    assert stage.of("end")[0].runs == (1, 2)
    assert list(at(stage.starts[-1])) == [1, 2], "with the union of causes"


def test_a_demand_does_not_join_what_has_started() -> None:
    stage = Stage(drawn("left, right, end(left right?)", rule("left"), rule("right")))
    stage.fire("left")
    stage.fire("right")
    assert stage.states == "left running, end pending, right pending, end pending"


def test_a_root_below_another_root_gets_the_events_once() -> None:
    stage = Stage(drawn("raw, clean(raw), report(clean)", rule("raw", "report")))
    stage.fire("raw")
    stage.all_end()
    assert stage.started == ["raw", "clean", "report"]
    assert list(at(stage.starts[-1])) == [1]
    assert stage.runs[0].works[2].because == "because raw saw e1"


def test_a_rule_that_names_an_asset_twice_launches_it_once() -> None:
    stage = Stage(drawn("raw", rule("raw", "raw")))
    stage.fire("raw")
    stage.all_end()
    assert stage.started == ["raw"]


def test_a_root_that_does_not_follow_still_comes_after_its_upstream() -> None:
    graph = drawn("late(raw), raw", rule("late", "raw"), late={"follow": False})
    stage = Stage(graph)
    stage.fire("late")
    assert stage.running == ["raw"]
    stage.all_end()
    assert stage.started == ["raw", "late"]


def test_queue_gives_each_firing_a_step_of_its_own_in_order() -> None:
    stage = Stage(drawn("raw", rule("raw", pending=Pending.QUEUE)))
    stage.burst("raw", 3)
    stage.fire("raw")
    stage.all_end()
    assert [list(at(start)) for start in stage.starts] == [[1], [2], [3], [4]]


def test_three_hundred_queued_steps_are_retried_in_order() -> None:
    graph = drawn("raw", rule("raw", pending=Pending.QUEUE), raw={"retry": Retry(1, jitter=0)})
    stage = Stage(graph)
    stage.burst("raw", 300)
    stage.fails("raw")
    stage.passes("1s")
    stage.all_end()
    assert [at(start)[0] for start in stage.starts] == [1, *range(1, 301)]


def test_replace_stops_what_runs_and_takes_over_its_causes() -> None:
    stage = Stage(drawn("raw, clean(raw)", rule("raw", pending=Pending.REPLACE)))
    stage.fire("raw")
    stage.fire("raw")
    assert [stop.step for stop in stage.stops] == [1]
    assert stage.running == ["raw"], "the new step waits until the old attempt really ended"
    stage.stopped("raw")
    assert list(at(stage.starts[-1])) == [1, 2]
    stage.all_end()
    assert stage.ends_of_runs == ["superseded", "succeeded"]
    assert stage.started == ["raw", "raw", "clean"]


def test_replace_lets_other_partitions_run() -> None:
    graph = drawn("raw", rule("raw", pending=Pending.REPLACE, partition=field.day))
    stage = Stage(graph)
    stage.fire("raw", day="monday")
    stage.fire("raw", day="tuesday")
    assert stage.stops == []
    assert stage.running == ["raw", "raw"]


def test_more_events_than_one_step_takes_go_to_the_step_behind_in_order() -> None:
    stage = Stage(drawn("raw", raw={"max_events": 10}))
    stage.burst("raw", 25)
    stage.fire("raw")
    stage.all_end()
    handed = [list(at(start)) for start in stage.starts]
    assert handed == [list(range(1, 11)), list(range(11, 21)), list(range(21, 27))]


def test_a_later_event_never_goes_before_earlier_ones_that_did_not_fit() -> None:
    rules = [rule("raw", name=tap, on=tap) for tap in ("one", "two", "three")]
    stage = Stage(drawn("raw", *rules, raw={"max_events": 4}))
    stage.fire("one")
    stage.burst("one", 3)
    stage.burst("two", 3)
    stage.fire("three")
    stage.all_end()
    assert [list(at(start)) for start in stage.starts] == [[1], [2, 3, 4], [5, 6, 7, 8]]


def test_a_launch_by_hand_while_the_asset_runs_is_a_step_of_its_own() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.by_hand("raw")
    stage.by_hand("raw", downstream=False)
    stage.all_end()
    assert stage.started == ["raw", "clean", "raw", "clean", "raw"]
    keys = [start.run_key for start in stage.starts if start.asset == "raw"]
    assert len(set(keys)) == 3


def test_a_launch_by_hand_of_an_asset_that_is_no_more_is_nothing() -> None:
    stage = Stage(drawn("raw"))
    assert stage.by_hand("gone").facts.changes == ()
    stage.by_hand("gone", "raw")
    assert stage.running == ["raw"]


def test_cancelling_a_run_stops_what_only_it_wants() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.cancel(1)
    assert stage.states == "raw running, clean cancelled"
    assert stage.stops[0].reason == "cancelled by an operator"
    stage.stopped("raw")
    assert stage.states == "raw cancelled, clean cancelled"
    assert stage.ends_of_runs == ["cancelled"]


def test_cancelling_a_run_leaves_what_another_one_wants() -> None:
    graph = drawn("left, right, end(left right?)", rule("left"), rule("right"))
    stage = Stage(graph)
    stage.fire("left", "right")
    stage.cancel(1)
    stage.stopped("left")
    stage.ends("right")
    assert stage.running == [], "the other run reads left, which was never made"
    assert stage.of("end")[0].note == "waits for left, which is not materialized"
    assert stage.of("end")[0].runs == (2,)
    assert stage.ends_of_runs == ["cancelled", "running"]


def test_cancelling_one_run_does_not_stop_an_attempt_that_another_one_needs() -> None:
    graph = drawn("raw", rule("raw", name="one", on="one"), rule("raw", name="two", on="two"))
    stage = Stage(graph)
    stage.fire("one", "two")
    stage.cancel(1)
    assert stage.stops == []
    stage.ends("raw")
    assert stage.ends_of_runs == ["cancelled", "succeeded"]


def test_an_attempt_that_fails_while_it_is_stopped_is_not_tried_again() -> None:
    stage = Stage(drawn("raw", raw={"retry": Retry(5)}))
    stage.fire("raw")
    stage.cancel(1)
    stage.fails("raw")
    assert stage.states == "raw cancelled"
    assert stage.ends_of_runs == ["cancelled"]


def test_an_attempt_that_is_lost_while_it_is_stopped_does_not_come_back() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.cancel(1)
    stage.restart()
    assert stage.states == "raw cancelled"
    assert stage.running == []


def test_an_attempt_that_succeeds_while_it_is_stopped_counts() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.cancel(1)
    stage.ends("raw")
    assert stage.states == "raw materialized"


def test_a_resume_goes_on_from_the_failure() -> None:
    stage = Stage(drawn("raw, clean(raw), report(clean)"))
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    assert stage.states == "raw materialized, clean failed, report blocked"
    assert stage.ends_of_runs == ["failed"]
    stage.resume(1)
    assert stage.running == ["clean"]
    stage.all_end()
    assert stage.states == "raw materialized, clean materialized, report materialized"
    assert stage.ends_of_runs == ["succeeded"]
    first, again = (start for start in stage.starts if start.asset == "clean")
    assert first.run_key == again.run_key
    assert (first.number, again.number) == (1, 2)


def test_a_resume_while_a_newer_run_goes_waits_for_it() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.fails("raw")
    stage.fire("raw")
    stage.resume(1)
    assert stage.running == ["raw"]
    stage.all_end()
    assert stage.started == ["raw", "raw", "clean", "raw", "clean"]
    assert stage.ends_of_runs == ["succeeded", "succeeded"]


def test_a_resume_leaves_what_another_live_run_recorded() -> None:
    graph = drawn(
        "shared, slow",
        rule("shared", name="one", on="one"),
        rule("shared", "slow", name="two", on="two"),
    )
    stage = Stage(graph)
    stage.fire("one", "two")
    stage.fails("shared")
    assert stage.ends_of_runs == ["failed", "running"]
    stage.resume(1)
    stage.ends("slow")
    assert stage.ends_of_runs == ["running", "failed"], "run 2 did fail, whatever run 1 does now"
    stage.ends("shared")
    assert stage.ends_of_runs == ["succeeded", "failed"]


def test_two_runs_that_failed_together_can_both_be_resumed() -> None:
    graph = drawn("raw", rule("raw", name="one", on="one"), rule("raw", name="two", on="two"))
    stage = Stage(graph)
    stage.fire("one", "two")
    stage.fails("raw")
    stage.resume(1)
    stage.resume(2)
    assert stage.running == ["raw"]
    stage.ends("raw")
    assert stage.ends_of_runs == ["succeeded", "succeeded"]


def test_resuming_a_run_that_still_goes_changes_nothing() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    assert stage.resume(1).facts.changes == ()


def test_a_run_whose_steps_are_no_longer_kept_cannot_be_resumed() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.fails("raw")
    decision = stage.receive(ResumeRun(stage.run(1), (stage.step(1),)))
    assert decision.facts.changes == ()


def test_a_resume_skips_assets_that_are_no_more() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.fails("raw")
    stage.restart(drawn("clean"))
    stage.resume(1)
    stage.all_end()
    assert stage.states == "raw failed, clean materialized"
    assert stage.ends_of_runs == ["failed"]


def test_nothing_of_an_ended_run_is_remembered() -> None:
    graph = drawn(
        "raw, clean(raw), model(clean missing), missing",
        rule("raw"),
        clean={"retry": Retry(1), "timeout": None},
    )
    stage = Stage(graph)
    for number in range(5):
        stage.fire("raw")
        stage.ends("raw")
        stage.fails("clean")
        stage.passes("10s")
        stage.ends("clean")
        assert stage.of("model")[-1].status is StepStatus.BLOCKED
        stage.cancel(stage.runs[-1].id)
        assert len(stage.runs) == number + 1
    rows = stage.reactor.state.rows
    assert not rows[Table.RUN]
    assert not rows[Table.STEP]
    assert not rows[Table.ATTEMPT]
    assert stage.reactor.waiting == stage.reactor.running == 0
    for part in (stage.reactor._scheduler._waves, stage.reactor._scheduler._demands):  # pyright: ignore[reportPrivateUsage]
        derived = {n: v for n, v in vars(part).items() if isinstance(v, dict | set | list)}
        fixed = {"_steps", "_reads"}
        assert {n: v for n, v in derived.items() if v and n not in fixed} == {}
