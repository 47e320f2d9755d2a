"""The index lets in exactly what asking every leaf would let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Rule
from reactor.core.event import Event
from reactor.core.field import Predicate, field, meta, predicate_of
from reactor.core.index import Index, Listener
from reactor.core.trigger.expression import AssetEvents
from tests.unit.core.depth import examples
from tests.unit.core.tap import START, Tap

A = Tap("a")


def index_of(*predicates: Predicate) -> tuple[Index, list[Listener]]:
    rules = [Listener(Rule(f"r{n}", A.where(p), ("x",)), n) for n, p in enumerate(predicates)]
    index = Index()
    for rule in rules:
        for entry in rule.program.entries:
            index.add(rule, entry)
    return index, rules


def found(index: Index, event: Event) -> list[str]:
    hits, _ = index.find(event)
    return sorted({hit.rule.name for hit in hits})


SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, 2, "1", "eu", "us", ""])
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.just({"a": 1}) | st.just((1,))
PLACES = st.sampled_from([field.a, field.b, field.a.b, meta.key])


def predicates() -> st.SearchStrategy[Predicate]:
    equal = st.builds(lambda place, value: place == value, PLACES, VALUES)
    among = st.builds(lambda place, some: place.isin(some), PLACES, st.lists(VALUES, max_size=3))
    other = st.builds(lambda place, value: place != value, PLACES, SCALARS)
    one = equal | among | other | st.builds(lambda place: place.exists(), PLACES)
    return st.recursive(
        one,
        lambda inner: (
            st.builds(lambda a, b: a & b, inner, inner)
            | st.builds(lambda a, b: a | b, inner, inner)
            | st.builds(lambda a: ~a, inner)
        ),
        max_leaves=4,
    )


PAYLOADS = st.dictionaries(st.sampled_from("ab"), VALUES | st.dictionaries(st.just("b"), VALUES))


@examples(60)
@given(st.lists(predicates(), min_size=1, max_size=6), PAYLOADS, st.sampled_from([None, "eu", "1"]))
def test_it_agrees_with_asking_every_rule(
    several: list[Predicate], data: Any, key: str | None
) -> None:
    index, _ = index_of(*several)
    event = Event("1", "a", "tap", "s", START, START, data, key)
    naive = [f"r{n}" for n, predicate in enumerate(several) if predicate.test()(event)]
    assert found(index, event) == naive


def test_a_value_that_cannot_be_hashed_may_equal_one_that_can() -> None:
    index, _ = index_of(field.tags == frozenset({"vip"}), field.tags == "vip")
    event = Event("1", "a", "tap", "s", START, START, {"tags": {"vip"}})
    assert found(index, event) == ["r0"]


@dataclass
class Model:
    x: int = 1

    @property
    def bad(self) -> int:
        raise RuntimeError("no such luck")


def test_a_property_that_raises_concerns_only_the_rules_that_look_at_it() -> None:
    index, _ = index_of(field.bad == 1, field.x == 1, field.bad == 2)
    hits, failed = index.find(Event("1", "a", "tap", "s", START, START, Model()))
    assert [hit.rule.name for hit in hits] == ["r1"]
    assert sorted((hit.rule.name, str(error)) for hit, error in failed) == [
        ("r0", "no such luck"),
        ("r2", "no such luck"),
    ]


def test_a_function_that_raises_concerns_only_its_rule() -> None:
    index, _ = index_of(field.x == 1, predicate_that_raises())
    hits, failed = index.find(Event("1", "a", "tap", "s", START, START, {"x": 1}))
    assert [hit.rule.name for hit in hits] == ["r0"]
    assert [(hit.rule.name, repr(error)) for hit, error in failed] == [("r1", "KeyError('y')")]


def predicate_that_raises() -> Predicate:
    return predicate_of(lambda event: event.data["y"])


def test_an_asset_trigger_lets_in_only_its_kind_of_event() -> None:
    rule = Listener(Rule("r", AssetEvents("raw", "failed"), ("x",)), 0)
    index = Index()
    index.add(rule, rule.program.entries[0])
    ended = Event("1", "asset:raw", "materialized", "raw", START, START)
    assert found(index, ended) == []
    assert found(index, Event("2", "asset:raw", "failed", "raw", START, START)) == ["r"]


def test_an_event_asks_only_the_rules_whose_equality_holds() -> None:
    asked: list[int] = []

    def ask(number: int) -> Any:
        return lambda event: asked.append(number) or True

    index, _ = index_of(*((field.n == n) & ask(n) for n in range(100)))
    assert found(index, Event("1", "a", "tap", "s", START, START, {"n": 7})) == ["r7"]
    assert asked == [7]
