"""Whether what rules look at is in what their sensors carry, and can be what they ask for.

A rule that looks for a field its sensor's model does not have, or compares a number with text,
would wait for ever. Of a union, and of several sensors, it is enough that one may satisfy it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from reactor.core.asset import Rule
from reactor.core.contradiction import impossible
from reactor.core.errors import Problem
from reactor.core.graph import Graph, nearest
from reactor.core.place import META, MISSING, Path, Step
from reactor.core.predicate import AnyItem, Compare, Exists, Predicate, compared, conjuncts
from reactor.core.trigger.expression import (
    Aggregate,
    By,
    Either,
    Source,
    Trigger,
    Where,
    leaves,
)
from reactor.review.fit import Misfit, misfit
from reactor.review.shape import Shape, shapes

_META: dict[str, Any] = dict.fromkeys(META, str) | {
    "time": datetime,
    "received": datetime,
    "key": str | None,
}


class _Asked(NamedTuple):
    """Something that a rule looks at, and where."""

    what: Path | Predicate
    sources: tuple[Source, ...]
    number: str = ""
    """What is computed of it, if it has to be a number."""


def field_mistakes(graph: Graph) -> list[Problem]:
    """Fields that no event can have, comparisons that make no sense, and contradictions."""
    return [problem for rule in graph.rules.values() for problem in _of_rule(rule)]


def _of_rule(rule: Rule) -> Iterator[Problem]:
    asked = list(_asked(rule.trigger))
    if isinstance(rule.partition, Path):
        asked.append(_Asked(rule.partition, leaves(rule.trigger)))
    found: dict[Misfit, None] = {}
    for each in asked:
        if isinstance(each.what, Path):
            found |= dict.fromkeys(_wrong(each.what, each))
        else:
            found |= {wrong: None for one in compared(each.what) for wrong in _wrong(one, each)}
    if not found:
        reasons = (impossible(conditions) for conditions in _filters(rule.trigger, ()))
        hint = "change one of them, or write | between them"
        found = {Misfit(reason, hint): None for reason in reasons if reason is not None}
    for what, hint in found:
        yield Problem(f"rule {rule.name}: {what}", rule.where, hint)


def _asked(trigger: Trigger) -> Iterator[_Asked]:
    """All that an expression looks at, and the sources whose events it looks at."""
    function = trigger.function if isinstance(trigger, Aggregate) else ""
    for place in trigger.places:
        if isinstance(place, (Path, Predicate)):
            yield _Asked(place, leaves(trigger), function)
    for child in trigger.children:
        yield from _asked(child)


def _filters(trigger: Trigger, above: tuple[Predicate, ...]) -> Iterator[tuple[Predicate, ...]]:
    """What one event must satisfy, for each leaf and each pattern that is filtered."""
    match trigger:
        case Where(of, predicate):
            yield from _filters(of, (*conjuncts(predicate), *above))
        case By() | Either():
            for child in trigger.children:
                yield from _filters(child, above)
        case _:
            yield above
            for child in trigger.children:
                yield from _filters(child, ())


def _wrong(what: Path | Compare | Exists | AnyItem, asked: _Asked) -> Iterator[Misfit]:
    """What is wrong with it for all of the sources."""
    found: list[Misfit] = []
    for source in asked.sources:
        misfits = list(_in(what, source.model, source.name, asked.number))
        if not misfits:
            return
        found += misfits
    yield from found[:1]


def _in(what: Path | Predicate, model: Any, carrier: str, number: str) -> Iterator[Misfit]:
    """What is wrong with it for a payload of one type."""
    path = what if isinstance(what, Path) else getattr(what, "path", None)
    if path is None:
        return
    there = _at(path, model, carrier)
    if isinstance(there, Misfit):
        yield there
        return
    if number and not any(each.kind in ("a number", "anything") for each in there):
        yield Misfit(f"{path} is {there[0]}, of which there is no {number}", "it takes numbers")
    elif isinstance(what, Compare):
        wrong = misfit(what, there)
        if wrong is not None:
            yield wrong
    elif isinstance(what, AnyItem):
        yield from _in_items(what, there, carrier)


def _in_items(what: AnyItem, there: Sequence[Shape], carrier: str) -> Iterator[Misfit]:
    lists = [each for each in there if each.kind in ("a list", "anything")]
    if not lists:
        yield Misfit(f"{what}: {what.path} is {there[0]}", ".any(...) is about the items of a list")
        return
    found: list[Misfit] = []
    for each in lists:
        item = each.item if each.kind == "a list" else Any
        inside = [
            wrong
            for one in compared(what.predicate)
            for wrong in _in(one, item, f"an item of {what.path} of {carrier}", "")
        ]
        if not inside:
            return
        found += inside
    yield from found[:1]


def _at(path: Path, model: Any, carrier: str) -> tuple[Shape, ...] | Misfit:
    """What may be at a path in a payload of a type, or why nothing can."""
    if path.root == "meta":
        name = path.steps[0] if len(path.steps) == 1 else "header"
        return shapes(_META.get(str(name), str))
    here = shapes(Any if model is None else model)
    for step in path.steps:
        further: list[Any] = []
        refusals: list[Misfit] = []
        for shape in here:
            inside = _inside(shape, step)
            if isinstance(inside, Misfit):
                refusals.append(inside)
            elif inside is not MISSING:
                further.append(inside)
        if not further and refusals:
            said, hint = refusals[0]
            return Misfit(f"{path} is not in what {carrier} carries: {said}", hint)
        here = tuple(shape for each in further for shape in shapes(each)) or shapes(Any)
    return tuple(each for each in here if each.kind != "null") or here


def _inside(shape: Shape, step: Step) -> Any:
    """The type of what is one step inside, MISSING for null, or why there is nothing."""
    match shape.kind:
        case "anything":
            return Any
        case "null":
            return MISSING
        case "a record" if step in shape.fields:
            return shape.fields[str(step)]
        case "a record":
            known = ", ".join(shape.fields)
            hint = nearest(str(step), shape.fields) or (f"it has {known}" if known else "")
            return Misfit(f"{shape.name} has no {step}", hint)
        case "a list" if isinstance(step, int):
            return shape.item
        case "a list":
            return Misfit(
                f"a list has no {step}",
                f"look at one of its items with [0].{step}, or at any: .any(field.{step} == ...)",
            )
        case "a mapping" if isinstance(step, str):
            return shape.item
        case _:
            return _attribute(shape, step)


def _attribute(shape: Shape, step: Step) -> Any:
    """Of other types the attributes are fields, except of what is as plain in JSON."""
    plainly = shape.type in (str, bytes, int, float, bool) or shape.kind == "a mapping"
    if not plainly and isinstance(step, str) and not step.startswith("_"):
        offered = getattr(shape.type, step, MISSING)
        if offered is not MISSING and not callable(offered):
            return Any
        if shape.kind == "a choice" and step in ("name", "value"):
            return Any
    what = f"item {step}" if isinstance(step, int) else str(step)
    return Misfit(f"{shape} has no {what}", "")
