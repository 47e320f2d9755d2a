"""Predicates that no event can satisfy: a rule with one would wait for ever.

Knows: what comparisons on one path say together. Refuses to know: the types of a sensor's model.

Law: what is called impossible holds of no event; not all that is impossible is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

from reactor.core.place import Path
from reactor.core.predicate import (
    AnyItem,
    AnyOf,
    Compare,
    Exists,
    Not,
    Predicate,
    brief,
    conjuncts,
    membership,
)
from reactor.core.value import judge, kind_of, plain, spelled

_LOWER = {">": False, ">=": True, "between": True}
_UPPER = {"<": False, "<=": True, "between": True}
"""The operators that bound a value from below and from above; whether the bound is included."""

_ORDERS = frozenset(_LOWER) | frozenset(_UPPER)
_TEXTUAL = frozenset({"startswith", "matches"})


def impossible(predicates: Iterable[Predicate]) -> str | None:
    """Why no event can satisfy all of these, or None if one may."""
    parts = tuple(part for each in predicates for part in conjuncts(each))
    return (
        next(_alone(parts), None)
        or next(_denied(parts), None)
        or next(_clashing(parts), None)
        or next(_exhausted(parts), None)
        or next(_without_way_out(parts), None)
    )


def _alone(parts: Sequence[Predicate]) -> Iterator[str]:
    """What never holds by itself."""
    for part in parts:
        if isinstance(part, AnyItem):
            inner = impossible([part.predicate])
            if inner is not None:
                yield f"{brief(part)} never holds: {inner}"
        if not isinstance(part, Compare):
            continue
        values = part.value if part.op in ("in", "between") else (part.value,)
        if part.op == "in" and not values:
            yield f"{brief(part)} never holds: it is one of nothing"
        elif part.op == "between" and _apart(plain(part.value[0]), plain(part.value[1])):
            yield f"{brief(part)} never holds: the first is more than the second"
        elif part.op in _ORDERS and any(value is None for value in values):
            yield f"{brief(part)} never holds: null has no order"
        elif not _allowed(part):
            yield f"{brief(part)} never holds: its bounds are of different kinds"
        elif part.op not in ("!=", "contains") and all(map(_unequal_to_itself, values)):
            yield f"{brief(part)} never holds: nothing compares with {values[0]!r}"


def _unequal_to_itself(value: Any) -> bool:
    number = plain(value)
    return isinstance(number, float) and number != number


def _apart(low: Any, high: Any, strict: bool = False) -> bool:
    """Whether nothing lies between two plain bounds; `strict` if one of them is left out."""
    if kind_of(low) is None or kind_of(high) is None:
        return False
    if isinstance(low, str) and isinstance(high, str):
        # They bound text, and the instants that they may spell.
        low_at, high_at = spelled(low), spelled(high)
        if low_at is not None and high_at is not None and not _over(low_at, high_at, strict):
            return False
    return kind_of(low) == kind_of(high) and _over(low, high, strict)


def _over(low: Any, high: Any, strict: bool) -> bool:
    return bool(low >= high if strict else low > high)


def _denied(parts: Sequence[Predicate]) -> Iterator[str]:
    """What is asked for and denied."""
    for part in parts:
        if not isinstance(part, Not):
            continue
        denied = part.part
        for other in parts:
            if other == denied or (isinstance(denied, Exists) and _needs(other, denied)):
                yield _together(other, part)


def _needs(predicate: Predicate, exists: Exists) -> bool:
    """Whether a predicate holds only of what has a place, and no more is asked for."""
    if exists.null or not isinstance(predicate, (Compare, Exists, AnyItem)):
        return False
    return predicate.path == exists.path


def _clashing(parts: Sequence[Predicate]) -> Iterator[str]:
    """Two comparisons of one path that exclude each other, whatever the value."""
    compares = [part for part in parts if isinstance(part, Compare)]
    for one, other in combinations(compares, 2):
        if one.path == other.path and any(
            clash(*pair) for clash in _CLASHES for pair in ((one, other), (other, one))
        ):
            yield _together(one, other)


def _bounds(one: Compare, other: Compare) -> bool:
    if one.op not in _LOWER or other.op not in _UPPER:
        return False
    low = one.value[0] if one.op == "between" else one.value
    high = other.value[1] if other.op == "between" else other.value
    return _apart(plain(low), plain(high), strict=not (_LOWER[one.op] and _UPPER[other.op]))


def _prefixes(one: Compare, other: Compare) -> bool:
    if one.op != "startswith" or other.op != "startswith":
        return False
    return not one.value.startswith(other.value) and not other.value.startswith(one.value)


def _kinds(one: Compare, other: Compare) -> bool:
    return not (_allowed(one) & _allowed(other))


def _allowed(compare: Compare) -> frozenset[str]:
    """The kinds of value of which a comparison may hold."""
    if compare.op in _TEXTUAL:
        return frozenset({"text"})
    if compare.op not in _ORDERS:
        return _EVERY
    values = compare.value if compare.op == "between" else (compare.value,)
    allowed = _EVERY
    for value in map(plain, values):
        kind = kind_of(value)
        if kind == "instant" or (isinstance(value, str) and spelled(value) is not None):
            allowed &= {"instant", "text"}
        else:
            allowed &= _EVERY if kind is None else {kind}
    return allowed


_EVERY = frozenset({"text", "number", "instant", "span", "other"})
_CLASHES: tuple[Callable[[Compare, Compare], bool], ...] = (_bounds, _prefixes, _kinds)


def _exhausted(parts: Sequence[Predicate]) -> Iterator[str]:
    """A path that must equal one of some values, all of which something else rules out."""
    for part in parts:
        member = membership(part)
        if member is None:
            continue
        path, left = member
        for other in parts:
            ruled_out = _excludes(other, path) if other is not part else None
            if ruled_out is None or not left:
                continue
            left = tuple(value for value in left if not ruled_out(value))
            if not left:
                yield _together(part, other)


def _excludes(predicate: Predicate, path: Path) -> Callable[[Any], bool] | None:
    """A function that tells which values at a path a predicate certainly rules out."""
    member = membership(predicate)
    if member is not None and member[0] == path:
        predicate = Compare(path, "in", member[1])
    if not isinstance(predicate, Compare) or predicate.path != path or predicate.op == "contains":
        return None
    values = predicate.value if predicate.op in ("in", "between") else (predicate.value,)
    textual = predicate.op in _TEXTUAL
    compares_text = any(isinstance(plain(value), str) for value in values)
    holds = judge(predicate.op, predicate.value)

    def rules_out(value: Any) -> bool:
        value = plain(value)
        kind = kind_of(value)
        if kind is None and value is not None:
            return False
        if kind == "instant" and compares_text:
            # It may be a text that spells it, which compares with texts as texts do.
            return False
        moment = spelled(value) if isinstance(value, str) and not textual else None
        return not holds(value) and (moment is None or not holds(moment))

    return rules_out


def _without_way_out(parts: Sequence[Predicate]) -> Iterator[str]:
    """An `|` of which every part is ruled out by itself or by the rest."""
    rest = [part for part in parts if not isinstance(part, AnyOf)]
    for part in parts:
        if isinstance(part, AnyOf):
            reasons = [impossible([*rest, *conjuncts(each)]) for each in part.parts]
            if None not in reasons:
                yield "; ".join(dict.fromkeys(str(reason) for reason in reasons))


def _together(one: Predicate, other: Predicate) -> str:
    return f"{brief(one)} and {brief(other)} never hold together"
