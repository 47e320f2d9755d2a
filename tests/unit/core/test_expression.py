"""Trigger expressions: how they print, what is equal, what is refused as it is written."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Rule
from reactor.core.calendar import Calendar
from reactor.core.event import Event
from reactor.core.field import field, meta
from reactor.core.trigger.expression import AssetEvents, Trigger, at_least, leaves, same_sensor
from tests.unit.core.depth import examples
from tests.unit.core.reference.expressions import deep, keyed
from tests.unit.core.reference.history import TAPS
from tests.unit.core.tap import Tap

A, B, C = Tap("a"), Tap("b"), Tap("c")
NEWEST: Any = "newest"


def shard(event: Event) -> str:
    return event.subject[0]


WORDS: dict[str, Any] = {"a": A, "b": B, "c": C, "field": field, "meta": meta, "shard": shard}
WORDS |= {"at_least": at_least, "Calendar": Calendar}


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
        (A.then(B).then(C), "a.then(b).then(c)"),
        (A.then(B | C).within("1h"), "a.then(b | c).within('1h')"),
        ((A | B).then(C).within("1h", pair="collect"),
         "(a | b).then(c).within('1h', pair='collect')"),
        (A.then(B.then(C).within("1m")).within("1h"),
         "a.then(b.then(c).within('1m')).within('1h')"),
        (A.unless(B | C, "5m"), "a.unless(b | c, within='5m')"),
        ((A & B).within("1h").incomplete(), "(a & b).within('1h').incomplete()"),
        (A.silent_for("90s"), "a.silent_for('1m30s')"),
        (A.overdue("0 6 * * *", "30m"), "a.overdue('0 6 * * *', '30m')"),
        (A.overdue("0 6 * * *", tz="Europe/Berlin"),
         "a.overdue('0 6 * * *', '0s', tz='Europe/Berlin')"),
        (A.complete(["us", "eu", "eu"], "1h", member=field.r),
         "a.complete(['eu', 'us'], within='1h', member=field.r)"),
        (A.complete(24, "1d"), "a.complete(24, within='1d')"),
        (A.complete(field.files, "1d", member=shard),
         "a.complete(field.files, within='1d', member=shard)"),
        (A.count(3, "1m"), "a.count(3, within='1m')"),
        (A.aggregate("1m", sum=field.n > 3), "a.aggregate('1m', sum=field.n > 3)"),
        (A.aggregate("1m", avg=field.n.between(1, 2), of_at_least=3),
         "a.aggregate('1m', avg=field.n.between(1, 2), of_at_least=3)"),
        (A.delay("5m"), "a.delay('5m')"),
        (A.distinct(field.id, "1d"), "a.distinct(field.id, ttl='1d')"),
        (A.changed(meta.subject), "a.changed(meta.subject)"),
        (A.during("mon-fri 09:00-17:00", outside="drop"),
         "a.during(Calendar('mon-fri 09:00-17:00'), outside='drop')"),
    ],
)  # fmt: skip
def test_an_expression_prints_as_it_is_written(trigger: Trigger, text: str) -> None:
    assert str(trigger) == text
    if "partial" not in text and "raw.failed" not in text:
        assert eval(text, WORDS) == trigger


@examples(60)
@given(deep(), st.booleans())
def test_whatever_is_written_reads_as_it_is_printed(trigger: Trigger, key: bool) -> None:
    whole = keyed(trigger, key)
    read = eval(str(whole), WORDS | TAPS)
    assert (read, str(read)) == (whole, str(whole))


@given(deep(), deep())
def test_equal_expressions_have_equal_text_and_others_another(one: Trigger, two: Trigger) -> None:
    assert (one == two) == (str(one) == str(two))


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
        (lambda: A | 5, "5 is not a trigger"),
        (lambda: A & "b", "'b' is not a trigger"),
        (lambda: at_least(1, A, "b"), "at_least takes triggers"),  # type: ignore[arg-type]
        (lambda: ~A, r"there is no ~trigger: .* a.unless\(b, '10m'\)"),
        (lambda: A.then("b"), "'b' is not a trigger"),  # type: ignore[arg-type]
        (lambda: A.unless("b", "1m"), "'b' is not a trigger"),  # type: ignore[arg-type]
        (lambda: A.overdue(5), "overdue takes a cron expression or a Schedule"),
        (lambda: A.during(5), "during takes a Calendar or its text"),
        (lambda: A.complete(None, "1h"), "complete expects members"),
        (lambda: A.complete(True, "1h"), "complete expects members"),
        (lambda: A.complete("eu", "1h"), "complete takes a field or a function"),
        (lambda: A.aggregate("1m", sum=5), "sum= takes a comparison"),
        (lambda: A.aggregate("1m", sum=field.n == 5), "sum= takes a comparison"),
        (lambda: A.aggregate("1m", sum=field.n > "5"), "sum= compares numbers: field.n > '5'"),
        (lambda: A.aggregate("1m", avg=field.n.between("1", "x")), "avg= compares numbers"),
        (lambda: A.distinct("x", "1h"), "distinct takes a field or a function"),
        (lambda: A.changed("x"), "changed takes a field or a function"),
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
        (lambda: at_least(0, A, B), "is always met"),
        (lambda: at_least(1), "can never be met"),
        (lambda: (A & B).within("1h", pair=NEWEST), "pair is latest, oldest or collect"),
        (lambda: A.then(B).within("1h", pair=NEWEST), "pair is latest, oldest or collect"),
        (lambda: A.then(B).within("0s"), "the window is zero"),
        (lambda: A.unless(B), "must not come is missing: without one it would wait for ever"),
        (lambda: A.unless(B, "0s"), "must not come is zero"),
        (lambda: A.silent_for("0s"), "the silence is zero"),
        (lambda: A.overdue("never"), "is no cron expression"),
        (lambda: A.complete(["eu"]), "the window is missing"),
        (lambda: A.complete([], "1h"), "an empty set is always covered"),
        (lambda: A.complete(1, "1h"), "is each event by itself"),
        (lambda: A.count(1, "1h"), "a count of 1 is each event by itself"),
        (lambda: A.count(2), "the window is missing"),
        (lambda: A.aggregate("1m"), "aggregate takes one of"),
        (lambda: A.aggregate("1m", sum=field.n > 1, avg=field.n > 1), "aggregate takes one of"),
        (lambda: A.aggregate(sum=field.n > 1), "the window is missing"),
        (lambda: A.aggregate("1m", sum=field.n > 1, of_at_least=0), "of_at_least is at least 1"),
        (lambda: A.delay("0s"), "the delay is zero"),
        (lambda: A.distinct(field.id), "ttl is missing"),
        (lambda: A.during("never"), "'never'"),
        (lambda: A.during("mon", outside="away"), "outside is hold or drop"),  # type: ignore[arg-type]
        (A.incomplete, "a cannot stay incomplete: only"),
        (lambda: A.then(B).incomplete(), "cannot stay incomplete"),
        (lambda: A.count(2, "1m").incomplete(), "cannot stay incomplete"),
        (lambda: A.silent_for(-1), "a duration is not negative"),
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
