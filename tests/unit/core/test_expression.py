"""Trigger expressions: how they print, what is equal, what is refused as it is written."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from reactor.core.asset import Rule
from reactor.core.event import Event
from reactor.core.field import field, meta
from reactor.core.trigger.expression import AssetEvents, Trigger, at_least, leaves, same_sensor
from tests.unit.core.tap import Tap

A, B, C = Tap("a"), Tap("b"), Tap("c")
NEWEST: Any = "newest"


def shard(event: Event) -> str:
    return event.subject[0]


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (A, "a"),
        (AssetEvents("raw", "failed"), "raw.failed"),
        (A.where(field.x > 1), "a.where(field.x > 1)"),
        (A.where(shard), "a.where(shard)"),
        (A.by(field.x), "a.by(field.x)"),
        (A.by(meta.key), "a.by(meta.key)"),
        (A.by(shard), "a.by(shard)"),
        (A.by(functools.partial(shard)), "a.by(partial(shard))"),
        (A | B | C, "a | b | c"),
        ((A | B).where(field.x == 1), "(a | b).where(field.x == 1)"),
        (A & B & C, "a & b & c"),
        ((A & B).within("90m"), "(a & b).within('1h30m')"),
        ((A & (B | C)).within("1h", pair="oldest"), "(a & (b | c)).within('1h', pair='oldest')"),
        (((A & B).within("1h") & C).within("1d"), "((a & b).within('1h') & c).within('1d')"),
        (at_least(2, A, B, C).within("1h"), "at_least(2, a, b, c).within('1h')"),
        (at_least(2, A, B, C), "at_least(2, a, b, c)"),
        (A.batch(100, "30s"), "a.batch(100, max_wait='30s')"),
        (A.debounce("5s", "1m"), "a.debounce('5s', max_wait='1m')"),
        (A.throttle("1h"), "a.throttle('1h')"),
        (A.throttle("1h", trailing=False), "a.throttle('1h', trailing=False)"),
    ],
)
def test_an_expression_prints_as_it_is_written(trigger: Trigger, text: str) -> None:
    assert str(trigger) == text


def test_expressions_are_values() -> None:
    one, other = A.where(field.x > 1).batch(3, "1m"), Tap("a").where(field.x > 1).batch(3, "60s")
    assert one == other
    assert A.where(field.x > 1) != A.where(field.x > 2)
    assert A | B != B | A


def test_an_operand_of_the_same_kind_is_taken_apart() -> None:
    assert (A & B & C).children == (A, B, C)
    assert (A | (B | C)).children == (A, B, C)
    windowed = (A & B).within("1h")
    assert (windowed & C).children == (windowed, C), "a windowed pattern is a unit"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: A and B, r"write a \| b and \(a & b\).within"),
        (lambda: A or B, "no truth value"),
        (lambda: not A, "no truth value"),  # pyright: ignore
        (lambda: A.where(field.x), "alone is not a condition"),
        (lambda: A.where("x"), "where takes a predicate"),
        (lambda: A.by("x"), "by takes a field or a function"),
        (lambda: A | 5, "unsupported operand"),
        (lambda: A & "b", "unsupported operand"),
        (lambda: at_least(1, A, "b"), "at_least takes triggers"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_meant_is_a_type_error(write: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        write()


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: (A & B).within("0s"), "the window is zero"),
        (lambda: at_least(1, A, B).within(0), "the window is zero"),
        (lambda: A.batch(10, "0s"), "max_wait is zero"),
        (lambda: A.batch(0, "1s"), "n is at least 1"),
        (lambda: A.debounce("0s", "1m"), "quiet is zero"),
        (lambda: A.debounce("1m", "30s"), "max_wait 30s is shorter than quiet 1m"),
        (lambda: A.throttle("0s"), "the throttle is zero"),
        (lambda: A.throttle("often"), "a duration is text"),
        (lambda: at_least(3, A, B), r"at_least\(3, ...\) of 2 triggers can never be met"),
        (lambda: at_least(0, A, B), "can never be met"),
        (lambda: at_least(1), "can never be met"),
        (lambda: (A & B).within("1h", pair=NEWEST), "pair is latest, oldest or collect"),
    ],
)
def test_what_could_never_fire_is_a_value_error(write: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        write()


def test_the_leaves_are_named_once_in_the_order_written() -> None:
    trigger = (B.where(field.x == 1) | A).batch(3, "1m") | AssetEvents("raw", "failed") | B
    assert leaves(trigger) == (B, A, AssetEvents("raw", "failed"))


def test_equal_sensors_are_one_sensor() -> None:
    assert same_sensor(Tap("a"), Tap("a"))
    assert not same_sensor(Tap("a"), Tap("b"))
    assert not same_sensor(Tap("a"), AssetEvents("a", "failed"))


def test_a_fingerprint_follows_the_expression_and_nothing_else() -> None:
    def fingerprint(trigger: Trigger, **options: Any) -> str:
        return Rule("r", trigger, ("x",), **options).fingerprint

    same = fingerprint(A.batch(3, "1m"))
    assert fingerprint(Tap("a").batch(3, "60s"), priority=5, where="f:1") == same
    assert fingerprint(A.batch(4, "1m")) != same
    assert fingerprint(A.batch(3, "1m"), partition=shard) != same


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    for function in (shard, functools.partial(shard), Shards()):
        rule = Rule("r", A.where(function).by(function).batch(3, "1m"), ("x",), partition=function)
        assert "0x" not in str(rule.trigger)
        assert (
            rule.fingerprint
            == Rule("s", rule.trigger, ("y",), partition=rule.partition).fingerprint
        )
    one, other = (Rule("r", A, ("x",), partition=functools.partial(shard)) for _ in range(2))
    assert one.fingerprint == other.fingerprint


class Shards:
    def __call__(self, event: Event) -> str:
        return "x"
