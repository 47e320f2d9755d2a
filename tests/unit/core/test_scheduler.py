"""What starts and what waits, told as short stories."""

from __future__ import annotations

from reactor.core.field import field
from tests.unit.core.stage import Stage, at, drawn, rule


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


def test_a_step_is_told_why_its_runs_are() -> None:
    stage = Stage(drawn("raw, clean(raw)"))
    stage.fire("raw")
    stage.ends("raw")
    assert [start.because for start in stage.starts] == ["raw saw e1", "raw saw e1"]
