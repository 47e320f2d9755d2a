"""Why each asset of a pipeline runs in a run, or does not."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Asset, Rule, Upstream
from reactor.core.explain import Explained, Part, Word, beside, explain, together
from reactor.core.graph import Graph
from reactor.core.lineage import Lineage, declared
from reactor.core.mapping import Keys, Mapped, Offset
from reactor.core.partition import Partitions, Static
from reactor.core.plan import Root, plan
from reactor.core.reader import schema_rules
from reactor.core.window import Daily
from sensors import SchemaChanges
from tests.unit.core.depth import examples
from tests.unit.core.stage import Stage, drawn
from tests.unit.core.tap import Tap
from tests.unit.core.world import World, random_graph

REGIONS = Static("eu", "us")


def planned(graph: Graph, name: str, *roots: Root, **about: Any) -> list[Part]:
    """The parts of a plan before anything of it runs."""
    made = plan(graph, name, roots, "because it was so", **about)
    return [
        Part(work.asset, work.partition, work.because, work.root, work.upstream, work.later)
        for work in made.works
    ]


def recorded(stage: Stage, run: int) -> list[Part]:
    """The parts of a run, as it is."""
    steps = {step.id: step for step in stage.steps}
    return [
        Part(
            work.asset,
            work.partition,
            work.because,
            work.root,
            work.upstream,
            work.later,
            steps[work.step].status,
            steps[work.step].note,
            steps[work.step].tries > 0,
        )
        for work in stage.run(run).works
    ]


def texts(found: tuple[Explained, ...]) -> list[str]:
    return [each.text for each in found]


def divided(*assets: tuple[str, Partitions | None, dict[str, Any]]) -> Graph:
    made = [
        Asset(
            name,
            tuple(Upstream(each, mapping=mapping) for each, mapping in above.items()),
            partitions=partitions,
        )
        for name, partitions, above in assets
    ]
    return Graph.of("divided", made, [])


def test_each_asset_is_told_by_what_kept_the_change_away_from_it() -> None:
    graph = drawn(
        "raw, clean(raw), own(raw), of_own(own), both(own clean), other",
        own={"follow": False},
    )
    assert texts(explain(graph, "raw", planned(graph, "raw", ("raw", None)))) == [
        "raw runs because it was so",
        "clean runs because raw changes",
        "own pruned because raw changes, but follow=False: only its own trigger launches it",
        "of_own pruned because it follows from own, which does not run",
        "both runs because clean changes",
        "other pruned because it is not downstream of raw",
    ]


def test_what_was_not_asked_for_says_so_and_so_does_what_follows_from_that() -> None:
    graph = drawn("raw, clean(raw), report(clean)")
    parts = planned(graph, "by hand", ("raw", None), downstream=False)
    assert texts(explain(graph, "by hand", parts)) == [
        "raw runs because it was so",
        "clean pruned because raw changes, but not asked for",
        "report pruned because it follows from clean, which does not run",
    ]


def test_partitions_that_a_change_does_not_lead_to_are_a_reason() -> None:
    graph = divided(
        ("raw", Daily("2026-01-01"), {}),
        ("next", Daily("2026-01-01"), {"raw": Offset(-1)}),
        ("late", Daily("2026-02-01"), {"raw": Offset(0)}),
    )
    parts = planned(graph, "x", ("raw", "2026-01-01"), downstream=True)
    graph_rule = Graph.of("x", list(graph.assets.values()), [Rule("x", Tap("x"), ("raw",))])
    assert texts(explain(graph_rule, "x", parts)) == [
        "raw runs because it was so",
        "next runs because raw changes",
        "late pruned because raw changes, but none of its partitions follows from that",
    ]


def test_many_partitions_of_one_asset_are_one_line() -> None:
    table = Mapped({"eu": ["eu", "us"]})
    graph = divided(("raw", REGIONS, {}), ("clean", REGIONS, {"raw": table}))
    parts = planned(graph, "x", ("raw", "eu"), ("raw", "us"))
    assert texts(explain(graph, "x", parts)) == [
        "raw runs because it was so (and 1 more of its partitions)",
        "clean runs because raw changes (and 1 more of its partitions)",
    ]


def test_what_the_end_of_another_tells_is_decided_later_and_then_it_is() -> None:
    graph = divided(
        ("raw", None, {}), ("clean", REGIONS, {"raw": Keys()}), ("end", None, {"clean": None})
    )
    stage = Stage(Graph.of("x", list(graph.assets.values()), [Rule("x", Tap("x"), ("raw",))]))
    stage.fire("x")
    assert texts(explain(stage.graph, "x", recorded(stage, 1))) == [
        "raw runs because x saw e1",
        "clean is decided when raw ends",
        "end pruned because it follows from clean, which does not run",
    ]
    stage.ends("raw", changed=())
    assert texts(explain(stage.graph, "x", recorded(stage, 1)))[1] == (
        "clean pruned because none of its partitions follows from what raw changed"
    )


def test_columns_that_nobody_reads_are_a_reason() -> None:
    assets = [
        Asset("raw"),
        Asset("sums", (Upstream("raw"),), lineage=Lineage({"raw": frozenset({"amount"})})),
        Asset("names", (Upstream("raw"),), lineage=Lineage({"raw": frozenset({"name"})})),
    ]
    schema = Rule("raw", Tap("t"), ("raw",), schema=True)
    graph = Graph.of("columns", assets, [schema])
    parts = planned(graph, "raw", ("raw", None), touched={"raw": frozenset({"amount"})})
    assert texts(explain(graph, "raw", parts))[1:] == [
        "sums runs because raw changes",
        "names pruned because it reads none of the changed columns",
    ]


def test_who_reads_what_changed_of_a_table_is_not_said_to_read_something_else() -> None:
    def reading(name: str, column: str, partitions: Partitions | None = None) -> Asset:
        return Asset(name, lineage=declared({"orders": [column]}), partitions=partitions)

    assets = [
        reading("sums", "id"),
        reading("names", "name", Daily("2026-01-01")),
        reading("days", "id", Daily("2026-01-01")),
        reading("held", "amount"),
    ]
    tables = SchemaChanges("postgresql://localhost/shop")
    rules = schema_rules(assets, [], [tables])
    graph = Graph.of("columns", assets, rules)
    exact = [
        {"kind": "column_retyped", "breaking": False, "column": "id"},
        {"kind": "column_removed", "breaking": True, "column": "amount"},
    ]
    changed = tables.event("orders", changes=exact).data
    parts = [Part("sums", None, "because it was so", root=True)]
    assert beside(graph, "schema: shop", parts, changed) == {
        "names": "it reads none of the changed columns",
        "days": "none of its partitions was made",
        "held": "it is held, apart from this",
    }
    made = beside(graph, "schema: shop", parts, changed, lambda asset: ["2026-01-01"])
    assert made["days"] == "what it reads is as it was"


def test_an_unchanged_version_is_the_reason_of_what_reads_it() -> None:
    stage = Stage(drawn("raw, clean(raw), report(clean)"))
    for _ in range(2):
        stage.fire("raw")
        stage.ends("raw")
        stage.ends("clean", version="1")
        stage.all_end()
    assert texts(explain(stage.graph, "raw", recorded(stage, 2))) == [
        "raw runs because raw saw e2",
        "clean runs because raw changes; version 1 as before",
        "report pruned because clean did not change",
    ]


def test_what_is_blocked_paused_or_cancelled_is_told_as_it_is() -> None:
    stage = Stage(drawn("raw, clean(raw), paused(raw), gone"))
    stage.pause("asset", "paused")
    stage.fire("raw", "gone")
    stage.fails("raw")
    stage.cancel(2)
    stage.stopped("gone")
    found = texts(explain(stage.graph, "raw", recorded(stage, 1)))
    assert found[1] == "clean pruned because it is blocked: raw failed after 1 attempt"
    gone = texts(explain(stage.graph, "gone", recorded(stage, 2)))
    assert gone[-1] == "gone pruned because it is cancelled: cancelled by an operator"


def test_of_several_runs_the_one_that_concerns_an_asset_most_is_told() -> None:
    graph = drawn("a, b, of_a(a), own(a), none", own={"follow": False})
    runs = [
        explain(graph, "a", planned(graph, "a", ("a", None))),
        explain(graph, "b", planned(graph, "b", ("b", None))),
    ]
    assert [f"{each.asset} {each.word}" for each in together(runs)] == [
        "a runs",
        "b runs",
        "of_a runs",
        "own pruned",
        "none pruned",
    ]
    assert together(runs[::-1])[3].because.endswith("only its own trigger launches it")


def test_without_a_run_nothing_is_launched() -> None:
    graph = drawn("raw, clean(raw)")
    assert {each.because for each in explain(graph, "", [])} == {"nothing is launched"}


@examples(40)
@given(st.integers(0, 2**32), st.integers(1, 8), st.lists(st.integers(0, 12), max_size=25))
def test_every_asset_is_told_once_and_as_plain_reachability_says(
    seed: int, size: int, actions: list[int]
) -> None:
    world = World(random_graph(random.Random(seed), size), seed + 1)
    for action in actions:
        world.act(action)
    for run in world.runs:
        parts = recorded(world, run.id)
        found = explain(world.graph, run.rule, parts)
        assert [each.asset for each in found] == list(world.graph.assets)
        own = {work.asset for work in run.works}
        started = {part.asset for part in parts if part.tried and part.status != "cancelled"}
        by_name = {each.asset: each for each in found}
        roots = {work.asset for work in run.works if work.root}
        below = _reachable(world.graph, roots)
        for name, each in by_name.items():
            assert each.because
            if name in started:
                blocked = all(p.status == "blocked" for p in parts if p.asset == name)
                assert each.word is Word.RUNS or blocked
            if name not in own:
                assert each.word is Word.PRUNED
                assert (name in below) is not each.because.startswith("it is not downstream of")
        assert set(beside(world.graph, run.rule, parts)) <= below - own


def _reachable(graph: Graph, roots: set[str]) -> set[str]:
    """What is downstream of assets, over and over until nothing is added."""
    found: set[str] = set()
    while True:
        above = roots | found
        more = {
            name
            for name, asset in graph.assets.items()
            if any(up.name in above for up in asset.upstream)
        }
        if more <= found:
            return found
        found |= more
