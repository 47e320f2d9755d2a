"""What a rule asks is compared with what its sensor carries, before any event comes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, HttpUrl
from pydantic import Field as Constraint
from typing_extensions import TypedDict

from reactor import Pipeline, field, meta
from reactor.core.errors import Problem
from reactor.core.trigger.expression import Trigger
from reactor.review import mistakes
from sensors import KafkaTopic, Webhook


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int


class Line(BaseModel):
    sku: str
    quantity: int


class Size(TypedDict):
    height: int


Email = NewType("Email", str)


class Order(BaseModel):
    amount: float
    price: Decimal
    region: str
    email: Email
    tags: list[str]
    lines: list[Line]
    pair: tuple[int, str]
    at: datetime
    day: date
    took: timedelta
    colour: Colour
    grade: Literal["a", "b", 3]
    id: UUID
    url: HttpUrl
    few: Annotated[int, Constraint(gt=0)]
    either: int | str
    stock: dict[str, int]
    point: Point
    size: Size
    flag: bool
    note: str | None = None
    extra: Any = None

    @property
    def total(self) -> float:
        return self.amount


class Refund(BaseModel):
    amount: float
    reason: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    amount: float


orders = KafkaTopic("orders", model=Order)
refunds = Webhook("refunds", model=Refund)


def problems(trigger: Trigger, **options: Any) -> list[Problem]:
    shop = Pipeline("shop")

    @shop.asset
    def launched() -> None: ...

    shop.rule(trigger, launched, name="r", **options)
    return mistakes(shop.definition())


def only(trigger: Trigger, **options: Any) -> Problem:
    [problem] = problems(trigger, **options)
    return problem


@pytest.mark.parametrize(
    "condition",
    [
        field.amount == 5,
        field.amount > Decimal("0.5"),
        field.price == 0.5,
        field.total > 5,
        field.region.isin(["eu", "us"]),
        field.email.startswith("ada@"),
        field.tags.contains("vip"),
        field.tags == ["vip"],
        field.tags.any(field.startswith("v")),
        field.lines[-1].sku == "x",
        field.lines.any((field.sku == "x") & (field.quantity > 3)),
        field.pair[1] == "x",
        field.at > datetime(2026, 1, 1, tzinfo=UTC),
        field.at > date(2026, 1, 1),
        field.at.between("2026-01-01", "2026-02-01T12:00:00Z"),
        field.at.year == 2026,
        field.day == "2026-01-01",
        field.took > timedelta(minutes=5),
        field.colour == Colour.RED,
        field.colour.isin(["red", Colour.BLUE]),
        field.colour.startswith("r"),
        field.colour != "blue",
        field.grade.isin(["a", 3]),
        field.id == UUID(int=5),
        field.id == str(UUID(int=5)),
        field.url == "http://shop.example/",
        field.url.startswith("http"),
        field.few > 1,
        field.either == 5,
        field.either == "x",
        field.stock.apples > 5,
        field.stock.contains("apples"),
        field.point.x == 1,
        field.size.height == 1,
        field.size == {"height": 1},
        field.flag == True,  # noqa: E712
        field.note == "x",
        field.note == None,  # noqa: E711
        field.amount.is_null(),
        field.extra.anything[0] > "x",
        meta.time > "2026-01-01",
        meta.key == "x",
        meta.header["x"] == "y",
        lambda event: event.data.nonsense,
    ],
    ids=lambda condition: condition.__name__ if inspect.isfunction(condition) else str(condition),
)
def test_what_may_hold_is_no_mistake(condition: Any) -> None:
    assert problems(orders.where(condition)) == []


@pytest.mark.parametrize(
    ("condition", "what", "hint"),
    [
        (field.amout > 1, "field.amout is not in what orders carries: Order has no amout",
         "did you mean amount?"),
        (field.lines[0].skuu == "x", "carries: Line has no skuu", "did you mean sku?"),
        (field.lines.any(field.skuu == "x"), "an item of field.lines of orders carries",
         "did you mean sku?"),
        (field.point.y == 1, "Point has no y", "it has x"),
        (field.size.hight == 1, "Size has no hight", "did you mean height?"),
        (field.lines.sku == "x", "a list has no sku", ".any(field.sku == ...)"),
        (field.region[0] == "e", "text has no item 0", ""),
        (field.amount.cents == 1, "a number has no cents", ""),
        (field.stock[0] == 1, "a mapping has no item 0", ""),
        (field.missing.exists(), "Order has no missing", "it has"),
    ],
    ids=str,
)  # fmt: skip
def test_a_place_that_no_event_can_have_is_named_with_the_nearest(
    condition: Any, what: str, hint: str
) -> None:
    problem = only(orders.where(condition))
    assert problem.what.startswith("rule r: ")
    assert what in problem.what
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("condition", "what", "hint"),
    [
        (field.amount == "big", "field.amount == 'big' compares a number with text", ""),
        (field.amount > "5", "compares a number with text", "write 5 without quotes"),
        (field.amount != "x", "compares a number with text", ""),
        (field.amount == True, "compares a number with true or false", ""),  # noqa: E712
        (field.flag == 1, "compares true or false with a number", "write True"),
        (field.region > 5, "compares text with a number", ""),
        (field.region.isin(["eu", 5]), "compares text with a number", ""),
        (field.amount.between("a", "b"), "compares a number with text", ""),
        (field.few == "x", "compares a number with text", ""),
        (field.note > 5, "compares text with a number", ""),
        (field.either == True, "compares a number with true or false", ""),  # noqa: E712
        (field.stock.apples == "x", "compares a number with text", ""),
        (field.at == "yesterday", "text that spells none", "2026-01-31"),
        (field.at > 5, "compares an instant with a number", ""),
        (field.took > 5, "compares a duration with a number", ""),
        (field.tags == "vip", "compares a list with text", ".contains(...)"),
        (field.tags.contains(5), "compares text with a number", ""),
        (field.amount.contains(1), "field.amount is a number, which contains nothing", "lists"),
        (field.amount.startswith("1"), "field.amount is a number", "startswith is for text"),
        (field.at.matches("2026"), "field.at is an instant", ".between("),
        (field.tags.startswith("v"), "field.tags is a list", "field.tags.any(field.startswith"),
        (field.region.any(field == "x"), "field.region is text", "items of a list"),
        (field.lines.any(field.quantity == "x"), "compares a number with text", ""),
        (field.tags > 3, "field.tags is a list, which has no order", ""),
        (field.flag > False, "which has no order", ""),
        (field.colour > 5, "Colour has no order with 5", ""),
        (field.colour == "rad", "field.colour is never 'rad'", "did you mean red?"),
        (field.grade == "c", "field.grade is never 'c'", "it is one of a, b, 3"),
        (field.id == "x", "'x' is no UUID", ""),
        (field.url == "http://shop.example", "no HttpUrl is written",
         "it is written 'http://shop.example/'"),
        (meta.time > 5, "compares an instant with a number", ""),
        (meta.header["x"] == 5, "compares text with a number", ""),
        (~(field.amount == "x"), "compares a number with text", ""),
        ((field.amount == "x") | (field.region == "eu"), "compares a number with text", ""),
    ],
    ids=str,
)  # fmt: skip
def test_a_comparison_that_can_never_be_meant_is_a_mistake(
    condition: Any, what: str, hint: str
) -> None:
    problem = only(orders.where(condition))
    assert what in problem.what
    assert hint in problem.hint


@pytest.mark.parametrize(
    "trigger",
    [
        orders.by(field.regin).batch(2, "1m"),
        orders.distinct(field.regin, "1h"),
        orders.changed(field.regin),
        orders.complete(["eu", "us"], "1h", member=field.regin),
        (orders.by(field.region) & refunds.by(field.regin)).within("1h"),
        orders.batch(2, "1m").where(field.regin == "eu"),
    ],
    ids=str,
)
def test_every_operator_looks_at_places_that_there_are(trigger: Trigger) -> None:
    assert "has no regin" in only(trigger).what


def test_a_partition_is_a_place_that_there_is() -> None:
    assert only(orders, partition=field.regin).hint == "did you mean region?"


def test_only_numbers_can_be_added_up() -> None:
    assert problems(orders.aggregate("1h", sum=field.amount > 5)) == []
    problem = only(orders.aggregate("1h", sum=field.region > 5))
    assert problem.what == "rule r: field.region is text, of which there is no sum"


def test_of_several_sensors_it_is_enough_that_one_has_the_place() -> None:
    both = orders | refunds
    assert problems(both.where(field.reason == "x")) == []
    assert "Order has no raeson" in only(both.where(field.raeson == "x")).what


def test_where_no_model_says_otherwise_everything_is_possible() -> None:
    for sensor in (KafkaTopic("orders"), KafkaTopic("orders", model=Open)):
        assert problems(sensor.where(field.whatever.deep[0] == 5)) == []


@pytest.mark.parametrize(
    "restrict",
    [
        lambda sensor: sensor.where((field.amount > 5) & (field.amount < 3)),
        lambda sensor: sensor.where(field.amount > 5).where(field.amount < 3),
        lambda sensor: sensor.where(field.amount > 5).by(field.region).where(field.amount < 3),
        lambda sensor: (sensor | refunds).where(field.amount.isin([])),
        lambda sensor: sensor.batch(2, "1m").where(field.amount.between(9, 1)),
    ],
)
def test_conditions_that_never_hold_together_are_a_mistake(
    restrict: Callable[[Any], Trigger],
) -> None:
    assert "never hold" in only(restrict(orders)).what


def test_what_two_sides_of_a_join_ask_may_contradict() -> None:
    two = orders.where(field.amount > 5) & orders.where(field.amount < 3)
    assert problems(two.within("1h")) == []
