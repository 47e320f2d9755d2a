"""Predicates: what holds of an event, and what is false rather than an error."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from reactor.core.event import Event
from reactor.core.field import field, meta, path_of
from reactor.core.place import META
from reactor.core.predicate import Predicate, compared, conjuncts, named, predicate_of
from tests.unit.core.depth import examples
from tests.unit.core.tap import START, at


def event(data: Any = None, **about: Any) -> Event:
    given = {"time": START, "received": at(1), "key": None, **about}
    return Event("1", "tap", "seen", "subject", data=data, **given)


def holds(predicate: Predicate, data: Any = None, **about: Any) -> bool:
    return predicate.test()(event(data, **about))


ORDER = {
    "amount": 5,
    "region": "eu",
    "tags": ["vip", "new"],
    "customer": {"name": "Ada", "emails": [{"to": "a@x"}, {"to": "b@x"}]},
    "gone": None,
    "odd name": 1,
}


@pytest.mark.parametrize(
    "predicate",
    [
        field.amount == 5,
        field.amount != 6,
        field.amount < 6,
        field.amount <= 5,
        field.amount > 4,
        field.amount >= 5,
        field.amount.between(5, 9),
        field.amount.between(1, 5),
        field.region.isin(["eu", "us"]),
        field.region.isin(region for region in ("eu",)),
        field.region.startswith("e"),
        field.region.matches("^e.$"),
        field.region.contains("u"),
        field.tags.contains("vip"),
        field.customer.contains("name"),
        field.customer.name == "Ada",
        field.customer.emails[1].to == "b@x",
        field.customer.emails[-1].to == "b@x",
        field["odd name"] == 1,
        field["region"] == "eu",
        field.amount.exists(),
        field.gone.exists(),
        field.gone.is_null(),
        field.gone == None,  # noqa: E711
        field.tags == ["vip", "new"],
    ],
    ids=str,
)
def test_it_holds(predicate: Predicate) -> None:
    assert holds(predicate, ORDER)
    assert not holds(~predicate, ORDER)


@pytest.mark.parametrize(
    "predicate",
    [
        field.missing == 5,
        field.missing != 5,
        field.missing < 5,
        field.missing.isin([5]),
        field.missing.exists(),
        field.missing.is_null(),
        field.missing.deeper.still == 1,
        field.amount.is_null(),
        field.amount == "5",
        field.amount < "x",
        field.amount.between("a", "b"),
        field.amount.startswith("5"),
        field.amount.matches("5"),
        field.amount.contains(5),
        field.amount.real == 5,
        field.region.upper.exists(),
        field.tags.count.exists(),
        field.tags[2] == "x",
        field.tags[-3] == "x",
        field.tags["0"] == "vip",
        field.region[0] == "e",
        field.customer[0] == "Ada",
        field.gone.deeper == None,  # noqa: E711
        field.gone > 1,
    ],
    ids=str,
)
def test_what_is_missing_or_of_another_type_does_not_hold(predicate: Predicate) -> None:
    assert not holds(predicate, ORDER)


@pytest.mark.parametrize("data", [None, 5, "text", b"bytes", [], ["x"], ("x",), {1, 2}])
def test_a_payload_that_is_no_mapping_has_no_fields(data: Any) -> None:
    assert not holds(field.count.exists(), data)
    assert not holds(field.x == 1, data)


class Customer(BaseModel):
    name: str


class Order(BaseModel):
    customer: Customer
    copied: int = 1


@dataclass
class Point:
    x: int

    @property
    def bad(self) -> int:
        raise RuntimeError("no")


def test_a_model_is_looked_into_by_attribute() -> None:
    order = Order(customer=Customer(name="Ada"))
    assert holds(field.customer.name == "Ada", order)
    assert not holds(field.customer.age == 5, order)
    assert holds(field.x == 3, Point(3))


def test_a_method_of_a_model_is_no_field() -> None:
    assert not holds(field.model_copy.exists(), Order(customer=Customer(name="Ada")))


def test_what_a_property_raises_is_raised() -> None:
    with pytest.raises(RuntimeError):
        holds(field.bad == 1, Point(1))


def test_the_envelope_is_looked_at_with_meta() -> None:
    about = {"key": "k", "headers": {"source": "web"}}
    assert holds(meta.subject == "subject", **about)
    assert holds(meta.type == "seen", **about)
    assert holds(meta.key == "k", **about)
    assert holds(meta.time == START, **about)
    assert holds(meta.received > START, **about)
    assert holds(meta.header["source"] == "web", **about)
    assert holds(meta.header.source == "web", **about)
    assert not holds(meta.header["other"].exists(), **about)
    assert not holds(meta.key.startswith("k"))


@pytest.mark.parametrize("place", [meta.foo, meta.key.deeper, meta.header, meta, meta["data"]])
def test_what_the_envelope_does_not_have_is_refused_before_any_event(place: Any) -> None:
    with pytest.raises(ValueError, match=", ".join(META)):
        (place == 1).test()


def test_a_function_is_a_predicate_and_what_it_raises_is_raised() -> None:
    predicate = predicate_of(lambda event: event.data["amount"] > 4)
    assert holds(predicate, ORDER)
    with pytest.raises(KeyError):
        holds(predicate, {})


def test_and_or_not_combine_fields_and_functions_on_either_side() -> None:
    def big(event: Event) -> bool:
        return event.data["amount"] > 4

    for combined in ((field.region == "eu") & big, big & (field.region == "eu")):
        assert holds(combined, ORDER)
    for combined in ((field.region == "us") | big, big | (field.region == "us")):
        assert holds(combined, ORDER)
    assert holds(~(field.region == "us"), ORDER)
    assert not holds((field.region == "eu") & ~predicate_of(big), ORDER)


def test_a_second_part_is_not_asked_when_the_first_decides() -> None:
    def never(event: Event) -> bool:
        raise AssertionError

    assert not holds((field.region == "us") & never, ORDER)
    assert holds((field.region == "eu") | never, ORDER)


def is_big(event: Event) -> bool:
    return event.data["amount"] > 4


class Bigger:
    def __call__(self, event: Event) -> bool:
        return True


@pytest.mark.parametrize(
    ("predicate", "text"),
    [
        (field.amount > 1_000, "field.amount > 1000"),
        (field.a.b[0].c == "x", "field.a.b[0].c == 'x'"),
        (field["odd name"] == 1, "field['odd name'] == 1"),
        (field.region.isin(["eu"]), "field.region in ('eu',)"),
        (field.amount.between(1, 9), "field.amount.between(1, 9)"),
        (field.tags.contains("vip"), "field.tags.contains('vip')"),
        (field.x.exists(), "field.x.exists()"),
        (field.x.is_null(), "field.x.is_null()"),
        (meta.header["a"] == "b", "meta.header.a == 'b'"),
        ((field.a == 1) & (field.b == 2), "(field.a == 1) & (field.b == 2)"),
        ((field.a == 1) & ((field.b == 2) | (field.c == 3)),
         "(field.a == 1) & ((field.b == 2) | (field.c == 3))"),
        (~(field.a == 1), "~(field.a == 1)"),
        (predicate_of(is_big), "is_big"),
        (predicate_of(functools.partial(is_big)), "partial(is_big)"),
        (predicate_of(Bigger()), "Bigger"),
    ],
)  # fmt: skip
def test_a_predicate_prints_as_it_is_written_and_the_same_in_every_process(
    predicate: Predicate, text: str
) -> None:
    assert str(predicate) == text


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: bool(field.a == 1), "combine with &, |, ~"),
        (lambda: field.a == 1 and field.b == 2, "combine with &, |, ~"),
        (lambda: 1 < field.a < 5, "combine with &, |, ~"),
        (lambda: not (field.a == 1), "combine with &, |, ~"),  # noqa: SIM201
        (lambda: bool(field.a), r"write field.a.exists\(\)"),
        (lambda: field.a in ("x", "y"), "combine with &, |, ~"),
        (lambda: "x" in field.a, "contains"),
        (lambda: list(field.a), "contains"),
        (lambda: field.a > 1 & field.b < 2, "in parentheses"),
        (lambda: field.a & (field.b == 2), "in parentheses"),
        (lambda: (field.b == 2) | field.a, "alone is not a condition"),
        (lambda: predicate_of(field.a), "alone is not a condition"),
        (lambda: predicate_of("a"), "where takes a predicate on field or a function"),
        (lambda: (field.a == 1) & 5, "where takes a predicate on field or a function"),
    ],
)
def test_what_python_would_get_wrong_is_refused(write: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        write()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[", "missing ]"),
        (r"a\Z", r"write \\z"),
        ("(?=a)b", "looking around takes no bounded time"),
        ("(?<!a)b", "looking around takes no bounded time"),
        (r"(a)\1", "a reference back to a group takes no bounded time"),
        ("(?P<x>a)(?P=x)", "a reference back to a group takes no bounded time"),
        ("((a{99}){99}){99}", "too large when its repetitions are written out"),
        ("a" * 1_001, "a pattern of 1,001 characters: at most 1,000"),
        ("\ud800", "no text that can be encoded"),
    ],
)
def test_a_pattern_that_cannot_be_found_in_bounded_time_is_refused_where_it_stands(
    pattern: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        field.a.matches(pattern)


def test_a_pattern_that_would_take_others_for_ever_takes_no_time_worth_naming() -> None:
    assert not holds(field.a.matches("^(a|aa)+$"), {"a": "a" * 50_000 + "b"})
    assert not holds(field.a.matches("(x+x+)+y"), {"a": "x" * 50_000})


def test_half_of_a_character_is_text_in_which_a_pattern_may_be_found() -> None:
    assert holds(field.a.matches("^eu"), {"a": "eu\ud800"})


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = 1
    HIGH = 2


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EASTERN = timezone(timedelta(hours=-5))
ONE = UUID(int=1)
NOTHING = math.nan


@pytest.mark.parametrize(
    ("predicate", "value"),
    [
        (field.a == "red", Colour.RED),
        (field.a == Colour.RED, Colour.RED),
        (field.a == Colour.RED, "red"),
        (field.a.isin([Colour.RED]), "red"),
        (field.a.isin(["red"]), Colour.RED),
        (field.a.startswith("re"), Colour.RED),
        (field.a.contains("e"), Colour.RED),
        (field.a.contains("red"), [Colour.BLUE, Colour.RED]),
        (field.a.contains(Colour.RED), ["red"]),
        (field.a > Level.LOW, Level.HIGH),
        (field.a.between(1, 2), Level.HIGH),
        (field.a == 0.1, Decimal("0.1")),
        (field.a == Decimal("0.1"), 0.1),
        (field.a == 5, Decimal("5.00")),
        (field.a > 0.05, Decimal("0.1")),
        (field.a < 10**400, Decimal("1E+399")),
        (field.a == str(ONE), ONE),
        (field.a == ONE, str(ONE)),
        (field.a.isin([ONE]), str(ONE)),
        (field.a == "10.0.0.1", IPv4Address("10.0.0.1")),
        (field.a.startswith("in/"), PurePosixPath("in/a.csv")),
        (field.a == "2026-01-01T12:00:00Z", NOON),
        (field.a == "2026-01-01T07:00:00-05:00", NOON),
        (field.a == NOON, "2026-01-01T12:00:00+00:00"),
        (field.a == NOON, NOON.astimezone(EASTERN)),
        (field.a == NOON, NOON.replace(tzinfo=None)),
        (field.a == NOON.replace(tzinfo=None), NOON),
        (field.a > date(2026, 1, 1), NOON),
        (field.a == date(2026, 1, 1), "2026-01-01"),
        (field.a == "2026-01-01", date(2026, 1, 1)),
        (field.a < "2026-01-02", date(2026, 1, 1)),
        (field.a.between("2026-01-01", "2026-01-02"), NOON),
        (field.a.between(date(2026, 1, 1), NOON), "2026-01-01T12:00:00Z"),
        (field.a.isin(["2026-01-01T12:00:00Z"]), NOON),
        (field.a.isin([NOON]), "2026-01-01T12:00Z"),
        (field.a != NOON, "tomorrow"),
        (field.a > timedelta(minutes=5), timedelta(minutes=6)),
    ],
    ids=str,
)
def test_values_compare_as_one_reads_them_in_json_and_in_models(
    predicate: Predicate, value: Any
) -> None:
    assert holds(predicate, {"a": value})
    assert not holds(~predicate, {"a": value})


@pytest.mark.parametrize(
    ("predicate", "value"),
    [
        (field.a == "Red", Colour.RED),
        (field.a == NOON, "tomorrow"),
        (field.a > NOON, "tomorrow"),
        (field.a > "tomorrow", NOON),
        (field.a.isin(["2026-01-01T12:00:00Z"]), "2026-01-01T12:00Z"),
        (field.a == NOTHING, NOTHING),
        (field.a.isin([NOTHING]), NOTHING),
        (field.a < 5, Decimal("NaN")),
        (field.a > 5, Decimal("sNaN")),
        (field.a == str(ONE), UUID(int=2)),
    ],
    ids=str,
)
def test_what_reads_otherwise_does_not_compare(predicate: Predicate, value: Any) -> None:
    assert not holds(predicate, {"a": value})


LINES = {"lines": [{"sku": "x", "n": 1}, {"sku": "y", "n": 5}], "scores": (3, 7), "none": []}


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (field.lines.any(field.sku == "x"), True),
        (field.lines.any((field.sku == "x") & (field.n > 3)), False),
        (field.lines.any(field.sku == "x") & field.lines.any(field.n > 3), True),
        (field.lines.any(~(field.sku == "x")), True),
        (field.scores.any(field > 5), True),
        (field.scores.any(field > 7), False),
        (field.none.any(field.exists()), False),
        (field.missing.any(field > 5), False),
        (field["lines"][0]["sku"].any(field == "x"), False),
        (field.lines[0].any(field == "sku"), False),
    ],
    ids=str,
)
def test_any_asks_for_one_item_that_satisfies_all_of_it(
    predicate: Predicate, expected: bool
) -> None:
    assert holds(predicate, LINES) is expected


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: field.a.any("x"), "field.a.any takes a comparison on field"),
        (lambda: field.a.any(is_big), "field.a.any takes a comparison on field"),
        (lambda: field.a.any((field == 1) & is_big), "meta and functions cannot"),
        (lambda: field.a.any(meta.key == "x"), "meta and functions cannot"),
        (lambda: meta.key.any(field == "x"), "meta and functions cannot"),
        (lambda: field.a.isin("eu"), r"isin\(\['eu'\]\)"),
        (lambda: field.a.startswith(("a", "b")), "takes one text"),
        (lambda: field.a.matches(5), "takes a regular expression"),
        (lambda: field.a == field.b, "of two places write a function"),
        (lambda: field.a.isin([field.b]), "of two places write a function"),
        (lambda: field.a[1:2], "takes a name or the number of an item"),
    ],
)
def test_what_no_condition_can_mean_is_refused_where_it_stands(write: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        write()


def test_a_set_is_printed_in_the_same_order_in_every_process() -> None:
    assert str(field.a.isin({"us", "eu", "uk"})) == "field.a in ('eu', 'uk', 'us')"


def fails(event: Event) -> bool:
    raise KeyError("y")


@pytest.mark.parametrize(
    ("predicate", "why"),
    [
        (field.amount == 5, None),
        (field.amount > 1_000, "field.amount > 1000 is false: it is 5"),
        (field.amount.between(7, 9), "field.amount.between(7, 9) is false: it is 5"),
        (field.region == "us", "field.region == 'us' is false: it is 'eu'"),
        (field.note == "x", "field.note is missing"),
        (field.note.exists(), "field.note is missing"),
        (field.amount.is_null(), "field.amount.is_null() is false: it is 5"),
        ((field.amount == 5) & (field.region == "us") & (field.note == "x"),
         "field.region == 'us' is false: it is 'eu'"),
        ((field.amount == 6) | (field.region == "us"),
         "field.amount == 6 is false: it is 5; field.region == 'us' is false: it is 'eu'"),
        (~(field.amount == 5), "~(field.amount == 5) is false: it is 5"),
        (~((field.amount == 5) & (field.region == "eu")),
         "~((field.amount == 5) & (field.region == 'eu')) is false"),
        (predicate_of(is_big) & (field.amount == 5), None),
        (~predicate_of(is_big), "the function is_big said yes"),
        (predicate_of(fails) | (field.amount == 5), "the function fails raised KeyError: 'y'"),
        ((field.amount == 5) & fails, "the function fails raised KeyError: 'y'"),
        (~predicate_of(fails), "the function fails raised KeyError: 'y'"),
        (field.tags.any(field == "x"), "field.tags.any(field == 'x') is false of all 2 items"),
        (field.amount.any(field == "x"), "field.amount.any(field == 'x') is false: it is 5"),
        (field.nothing.any(field == "x"), "field.nothing is missing"),
        (meta.key == "k", "meta.key == 'k' is false: it is None"),
    ],
    ids=str,
)  # fmt: skip
def test_a_predicate_says_why_it_does_not_hold(predicate: Predicate, why: str | None) -> None:
    assert predicate.why_not(event(ORDER)) == why


def test_a_function_that_says_no_is_named() -> None:
    assert predicate_of(is_big).why_not(event({"amount": 1})) == "the function is_big said no"


def test_a_property_that_raises_is_told_with_what_it_raised() -> None:
    why = ((field.x == 1) & (field.bad == 1)).why_not(event(Point(1)))
    assert why == "field.bad == 1 raised RuntimeError: no"


def test_a_long_value_is_told_by_its_beginning() -> None:
    why = (field.a == 1).why_not(event({"a": "x" * 1_000}))
    assert why == f"field.a == 1 is false: it is '{'x' * 79}..."


def test_a_predicate_can_be_taken_apart() -> None:
    one, two, three = field.a == 1, field.b.exists(), field.c > 3
    assert conjuncts(one & two & three) == (one, two, three)
    assert conjuncts(one | two) == (one | two,)
    assert tuple(compared(~(one & (two | predicate_of(is_big))))) == (one, two)
    assert str(path_of(field.a.b)) == "field.a.b"
    assert path_of("field.a.b") is None
    assert named(is_big) == "is_big"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "eu"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
PLACES = [field.a, field.a.b, field.b[0], field.c[-1].a, field, meta.key, meta.header.a]


@examples(40)
@given(
    st.sampled_from(PLACES),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "isin", "between", "contains", "startswith",
                     "matches", "exists", "is_null"]),
    JSON,
    JSON,
)  # fmt: skip
def test_no_payload_makes_a_comparison_raise(place: Any, op: str, constant: Any, data: Any) -> None:
    made = {
        "==": lambda: place == constant,
        "!=": lambda: place != constant,
        "<": lambda: place < constant,
        "<=": lambda: place <= constant,
        ">": lambda: place > constant,
        ">=": lambda: place >= constant,
        "isin": lambda: place.isin([constant]),
        "between": lambda: place.between(constant, constant),
        "contains": lambda: place.contains(constant),
        "startswith": lambda: place.startswith("a"),
        "matches": lambda: place.matches("a"),
        "exists": place.exists,
        "is_null": place.is_null,
    }[op]()
    assert holds(made, data) in (True, False)
    assert holds(made, data) is not holds(~made, data)
    assert (made.why_not(event(data)) is None) is holds(made, data)
