"""What is written against a pipeline, and what it becomes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reactor.core.asset import Pending, Retry
from reactor.core.field import field
from reactor.pipeline import Output, Pipeline
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")


def here(function: Callable[..., Any]) -> str:
    """Where a function of this module begins."""
    code = inspect.unwrap(function).__code__
    return f"{__file__}:{code.co_firstlineno}"


def test_a_parameter_named_after_an_asset_is_an_edge() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw(events): ...

    @shop.asset
    def clean(raw, prices=None, partition=None, context=None): ...

    @shop.asset
    def prices(): ...

    graph = shop.definition().graph
    assert [(up.name, up.optional) for up in graph.assets["clean"].upstream] == [
        ("raw", False),
        ("prices", True),
    ]
    assert graph.downstream["raw"] == ("clean",)
    assert shop.definition().works["clean"].parameters == ("raw", "prices", "partition", "context")


def test_a_decorated_function_stays_an_ordinary_function() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=A, retry=3)
    def raw(events):
        """Reads."""
        return [event * 2 for event in events]

    assert raw([1, 2]) == [2, 4]
    assert inspect.getdoc(raw) == "Reads."
    assert list(inspect.signature(raw).parameters) == ["events"]
    assert repr(raw) == "<asset raw>"


def test_options_become_policy() -> None:
    shop = Pipeline("shop", owner="team", pools={"warehouse": 4})

    @shop.asset(name="raw/orders", retry=2, timeout="10m", pool="warehouse", priority=3)
    async def raw():
        """First line.

        And more.
        """

    @shop.asset(owner="someone", versioned=True, version="value", max_events=5)
    def other(): ...

    definition = shop.definition()
    asset = definition.graph.assets["raw/orders"]
    assert asset.retry == Retry(2)
    assert (asset.timeout, asset.pool, asset.priority) == (timedelta(minutes=10), "warehouse", 3)
    assert (asset.owner, asset.doc) == ("team", "First line.\n\nAnd more.")
    assert asset.where == here(raw.function)
    assert definition.graph.pools == {"warehouse": 4}
    rest = definition.graph.assets["other"]
    assert (rest.owner, rest.versioned, rest.max_events) == ("someone", True, 5)
    assert definition.works["other"].version == "value"


def test_how_a_function_runs_follows_from_what_it_is() -> None:
    shop = Pipeline("shop")
    shop.asset(module_level)
    shop.asset(name="timed", timeout="1m")(module_level)
    shop.asset(name="declined", timeout="1m", executor="thread")(module_level)

    @shop.asset(timeout="1m")
    async def coroutine(): ...

    @shop.asset(command=["echo", "hi"], env={"A": "b"}, cwd="/tmp")
    def command(): ...

    @shop.asset(executor="dask")
    def elsewhere(): ...

    works = shop.definition().works
    assert {name: work.executor for name, work in works.items()} == {
        "module_level": "thread",
        "timed": "process",
        "declined": "thread",
        "coroutine": "async",
        "command": "command",
        "elsewhere": "dask",
    }
    assert works["timed"].locate == f"{__file__}:module_level"
    assert works["command"].command == ("echo", "hi")


def module_level() -> None: ...


def test_a_function_under_another_decorator_is_found_where_it_was_written() -> None:
    shop = Pipeline("shop")

    @shop.asset
    @functools.lru_cache
    def raw(): ...

    definition = shop.definition()
    assert definition.works["raw"].locate.startswith(f"{__file__}:")
    assert definition.graph.assets["raw"].where == here(raw.function)


def test_a_trigger_flows_into_an_asset_and_an_asset_into_an_asset() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def x(): ...

    @shop.asset
    def y(): ...

    @shop.asset
    def z(): ...

    A >> x >> y >> z  # pyright: ignore[reportUnusedExpression]
    graph = shop.definition().graph
    assert graph.rules["x"].assets == ("x",)
    assert graph.rules["x"].where.startswith(__file__)
    assert (graph.downstream["x"], graph.downstream["y"]) == (("y",), ("z",))


def test_an_asset_can_have_several_triggers_each_a_rule_of_its_own() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=A)
    def raw(): ...

    B >> raw  # pyright: ignore[reportUnusedExpression]
    raw.failed >> raw  # pyright: ignore[reportUnusedExpression]
    rules = shop.definition().graph.rules
    assert {name: str(rule.trigger) for name, rule in rules.items()} == {
        "raw": "a",
        "raw-2": "b",
        "raw-3": "raw.failed",
    }


def test_the_long_form_of_a_rule_says_more() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw(): ...

    shop.rule(
        A,
        raw,
        "raw",
        name="nightly",
        partition=field.day,
        pending="replace",
        priority=7,
        observe=True,
    )
    rule = shop.definition().graph.rules["nightly"]
    assert (rule.assets, rule.pending, rule.priority) == (("raw", "raw"), Pending.REPLACE, 7)
    assert (str(rule.partition), rule.observe) == ("field.day", True)


def test_an_asset_follows_its_upstreams_unless_it_says_no() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw(): ...

    @shop.asset(on=A, follow=True)
    def both(raw): ...

    @shop.asset(on=A, follow=False)
    def own(raw): ...

    assets = shop.definition().graph.assets
    assert (assets["both"].follow, assets["own"].follow) == (True, False)


def test_an_included_pipeline_becomes_part_of_the_whole() -> None:
    shop, lake = Pipeline("shop", owner="shop"), Pipeline("lake", owner="lake", pools={"p": 2})

    @lake.asset(on=A)
    def raw(): ...

    @lake.check(raw)
    def fine(raw): ...

    @shop.asset
    def clean(raw): ...

    shop.include(lake)
    shop.include(lake)
    lake.include(shop)
    definition = shop.definition()
    assert set(definition.graph.assets) == {"raw", "clean"}
    assert definition.graph.assets["raw"].owner == "lake"
    assert definition.graph.pools == {"p": 2}
    assert [check.name for check in definition.works["raw"].checks] == ["fine"]


def test_a_sensor_that_is_used_twice_is_one_sensor() -> None:
    shop = Pipeline("shop", sensors=[Tap("b")])

    @shop.asset(on=Tap("a") | Tap("b"))
    def raw(): ...

    @shop.asset(on=Tap("a"))
    def other(): ...

    assert list(shop.definition().graph.sensors) == ["b", "a"]


def test_an_output_says_more_than_a_handle() -> None:
    assert Output("path", version=7, changed=["a", "b", "a"]) == Output(  # type: ignore[arg-type]
        "path", version="7", changed=("a", "b")
    )
    for keys in ("eu", [1], 5):
        with pytest.raises(TypeError):
            Output(changed=keys)  # type: ignore[arg-type]
    output = Output("path", version="1", changed=["monday"], metadata={"rows": 3})
    assert (output.value, output.version) == ("path", "1")


def test_an_arrow_has_no_truth_and_binds_tighter_than_an_or() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw(): ...

    with pytest.raises(TypeError, match=r"put the trigger in parentheses: \(a \| b\) >> asset"):
        A | B >> raw  # pyright: ignore
    with pytest.raises(TypeError, match="put the trigger in parentheses"):
        A & B >> raw  # pyright: ignore
    with pytest.raises(TypeError, match="put the trigger in parentheses"):
        (A >> raw) | B  # pyright: ignore
    with pytest.raises(TypeError, match="no truth value"):
        bool(A >> raw)
    with pytest.raises(TypeError, match="unsupported operand"):
        raw >> 5  # pyright: ignore


def test_what_is_no_trigger_is_refused_where_it_stands() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw(): ...

    with pytest.raises(TypeError, match="is not a trigger"):
        shop.rule(raw, raw)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is not a trigger"):
        shop.asset(on="orders")(module_level)  # type: ignore[call-overload]


@pytest.mark.parametrize("thing", [functools.partial(module_level), 5, object()])
def test_what_is_no_function_is_no_asset(thing: Any) -> None:
    with pytest.raises(TypeError, match="is a function"):
        Pipeline("shop").asset(thing)
