"""Partitions through edges: which ones a change reaches, what each step reads and waits for."""

from __future__ import annotations

from typing import Any

import pytest

from reactor.core.asset import Asset, Rule, Upstream
from reactor.core.decision import Materialize
from reactor.core.field import field, path_of
from reactor.core.graph import Graph
from reactor.core.joining import GATHERED
from reactor.core.mapping import All, Keys, Mapped, Offset, Rollup, resolve
from reactor.core.partition import Dynamic, Partitions, Static
from reactor.core.window import Daily, Hourly
from tests.unit.core.stage import Stage
from tests.unit.core.tap import Tap

DAYS = Daily("2026-01-01")
HOURS = Hourly("2026-01-01")
REGIONS = Static("eu", "us", "asia")
CUSTOMERS = Dynamic("customer")


def shaped(*assets: tuple[str, Partitions | None, dict[str, Any]]) -> Stage:
    """A chain or a tree: each asset with its partitions, and its upstreams with their mappings.

    The first is launched by a tap of its name, for the partition that `key` names.
    """
    known = {name: partitions for name, partitions, _ in assets}
    made: list[Asset] = []
    for name, partitions, above in assets:
        ups: list[Upstream] = []
        for each, chosen in above.items():
            found = resolve(known[each], partitions, chosen)
            assert not hasattr(found, "what"), found
            ups.append(Upstream(each, mapping=found))  # type: ignore[arg-type]
        made.append(Asset(name, tuple(ups), partitions=partitions))
    first = made[0].name
    key = path_of(field.key) if made[0].partitions is not None else None
    return Stage(Graph.of("shaped", made, [Rule(first, Tap(first), (first,), key)]))


def done(stage: Stage, **changed: Any) -> list[tuple[str, str | None]]:
    """Plays to the end; answers what was started meanwhile. `changed` is by asset."""
    since = len(stage.starts)
    while stage.going:
        asset = next(iter(stage.going))
        about: dict[str, Any] = {"changed": tuple(changed[asset])} if asset in changed else {}
        start = stage.going[asset][0]
        stage.ends(asset, handle=f"{asset}/{start.partition or ''}", **about)
    return [(start.asset, start.partition) for start in stage.starts[since:]]


def started(stage: Stage, asset: str) -> Any:
    """The last start of an asset."""
    return [start for start in stage.starts if start.asset == asset][-1]


def test_a_partition_leads_to_the_same_partition_below() -> None:
    stage = shaped(("raw", DAYS, {}), ("clean", DAYS, {"raw": None}))
    stage.fire("raw", key="2026-01-05")
    assert stage.running == ["raw"]
    done(stage)
    stage.fire("raw", key="2026-01-06")
    stage.fire("raw", key="2026-01-05")
    assert sorted(stage.running) == ["raw", "raw"], "partitions do not wait for each other"
    assert sorted(done(stage)) == [("clean", "2026-01-05"), ("clean", "2026-01-06")]
    assert started(stage, "clean").upstream["raw"] in ("raw/2026-01-05", "raw/2026-01-06")


def test_a_burst_for_one_partition_is_one_step() -> None:
    stage = shaped(("raw", DAYS, {}))
    stage.fire("raw", key="2026-01-05")
    for _ in range(5):
        stage.fire("raw", key="2026-01-05")
    assert done(stage) == [("raw", "2026-01-05")]
    assert len(stage.of("raw")) == 2


def test_hours_roll_up_into_their_day_which_gets_all_that_are_there() -> None:
    stage = shaped(("hour", HOURS, {}), ("day", DAYS, {"hour": None}))
    stage.fire("hour", key="2026-01-05T03")
    done(stage)
    stage.fire("hour", key="2026-01-05T07")
    assert done(stage) == [("day", "2026-01-05")]
    start = started(stage, "day")
    assert start.upstream == {
        "hour": {"2026-01-05T03": "hour/2026-01-05T03", "2026-01-05T07": "hour/2026-01-05T07"}
    }
    assert start.changed == {"hour": ("2026-01-05T07",)}


def test_hours_that_change_together_are_one_step_of_their_day() -> None:
    stage = shaped(("hour", HOURS, {}), ("day", DAYS, {"hour": None}))
    for hour in range(6):
        stage.fire("hour", key=f"2026-01-05T{hour:02}")
    stage.fire("hour", key="2026-01-06T00")
    assert len(stage.running) == 7
    assert sorted(done(stage)) == [("day", "2026-01-05"), ("day", "2026-01-06")]


def test_a_day_that_wants_all_its_hours_waits_for_them() -> None:
    stage = shaped(("hour", HOURS, {}), ("day", DAYS, {"hour": Rollup(complete=True)}))
    for hour in range(23):
        stage.fire("hour", key=f"2026-01-05T{hour:02}")
    done(stage)
    assert {step.status for step in stage.of("day")} == {"blocked"}
    stage.fire("hour", key="2026-01-05T23")
    assert done(stage) == [("day", "2026-01-05")]


def test_yesterday_is_read_where_there_is_one() -> None:
    stage = shaped(("raw", DAYS, {}), ("diff", DAYS, {"raw": Offset(-1)}))
    stage.fire("raw", key="2026-01-05")
    assert done(stage) == [("diff", "2026-01-06")]
    assert started(stage, "diff").upstream == {"raw": "raw/2026-01-05"}


def test_what_nothing_comes_before_reads_nothing_and_runs() -> None:
    stage = shaped(
        ("raw", DAYS, {}),
        ("diff", DAYS, {"raw": Offset(-1)}),
        ("mean", DAYS, {"raw": Offset(-3, -1)}),
    )
    stage.receive(Materialize(("diff", "mean"), "2026-01-01", downstream=False))
    assert [start.upstream for start in stage.starts] == [{"raw": None}, {"raw": {}}]


def test_an_asset_without_partitions_reads_all_of_them() -> None:
    stage = shaped(("raw", REGIONS, {}), ("total", None, {"raw": None}))
    stage.fire("raw", key="eu")
    assert done(stage) == [("total", None)]
    stage.fire("raw", key="us")
    assert done(stage) == [("total", None)]
    assert started(stage, "total").upstream == {"raw": {"eu": "raw/eu", "us": "raw/us"}}
    assert started(stage, "total").changed == {"raw": ("us",)}


def test_a_reader_of_all_waits_for_any_writer_and_a_writer_for_it() -> None:
    stage = shaped(("raw", REGIONS, {}), ("total", None, {"raw": None}))
    stage.fire("raw", key="eu")
    stage.fire("raw", key="us")
    stage.ends("raw")
    assert stage.running == ["raw"], "one of what it reads is still being written"
    stage.ends("raw")
    assert stage.running == ["total"]
    stage.fire("raw", key="asia")
    assert stage.running == ["total"], "what is read is not written meanwhile"
    stage.ends("total")
    assert stage.running == ["raw"]


def test_each_partition_below_may_read_all_above() -> None:
    stage = shaped(("raw", REGIONS, {}), ("share", REGIONS, {"raw": All()}))
    stage.fire("raw", key="eu")
    assert sorted(done(stage)) == [("share", "asia"), ("share", "eu"), ("share", "us")]


@pytest.mark.parametrize("table", [{"eu": "us", "us": ["eu", "asia"]}, lambda key: key[::-1]])
def test_a_mapping_by_hand_says_what_is_reached(table: Any) -> None:
    below = REGIONS if isinstance(table, dict) else CUSTOMERS
    stage = shaped(("raw", REGIONS, {}), ("moved", below, {"raw": Mapped(table)}))
    stage.fire("raw", key="us")
    expected = ["asia", "eu"] if isinstance(table, dict) else ["su"]
    assert sorted(done(stage)) == [("moved", key) for key in expected]
    assert started(stage, "moved").upstream == {"raw": {"us": "raw/us"}}


def test_a_mapping_that_raises_is_told_and_stops_nothing_else() -> None:
    def broken(key: str) -> str:
        raise RuntimeError(f"no {key}")

    stage = shaped(
        ("raw", CUSTOMERS, {}),
        ("moved", REGIONS, {"raw": Mapped(broken)}),
        ("clean", CUSTOMERS, {"raw": None}),
    )
    stage.fire("raw", key="ann")
    assert done(stage) == [("clean", "ann")]


def test_the_keys_that_changed_say_which_partitions_follow() -> None:
    stage = shaped(
        ("load", None, {}),
        ("clean", CUSTOMERS, {"load": None}),
        ("mail", CUSTOMERS, {"clean": None}),
    )
    stage.fire("load")
    below = done(stage, load=["ann", "bob"])
    assert sorted(below) == [("clean", "ann"), ("clean", "bob"), ("mail", "ann"), ("mail", "bob")]
    stage.fire("load")
    assert {key for _, key in done(stage, load=["bob", "cid"])} == {"bob", "cid"}
    stage.fire("load")
    assert done(stage, load=[]) == [], "nothing changed, so nothing follows"


def test_a_changed_key_that_leads_nowhere_is_told_with_the_step() -> None:
    stage = shaped(("load", None, {}), ("clean", REGIONS, {"load": None}))
    stage.fire("load")
    assert done(stage, load=["eu", "mars"]) == [("clean", "eu")]
    assert stage.of("load")[0].note == "mars leads to no partition of clean"


def test_a_change_that_names_no_keys_is_one_of_all_that_are_known() -> None:
    stage = shaped(("load", None, {}), ("clean", CUSTOMERS, {"load": None}))
    stage.fire("load")
    done(stage, load=["ann", "bob"])
    stage.fire("load")
    assert sorted(done(stage)) == [("clean", "ann"), ("clean", "bob")]


def test_a_partition_that_names_changed_keys_hands_them_to_its_readers() -> None:
    stage = shaped(("raw", DAYS, {}), ("clean", DAYS, {"raw": None}))
    stage.fire("raw", key="2026-01-05")
    done(stage)
    stage.fire("raw", key="2026-01-05")
    done(stage, raw=["ann"])
    assert started(stage, "clean").changed == {"raw": ("ann",)}
    stage.fire("raw", key="2026-01-05")
    assert done(stage, raw=[]) == []


def test_keys_that_changed_while_a_reader_failed_are_handed_over_with_the_next_ones() -> None:
    stage = shaped(("load", None, {}), ("copy", None, {"load": None}))
    stage.fire("load")
    done(stage)
    stage.fire("load")
    stage.ends("load", changed=("ann",))
    stage.fails("copy")
    stage.fire("load")
    stage.ends("load", changed=("bob",))
    assert started(stage, "copy").changed == {"load": ("ann", "bob")}


def test_a_diamond_below_keys_sees_all_of_one_change() -> None:
    stage = shaped(
        ("load", None, {}),
        ("left", CUSTOMERS, {"load": None}),
        ("right", None, {"load": None}),
        ("join", None, {"left": None, "right": None}),
    )
    stage.fire("load")
    stage.ends("load", changed=("ann", "bob"))
    assert sorted(stage.running) == ["left", "left", "right"]
    stage.ends("right")
    assert "join" not in stage.running
    assert done(stage) == [("join", None)]
    run = stage.runs[-1]
    assert run.status == "succeeded"
    assert [(work.asset, work.partition) for work in run.works] == [
        ("load", None),
        ("right", None),
        ("left", "ann"),
        ("left", "bob"),
        ("join", None),
    ]


def test_only_the_partitions_whose_keys_changed_have_anything_new_to_read() -> None:
    stage = shaped(("load", None, {}), ("clean", REGIONS, {"load": Keys()}))
    stage.fire("load")
    assert len(done(stage)) == 3
    stage.receive(Materialize(("load",)))
    assert done(stage, load=["eu"]) == [("clean", "eu")]
    stage.receive(Materialize(("clean",), "us"))
    assert done(stage) == []
    assert stage.of("clean")[-1].partition == "us"


def test_what_is_forced_runs_although_nothing_is_new() -> None:
    stage = shaped(
        ("raw", None, {}), ("clean", None, {"raw": None}), ("end", None, {"clean": None})
    )
    stage.fire("raw")
    while stage.going:
        stage.ends(next(iter(stage.going)), version="1")
    stage.receive(Materialize(("raw",)))
    stage.ends("raw", version="1")
    assert stage.running == []
    stage.receive(Materialize(("raw",), forced=True))
    stage.ends("raw", version="1")
    stage.ends("clean", version="1")
    assert stage.running == ["end"]


def test_a_restart_at_every_point_goes_on_with_the_partitions_that_follow() -> None:
    stage = shaped(
        ("load", None, {}), ("clean", CUSTOMERS, {"load": None}), ("total", None, {"clean": None})
    )
    stage.fire("load")
    stage.restart()
    stage.ends("load", changed=("ann", "bob"))
    stage.restart()
    stage.ends("clean")
    stage.restart()
    done(stage)
    assert stage.runs[-1].status == "succeeded"
    assert started(stage, "total").upstream["clean"].keys() == {"ann", "bob"}


def test_what_gathers_is_not_put_off_by_one_partition_that_changes_again_and_again() -> None:
    stage = shaped(("raw", REGIONS, {}), ("total", None, {"raw": None}))
    stage.fire("raw", key="eu")
    stage.fire("raw", key="us")
    for _ in range(3):
        stage.fire("raw", key="eu")
    assert stage.running == ["raw", "raw"]
    stage.ends("raw", "raw")
    assert stage.running == ["total"], "it goes before what came for a partition it waited for"


def test_what_gathers_goes_after_so_many_partitions_at_the_latest() -> None:
    stage = shaped(("raw", CUSTOMERS, {}), ("total", None, {"raw": None}))
    for number in range(GATHERED + 10):
        stage.fire("raw", key=f"c{number}")
    waiting = [step for step in stage.of("total") if not step.finished]
    assert [len(step.runs) for step in waiting] == [GATHERED, 10]


def test_what_is_below_partitions_that_follow_later_waits_for_what_tells_them() -> None:
    stage = shaped(
        ("raw", DAYS, {}),
        ("load", None, {"raw": None}),
        ("clean", CUSTOMERS, {"load": None}),
        ("both", None, {"clean": None, "raw": None}),
    )
    stage.fire("raw", key="2026-01-05")
    stage.ends("raw")
    assert stage.running == ["load"], "the change of raw may reach both by way of clean, too"
    assert done(stage, load=["ann"]) == [("clean", "ann"), ("both", None)]


def test_one_day_that_waits_keeps_no_other_day_from_what_gathers_them_all() -> None:
    assets = [
        Asset("z"),
        Asset("a", partitions=DAYS),
        Asset("b", partitions=DAYS),
        Asset("c", (Upstream("a"), Upstream("b")), partitions=DAYS),
        Asset("e", (Upstream("c"),), partitions=DAYS),
        Asset("t", (Upstream("z"), Upstream("e"))),
    ]
    rules = [
        Rule("z", Tap("z"), ("z",)),
        Rule("a", Tap("a"), ("a",), path_of(field.key)),
        Rule("b", Tap("b"), ("b",), path_of(field.key)),
    ]
    stage = Stage(Graph.of("gathering", assets, rules))
    for tap, key in [("z", None), ("z", None), ("a", "2026-01-01"), ("a", "2026-01-01")]:
        stage.fire(tap, key=key)
        done(stage)
    stage.fire("a", key="2026-01-02")
    done(stage)
    stage.fire("b", key="2026-01-02")
    assert done(stage)[-1] == ("t", None), "the first day waits for b, and the second does not"
    assert started(stage, "t").upstream["e"] == {"2026-01-02": "e/2026-01-02"}
    stage.fire("b", key="2026-01-01")
    assert done(stage)[-1] == ("t", None)
    assert [step for step in stage.steps if not step.finished] == []


@pytest.mark.parametrize("order", [("load", "day"), ("day", "load")])
def test_two_upstreams_that_change_in_one_turn_are_one_step_whatever_their_order(
    order: tuple[str, str],
) -> None:
    assets = [
        Asset("load"),
        Asset("day", partitions=DAYS),
        Asset("both", (Upstream("day"), Upstream("load")), partitions=DAYS),
    ]
    rules = [
        Rule("load", Tap("load"), ("load",)),
        Rule("day", Tap("day"), ("day",), path_of(field.key)),
    ]
    stage = Stage(Graph.of("two", assets, rules))
    for tap in ("load", "day"):
        stage.fire(tap, key="2026-01-01")
        done(stage)
    stage.fire(*order, key="2026-01-01")
    ran = done(stage, load=["2026-01-01"])
    assert ran.count(("both", "2026-01-01")) == 1


def test_a_run_of_another_pipeline_leads_only_where_edges_lead_now() -> None:
    def graph(*edges: str, parts: Partitions | None = CUSTOMERS) -> Graph:
        below = [
            Asset(name, (Upstream("load"),) if name in edges else (), partitions=parts)
            for name in ("kept", "cut")
        ]
        return Graph.of("g", [Asset("load"), *below], [Rule("load", Tap("load"), ("load",))])

    for parts, follows in ((CUSTOMERS, ("kept", "ann")), (None, ("kept", None))):
        stage = Stage(graph("kept", "cut"))
        stage.fire("load")
        stage.restart(graph("kept", parts=parts))
        assert done(stage, load=["ann"]) == [follows]
