"""What starts, waits, is tried again, is blocked or is left out, told as short stories."""

from __future__ import annotations

from datetime import timedelta

from reactor.core.asset import Retry
from reactor.core.decision import Ending, Finished
from reactor.core.field import field
from reactor.core.run import StepStatus
from reactor.core.scheduler import TIMED_OUT
from tests.unit.core.stage import Stage, at, drawn, rule, seconds

MINUTE = timedelta(minutes=1)


def test_a_failed_attempt_is_tried_again_after_a_growing_wait() -> None:
    retry = Retry(3, backoff="1s", factor=10, jitter=0)
    stage = Stage(drawn("raw", raw={"retry": retry}))
    stage.fire("raw")
    waits: list[float | None] = []
    for _ in range(3):
        stage.fails("raw")
        due = stage.reactor.wake_at()
        assert due is not None
        waits.append((due - stage.now).total_seconds())
        stage.passes(due - stage.now)
    assert waits == [1, 10, 100]
    stage.fails("raw")
    assert stage.states == "raw failed"
    assert stage.told == ["raw failed after 4 attempts"]
    assert [start.attempt for start in stage.starts] == [1, 2, 3, 4]
    assert len({start.run_key for start in stage.starts}) == 1


def test_an_attempt_does_not_start_before_its_wait_is_over() -> None:
    stage = Stage(drawn("raw", raw={"retry": Retry(1, backoff="10s", jitter=0)}))
    stage.fire("raw")
    stage.fails("raw")
    stage.passes("9999ms")
    assert stage.states == "raw retrying"
    stage.passes("1ms")
    assert stage.states == "raw running"


def test_an_error_that_says_so_is_not_tried_again() -> None:
    stage = Stage(drawn("raw", raw={"retry": Retry(5)}))
    stage.fire("raw")
    stage.fails("raw", retryable=False)
    assert stage.states == "raw failed"


def test_an_attempt_past_its_timeout_is_stopped_and_counts_as_failed() -> None:
    options = {"timeout": MINUTE, "retry": Retry(1, backoff="1s", jitter=0)}
    stage = Stage(drawn("raw", raw=options))
    stage.fire("raw")
    assert seconds(stage.reactor.wake_at()) == 60
    stage.passes(MINUTE)
    assert [stop.reason for stop in stage.stops] == [TIMED_OUT]
    assert stage.reactor.wake_at() is None, "it was told once"
    stage.stopped("raw")
    assert stage.of("raw")[0].note == "timed out after 1m"
    stage.passes("1s")
    assert stage.running == ["raw"]
    stage.passes(MINUTE)
    stage.stopped("raw")
    assert stage.told == ["raw failed after 2 attempts"]


def test_an_attempt_that_succeeds_just_after_its_timeout_has_succeeded() -> None:
    stage = Stage(drawn("raw", raw={"timeout": MINUTE}))
    stage.fire("raw")
    stage.passes(MINUTE)
    stage.ends("raw")
    assert stage.states == "raw materialized"


def test_an_attempt_that_was_timed_out_and_then_lost_used_up_its_try() -> None:
    stage = Stage(drawn("raw", raw={"timeout": MINUTE}))
    stage.fire("raw")
    stage.passes(MINUTE)
    stage.restart()
    assert stage.states == "raw failed"


def test_an_outcome_of_an_older_attempt_is_ignored() -> None:
    stage = Stage(drawn("raw", raw={"retry": Retry(1, jitter=0)}))
    stage.fire("raw")
    stage.fails("raw")
    stage.passes("1s")
    assert stage.receive(Finished(1, 1, Ending.SUCCEEDED)).facts.changes == ()
    assert stage.receive(Finished(99, 1, Ending.SUCCEEDED)).facts.changes == ()
    assert stage.states == "raw running"


def test_an_attempt_that_died_with_its_process_does_not_use_up_a_retry() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.restart()
    assert stage.running == ["raw"]
    assert [start.attempt for start in stage.starts] == [1, 1]
    assert [start.number for start in stage.starts] == [1, 2]
    stage.ends("raw")
    assert stage.states == "raw materialized"


def test_a_step_that_dies_with_its_process_three_times_has_failed() -> None:
    stage = Stage(drawn("raw, clean(raw)", raw={"retry": Retry(9)}))
    stage.fire("raw")
    for _ in range(3):
        stage.restart()
    assert stage.states == "raw failed, clean blocked"
    assert stage.told == ["raw lost 3 times with the process that ran it; 1 asset waits for it"]


def test_an_attempt_that_ended_with_a_graceful_stop_counts_for_nothing() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    for _ in range(5):
        stage.reactor.drain()
        stage.ends("raw", ending=Ending.CANCELLED)
        stage.restart()
    assert stage.running == ["raw"]
    assert stage.of("raw")[0].lost == 0


def test_jitter_is_derived_from_the_run_key() -> None:
    retry = Retry(1, backoff="100s", jitter=0.5)
    waits = {retry.wait(1, key) for key in "abcdefgh"}
    assert len(waits) == 8
    assert all(timedelta(seconds=100) <= wait <= timedelta(seconds=150) for wait in waits)
    assert retry.wait(1, "a") == retry.wait(1, "a")


def test_a_step_whose_input_was_never_made_is_blocked_and_starts_when_it_comes() -> None:
    stage = Stage(drawn("raw, prices, report(raw prices)", rule("raw")))
    stage.fire("raw")
    stage.ends("raw")
    assert stage.states == "raw materialized, report blocked"
    assert stage.of("report")[0].note == "waits for prices, which is not materialized"
    stage.by_hand("prices", downstream=False)
    stage.ends("prices")
    assert stage.running == ["report"]
    assert stage.of("report")[0].note == ""


def test_a_step_that_misses_two_inputs_waits_for_both() -> None:
    graph = drawn("one, two, report(one two)", rule("report"), rule("one"), rule("two"))
    stage = Stage(graph)
    stage.fire("report")
    stage.by_hand("one", downstream=False)
    stage.ends("one")
    assert stage.of("report")[0].note == "waits for two, which is not materialized"
    stage.by_hand("two", downstream=False)
    stage.ends("two")
    assert stage.running == ["report"]


def test_an_optional_input_may_be_missing() -> None:
    stage = Stage(drawn("raw, prices, report(raw prices?)", rule("raw"), rule("prices")))
    stage.fire("raw")
    stage.ends("raw", handle="raw/1")
    assert stage.running == ["report"]
    assert stage.starts[-1].upstream == {"raw": "raw/1"}


def test_a_partition_may_read_the_whole_and_waits_for_it() -> None:
    graph = drawn("prices, raw(prices)", rule("raw", partition=field.day), rule("prices"))
    stage = Stage(graph)
    stage.fire("raw", day="monday")
    assert stage.states == "raw[monday] blocked"
    stage.by_hand("prices", downstream=False)
    stage.ends("prices", handle="prices/1")
    assert stage.running == ["raw"]
    assert stage.starts[-1].upstream == {"prices": "prices/1"}


def test_events_that_come_while_a_step_is_blocked_join_it() -> None:
    stage = Stage(drawn("raw, prices, report(raw prices)", rule("raw"), rule("prices")))
    for _ in range(10):
        stage.fire("raw")
        stage.ends("raw")
    assert len(stage.of("report")) <= 2
    stage.fire("prices")
    stage.all_end()
    assert stage.started.count("report") == 1


def test_a_failure_blocks_what_is_below_it_and_nothing_else() -> None:
    stage = Stage(drawn("top, left(top), right(top), under(left), end(left right)"))
    stage.fire("top")
    stage.ends("top")
    stage.fails("left")
    stage.ends("right")
    assert stage.states == (
        "top materialized, left failed, under blocked, right materialized, end blocked"
    )
    assert stage.ends_of_runs == ["failed"]
    assert stage.of("end")[0].note == "left failed after 1 attempt"


def test_what_another_rule_wants_of_a_shared_step_goes_on() -> None:
    stage = Stage(drawn("left, right, end(left? right?)", rule("left"), rule("right")))
    stage.fire("left", "right")
    stage.fails("left")
    stage.ends("right")
    assert stage.running == ["end"]
    stage.ends("end")
    assert stage.ends_of_runs == ["failed", "succeeded"]
    ends = {step.runs: step.status.value for step in stage.of("end")}
    assert ends == {(1,): "blocked", (2,): "materialized"}


def test_after_a_check_that_failed_readers_wait_until_it_passes() -> None:
    graph = drawn("raw, clean(raw), report(clean)", rule("raw"), rule("report"))
    stage = Stage(graph)
    stage.fire("raw")
    stage.all_end()
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean", check="no_negative_amounts")
    stage.fire("report")
    assert stage.running == [], "clean was overwritten with what its check refused"
    assert stage.of("report")[-1].status is StepStatus.BLOCKED
    stage.by_hand("clean", downstream=False)
    stage.ends("clean")
    assert stage.running == ["report"]


def test_readers_wait_already_while_a_failed_check_is_tried_again() -> None:
    graph = drawn(
        "raw, report(raw)", rule("raw"), rule("report"), raw={"retry": Retry(1, jitter=0)}
    )
    stage = Stage(graph)
    stage.fire("raw")
    stage.all_end()
    stage.fire("raw")
    stage.fails("raw", check="c")
    stage.fire("report")
    assert stage.running == []
    stage.passes("1s")
    stage.ends("raw")
    assert stage.running == ["report"]


def test_a_versioned_asset_keeps_its_last_version_when_a_check_fails() -> None:
    graph = drawn("raw, report(raw)", rule("raw"), rule("report"), raw={"versioned": True})
    stage = Stage(graph)
    stage.fire("raw")
    stage.ends("raw", handle="raw/1")
    stage.ends("report")
    stage.fire("raw")
    stage.fails("raw", check="c")
    stage.fire("report")
    assert stage.starts[-1].upstream == {"raw": "raw/1"}


def test_a_failure_of_another_kind_leaves_what_was_there() -> None:
    stage = Stage(drawn("raw, report(raw)", rule("raw"), rule("report")))
    stage.fire("raw")
    stage.all_end()
    stage.fire("raw")
    stage.fails("raw")
    stage.fire("report")
    assert stage.running == ["report"]


def test_after_a_failure_the_next_event_tries_anew() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.fails("raw")
    stage.fire("raw")
    stage.all_end()
    assert stage.ends_of_runs == ["failed", "succeeded"]


def test_a_step_whose_inputs_are_those_of_its_last_success_does_not_run() -> None:
    graph = drawn("raw, clean(raw), report(clean)", rule("raw"), rule("clean"))
    stage = Stage(graph)
    stage.fire("raw")
    stage.all_end()
    stage.fire("raw")
    stage.ends("raw", version="1")
    stage.all_end()
    stage.fire("raw")
    stage.ends("raw", version="1")
    assert stage.running == []
    assert [step.status.value for step in stage.steps[-3:]] == ["unchanged"] * 3
    assert stage.of("clean")[-1].note == "its inputs are those of its last success"
    assert stage.of("raw")[-1].note == "version 1 as before"
    assert stage.ends_of_runs == ["succeeded"] * 3


def test_an_equal_version_stops_the_cascade_unless_another_input_changed() -> None:
    stage = Stage(drawn("left, right, end(left right)", rule("left", "right")))
    stage.fire("left")
    stage.ends("left", "right", version="1")
    stage.ends("end")
    stage.fire("left")
    stage.ends("left", version="1")
    stage.ends("right", version="2")
    assert stage.running == ["end"]


def test_an_equal_version_keeps_the_data_and_renews_the_handle() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.ends("raw", version="1", handle="a")
    stage.fire("raw")
    stage.ends("raw", version="1", handle="b")
    stage.fire("raw")
    assert stage.starts[-1].previous == "b"


def test_a_root_runs_although_its_inputs_are_as_before() -> None:
    stage = Stage(drawn("raw, clean(raw)", rule("raw"), rule("clean")))
    stage.fire("raw")
    stage.all_end()
    stage.fire("clean")
    assert stage.running == ["clean"]


def test_what_does_not_follow_is_not_launched_from_above() -> None:
    graph = drawn("raw, clean(raw), report(clean)", clean={"follow": False})
    stage = Stage(graph)
    stage.fire("raw")
    stage.all_end()
    assert stage.started == ["raw"]


def test_steps_of_removed_assets_are_cancelled_on_load() -> None:
    stage = Stage(drawn("raw, clean(raw), report(clean)"))
    stage.fire("raw")
    stage.restart(drawn("raw, report(raw)"))
    stage.all_end()
    assert stage.states == "raw materialized, clean cancelled, report materialized"
    assert stage.of("clean")[0].note == "removed from the pipeline"
    assert stage.ends_of_runs == ["cancelled"]


def test_a_running_step_of_a_removed_asset_ends_cancelled() -> None:
    stage = Stage(drawn("raw, other"))
    stage.fire("raw")
    stage.restart(drawn("other"))
    assert stage.states == "raw cancelled"
    assert stage.running == []


def test_a_run_that_has_not_begun_is_planned_again_on_a_changed_graph() -> None:
    stage = Stage(drawn("raw, clean(raw), gone(raw)"), slots=0)
    stage.fire("raw")
    stage.fire("raw")
    stage.slots = 64
    stage.restart(drawn("raw, clean(raw), report(clean)"))
    stage.all_end()
    assert stage.started == ["raw", "clean", "report"]
    assert list(at(stage.starts[0])) == [1, 2], "with all its causes"
    assert stage.ends_of_runs == ["superseded", "succeeded"]
    assert stage.steps[0].note == "planned again on a changed pipeline"
    assert stage.runs[1].works[0].because == "because raw saw e1"


def test_a_run_that_has_begun_goes_on_as_it_was_planned() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.ends("raw")
    stage.restart(drawn("raw, clean(raw), report(clean)"))
    stage.all_end()
    assert stage.ends_of_runs == ["succeeded"]
    assert "report" not in stage.started


def test_events_do_not_join_a_run_that_goes_on_on_another_graph() -> None:
    stage = Stage(drawn("raw"))
    stage.fire("raw")
    stage.restart(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.all_end()
    assert stage.started == ["raw", "raw", "raw", "clean"]


def test_an_unchanged_graph_plans_nothing_again() -> None:
    stage = Stage(drawn("raw, clean(raw)"), slots=0)
    stage.fire("raw")
    stage.restart(drawn("raw, clean(raw)"))
    assert stage.ends_of_runs == ["running"]


def test_a_launch_by_hand_without_what_follows_stays_one() -> None:
    stage = Stage(drawn("raw, clean(raw)"), slots=0)
    stage.by_hand("raw", downstream=False)
    stage.slots = 64
    stage.restart(drawn("raw, clean(raw), report(clean)"))
    stage.all_end()
    assert stage.started == ["raw"]
