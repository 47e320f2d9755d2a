"""How a value of a payload compares with a constant, as a reader of the pipeline would expect.

A payload may be decoded JSON or an instance of a model; the same predicate means the same on both:
an Enum stands for its value, a UUID, URL, IP address or file path for its text, a Decimal for the
number it says, a date for the midnight (UTC) it begins with, an instant without a time zone for
UTC, and a text beside an instant for the instant it spells in ISO 8601. Everything else compares as
Python does; what cannot be compared does not hold.

Law: values that compare equal have equal plain forms, or one is an instant and the other spells it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Literal, cast

from reactor.core.pattern import searcher

Judge = Callable[[Any], bool]
Kind = Literal["text", "number", "instant", "span"]

SIMPLE = frozenset({str, int, float, bool, NoneType})
"""Types whose values are their own plain form."""

_TEXTS = frozenset(
    {
        "ipaddress",
        "pathlib",
        "pathlib._local",
        "pydantic.networks",
        "pydantic_core._pydantic_core",
        "uuid",
    }
)
"""Where the types live that stand for their text: some of these modules the core may not import."""

_KINDS: dict[type, Kind] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "number",
    Decimal: "number",
    datetime: "instant",
    timedelta: "span",
}


def plain(value: object) -> Any:
    """What a value stands for when it is compared."""
    kind = type(value)
    if kind in SIMPLE:
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, Decimal):
        return _number(value)
    return str(value) if stands_for_text(kind) else value


def stands_for_text(type_: type) -> bool:
    """Whether values of a type stand for their text: those of a UUID, a URL, a path do."""
    return type_.__module__ in _TEXTS


def kind_of(value: object) -> Kind | None:
    """The kind of a plain value; values of one kind have an order, None is everything else."""
    return _KINDS.get(type(value))


def spelled(text: str) -> datetime | None:
    """The instant that a text spells in ISO 8601, or None."""
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        return None


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return value


def _number(value: Decimal) -> Any:
    """An int or a float that says the same number, if there is one: 0.1 is Decimal("0.1")."""
    if not value.is_finite():
        return float("nan") if value.is_nan() else float(value)
    if value.adjusted() < 40 and value == value.to_integral_value():
        return int(value)
    short = float(value)
    return short if Decimal(repr(short)) == value else value


def judge(op: str, constant: Any) -> Judge:
    """A function that tells whether `value op constant` holds; it raises no TypeError."""
    match op:
        case "in":
            return _among(constant)
        case "between":
            return _between(*constant)
        case "contains":
            return _containing(constant)
        case "startswith":
            return lambda value: isinstance(text := plain(value), str) and text.startswith(constant)
        case "matches":
            found = searcher(constant)
            return lambda value: isinstance(text := plain(value), str) and found(text)
        case _:
            return _compared(COMPARISONS[op], plain(constant))


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compared(compare: Callable[[Any, Any], Any], constant: Any) -> Judge:
    if isinstance(constant, datetime):
        return _dated(compare, constant)
    moment = spelled(constant) if isinstance(constant, str) else None

    def holds(value: object) -> bool:
        other = constant
        if type(value) not in SIMPLE:
            value = plain(value)
            if moment is not None and isinstance(value, datetime):
                other = moment
        try:
            return bool(compare(value, other))
        except TypeError:
            return False

    return holds


def _between(low: Any, high: Any) -> Judge:
    least, most = plain(low), plain(high)
    above, below = judge(">=", low), judge("<=", high)
    numbers = type(least) in _NUMBERS and type(most) in _NUMBERS

    def holds(value: object) -> bool:
        if numbers and type(value) in _NUMBERS:
            return least <= value <= most
        return above(value) and below(value)

    return holds


_NUMBERS = frozenset({int, float})


def _dated(compare: Callable[[Any, Any], Any], constant: datetime) -> Judge:
    def holds(value: Any) -> bool:
        value = plain(value)
        try:
            return bool(compare(spelled(value) if isinstance(value, str) else value, constant))
        except TypeError:
            return False

    return holds


def _among(items: Iterable[Any]) -> Judge:
    keys: set[Any] = set()
    moments: set[datetime] = set()
    others: list[Judge] = []
    for item in items:
        try:
            key, moment = keys_of(item)
        except TypeError:
            others.append(judge("==", item))
            continue
        keys.add(key)
        if moment is not None:
            moments.add(moment)
    dated = any(isinstance(key, datetime) for key in keys)

    def holds(value: Any) -> bool:
        value = plain(value)
        try:
            if value in keys and value == value:
                return True
        except TypeError:
            # What cannot be hashed may still equal something that can: a set, for one.
            if any(value == key for key in keys):
                return True
        if isinstance(value, datetime) and value in moments:
            return True
        if dated and isinstance(value, str) and spelled(value) in keys:
            return True
        return any(other(value) for other in others)

    return holds


def keys_of(constant: Any) -> tuple[Any, datetime | None]:
    """The plain form of a constant, as a key; and of a text the instant that it spells.

    A value equals the constant if its plain form is the key, if it is an instant and the second, or
    if it is a text that spells the key. Raises: TypeError if it cannot be hashed.
    """
    key = plain(constant)
    hash(key)
    return key, spelled(key) if isinstance(key, str) else None


def _containing(item: Any) -> Judge:
    same, needle = judge("==", item), plain(item)

    def holds(value: Any) -> bool:
        value = plain(value)
        if isinstance(value, str):
            return isinstance(needle, str) and needle in value
        if isinstance(value, (list, tuple, set, frozenset, dict)):
            return any(map(same, cast("Iterable[Any]", value)))
        try:
            return needle in value
        except TypeError:
            return False

    return holds
