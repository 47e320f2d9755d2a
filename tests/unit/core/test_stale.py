"""What is out of date and why; what is done about it after a restart, and when it is asked for."""

from __future__ import annotations

from typing import Any

from reactor.core.asset import Asset, Upstream
from reactor.core.decision import Decision, Restarted
from reactor.core.graph import Graph
from reactor.core.mapping import All, Keys, Rollup, Same
from reactor.core.partition import Dynamic, Partitions, Static
from reactor.core.stale import given_up, stale
from reactor.core.window import Daily, Hourly
from tests.unit.core.stage import Stage, drawn

REGIONS = Static("eu", "us")
DAYS, HOURS = Daily("2026-01-01"), Hourly("2026-01-01")
CHAIN = "raw, clean(raw), report(clean)"


def divided(*assets: tuple[str, Partitions | None, dict[str, Any]]) -> Graph:
    """Assets with their partitions, and their upstreams with mappings (None: what follows)."""
    made = [
        Asset(
            name,
            tuple(Upstream(each, mapping=mapping) for each, mapping in above.items()),
            partitions=partitions,
        )
        for name, partitions, above in assets
    ]
    return Graph.of("divided", made, [])


def told(stage: Stage) -> list[str]:
    """All that is out of date, as `asset[partition]: why`; `-` before what is so by an upstream."""
    found = stale(stage.graph, stage.reactor.state)
    assert found == stage.reactor.stale()
    return [f"{'' if each.root else '- '}{each.called}: {each.why}" for each in found]


def alone(stage: Stage, asset: str, partition: str | None = None, **outcome: Any) -> None:
    """Makes one asset partition, and nothing that follows from it."""
    stage.by_hand(asset, partition=partition, downstream=False)
    stage.ends(asset, **outcome)


def back(stage: Stage, graph: Graph | None = None) -> Decision:
    """The process dies and another one comes up, which is told what its store knows."""
    stage.graph = graph or stage.graph
    stage.reactor = stage.loaded()
    stage.going = {}
    return stage.receive(Restarted(catch_up=True, left=given_up(stage.steps)))


def built(drawing: str, **of: Any) -> Stage:
    """A stage on which everything was made once."""
    stage = Stage(drawn(drawing, **of))
    stage.by_hand(*stage.graph.assets)
    stage.all_end()
    stage.started.clear()
    return stage


def test_what_was_made_of_what_is_there_is_not_out_of_date() -> None:
    assert told(built(CHAIN)) == []


def test_a_change_that_nobody_followed_makes_its_readers_out_of_date_and_theirs() -> None:
    stage = built(CHAIN)
    alone(stage, "raw")
    assert told(stage) == [
        "clean: raw changed after it (step 4)",
        "- report: clean is out of date",
    ]


def test_what_was_never_made_is_missing_and_not_out_of_date() -> None:
    stage = Stage(drawn(CHAIN))
    alone(stage, "raw")
    assert told(stage) == []


def test_an_equal_version_makes_nothing_out_of_date() -> None:
    stage = Stage(drawn(CHAIN))
    stage.by_hand("raw")
    stage.ends("raw", version="1")
    stage.all_end()
    alone(stage, "raw", version="1")
    assert told(stage) == []


def test_an_asset_without_upstreams_is_never_out_of_date() -> None:
    stage = built("raw, clean(raw)")
    stage.restart(drawn("raw, clean"))
    assert told(stage) == []


def test_a_new_upstream_that_is_there_is_a_reason() -> None:
    stage = built("raw, prices, clean(raw)")
    stage.restart(drawn("raw, prices, clean(raw prices)"))
    assert told(stage) == ["clean: it reads prices now"]


def test_a_new_upstream_that_nobody_ever_made_is_none() -> None:
    stage = built("raw, clean(raw)")
    stage.restart(drawn("raw, prices, clean(raw prices)"))
    assert told(stage) == []


def test_an_upstream_that_is_not_read_any_more_is_a_reason() -> None:
    stage = built("raw, prices, clean(raw prices)")
    stage.restart(drawn("raw, prices, clean(raw)"))
    assert told(stage) == ["clean: it does not read prices any more"]


def test_an_optional_upstream_that_came_into_being_is_a_reason() -> None:
    stage = Stage(drawn("raw, prices, clean(raw prices?)"))
    alone(stage, "raw")
    alone(stage, "clean")
    stage.passes("1m")
    alone(stage, "prices")
    assert told(stage) == ["clean: prices was made after it (step 3)"]


def test_what_reads_what_is_no_good_any_more_cannot_be_brought_up_to_date() -> None:
    stage = built(CHAIN)
    stage.by_hand("raw", downstream=False)
    stage.fails("raw", check="no_negative_amounts")
    assert told(stage) == ["- clean: raw is not there", "- report: clean is out of date"]


def test_what_does_not_follow_is_shown_as_any_other() -> None:
    stage = built(CHAIN, clean={"follow": False})
    alone(stage, "raw")
    assert told(stage)[0] == "clean: raw changed after it (step 4)"


def test_of_partitions_those_are_out_of_date_that_a_change_leads_to() -> None:
    stage = Stage(divided(("raw", REGIONS, {}), ("clean", REGIONS, {"raw": None})))
    for key in ("eu", "us"):
        stage.by_hand("raw", partition=key)
        stage.all_end()
    alone(stage, "raw", "us")
    assert told(stage) == ["clean[us]: raw[us] changed after it (step 5)"]


def test_of_many_partitions_that_are_read_those_that_changed_are_named() -> None:
    stage = Stage(divided(("hour", HOURS, {}), ("day", DAYS, {"hour": Rollup()})))
    for hour in range(4):
        stage.by_hand("hour", partition=f"2026-01-05T0{hour}")
    stage.all_end()
    alone(stage, "hour", "2026-01-05T01")
    alone(stage, "hour", "2026-01-05T07")
    assert told(stage) == [
        "day[2026-01-05]: hour[2026-01-05T01] and hour[2026-01-05T07] changed after it"
    ]


def test_keys_that_changed_make_their_own_partitions_out_of_date() -> None:
    graph = divided(("raw", None, {}), ("clean", Dynamic("customer"), {"raw": Keys()}))
    stage = Stage(graph)
    stage.by_hand("raw")
    stage.ends("raw", changed=("ann", "bob"))
    stage.all_end()
    alone(stage, "raw", changed=("bob",))
    assert told(stage) == ["clean[bob]: bob of raw changed after it (step 4)"]


def test_a_mapping_that_reads_otherwise_is_a_reason() -> None:
    stage = Stage(divided(("raw", REGIONS, {}), ("clean", REGIONS, {"raw": None})))
    stage.by_hand("raw", partition="eu")
    stage.all_end()
    stage.restart(divided(("raw", REGIONS, {}), ("clean", REGIONS, {"raw": All()})))
    assert told(stage) == ["clean[eu]: it reads raw[*] now, and read raw[eu]"]


def test_what_is_no_partition_any_more_is_not_looked_at() -> None:
    stage = Stage(divided(("raw", REGIONS, {}), ("clean", REGIONS, {"raw": None})))
    stage.by_hand("raw", partition="us")
    stage.all_end()
    alone(stage, "raw", "us")
    only = Static("eu")
    stage.restart(divided(("raw", REGIONS, {}), ("clean", only, {"raw": Same()})))
    assert told(stage) == []


def test_a_restart_brings_up_to_date_what_a_new_edge_made_stale_once() -> None:
    stage = built("raw, prices, clean(raw), report(clean), other(raw)")
    changed = drawn("raw, prices, clean(raw prices), report(clean), other(raw)")
    back(stage, changed)
    assert stage.running == ["clean"]
    [run] = [run for run in stage.runs if run.rule == "catch up"]
    assert [f"{work.asset} {work.because}" for work in run.works] == [
        "clean because it was out of date: it reads prices now",
        "report because clean changes",
    ]
    stage.all_end()
    assert stage.started == ["clean", "report"]
    back(stage)
    assert stage.running == []
    assert told(stage) == []


def test_many_things_that_are_out_of_date_are_one_run() -> None:
    stage = built("raw, prices, a(raw), b(raw), c(a b)")
    back(stage, drawn("raw, prices, a(raw prices), b(raw prices), c(a b)"))
    [run] = [run for run in stage.runs if run.rule == "catch up"]
    assert run.because == "because 2 asset partitions were out of date at the start"
    stage.all_end()
    assert stage.started == ["a", "b", "c"]


def test_a_restart_dies_and_the_next_one_does_the_rest() -> None:
    stage = built("raw, prices, clean(raw), report(clean)")
    changed = drawn("raw, prices, clean(raw prices), report(clean)")
    back(stage, changed)
    back(stage)
    assert stage.running == ["clean"]
    stage.ends("clean")
    back(stage)
    stage.all_end()
    assert stage.started == ["clean", "clean", "report", "report"]
    assert [step.status for step in stage.of("clean")][1:] == ["materialized"]
    assert [step.status for step in stage.of("report")][1:] == ["materialized"]


def test_what_waits_in_a_run_already_is_left_to_it() -> None:
    stage = built(CHAIN)
    stage.fire("raw")
    stage.ends("raw")
    back(stage)
    assert [run.rule for run in stage.runs] == ["by hand", "raw"]
    assert stage.running == ["clean"]


def test_what_an_operator_cancelled_is_not_run_again_by_a_restart() -> None:
    stage = built(CHAIN)
    stage.fire("raw")
    stage.ends("raw")
    stage.cancel(2)
    stage.stopped("clean")
    back(stage)
    assert stage.running == []
    assert told(stage)[0] == "clean: raw changed after it (step 4)"


def test_a_failed_run_waits_for_its_resume_and_so_does_what_reads_what_failed() -> None:
    stage = built("raw, clean(raw), report(raw clean)")
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    back(stage)
    assert stage.running == []
    assert [line.partition(":")[0] for line in told(stage)] == ["clean", "report"]
    stage.resume(2)
    stage.all_end()
    assert stage.started[-2:] == ["clean", "report"]


def test_what_failed_and_is_forgotten_by_the_store_is_known_by_its_alert() -> None:
    stage = built(CHAIN)
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    stage.reactor = stage.loaded()
    stage.receive(Restarted(catch_up=True))
    assert stage.running == []


def test_what_does_not_follow_is_not_brought_up_to_date_by_itself() -> None:
    stage = built("raw, own(raw), report(own raw)", own={"follow": False})
    alone(stage, "raw")
    back(stage)
    assert stage.running == ["report"]


def test_what_was_cancelled_because_it_left_the_pipeline_is_caught_up_with_when_it_is_back() -> (
    None
):
    stage = built(CHAIN)
    stage.fire("raw")
    back(stage, drawn("raw"))
    stage.all_end()
    back(stage, drawn(CHAIN))
    stage.all_end()
    assert stage.started[-2:] == ["clean", "report"]


def test_a_catch_up_whose_reason_went_away_again_does_nothing() -> None:
    before, after = "raw, prices, clean(raw)", "raw, prices, clean(raw prices)"
    stage = built(before)
    stage.pause("asset", "clean")
    back(stage, drawn(after))
    back(stage, drawn(before))
    stage.unpause("asset", "clean")
    assert stage.running == []
    assert [run.status for run in stage.runs] == ["succeeded", "superseded"]


def test_a_restart_catches_up_only_if_it_is_told_to() -> None:
    stage = built("raw, prices, clean(raw)")
    stage.restart(drawn("raw, prices, clean(raw prices)"))
    assert stage.running == []


def test_an_operator_gets_all_that_is_out_of_date_or_only_some_assets() -> None:
    stage = built("raw, a(raw), b(raw), c(a)")
    alone(stage, "raw")
    stage.by_hand("b", "c", stale=True)
    assert stage.running == ["b"], "c waits for a, which was not asked for"
    stage.all_end()
    stage.by_hand(stale=True)
    assert stage.running == ["a"]
    stage.all_end()
    assert stage.started[1:] == ["b", "a", "c"]
    assert told(stage) == []


def test_an_operator_gets_what_failed_and_what_does_not_follow_too() -> None:
    stage = built("raw, own(raw), clean(raw)", own={"follow": False})
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    stage.by_hand(stale=True)
    assert sorted(stage.running) == ["clean", "own"]


def test_what_is_out_of_date_and_on_its_way_is_not_launched_again() -> None:
    stage = built(CHAIN)
    stage.fire("raw")
    stage.ends("raw")
    assert stage.running == ["clean"]
    stage.by_hand(stale=True)
    assert len(stage.runs) == 2


def test_partitions_that_were_never_made_are_asked_for() -> None:
    stage = Stage(
        divided(("raw", DAYS, {}), ("total", None, {"raw": None}), ("c", Dynamic("c"), {}))
    )
    stage.passes("49h")
    stage.by_hand("raw", partition="2026-01-02")
    stage.all_end()
    stage.by_hand("raw", "total", "c", missing=True, downstream=False)
    assert sorted(start.partition or "" for start in stage.running_starts()) == [
        "2026-01-01",
        "2026-01-03",
    ]
    assert stage.runs[-1].works[0].because == "because it was never made"


def test_a_step_that_was_lost_for_good_is_not_caught_up_with() -> None:
    stage = built("raw, prices, clean(raw)")
    back(stage, drawn("raw, prices, clean(raw prices)"))
    for _ in range(3):
        assert stage.running == ["clean"]
        back(stage)
    assert stage.running == []
    assert stage.of("clean")[-1].status == "failed"
    back(stage)
    assert stage.running == []
