"""What becomes of runs and steps while a breaking schema change holds their assets, and after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reactor.core.asset import Asset, Retry, Rule, Upstream
from reactor.core.decision import Ack, Arrived, Decision
from reactor.core.graph import Graph
from reactor.core.lineage import Lineage, declared
from reactor.core.partition import Static
from reactor.core.reader import schema_rules
from reactor.core.run import StepStatus
from reactor.core.state import Table
from reactor.core.trigger.expression import AssetEvents
from sensors import SchemaChanges
from tests.unit.core.stage import Stage, at, rule

tables = SchemaChanges("postgresql://localhost/shop")
AMOUNT = declared({"orders": ["amount"]}, {"total": ["orders.amount"], "n": []})
ID = declared({"orders": ["id"]})


def shop(*more: Rule, retries: int = 0, **lineages: Lineage | None) -> Graph:
    """raw feeds clean, clean feeds report; count stands alone. By default clean reads the amount,
    count the id.
    """
    reads: dict[str, Lineage | None] = {"clean": AMOUNT, "count": ID, **lineages}
    assets = [
        Asset("raw", owner="ann"),
        Asset(
            "clean",
            (Upstream("raw", True),),
            lineage=reads["clean"],
            retry=Retry(retries),
            owner="ann",
        ),
        Asset("report", (Upstream("clean", True),), lineage=reads.get("report"), owner="bob"),
        Asset("count", lineage=reads["count"], owner="eve"),
    ]
    rules = [rule("raw"), *more]
    return Graph.of("shop", assets, [*rules, *schema_rules(assets, rules, [tables])])


class Shop(Stage):
    """A stage with a table `orders` that changes."""

    def __init__(self, graph: Graph | None = None) -> None:
        super().__init__(graph or shop())

    def change(self, **how: Any) -> Decision:
        self.numbers += 1
        event = tables.event("public.orders", **how)
        moved = replace(event, id=f"s{self.numbers}", time=self.now, received=self.now)
        return self.receive(Arrived("shop", [moved]))

    def ack(self, hold: int = 1) -> Decision:
        return self.receive(Ack(hold))

    @property
    def held(self) -> list[str]:
        return [step.asset for step in self.steps if step.status is StepStatus.HELD]


def test_a_removed_column_holds_its_readers_and_lets_the_rest_go_on() -> None:
    stage = Shop()
    stage.change(removed="amount")
    assert stage.states == "clean held, report held"
    assert stage.ends_of_runs == ["held"]
    stage.fire("raw")
    assert stage.started == ["raw"]
    stage.ends("raw")
    assert stage.held == ["clean", "report"]
    assert stage.ends_of_runs == ["held", "held"]


def test_a_change_that_breaks_one_reader_launches_another() -> None:
    stage = Shop()
    exact = [
        {"kind": "column_retyped", "breaking": False, "column": "id"},
        {"kind": "column_removed", "breaking": True, "column": "amount"},
    ]
    stage.change(changes=exact)
    assert stage.started == ["count"]
    assert stage.held == ["clean", "report"]
    assert stage.ends_of_runs == ["running", "held"]
    stage.ends("count")
    assert stage.ends_of_runs == ["succeeded", "held"]
    assert [fired.run for fired in stage.decisions[0].facts.fired] == [1, 2]


def test_an_asset_that_does_not_follow_a_held_one_does_not_wait_for_it() -> None:
    assets = [
        Asset("clean", lineage=AMOUNT),
        Asset("audit", (Upstream("clean", True),), follow=False, lineage=ID),
    ]
    stage = Shop(Graph.of("shop", assets, schema_rules(assets, [], [tables])))
    exact = [
        {"kind": "column_retyped", "breaking": False, "column": "id"},
        {"kind": "column_removed", "breaking": True, "column": "amount"},
    ]
    stage.change(changes=exact)
    assert stage.running == ["audit"]
    assert stage.held == ["clean"]


def test_an_acknowledged_hold_is_caught_up_with_by_one_step_each_with_all_causes() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.fire("raw")
    stage.ends("raw")
    stage.fire("raw")
    stage.ends("raw")
    assert stage.held == ["clean", "report"]
    stage.ack()
    assert stage.running == ["clean"]
    assert at(stage.starts[-1]) == [1]
    # The second run of raw took over what the first one waited for.
    assert stage.of("clean")[0].runs == (1, 3)
    assert stage.run(3).events == ((2, 3),)
    stage.ends("clean")
    stage.ends("report")
    assert stage.started == ["raw", "raw", "clean", "report"]
    assert stage.ends_of_runs == ["succeeded", "superseded", "succeeded"]
    assert stage.told[-1] == "public.orders: hold 1 is over: acknowledged"


def test_a_change_that_is_undone_runs_nothing() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.change(added="amount")
    assert stage.started == []
    assert stage.states == "clean skipped, report skipped"
    assert {step.note for step in stage.steps} == {"the change was undone"}
    assert stage.ends_of_runs == ["cancelled"]


def test_what_else_waited_runs_once_when_the_change_is_undone() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.fire("raw")
    stage.ends("raw")
    stage.change(added="amount")
    assert stage.running == ["clean"]
    stage.ends("clean")
    stage.ends("report")
    assert stage.started == ["raw", "clean", "report"]
    assert stage.ends_of_runs == ["cancelled", "succeeded"]


def test_a_step_that_runs_when_the_column_goes_ends_by_itself() -> None:
    stage = Shop()
    stage.fire("raw")
    stage.ends("raw")
    stage.change(removed="amount")
    assert stage.running == ["clean"]
    stage.ends("clean")
    assert [step.status for step in stage.of("report")] == ["held"]
    assert [step.status for step in stage.of("clean")] == ["materialized", "held"]


def test_a_step_that_waits_when_the_column_goes_is_held() -> None:
    stage = Shop()
    stage.fire("raw")
    assert stage.states == "raw running, clean pending, report pending"
    stage.change(removed="amount")
    assert stage.states == "raw running, clean held, report held"
    assert stage.ends_of_runs == ["running", "held"]


def test_a_retry_of_a_held_asset_waits_for_the_end_of_the_hold() -> None:
    stage = Shop(shop(retries=1))
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    stage.change(removed="amount")
    stage.passes("1m")
    assert [step.status for step in stage.of("clean")] == ["held", "held"]
    stage.ack()
    stage.all_end()
    assert stage.started == ["raw", "clean", "clean", "clean", "report"]


def test_what_is_launched_by_hand_is_held_unless_it_is_forced() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.by_hand("clean", downstream=False)
    assert stage.started == []
    stage.by_hand("clean", downstream=False, forced=True)
    assert stage.running == ["clean"]
    stage.ends("clean")
    assert stage.ends_of_runs == ["held", "held", "succeeded"]


def test_a_forced_run_passes_a_held_one_that_had_begun() -> None:
    stage = Shop(shop(retries=1))
    stage.fire("raw")
    stage.ends("raw")
    stage.fails("clean")
    stage.change(removed="amount")
    stage.by_hand("clean", downstream=False, forced=True)
    stage.passes("1m")
    assert stage.running == ["clean"]
    stage.ends("clean")
    assert stage.ends_of_runs == ["held", "held", "succeeded"]


def test_a_forced_run_forces_what_follows_from_it() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.by_hand("clean", forced=True)
    stage.ends("clean")
    stage.ends("report")
    assert stage.started == ["clean", "report"]


def test_a_failure_above_a_held_step_blocks_it() -> None:
    stage = Shop()
    stage.fire("raw")
    stage.change(removed="amount")
    stage.fails("raw")
    assert stage.ends_of_runs == ["failed", "held"]


def test_a_run_that_is_held_can_be_cancelled() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.cancel(1)
    assert stage.ends_of_runs == ["cancelled"]
    stage.ack()
    assert stage.started == []


def test_a_hold_outlives_a_restart() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.fire("raw")
    stage.restart()
    stage.ends("raw")
    assert stage.held == ["clean", "report"]
    stage.ack()
    assert stage.running == ["clean"]


def test_a_pipeline_that_no_longer_reads_the_column_catches_up_when_it_is_loaded() -> None:
    stage = Shop()
    stage.change(removed="amount")
    stage.restart(shop(clean=ID))
    assert stage.running == ["clean"]
    assert not stage.reactor.state.rows[Table.HOLD]
    assert stage.told[-1].endswith("is over: the pipeline no longer reads what changed")


def test_a_descendant_that_reads_none_of_the_changed_columns_is_held_and_not_launched() -> None:
    other = declared({"clean": ["n"]})
    stage = Shop(shop(report=other))
    stage.change(removed="amount")
    assert stage.states == "clean held"
    stage.fire("raw")
    stage.ends("raw")
    assert stage.held == ["clean", "report"]
    stage.ack()
    stage.ends("clean")
    stage.ends("report")
    assert stage.started == ["raw", "clean", "report"]


def test_a_held_run_that_is_planned_again_still_reaches_only_what_derives_from_it() -> None:
    other = declared({"clean": ["n"]})
    stage = Shop(shop(report=other))
    stage.change(removed="amount")
    stage.restart(shop(rule("raw", name="one more"), report=other))
    assert stage.ends_of_runs == ["superseded", "held"]
    stage.ack()
    stage.all_end()
    assert stage.started == ["clean"]


def test_all_partitions_that_are_there_read_what_changed() -> None:
    regions = [
        Asset("regions", partitions=Static("eu", "us"), lineage=AMOUNT),
        Asset("report", (Upstream("regions"),)),
    ]
    graph = Graph.of("shop", regions, schema_rules(regions, [], [tables]))
    stage = Shop(graph)
    stage.change(removed="amount")
    assert stage.states == "regions[eu] held, regions[us] held, report held"
    stage.change(added="amount")
    assert stage.states == "regions[eu] skipped, regions[us] skipped, report skipped"
    stage.change(changes=[{"kind": "column_retyped", "breaking": False, "column": "amount"}])
    stage.all_end()
    assert stage.started == ["regions", "regions", "report"]


def test_what_a_long_hold_keeps_does_not_grow_with_what_comes() -> None:
    stage = Shop()
    stage.change(removed="amount")
    for _ in range(20):
        stage.fire("raw")
        stage.ends("raw")
    live = [run for run in stage.runs if not run.finished]
    assert [run.rule for run in live] == ["schema: shop", "raw"]
    assert live[-1].events == ((2, 21),)
    assert stage.ends_of_runs == ["held", *["superseded"] * 19, "held"]
    [held] = [step for step in stage.of("clean") if not step.finished]
    assert held.runs == (1, 21)
    stage.ack()
    stage.ends("clean")
    stage.ends("report")
    assert stage.started == [*["raw"] * 20, "clean", "report"]
    assert stage.ends_of_runs == ["succeeded", *["superseded"] * 19, "succeeded"]


def test_a_compatible_change_reaches_exactly_who_derives_from_it() -> None:
    stage = Shop(shop(report=declared({"clean": ["n"]})))
    stage.change(changes=[{"kind": "column_retyped", "breaking": False, "column": "amount"}])
    assert stage.running == ["clean"]
    stage.ends("clean")
    assert stage.started == ["clean"]


def test_a_change_that_nobody_reads_is_recorded_and_filtered() -> None:
    stage = Shop()
    decision = stage.change(removed="comment")
    assert len(decision.facts.accepted) == 1
    assert [(fate.rule, fate.why) for fate in decision.facts.fates] == [
        ("schema: shop", "no asset reads what changed")
    ]
    assert stage.runs == []


def test_a_table_that_nobody_reads_is_not_let_in() -> None:
    stage = Shop()
    decision = stage.receive(Arrived("shop", [tables.event("public.customers", removed="id")]))
    assert decision.facts.accepted == []
    assert decision.facts.filtered == {"shop": 1}


def test_an_asset_whose_own_trigger_is_the_table_is_held_all_the_same() -> None:
    asks = Rule("asks", tables, ("clean",))
    stage = Shop(shop(asks))
    stage.change(removed="amount")
    assert stage.states == "clean held, report held"
    assert len(stage.runs) == 2
    stage.change(added="amount")
    # It asked for any change: these two.
    assert stage.running == ["clean"]
    assert at(stage.starts[-1]) == [1, 2]


def test_rules_hear_that_an_asset_is_held_once() -> None:
    hears = Rule("hears", AssetEvents("report", "held"), ("count",))
    stage = Shop(shop(hears))
    stage.change(removed="amount")
    assert stage.started == ["count"]
    stage.ends("count")
    stage.change(retyped="amount", removed="comment")
    assert stage.started == ["count"]


def test_two_tables_hold_the_same_asset_until_both_are_dealt_with() -> None:
    both = declared({"orders": ["amount"], "customers": ["id"]})
    stage = Shop(shop(clean=both))
    stage.change(removed="amount")
    stage.receive(Arrived("shop", [tables.event("public.customers", removed="id")]))
    assert stage.ends_of_runs == ["held", "held"]
    stage.ack(1)
    assert stage.started == []
    stage.ack(2)
    assert stage.running == ["clean"]
    stage.ends("clean")
    stage.ends("report")
    assert stage.ends_of_runs == ["succeeded", "succeeded"]


def test_all_changes_of_one_turn_are_taken_in_their_order() -> None:
    stage = Shop()
    gone = tables.event("public.orders", removed="amount")
    back = tables.event("public.orders", added="amount")
    stage.receive(Arrived("shop", [gone, back]))
    assert stage.started == []
    assert stage.ends_of_runs == ["cancelled"]
    assert not stage.reactor.state.rows[Table.HOLD]


def test_a_hold_ends_when_who_it_held_says_that_it_reads_in_another_database() -> None:
    assets = [Asset("clean", lineage=AMOUNT)]
    stage = Shop(Graph.of("shop", assets, schema_rules(assets, [], [tables])))
    stage.change(removed="amount")
    assert stage.held == ["clean"]
    elsewhere = schema_rules(assets, [], [tables], {"clean": "sqlite:///other.db"})
    assert elsewhere == []
    stage.restart(Graph.of("shop", assets, elsewhere, [tables]))
    assert stage.held == []
    assert stage.running == ["clean"]
