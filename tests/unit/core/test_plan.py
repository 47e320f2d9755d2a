"""Plans: what would run, in which order, and why each."""

from __future__ import annotations

from typing import Any

from reactor.core.graph import Graph
from reactor.core.plan import Plan, plan
from tests.unit.core.stage import drawn


def made(graph: Graph, *roots: str, **options: Any) -> Plan:
    at = options.get("partition")
    return plan(graph, "rule", [(name, at) for name in roots], "because inbox saw a.csv", **options)


SHOP = drawn("raw, clean(raw), revenue(clean prices), prices, vacuum(clean), other")


def test_only_the_roots_and_what_follows_from_them_are_planned() -> None:
    works = made(SHOP, "clean").works
    assert [work.asset for work in works] == ["clean", "revenue", "vacuum"]
    assert [work.root for work in works] == [True, False, False]


def test_each_work_says_why() -> None:
    reasons = {work.asset: work.because for work in made(SHOP, "raw", "prices").works}
    assert reasons == {
        "raw": "because inbox saw a.csv",
        "clean": "because raw changes",
        "prices": "because inbox saw a.csv",
        "revenue": "because clean and prices change",
        "vacuum": "because clean changes",
    }


def test_three_reasons_are_listed() -> None:
    graph = drawn("a, b, c, d(a b c)")
    assert made(graph, "a", "b", "c").works[-1].because == "because a, b and c change"


def test_each_work_names_what_must_end_before_it_by_its_place() -> None:
    for work in (works := made(SHOP, "raw", "prices").works):
        above = {up.name for up in SHOP.assets[work.asset].upstream}
        assert {works[at].asset for at in work.upstream} == above
        assert all(at < works.index(work) for at in work.upstream)


def test_a_root_below_another_root_says_what_launched_it_and_waits() -> None:
    work = made(SHOP, "raw", "clean").works[1]
    assert (work.asset, work.root, work.upstream) == ("clean", True, (0,))
    assert work.because == "because inbox saw a.csv"


def test_steps_are_not_chosen_yet_and_the_partition_is_the_same_for_all() -> None:
    works = made(SHOP, "raw", partition="monday").works
    assert {(work.step, work.partition) for work in works} == {(0, "monday")}


def test_what_does_not_follow_is_pruned_with_the_reason() -> None:
    graph = drawn("raw, clean(raw), report(clean)", clean={"follow": False})
    plan = made(graph, "raw")
    assert [work.asset for work in plan.works] == ["raw"]
    assert plan.pruned == (
        ("clean", "raw changes, but follow=False: only its own trigger launches it"),
    )


def test_a_plan_without_what_follows_says_what_was_not_asked_for() -> None:
    plan = made(SHOP, "clean", downstream=False)
    assert [work.asset for work in plan.works] == ["clean"]
    assert plan.pruned == (
        ("revenue", "clean changes, but not asked for"),
        ("vacuum", "clean changes, but not asked for"),
    )


def test_several_roots_are_in_topological_order_whatever_was_asked_first() -> None:
    plan = made(SHOP, "clean", "raw", downstream=False)
    assert [work.asset for work in plan.works] == ["raw", "clean"]


def test_roots_without_what_follows_keep_upstreams_first_although_declared_last() -> None:
    graph = drawn("late(early), early")
    plan = made(graph, "late", "early", downstream=False)
    assert [(work.asset, work.upstream) for work in plan.works] == [("early", ()), ("late", (0,))]
