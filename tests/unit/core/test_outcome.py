"""What becomes of a step, and of what waits for it, when its attempt ends."""

from __future__ import annotations

from datetime import timedelta

from reactor.core.asset import Retry
from reactor.core.decision import Ending, Finished
from reactor.core.outcome import TIMED_OUT
from reactor.core.run import StepStatus
from tests.unit.core.stage import Stage, drawn, rule, seconds

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


def test_a_cancel_stands_above_a_timeout() -> None:
    options = {"timeout": MINUTE, "retry": Retry(5)}
    stage = Stage(drawn("raw", raw=options))
    stage.fire("raw")
    stage.passes(MINUTE)
    stage.cancel(1)
    assert len(stage.stops) == 1, "it is being stopped already"
    stage.stopped("raw")
    assert stage.states == "raw cancelled"
