"""Predicates that no event can satisfy are told apart from those that one may."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.contradiction import impossible
from reactor.core.event import Event
from reactor.core.field import field
from reactor.core.predicate import Predicate, predicate_of
from tests.unit.core.depth import examples
from tests.unit.core.tap import START

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOTHING = float("nan")


def is_big(event: Event) -> bool:
    return event.data["amount"] > 4


@pytest.mark.parametrize(
    ("predicate", "why"),
    [
        ((field.a == 1) & (field.a == 2), "field.a == 1 and field.a == 2 never hold together"),
        ((field.a == 1) & field.a.isin([2, 3]), "never hold together"),
        ((field.a == 1) & (field.a != 1), "never hold together"),
        ((field.a == 1) & (field.a > 5), "never hold together"),
        (((field.a == 1) | (field.a == 2)) & (field.a > 5), "never hold together"),
        (field.a.isin([1, 9]) & (field.a > 5) & (field.a < 7), "never hold together"),
        ((field.a > 5) & (field.a < 3), "never hold together"),
        ((field.a > 5) & (field.a <= 5), "never hold together"),
        ((field.a >= 5) & field.a.between(1, 4), "never hold together"),
        ((field.a > 5) & field.b.exists() & (field.a < "x"), "never hold together"),
        ((field.a > 5) & field.a.startswith("x"), "never hold together"),
        ((field.a == "eu") & field.a.startswith("us"), "never hold together"),
        ((field.a == "eu") & field.a.matches("^u"), "never hold together"),
        (field.a.startswith("eu") & field.a.startswith("us"), "never hold together"),
        ((field.a > NOON) & (field.a < date(2026, 1, 1)), "never hold together"),
        (field.a.is_null() & (field.a == 1), "never hold together"),
        (field.a.is_null() & (field.a > 1), "never hold together"),
        ((field.a == 1) & ~(field.a == 1), "never hold together"),
        (predicate_of(is_big) & ~predicate_of(is_big), "is_big and ~is_big never hold together"),
        (~field.a.exists() & (field.a == 1), "never hold together"),
        (field.a.isin([]), "field.a in () never holds: it is one of nothing"),
        (field.a.between(9, 1), "field.a.between(9, 1) never holds: the first is more"),
        (field.a.between("a", 5), "its bounds are of different kinds"),
        (field.a > None, "null has no order"),
        (field.a == NOTHING, "nothing compares with nan"),
        (field.a.any((field > 5) & (field < 3)), "field > 5 and field < 3 never hold together"),
        (field.a.isin([]) | ((field.a > 5) & (field.a < 3)), "one of nothing; field.a > 5 and"),
        ((field.a > 5) & ((field.a < 3) | (field.a == 4)), "field.a > 5 and field.a < 3"),
    ],
    ids=str,
)
def test_what_can_never_hold_is_told_with_the_reason(predicate: Predicate, why: str) -> None:
    assert why in str(impossible([predicate]))


@pytest.mark.parametrize(
    "predicate",
    [
        (field.a == 1) & (field.b == 2),
        (field.a == 1) & (field.a == 1.0),
        (field.a == 1) & field.a.isin([1, 2]),
        (field.a >= 5) & (field.a <= 5),
        (field.a > 5) & (field.a < 6),
        (field.a != 1) & (field.a != 2),
        (field.a == 1) | (field.a == 2),
        (field.a > 5) & ((field.a < 3) | (field.b == 4)),
        field.a.startswith("e") & field.a.startswith("eu"),
        field.a.startswith(""),
        field.a.contains(1) & field.a.contains(2),
        (field.a == [1]) & (field.a == [2]),
        (field.a == "2026-01-01") & (field.a == "2026-01-01T00:00:00Z"),
        (field.a == "2026-01-01") & (field.a == date(2026, 1, 1)),
        (field.a > "2026-01-01") & (field.a < NOON),
        (field.a > "2026-01-01T12:00:00Z") & (field.a < "2026-01-01T10:00:00-05:00"),
        field.a.any(field == 1) & field.a.any(field == 2),
        ~field.a.exists() & (field.b == 1),
        ~(field.a == 1) & field.a.exists(),
        field.a.exists() & field.a.is_null(),
    ],
    ids=str,
)
def test_what_may_hold_is_not(predicate: Predicate) -> None:
    assert impossible([predicate]) is None


VALUES = st.sampled_from(
    [None, True, 0, 1, 2, 0.5, "", "e", "eu", "2026-01-01", "2026-01-01T12:00Z", NOON,
     date(2026, 1, 1), NOTHING]
)  # fmt: skip


def comparisons() -> st.SearchStrategy[Predicate]:
    order = st.sampled_from(["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__eq__", "__ne__"])
    here = st.just(field.a)
    return st.one_of(
        st.builds(lambda place, op, value: getattr(place, op)(value), here, order, VALUES),
        st.builds(lambda place, some: place.isin(some), here, st.lists(VALUES, max_size=3)),
        st.builds(lambda place, one, two: place.between(one, two), here, VALUES, VALUES),
        st.builds(lambda place, value: place.startswith(value), here, st.sampled_from(["e", "2"])),
        st.builds(lambda place: place.exists(), here),
        st.builds(lambda place: place.is_null(), here),
        st.builds(lambda place, value: place.any(field == value), here, VALUES),
    )


PREDICATES = st.recursive(
    comparisons(),
    lambda inner: (
        st.builds(lambda a, b: a & b, inner, inner)
        | st.builds(lambda a, b: a | b, inner, inner)
        | st.builds(lambda a: ~a, inner)
    ),
    max_leaves=5,
)


@examples(150)
@given(st.lists(PREDICATES, min_size=1, max_size=3), VALUES | st.lists(VALUES, max_size=2))
def test_what_is_called_impossible_holds_of_nothing(several: list[Predicate], value: Any) -> None:
    if impossible(several) is not None:
        event = Event("1", "a", "tap", "s", START, START, {"a": value})
        assert not all(predicate.test()(event) for predicate in several)


def test_of_a_long_list_only_the_beginning_is_told() -> None:
    why = str(impossible([field.a.isin(range(10_000)) & (field.a > 10_000)]))
    assert why.startswith("field.a in (0, 1, 2, ")
    assert why.endswith("... and field.a > 10000 never hold together")
    assert len(why) < 300
