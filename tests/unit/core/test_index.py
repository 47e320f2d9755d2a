"""The index lets in exactly what asking every leaf would let in, and asks few of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Rule
from reactor.core.event import Event
from reactor.core.field import field, meta
from reactor.core.index import Index, Listener
from reactor.core.predicate import Predicate, predicate_of
from reactor.core.trigger.expression import AssetEvents
from tests.unit.core.depth import examples
from tests.unit.core.tap import START, Tap

A = Tap("a")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATE = timezone(timedelta(hours=-12))


def index_of(*predicates: Predicate) -> tuple[Index, list[Listener]]:
    rules = [Listener(Rule(f"r{n}", A.where(p), ("x",)), n) for n, p in enumerate(predicates)]
    index = Index()
    for rule in rules:
        for entry in rule.program.entries:
            index.add(rule, entry)
    return index, rules


def event(data: Any = None, key: str | None = None, subject: str = "s") -> Event:
    return Event("1", "a", "tap", subject, START, START, data, key)


def found(index: Index, event: Event) -> list[str]:
    hits, _ = index.find(event)
    return [hit.rule.name for hit in sorted(hits, key=lambda hit: hit.rule.number)]


class Colour(Enum):
    RED = "red"
    ONE = 1


SCALARS = st.sampled_from(
    [
        None, True, False, 0, 1, 1.0, -1, 2, 0.1, 10**30, math.nan, math.inf, Decimal("0.1"),
        Decimal("1"), Decimal("NaN"), Decimal("1E+9999"), "", "1", "e", "eu", "us", "red",
        "\ud800", Colour.RED, Colour.ONE, "2026-01-01", "2026-01-01T12:00:00Z", "20260101",
        NOON, NOON.replace(tzinfo=None), date(2026, 1, 1), datetime.max.replace(tzinfo=LATE),
        timedelta(1), b"e",
        UUID(int=1), str(UUID(int=1)),
    ]
)  # fmt: skip
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.sampled_from([{"a": 1}, (1,), ([1],), {"eu"}, frozenset({"eu"}), frozenset({1})])
)
PLACES = st.sampled_from([field.a, field.b, field.a.b, field.b[0], meta.key, field.bad])


def raises(event: Event) -> bool:
    return event.data["a"] > 1


def comparisons() -> st.SearchStrategy[Predicate]:
    order = st.sampled_from(["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__eq__", "__ne__"])
    prefixes = st.sampled_from(["", "e", "eu", "2026-01", "u"])
    return st.one_of(
        st.builds(lambda place, op, value: getattr(place, op)(value), PLACES, order, VALUES),
        st.builds(lambda place, some: place.isin(some), PLACES, st.lists(VALUES, max_size=3)),
        st.builds(lambda place, one, two: place.between(one, two), PLACES, SCALARS, SCALARS),
        st.builds(lambda place, text: place.startswith(text), PLACES, prefixes),
        st.builds(lambda place, value: place.contains(value), PLACES, SCALARS),
        st.builds(lambda place, value: place.any(field == value), st.just(field.a), SCALARS),
        st.builds(lambda place: place.exists(), PLACES),
        st.builds(lambda place: place.is_null(), PLACES),
        st.just(predicate_of(raises)),
    )


def predicates() -> st.SearchStrategy[Predicate]:
    return st.recursive(
        comparisons(),
        lambda inner: (
            st.builds(lambda a, b: a & b, inner, inner)
            | st.builds(lambda a, b: a | b, inner, inner)
            | st.builds(lambda a: ~a, inner)
        ),
        max_leaves=5,
    )


@dataclass
class Both:
    a: Any
    b: Any

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    @property
    def bad(self) -> int:
        raise RuntimeError("no such luck")


PAYLOADS = st.dictionaries(
    st.sampled_from("ab"), VALUES | st.dictionaries(st.just("b"), VALUES)
) | st.builds(Both, VALUES, VALUES)


def asked(predicate: Predicate, event: Event) -> bool | Exception:
    try:
        return predicate.test()(event)
    except Exception as error:  # noqa: BLE001 - whatever a predicate raises
        return error


@examples(60)
@given(
    st.lists(predicates(), min_size=1, max_size=8),
    st.lists(st.sampled_from(range(8)), max_size=4),
    PAYLOADS,
    st.sampled_from([None, "eu", "1"]),
)
def test_it_agrees_with_asking_every_rule(
    several: list[Predicate], shared: list[int], data: Any, key: str | None
) -> None:
    # Some conditions stand in several rules, so that they are shared.
    several = [*several, *(several[n % len(several)] & several[0] for n in shared)]
    index, _ = index_of(*several)
    seen = event(data, key)
    naive = {f"r{n}": asked(predicate, seen) for n, predicate in enumerate(several)}
    for _ in range(2):
        hits, failed = index.find(seen)
        assert sorted(hit.rule.name for hit in hits) == sorted(
            name for name, answer in naive.items() if answer is True
        )
        # It asks fewer, so it may be spared an error, but it makes none up.
        for hit, error in failed:
            assert repr(naive[hit.rule.name]) == repr(error)


@examples(60)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans(), st.booleans()),
             min_size=1, max_size=40),
    st.integers(0, 9) | st.floats(0, 9) | st.sampled_from([math.nan, math.inf, "5", True]),
)  # fmt: skip
def test_ranges_are_found_wherever_they_begin_and_end(
    several: list[tuple[int, int, bool, bool]], value: Any
) -> None:
    def written(low: int, high: int, open_low: bool, open_high: bool) -> Predicate:
        above = field.a > low if open_low else field.a >= low
        return above & (field.a < high if open_high else field.a <= high)

    rules = [written(*each) for each in several]
    index, _ = index_of(*rules)
    naive = [f"r{n}" for n, rule in enumerate(rules) if rule.test()(event({"a": value}))]
    assert found(index, event({"a": value})) == naive


def test_a_value_that_cannot_be_hashed_may_equal_one_that_can() -> None:
    index, _ = index_of(field.tags == frozenset({"vip"}), field.tags == "vip")
    assert found(index, event({"tags": {"vip"}})) == ["r0"]


def test_nothing_equals_what_does_not_equal_itself() -> None:
    nothing = math.nan
    index, _ = index_of(field.a == nothing, field.a.isin([nothing, 1]), field.a > 0)
    assert found(index, event({"a": nothing})) == []


@dataclass
class Model:
    x: int = 1

    @property
    def bad(self) -> int:
        raise RuntimeError("no such luck")


def test_a_property_that_raises_concerns_only_the_rules_that_look_at_it() -> None:
    index, _ = index_of(
        field.bad == 1, field.x == 1, field.bad == 2, (field.x == 2) & (field.bad < 5)
    )
    hits, failed = index.find(event(Model()))
    assert [hit.rule.name for hit in hits] == ["r1"]
    assert sorted((hit.rule.name, str(error)) for hit, error in failed) == [
        ("r0", "no such luck"),
        ("r2", "no such luck"),
    ]


def test_a_function_that_raises_concerns_only_its_rule() -> None:
    index, _ = index_of(field.x == 1, predicate_of(lambda event: event.data["y"]))
    hits, failed = index.find(event({"x": 1}))
    assert [hit.rule.name for hit in hits] == ["r0"]
    assert [(hit.rule.name, repr(error)) for hit, error in failed] == [("r1", "KeyError('y')")]


def test_what_guards_a_function_in_one_rule_guards_it_though_another_has_it_the_other_way() -> None:
    index, _ = index_of(predicate_of(raises) & field.a.exists(), field.a.exists() & raises)
    _, failed = index.find(event({}))
    assert [hit.rule.name for hit, _ in failed] == ["r0"]


def test_an_asset_trigger_lets_in_only_its_kind_of_event() -> None:
    rule = Listener(Rule("r", AssetEvents("raw", "failed"), ("x",)), 0)
    index = Index()
    index.add(rule, rule.program.entries[0])
    ended = Event("1", "asset:raw", "materialized", "raw", START, START)
    assert found(index, ended) == []
    assert found(index, Event("2", "asset:raw", "failed", "raw", START, START)) == ["r"]


def test_a_rule_that_is_added_later_is_found() -> None:
    index, _ = index_of(field.n == 1)
    assert found(index, event({"n": 1})) == ["r0"]
    late = Listener(Rule("late", A.where(field.n == 1), ("x",)), 1)
    index.add(late, late.program.entries[0])
    index.build()
    assert found(index, event({"n": 1})) == ["r0", "late"]


class Asked:
    """Counts how often each of many functions is asked."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, number: int) -> Callable[[Event], bool]:
        return lambda event: self.numbers.append(number) is None


MANY = 1_000


@pytest.mark.parametrize(
    ("condition", "data"),
    [
        (lambda n: field.n == n, {"n": 7}),
        (lambda n: field.n.isin([n, n + MANY]), {"n": 7}),
        (lambda n: (field.n == n) | (field.n == -n - 1), {"n": 7}),
        (lambda n: field.n.between(10 * n, 10 * n + 9), {"n": 75}),
        (lambda n: (field.n > 10 * n) & (field.n <= 10 * n + 9), {"n": 75}),
        (lambda n: field.n >= MANY - n - 1, {"n": MANY - 8}),
        (lambda n: field.name.startswith(f"in/{n}/"), {"name": "in/7/a.csv"}),
        (lambda n: (field.region == "eu") & (field.n == n), {"region": "eu", "n": 7}),
        (lambda n: (field.region == "eu") & field.n.between(n, n), {"region": "eu", "n": 7}),
    ],
    ids=[
        "equality", "membership", "or", "between", "from and to", "from", "prefix",
        "equality beside one that all share", "range beside an equality that all share",
    ],
)  # fmt: skip
def test_of_a_thousand_rules_only_those_are_asked_that_match(
    condition: Callable[[int], Predicate], data: dict[str, Any]
) -> None:
    ask = Asked()
    index, _ = index_of(*(condition(n) & ask(n) for n in range(MANY)))
    hits, _ = index.find(event(data))
    assert sorted(hit.rule.number for hit in hits) == sorted(ask.numbers)
    assert 7 in ask.numbers
    assert len(ask.numbers) == len([n for n in range(MANY) if condition(n).test()(event(data))])


def test_leaves_that_ask_the_same_are_asked_once() -> None:
    ask = Asked()
    one = predicate_of(ask(1))
    index, _ = index_of(*[one & (field.n != 3)] * 5)
    assert len(found(index, event({"n": 1}))) == 5
    assert ask.numbers == [1]


def test_what_several_rules_ask_is_asked_once_for_each_event_however_deep_it_stands() -> None:
    ask = Asked()
    one = predicate_of(ask(1))
    index, _ = index_of(
        one & (field.n != 1), one & (field.n != 2), ~one, (one & (field.n == 9)) | (field.n == 5)
    )
    assert found(index, event({"n": 5})) == ["r0", "r1", "r3"]
    assert ask.numbers == [1]
    # Another event, though it looks the same, is asked anew.
    assert found(index, event({"n": 5})) == ["r0", "r1", "r3"]
    assert ask.numbers == [1, 1]


def test_what_several_rules_ask_is_not_asked_when_none_of_them_needs_it() -> None:
    ask = Asked()
    one = predicate_of(ask(1))
    index, _ = index_of((field.n == 1) & one, (field.n == 2) & one)
    assert found(index, event({"n": 3})) == []
    assert ask.numbers == []


def test_an_error_that_several_rules_share_is_told_for_each_of_them() -> None:
    one = predicate_of(raises)
    index, _ = index_of(one & (field.n != 1), one & (field.n != 2))
    hits, failed = index.find(event({"n": 3}))
    assert hits == []
    assert [(hit.rule.name, repr(error)) for hit, error in failed] == [
        ("r0", "KeyError('a')"),
        ("r1", "KeyError('a')"),
    ]


class Counted:
    """A model that counts how often it is looked into."""

    def __init__(self, **values: Any) -> None:
        self.values, self.reads = values, dict.fromkeys(values, 0)

    def __getattr__(self, name: str) -> Any:
        if name not in self.values:
            raise AttributeError(name)
        self.reads[name] += 1
        return self.values[name]


def test_a_place_is_read_once_for_an_event() -> None:
    index, _ = index_of(
        field.n == 1,
        field.n.between(0, 5),
        field.n > 0,
        (field.n != 7) & (field.name == "x"),
        (field.name.startswith("x")) & (field.n != 8),
        ~(field.n == 2),
    )
    counted = Counted(n=1, name="x")
    assert found(index, event(counted)) == ["r0", "r1", "r2", "r3", "r4", "r5"]
    assert counted.reads == {"n": 1, "name": 1}
