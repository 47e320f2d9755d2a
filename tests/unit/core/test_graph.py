"""The checked graph: every mistake found, and what follows from what."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Asset, Retry, Rule, Upstream
from reactor.core.errors import DefinitionError, Problem
from reactor.core.graph import Graph, nearest
from reactor.core.trigger.expression import AssetEvents, Trigger
from tests.unit.core.depth import examples
from tests.unit.core.stage import drawn, rule
from tests.unit.core.tap import Tap


def asset(name: str, *upstream: str, **options: Any) -> Asset:
    return Asset(name, tuple(map(Upstream, upstream)), where=f"{name}.py:1", **options)


def problems(assets: list[Asset], rules: list[Rule] | None = None, **more: Any) -> list[Problem]:
    with pytest.raises(DefinitionError) as caught:
        Graph.of("g", assets, rules or [], **more)
    return list(caught.value.problems)


def test_a_cycle_is_printed_with_the_place_of_one_of_its_assets() -> None:
    [problem] = problems([asset("a", "c"), asset("b", "a"), asset("c", "b"), asset("d", "a")])
    assert str(problem) == "a.py:1: these assets go round in a circle: a -> b -> c -> a"


def test_several_cycles_are_all_printed() -> None:
    found = problems([asset("a", "b"), asset("b", "a"), asset("c", "c"), asset("d", "a", "c")])
    assert [problem.what.rpartition(": ")[2] for problem in found] == [
        "a -> b -> a",
        "c -> c",
    ]


def test_a_long_cycle_is_found_without_recursion() -> None:
    ring = [asset(f"a{n}", f"a{(n + 1) % 5_000}") for n in range(5_000)]
    [problem] = problems(ring)
    assert problem.what.count("->") == 5_000


def test_an_unknown_upstream_is_named_with_the_nearest_asset() -> None:
    found = problems([asset("raw_orders"), asset("clean", "raw_order"), asset("x", "nothing_like")])
    assert [str(problem) for problem in found] == [
        "clean.py:1: clean asks for raw_order, which is no asset (did you mean raw_orders?)",
        "x.py:1: x asks for nothing_like, which is no asset",
    ]


def test_duplicate_names_are_told_with_both_places() -> None:
    one, other = asset("raw"), Asset("raw", where="other.py:9")
    [problem] = problems([one, other])
    assert str(problem) == "other.py:9: two assets are called raw (the other is at raw.py:1)"


def test_duplicate_rules_are_told_with_both_places() -> None:
    rules = [Rule("r", Tap("a"), ("raw",), where=f"f.py:{line}") for line in (1, 2)]
    [problem] = problems([asset("raw")], rules)
    assert str(problem) == "f.py:2: two rules are called r (the other is at f.py:1)"


def test_what_a_rule_launches_or_listens_to_must_exist() -> None:
    rules = [
        Rule("one", Tap("a"), ("rav",), where="f.py:1"),
        Rule("two", AssetEvents("rew", "failed") | Tap("a"), ("raw",), where="f.py:2"),
    ]
    assert [str(problem) for problem in problems([asset("raw")], rules)] == [
        "f.py:1: rule one launches rav, which is no asset (did you mean raw?)",
        "f.py:2: rule two listens to rew, which is no asset (did you mean raw?)",
    ]


class Well(Tap):
    kind = "well"


def test_two_different_sensors_of_one_name_ask_for_another_name() -> None:
    rules = [Rule("r", Tap("a") | Well("a"), ("raw",), where="f.py:1")]
    [problem] = problems([asset("raw")], rules)
    assert str(problem) == (
        "f.py:1: two different sensors are called a: tap a and well a"
        " (give one of them a name with name=, or make their settings equal)"
    )


def test_equal_sensors_are_one_and_asset_events_are_none() -> None:
    trigger: Trigger = Tap("a") | AssetEvents("raw", "failed") | Tap("a")
    graph = Graph.of("g", [asset("raw")], [Rule("r", trigger, ("raw",))], [Tap("a"), Tap("b")])
    assert list(graph.sensors) == ["a", "b"]


def test_all_mistakes_are_found_at_once() -> None:
    rules = [Rule("r", Tap("a"), ("nothing",)), Rule("r", Well("a"), ("raw",))]
    assert len(problems([asset("raw", "rew"), asset("raw")], rules)) == 4


def test_a_graph_keeps_who_follows_whom_in_the_order_of_declaration() -> None:
    graph = drawn("c(a), a, b(a c)")
    assert graph.downstream == {"c": ("b",), "a": ("c", "b"), "b": ()}
    assert graph.place == {"c": 0, "a": 1, "b": 2}
    assert graph.ancestors("b") == ("c", "a")


def test_what_is_affected_comes_upstreams_first() -> None:
    graph = drawn("end(left right), left(top), right(top), top, other")
    assert graph.affected(["top"]) == ("top", "left", "right", "end")
    assert graph.affected(["left", "top", "left"]) == ("top", "left", "right", "end")


def test_what_does_not_follow_is_left_out_unless_it_is_a_root() -> None:
    graph = drawn("end(mid), mid(top), top", mid={"follow": False})
    assert graph.affected(["top"]) == ("top",)
    assert graph.affected(["mid", "top"]) == ("top", "mid", "end")
    assert graph.affected(["mid"]) == ("mid", "end")


def random_graph(chance: random.Random) -> Graph:
    names = [f"a{n}" for n in range(chance.randint(1, 12))]
    assets: list[Asset] = []
    for number, name in enumerate(names):
        above = chance.sample(names[:number], min(number, chance.randint(0, 3)))
        assets.append(asset(name, *above, follow=chance.random() < 0.8))
    chance.shuffle(assets)
    return Graph.of("g", assets, [])


@examples(50)
@given(st.integers(0, 2**32))
def test_affected_is_what_can_be_reached_each_once_in_topological_order(seed: int) -> None:
    chance = random.Random(seed)
    graph = random_graph(chance)
    roots = chance.sample(sorted(graph.assets), chance.randint(1, min(3, len(graph.assets))))
    reached = set(roots)
    while True:
        more = {
            each.name
            for each in graph.assets.values()
            if each.follow and any(up.name in reached for up in each.upstream)
        }
        if more <= reached:
            break
        reached |= more
    order = graph.affected(roots)
    assert sorted(order) == sorted(reached)
    for place, name in enumerate(order):
        above = {up.name for up in graph.assets[name].upstream} & reached
        assert above <= set(order[:place]), (order, name)


POLICIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "follow": st.booleans(),
        "retry": st.builds(Retry, st.integers(0, 2), st.sampled_from(["1s", "2s"])),
        "pool": st.sampled_from([None, "p", "q"]),
        "priority": st.integers(0, 2),
        "versioned": st.booleans(),
        "max_events": st.sampled_from([1_000_000, 2_000_000]),
        "owner": st.sampled_from(["", "o"]),
        "where": st.sampled_from(["", "f.py:1"]),
    },
)


@st.composite
def few_assets(draw: st.DrawFn) -> list[Asset]:
    """Up to three assets in the order of their names, each made of values of its own."""
    made: list[Asset] = []
    for name in "abc"[: draw(st.integers(1, 3))]:
        above = [Upstream(each.name, draw(st.booleans())) for each in made if draw(st.booleans())]
        made.append(Asset(name, tuple(above), **draw(POLICIES)))
    return made


@given(few_assets(), few_assets())
@examples(300)
def test_fingerprints_are_equal_exactly_when_all_that_a_plan_follows_from_is(
    some: list[Asset], others: list[Asset]
) -> None:
    def told(assets: list[Asset]) -> list[Asset]:
        return [replace(each, owner="", doc="", where="") for each in assets]

    def fingerprint(assets: list[Asset]) -> str:
        return Graph.of("g", assets, []).fingerprint

    assert (fingerprint(some) == fingerprint(others)) is (told(some) == told(others))
    assert fingerprint(some) == fingerprint(told(deepcopy(some)))


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    program = (
        "from tests.unit.core.stage import drawn, rule\n"
        "print(drawn('raw, clean(raw?), sums(raw clean)', rule('raw')).fingerprint)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    mine = drawn("raw, clean(raw?), sums(raw clean)", rule("raw")).fingerprint
    assert said == f"{mine}\n"


def test_the_fingerprint_follows_the_plan_and_not_the_file() -> None:
    def fingerprint(**options: Any) -> str:
        return drawn("raw, clean(raw)", rule("raw"), clean=options).fingerprint

    same = fingerprint()
    assert fingerprint(where="moved.py:7", doc="Says more.", owner="somebody else") == same
    assert fingerprint(retry=Retry(1)) != same
    assert drawn("raw, clean(raw?)", rule("raw")).fingerprint != same
    assert drawn("raw, clean(raw)", rule("raw", on="b")).fingerprint != same


def test_a_name_that_is_near_to_none_has_no_hint() -> None:
    assert nearest("orders", ["order", "revenue"]) == "did you mean order?"
    assert nearest("xyz", ["order", "revenue"]) == ""
