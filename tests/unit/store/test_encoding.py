"""How single values are written and read back."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from reactor.store import encoding

_instants = st.datetimes(timezones=st.just(UTC))


class Order(BaseModel):
    name: str


@dataclass
class Plain:
    name: str
    inner: Any = None


@given(_instants)
def test_an_instant_is_exact_to_the_microsecond(at: datetime) -> None:
    assert encoding.instant(encoding.micros(at)) == at


@given(_instants, _instants)
def test_instants_are_in_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (encoding.micros(one) < encoding.micros(other)) == (one < other)


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    there = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))

    assert encoding.iso(encoding.micros(there)) == "2026-03-01T12:00:00.000000Z"
    assert encoding.iso(None) is None


@given(st.none() | st.sampled_from(["", "=", "==", "a", "=a"]) | st.text())
def test_a_key_that_may_be_none_is_read_as_it_was_written(name: str | None) -> None:
    assert encoding.unkeyed(encoding.keyed(name)) == name


@given(st.text() | st.none(), st.text() | st.none())
def test_different_keys_are_written_differently(one: str | None, other: str | None) -> None:
    assert (encoding.keyed(one) == encoding.keyed(other)) == (one == other)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"b": 1, "a": [None, True, 1.5]}, {"b": 1, "a": [None, True, 1.5]}),
        (10**30, 10**30),
        (float("inf"), float("inf")),
        ((1, (2,)), [1, [2]]),
        ({1: "x"}, {"1": "x"}),
        (date(2026, 3, 1), "2026-03-01"),
        (Order(name="x"), {"name": "x"}),
        (Plain("x", {"y": Order(name="z")}), {"name": "x", "inner": {"y": {"name": "z"}}}),
        # What one JSON writer refuses, another takes: lone surrogates and bytes.
        ("\ud800", "\ud800"),
        (Plain("\ud800", date(2026, 3, 1)), {"name": "\ud800", "inner": "2026-03-01"}),
        (Order(name="\ud800"), {"name": "\ud800"}),
        ([b"\xff", {"a": "\ud800"}], ["\\xff", {"a": "\ud800"}]),
    ],
    ids=repr,
)
def test_any_value_becomes_json(value: Any, read: Any) -> None:
    assert encoding.from_text(encoding.to_text(value)) == read


def test_what_json_has_no_form_for_becomes_text() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "odd"

    assert encoding.from_text(encoding.to_text([Odd(), "\ud800"])) == ["odd", "\ud800"]
    assert encoding.from_text(encoding.to_text({"a": Odd()})) == {"a": "odd"}


def test_a_deep_value_becomes_json() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]

    assert encoding.from_text(encoding.to_text(deep)) == deep
