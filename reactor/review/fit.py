"""Whether a comparison can hold of what may be at its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from numbers import Number
from types import NoneType
from typing import Any, NamedTuple

from reactor.core.graph import nearest
from reactor.core.predicate import Compare, brief
from reactor.core.value import judge, plain, spelled
from reactor.review.shape import Kind, Shape, shapes


class Misfit(NamedTuple):
    """What does not fit, and what to do about it."""

    what: str
    hint: str


Fit = Callable[[Compare, Shape, Any], Misfit | None]


def misfit(compare: Compare, there: Sequence[Shape]) -> Misfit | None:
    """Why a comparison cannot be meant of any of these shapes, or None if it can of one."""
    values = compare.value if compare.op in ("in", "between") else (compare.value,)
    fit = _FITS.get(compare.op, _equal)
    for value in values:
        wrong = [fit(compare, shape, value) for shape in there]
        if wrong and None not in wrong:
            return wrong[0]
    return None


def _equal(compare: Compare, shape: Shape, value: Any) -> Misfit | None:
    value = plain(value)
    if value is None or shape.kind == "anything":
        return None
    if shape.kind == "a choice":
        return _chosen(compare, shape, value)
    kind = _kind(value)
    if kind is None or kind == shape.kind:
        return _same_text(compare, shape, value) if kind == "text" else None
    if {kind, shape.kind} == {"text", "an instant"}:
        return _instant(compare, shape, value)
    if kind == "a mapping" and shape.kind == "a record" and issubclass(shape.type, dict):
        return None
    return _mixed(compare, shape, kind, value, _INSIDE.get(shape.kind, ""))


def _chosen(compare: Compare, shape: Shape, value: Any) -> Misfit | None:
    if any(map(judge("==", value), shape.choices)):
        return None
    texts = [str(each) for each in shape.choices]
    hint = nearest(str(value), texts) or f"it is one of {', '.join(texts)}"
    return Misfit(f"{brief(compare)}: {compare.path} is never {value!r}", hint)


def _same_text(compare: Compare, shape: Shape, value: str) -> Misfit | None:
    """Of a type that stands for its text: whether there is a value with this text."""
    if issubclass(shape.type, str):
        return None
    try:
        written = str(shape.type(value))
    except ValueError:
        return Misfit(f"{brief(compare)}: {value!r} is no {shape.name}", "")
    except TypeError:
        # Not made of one text, so that it cannot be tried.
        return None
    if written == value:
        return None
    what = f"{brief(compare)}: no {shape.name} is written {value!r}"
    return Misfit(what, f"it is written {written!r}")


def _instant(compare: Compare, shape: Shape, value: Any) -> Misfit | None:
    if isinstance(value, str) and spelled(value) is None:
        return Misfit(
            f"{brief(compare)} compares an instant with text that spells none",
            "write it as 2026-01-31T12:00:00Z or 2026-01-31",
        )
    return None


def _ordered(compare: Compare, shape: Shape, value: Any) -> Misfit | None:
    value = plain(value)
    kind = _kind(value)
    if shape.kind == "a choice":
        kinds = {_kind(each) for each in shape.choices}
        if kind in kinds and kind not in _WITHOUT_ORDER:
            return None
        return Misfit(f"{brief(compare)}: {shape.name} has no order with {value!r}", "")
    if shape.kind in _WITHOUT_ORDER or (shape.kind == "text" and not issubclass(shape.type, str)):
        return Misfit(f"{brief(compare)}: {compare.path} is {shape}, which has no order", "")
    if kind in _WITHOUT_ORDER:
        return Misfit(f"{brief(compare)}: {value!r} has no order", "")
    return _equal(compare, shape, value)


def _contained(compare: Compare, shape: Shape, value: Any) -> Misfit | None:
    match shape.kind:
        case "a list":
            inside = [_equal(compare, each, value) for each in shapes(shape.item)]
            return inside[0] if inside and None not in inside else None
        case "a mapping" | "a record" | "anything":
            return None
        case "text" | "a choice" if isinstance(plain(value), str):
            return None
        case "text" | "a choice":
            return _mixed(compare, shape, _kind(plain(value)) or type(value).__name__, value, "")
        case "bytes" if isinstance(value, (bytes, int)):
            return None
        case _:
            what = f"{brief(compare)}: {compare.path} is {shape}, which contains nothing"
            return Misfit(what, "contains is for lists, mappings and text")


def _textual(compare: Compare, shape: Shape, value: Any) -> Misfit | None:
    texts = any(isinstance(each, str) for each in shape.choices)
    if shape.kind in ("text", "anything") or texts:
        return None
    hint = f"{compare.op} is for text"
    if shape.kind == "an instant":
        hint = "compare it, or write .between('2026-01-01', '2026-02-01')"
    elif shape.kind == "a list":
        hint = f"to look at its items, write {compare.path}.any(field.{compare.op}(...))"
    return Misfit(f"{brief(compare)}: {compare.path} is {shape}", hint)


_FITS: dict[str, Fit] = {
    "<": _ordered,
    "<=": _ordered,
    ">": _ordered,
    ">=": _ordered,
    "between": _ordered,
    "contains": _contained,
    "startswith": _textual,
    "matches": _textual,
}

_INSIDE: dict[Kind, str] = {
    "a list": "to look at its items, write .contains(...) or .any(...)",
    "a mapping": "to look for a key, write .contains(...)",
    "a record": "compare its fields",
}
"""How to look into what is compared as a whole."""

_WITHOUT_ORDER: frozenset[Kind | None] = frozenset(
    {"null", "true or false", "a list", "a mapping", "a record"}
)


def _mixed(compare: Compare, shape: Shape, kind: str, value: Any, hint: str) -> Misfit:
    if shape.kind == "a number" and isinstance(value, str) and _is_number(value):
        hint = f"write {value.strip()} without quotes"
    elif shape.kind == "true or false" and value in (0, 1):
        hint = f"write {bool(value)}"
    return Misfit(f"{brief(compare)} compares {shape} with {kind}", hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _kind(value: Any) -> Kind | None:
    """The kind of a plain constant; None if it may compare with anything."""
    for type_, kind in _KINDS:
        if isinstance(value, type_):
            return kind
    return None


_KINDS: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (NoneType, "null"),
    (bool, "true or false"),
    (Number, "a number"),
    (str, "text"),
    (datetime, "an instant"),
    (timedelta, "a duration"),
    (time, "a time"),
    (bytes, "bytes"),
    ((list, tuple, set, frozenset), "a list"),
    (dict, "a mapping"),
)
