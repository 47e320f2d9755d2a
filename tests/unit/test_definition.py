"""Every mistake in a pipeline: all at once, each with its file and line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from reactor.core.asset import Retry
from reactor.core.errors import DefinitionError, Problem
from reactor.core.field import field, meta
from reactor.core.trigger.expression import at_least
from reactor.pipeline import Pipeline
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")


def problems(pipeline: Pipeline) -> list[Problem]:
    """Every mistake found."""
    with pytest.raises(DefinitionError) as caught:
        pipeline.definition()
    return list(caught.value.problems)


def only(pipeline: Pipeline) -> Problem:
    found = problems(pipeline)
    assert len(found) == 1, found
    return found[0]


def here(function: Callable[..., Any]) -> str:
    """Where a function of this module begins."""
    code = inspect.unwrap(function).__code__
    return f"{__file__}:{code.co_firstlineno}"


def module_level() -> None: ...


def test_every_mistake_is_found_at_once_each_with_its_place() -> None:
    shop = Pipeline("shop")

    @shop.asset(retry=-1)
    def raw(*events): ...

    @shop.asset
    def clean(rav): ...

    shop.rule(A)
    found = problems(shop)
    assert [str(problem) for problem in found] == [
        f"{shop._rules[0].where}: rule rule launches nothing (name an asset)",  # pyright: ignore[reportPrivateUsage]
        f"{here(raw.function)}: raw: cannot fill the parameter *events "
        "(name each input: an asset, or one of event, events, partition, context)",
        f"{here(raw.function)}: raw: retry is -1 "
        "(say how many more tries, or Retry(3, backoff='1s'))",
        f"{here(clean.function)}: clean asks for rav, which is no asset (did you mean raw?)",
    ]


def test_a_cycle_is_printed() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def a(c): ...

    @shop.asset
    def b(a): ...

    @shop.asset
    def c(b): ...

    assert only(shop).what == "these assets go round in a circle: a -> b -> c -> a"


def test_an_asset_that_reads_itself_is_a_cycle() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def loop(loop): ...

    problem = only(shop)
    assert problem.what == "these assets go round in a circle: loop -> loop"
    assert problem.where == here(loop.function)


def test_two_assets_of_one_name_are_both_named() -> None:
    shop, other = Pipeline("shop"), Pipeline("other")

    @shop.asset
    def raw(): ...

    first = here(raw.function)

    @other.asset(name="raw")
    def again(): ...

    shop.include(other)
    problem = only(shop)
    assert problem.what == "two assets are called raw"
    assert problem.where == here(again.function)
    assert problem.hint == f"the other is at {first}"


def test_two_rules_of_one_name_are_refused() -> None:
    shop = Pipeline("shop")
    raw = shop.asset(module_level)
    shop.rule(A, raw, name="r")
    shop.rule(B, raw, name="r")
    assert only(shop).what == "two rules are called r"


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (lambda *args: None, "*args"),
        (lambda **options: None, "**options"),
        (lambda raw, /: None, "raw"),
    ],
)
def test_a_parameter_that_has_no_name_cannot_be_filled(
    function: Callable[..., Any], shown: str
) -> None:
    shop = Pipeline("shop")
    shop.asset(name="x")(function)
    assert only(shop).what == f"x: cannot fill the parameter {shown}"


def test_an_unknown_upstream_is_named_with_the_nearest_one() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw_orders(): ...

    @shop.asset
    def clean(raw_order): ...

    raw_orders.materialized >> clean  # pyright: ignore[reportUnusedExpression]
    assert only(shop).hint == "did you mean raw_orders?"


def test_an_unknown_asset_in_a_rule_or_a_check_is_named() -> None:
    shop = Pipeline("shop")
    shop.asset(module_level)
    shop.rule(A, "modul_level", name="r")
    shop.check("module_lewel")(module_level)
    found = problems(shop)
    assert [problem.hint for problem in found] == ["did you mean module_level?"] * 2
    assert found[1].what == "rule r launches modul_level, which is no asset"


def test_an_own_trigger_beside_upstreams_must_say_whether_it_follows() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw(): ...

    @shop.asset(on=A)
    def clean(raw): ...

    problem = only(shop)
    assert problem.what == "clean: has a trigger of its own and reads raw"
    assert problem.hint == (
        "say follow=True (either launches it) or follow=False (only its trigger does)"
    )
    assert problem.where == here(clean.function)


def test_two_different_sensors_of_one_name_are_refused_across_pipelines() -> None:
    shop, other = Pipeline("shop"), Pipeline("other")

    @shop.asset(on=Tap("orders"))
    def raw(): ...

    @other.asset(on=Faucet("orders"))
    def more(): ...

    shop.include(other)
    problem = only(shop)
    assert problem.what == ("two different sensors are called orders: tap orders and faucet orders")
    assert problem.where == here(more.function)
    assert "name=" in problem.hint


class Faucet(Tap):
    kind = "faucet"


def test_a_sensor_may_not_be_called_like_the_events_of_an_asset() -> None:
    shop = Pipeline("shop")
    shop.asset(on=Tap("asset:raw"))(module_level)
    assert "which means the events of an asset" in only(shop).what


def test_a_rule_that_launches_nothing_is_refused() -> None:
    shop = Pipeline("shop")
    shop.rule(A, name="idle")
    problem = only(shop)
    assert (problem.what, problem.hint) == ("rule idle launches nothing", "name an asset")
    assert problem.where.startswith(__file__)


@pytest.mark.parametrize(
    ("trigger", "what"),
    [
        (A & B, "a & b has no window"),
        (at_least(1, A, B), "at_least(1, a, b) has no window"),
        ((A & A).within("1s"), "(a & a).within('1s') joins something with itself"),
        (A.by(field.x) | B, "mixes keyed and unkeyed events"),
        (A.by(field.x).by(field.y), "is keyed twice"),
        (A.where(meta.foo == 1), "meta has id, source"),
        (A.by(meta.foo), "meta has id, source"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused(trigger: Any, what: str) -> None:
    shop = Pipeline("shop")
    shop.rule(trigger, shop.asset(module_level), name="r")
    problem = only(shop)
    assert what in problem.what
    assert problem.what.startswith("rule r: ")
    assert problem.where.startswith(__file__)


def test_a_policy_that_there_is_not_is_refused() -> None:
    shop = Pipeline("shop")
    shop.rule(A, shop.asset(module_level), name="r", pending="drop")  # type: ignore[arg-type]
    problem = only(shop)
    assert problem.what == "rule r: pending is 'drop'"
    assert problem.hint == "it is coalesce, queue, replace"


def test_a_partition_is_a_place_or_a_function() -> None:
    shop = Pipeline("shop")
    shop.rule(A, shop.asset(module_level), name="r", partition="day")
    assert only(shop).what == "rule r: partition is 'day'"


def test_a_trigger_that_collects_must_be_keyed_by_the_partition() -> None:
    shop = Pipeline("shop")
    raw = shop.asset(module_level)
    shop.rule(A.batch(9, "1s"), raw, name="r", partition=field.day)
    problem = only(shop)
    assert "their partitions may differ" in problem.what
    assert problem.hint == "key it by the partition: .by(field.day)"
    keyed = Pipeline("keyed")
    keyed.rule(A.by(field.day).batch(9, "1s"), keyed.asset(module_level), partition=field.day)
    assert keyed.definition().graph.rules


def test_a_timeout_on_what_a_process_cannot_import_is_refused() -> None:
    shop = Pipeline("shop")

    @shop.asset(timeout="1m")
    def local(): ...

    shop.asset(name="nameless", timeout="1m")(lambda: None)
    shop.asset(name="chosen", executor="process")(lambda: None)
    found = problems(shop)
    assert [problem.what for problem in found] == [
        "local: has a timeout, so it runs in a process, which cannot import it by name",
        "nameless: has a timeout, so it runs in a process, which cannot import it by name",
        "chosen: runs in a process, which cannot import it by name",
    ]
    assert found[0].hint == (
        "move it to the top of its module, make it async, or say executor='thread'"
    )


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"timeout": "soon"}, "x: timeout 'soon': a duration is text such as '10m'"),
        ({"timeout": -1}, "x: timeout -1: a duration is not negative"),
        ({"timeout": "0s"}, "x: timeout is zero"),
        ({"retry": -1}, "x: retry is -1"),
        ({"retry": "often"}, "x: retry is 'often'"),
        ({"retry": True}, "x: retry is True"),
        ({"max_events": 0}, "x: max_events is 0"),
        ({"version": "checksum"}, "x: version is 'checksum'"),
        ({"command": "echo hi"}, "x: command is 'echo hi'"),
        ({"command": []}, "x: command is []"),
        ({"executor": "async"}, "x: is a plain function, which would stop the loop"),
        ({"timout": "10m"}, "x: there is no option timout"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any], what: str) -> None:
    shop = Pipeline("shop")
    shop.asset(name="x", **options)(module_level)
    problem = only(shop)
    assert problem.what.startswith(what)
    assert problem.where == here(module_level)


def test_a_misspelt_option_is_named_with_the_nearest_one() -> None:
    shop = Pipeline("shop")
    shop.asset(name="x", retrys=3)(module_level)  # type: ignore[call-overload]
    assert only(shop).hint == "did you mean retry?"


@pytest.mark.parametrize(
    "make", [lambda: Retry(-1), lambda: Retry(1, factor=0.5), lambda: Retry(1, jitter=2),
             lambda: Retry(1, backoff="soon")]
)  # fmt: skip
def test_a_retry_that_makes_no_sense_is_refused_where_it_stands(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError):
        make()


def test_an_asset_that_yields_is_refused() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw():
        yield 1

    @shop.asset
    async def more():
        yield 1

    found = problems(shop)
    assert [problem.what for problem in found] == [
        "raw: yields, and an asset returns its handle once",
        "more: yields, and an asset returns its handle once",
    ]


def test_an_asset_may_not_be_called_like_what_is_handed_in() -> None:
    shop = Pipeline("shop")
    shop.asset(name="events")(module_level)
    assert only(shop).what == "events: is a name that functions ask for otherwise"


def test_a_pool_lets_at_least_one_step_run() -> None:
    shop = Pipeline("shop", pools={"none": 0})
    problem = only(shop)
    assert problem.what == "pool none lets 0 steps run"
    assert problem.where.startswith(__file__)
