"""A backfill brings a range of partitions up to date as one thing, behind all that is live."""

from __future__ import annotations

from reactor.core.asset import Asset, Upstream
from reactor.core.decision import Ending, Finished, StartBackfill
from reactor.core.field import field
from reactor.core.graph import Graph
from reactor.core.mapping import Rollup
from reactor.core.window import Daily, Monthly
from tests.unit.core.filling import Filling
from tests.unit.core.stage import drawn, rule

DAYS = ("d1", "d2", "d3", "d4", "d5")


def shop(more: str = "") -> Graph:
    """`raw`, which its feed launches for the day of an event, and `clean` that follows."""
    return drawn(f"raw, clean(raw){more}", rule("raw", partition=field.part))


def daily(slots: int = 64) -> Filling:
    return Filling(shop(), slots)


def test_so_many_run_at_once_and_each_end_makes_room_for_the_next() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=2, downstream=False)
    assert stage.told_of(1) == "running 0/5, 2 running"
    assert stage.partitions == ["d1", "d2"]
    stage.ends("raw")
    assert stage.partitions == ["d2", "d3"]
    assert stage.told_of(1) == "running 1/5, 2 running"
    stage.all_end()
    assert stage.told_of(1) == "succeeded 5/5"
    assert stage.launched(1) == list(DAYS)
    assert stage.started == ["raw"] * 5


def test_what_follows_runs_as_well_unless_it_is_not_wanted() -> None:
    stage = daily()
    stage.fill("raw", "d1", "d2")
    stage.all_end()
    assert sorted(stage.started) == ["clean", "clean", "raw", "raw"]
    stage.fill("raw", "d1", downstream=False)
    stage.all_end()
    assert stage.started[4:] == ["raw"]


def test_a_run_of_it_says_which_backfill_it_is_for() -> None:
    stage = daily()
    stage.fill("raw", "d1")
    (run,) = stage.of_backfill(1)
    assert (run.rule, run.partition) == ("backfill 1", "d1")
    assert run.works[0].because == "because backfill 1 covers d1"
    assert stage.starts[0].because == "backfill 1 covers d1"


def test_a_failure_is_named_and_the_others_go_on() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=1)
    stage.ends("raw")
    stage.ends("clean")
    stage.fails("raw")
    assert stage.told_of(1) == "running 2/5, 1 running, failed d2"
    stage.all_end()
    assert stage.told_of(1) == "failed 5/5, failed d2"
    assert stage.backfill(1).finished == stage.now


def test_whoever_owns_it_is_told_once_when_something_fails_and_once_when_it_is_over() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=1)
    stage.fails("raw")
    stage.fails("raw")
    assert stage.told == ["backfill 1: raw[d1] failed after 1 attempt; 1 asset waits for it"]
    stage.all_end()
    assert stage.told[1:] == ["backfill 1 is over: 2 of 5 partitions failed: d1 and d2"]


def test_what_fails_for_a_live_event_as_well_is_told_as_ever() -> None:
    stage = daily(slots=1)
    stage.fill("raw", "d1", "d2", limit=2, downstream=False)
    stage.fire("raw", part="d2")
    stage.ends("raw")
    stage.fails("raw")
    assert stage.told == ["raw[d2] failed after 1 attempt; 1 asset waits for it"]


def test_a_paused_one_lets_what_runs_go_on_and_starts_nothing() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=2, downstream=False)
    stage.set(1, "pause")
    stage.all_end()
    assert stage.told_of(1) == "paused 2/5"
    stage.set(1, "resume")
    assert stage.partitions == ["d3", "d4"]
    stage.all_end()
    assert stage.told_of(1) == "succeeded 5/5"


def test_one_that_was_paused_at_its_last_partition_still_ends() -> None:
    stage = daily()
    stage.fill("raw", "d1", downstream=False)
    stage.set(1, "pause")
    stage.all_end()
    assert stage.told_of(1) == "succeeded 1/1"


def test_a_cancelled_one_stops_what_runs_and_ends_when_that_has_stopped() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=2)
    stage.set(1, "cancel")
    assert [stop.reason for stop in stage.stops] == ["its backfill was cancelled"] * 2
    assert stage.told_of(1) == "cancelled 0/5, 2 running"
    assert stage.backfill(1).finished is None
    stage.stopped("raw")
    stage.stopped("raw")
    assert stage.told_of(1) == "cancelled 2/5, failed d1 d2"
    assert stage.backfill(1).finished is not None
    assert stage.ends_of_runs == ["cancelled", "cancelled"]
    stage.set(1, "resume")
    stage.all_end()
    assert stage.launched(1) == ["d1", "d2"]


def test_what_an_ended_one_did_not_do_is_done_when_it_is_tried_again() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=1, downstream=False)
    stage.ends("raw")
    stage.fails("raw")
    stage.fails("raw")
    stage.set(1, "cancel")
    stage.stopped("raw")
    assert stage.told_of(1) == "cancelled 4/5, failed d2 d3 d4"
    stage.retry(1)
    assert stage.told_of(1) == "running 1/5, 1 running"
    stage.all_end()
    assert stage.told_of(1) == "succeeded 5/5"
    assert stage.launched(1)[4:] == ["d2", "d3", "d4", "d5"]
    stage.retry(1)
    assert stage.told_of(1) == "succeeded 5/5"


def test_a_run_of_it_that_is_resumed_counts_anew() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=1, downstream=False)
    stage.fails("raw")
    assert stage.told_of(1) == "running 1/5, 1 running, failed d1"
    stage.resume(1)
    assert stage.told_of(1) == "running 0/5, 2 running"
    stage.restart()
    stage.all_end()
    assert stage.told_of(1) == "succeeded 5/5"


def test_a_run_of_it_that_an_operator_cancels_has_failed() -> None:
    stage = daily()
    stage.fill("raw", "d1", "d2", downstream=False)
    stage.cancel(1)
    stage.stopped("raw")
    stage.all_end()
    assert stage.told_of(1) == "failed 2/2, failed d1"


def test_a_live_event_goes_first_however_long_the_backfill_waited() -> None:
    stage = daily(slots=1)
    stage.fill("raw", "d1", "d2", "d3", limit=3, downstream=False)
    stage.passes("1h")
    stage.fire("raw", part="d5")
    stage.ends("raw")
    assert stage.partitions == ["d5"]
    stage.ends("raw")
    assert stage.running == ["clean"]
    stage.ends("clean")
    assert stage.partitions == ["d2"]


def test_a_partition_that_waits_for_both_is_done_once_and_goes_first() -> None:
    stage = daily(slots=1)
    stage.fill("raw", "d1", "d2", "d3", limit=3, downstream=False)
    stage.fire("raw", part="d3")
    stage.ends("raw")
    assert stage.partitions == ["d3"]
    assert stage.starts[-1].events == ((1, 1),)
    stage.all_end()
    assert stage.told_of(1) == "succeeded 3/3"
    assert [start.partition for start in stage.starts if start.asset == "raw"] == ["d1", "d3", "d2"]


def test_an_event_of_a_partition_that_comes_later_is_done_now_and_again_in_its_turn() -> None:
    stage = daily()
    stage.fill("raw", "d1", "d2", limit=1, downstream=False)
    stage.fire("raw", part="d2")
    assert stage.partitions == ["d1", "d2"]
    stage.all_end()
    assert [start.partition for start in stage.starts if start.asset == "raw"] == ["d1", "d2", "d2"]
    assert stage.told_of(1) == "succeeded 2/2"


def test_it_goes_on_after_a_restart_with_what_was_running() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=2, downstream=False)
    stage.ends("raw")
    stage.restart()
    assert stage.partitions == ["d2", "d3"]
    stage.all_end()
    assert stage.told_of(1) == "succeeded 5/5"
    assert stage.launched(1) == list(DAYS)


def test_runs_that_are_planned_again_on_a_changed_pipeline_are_still_its_own() -> None:
    stage = daily(slots=1)
    stage.fill("raw", *DAYS, limit=3, downstream=False)
    stage.restart(shop(", new(clean)"))
    assert stage.told_of(1) == "running 0/5, 3 running"
    stage.all_end()
    assert stage.told_of(1) == "succeeded 5/5"
    assert stage.started.count("clean") == stage.started.count("new") == 0
    assert stage.ends_of_runs.count("superseded") == 2


def test_partitions_that_the_pipeline_does_not_have_any_more_have_failed() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=2)
    stage.restart(drawn("other", rule("other")))
    stage.all_end()
    assert stage.told_of(1) == "failed 5/5, failed d1 d2 d3 d4 d5"


def test_the_same_token_is_one_backfill_and_a_key_named_twice_is_one_partition() -> None:
    stage = daily()
    for _ in range(2):
        stage.fill("raw", "d1", "d2", "d1", token="abc")
    stage.receive(StartBackfill((), ("d1",)), StartBackfill(("raw",), ()))
    assert stage.told_of(1) == "running 0/2, 2 running"
    assert stage.reactor.state.get("counter", "backfill") == 1  # type: ignore[arg-type]


def test_a_decision_about_one_that_could_not_be_recorded_leaves_no_trace() -> None:
    stage = daily()
    stage.fill("raw", *DAYS, limit=2, downstream=False)
    start = stage.going["raw"][0]
    outcome = Finished(start.step, start.number, Ending.SUCCEEDED)
    stage.reactor.undo(stage.reactor.receive([outcome], stage.now))
    stage.ends("raw")
    assert stage.told_of(1) == "running 1/5, 2 running"
    assert stage.partitions == ["d2", "d3"]


def test_a_partition_whose_input_nobody_makes_has_failed_and_takes_no_place() -> None:
    stage = daily()
    stage.fill("raw", "d2", downstream=False)
    stage.all_end()
    stage.fill("clean", "d1", "d2", limit=1)
    assert stage.partitions == ["d2"]
    stage.all_end()
    assert stage.told_of(2) == "failed 2/2, failed d1"
    assert stage.of("clean")[0].note == "clean waits for raw, which is not materialized"


def test_what_waits_for_other_partitions_of_its_backfill_stands_aside_until_they_are_made() -> None:
    days, whole = Daily("2026-01-01"), Upstream("raw", mapping=Rollup(complete=True))
    graph = Graph.of(
        "shop",
        [
            Asset("raw", partitions=days),
            Asset("monthly", (whole,), partitions=Monthly("2026-01")),
        ],
        [],
    )
    stage = Filling(graph)
    keys = days.between("2026-01-01", "2026-02-03")
    stage.fill("raw", *keys, limit=2)
    while stage.going:
        assert len(stage.running) <= 2
        stage.reactor = stage.loaded()
        stage.ends(next(iter(stage.going)))
    assert stage.launched(1) == list(keys)
    assert [s.partition for s in stage.starts if s.asset == "monthly"] == ["2026-01"]
    # The rest of February was not asked for: that month is not complete.
    assert stage.told_of(1) == "succeeded 34/34"


def test_its_steps_take_no_more_slots_than_its_limit_however_wide_it_is() -> None:
    stage = Filling(drawn("raw, a(raw), b(raw), c(raw)", rule("raw", partition=field.part)))
    stage.fill("raw", *DAYS, limit=2)
    stage.ends("raw")
    assert [(s.asset, s.partition) for s in stage.running_starts()] == [("raw", "d2"), ("a", "d1")]
    stage.fire("raw", part="d9")
    stage.ends("raw")
    assert len(stage.running) == 3
    while stage.going:
        stage.ends(next(iter(stage.going)))
        wanted = [set(stage.step(start.step).runs) for start in stage.running_starts()]
        ours = {run.id for run in stage.of_backfill(1)}
        assert sum(runs <= ours for runs in wanted) <= 2
    assert stage.told_of(1) == "succeeded 5/5"


def test_days_that_are_launched_together_make_their_month_once() -> None:
    days = Daily("2026-01-01")
    graph = Graph.of(
        "shop",
        [
            Asset("raw", partitions=days),
            Asset("monthly", (Upstream("raw"),), partitions=Monthly("2026-01")),
        ],
        [],
    )
    stage = Filling(graph)
    keys = days.between("2026-01-01", "2026-02-02")
    stage.fill("raw", *keys, limit=100)
    stage.all_end()
    assert stage.told_of(1) == "succeeded 33/33"
    assert [s.partition for s in stage.starts if s.asset == "monthly"] == ["2026-01", "2026-02"]
