"""What is wrong, or only strange, about a pipeline that loads.

A *mistake* can never have been meant: a rule that looks for a field its sensor's model does not
have would wait for ever. A *hint* may be: an asset that nothing triggers can be launched by hand.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from reactor.core.asset import Asset
from reactor.core.errors import Problem
from reactor.core.field import Path, Predicate
from reactor.core.predicate import compared
from reactor.core.graph import Graph, nearest
from reactor.core.trigger.expression import By, Source, Trigger, Where, leaves
from reactor.executors.local import NAMES as EXECUTORS
from reactor.pipeline import Definition


def mistakes(definition: Definition) -> list[Problem]:
    """Fields that no event can have, and executors that there are not."""
    return [*_absent_fields(definition.graph), *_unknown_executors(definition)]


def _unknown_executors(definition: Definition) -> Iterator[Problem]:
    for name, work in definition.works.items():
        if work.executor not in EXECUTORS:
            hint = nearest(work.executor, EXECUTORS) or f"there are {', '.join(EXECUTORS)}"
            where = definition.graph.assets[name].where
            yield Problem(f"{name}: there is no executor {work.executor}", where, hint)


def _absent_fields(graph: Graph) -> list[Problem]:
    found: list[Problem] = []
    for rule in graph.rules.values():
        asked = list(_asked(rule.trigger))
        if isinstance(rule.partition, Path):
            asked.append((rule.partition, rule.trigger))
        for path, trigger in asked:
            problem = _absent(path, leaves(trigger))
            if problem is not None:
                what, hint = problem
                found.append(Problem(f"rule {rule.name}: {what}", rule.where, hint))
    return found


def hints(graph: Graph) -> list[Problem]:
    """What deserves a look: assets that nothing triggers or nobody owns, pools without a limit."""
    return [
        *_untriggered(graph),
        *_unowned(graph),
        *_pools(graph),
        *_unheard(graph),
    ]


def _untriggered(graph: Graph) -> Iterator[Problem]:
    roots = {name for rule in graph.rules.values() if not rule.observe for name in rule.assets}
    reached = set(graph.affected(roots))
    for asset in graph.assets.values():
        if asset.name not in reached:
            hint = "say on=..., or let an asset that is triggered flow into it"
            yield Problem(f"nothing triggers {asset.name}: it runs only by hand", asset.where, hint)


def _unowned(graph: Graph) -> Iterator[Problem]:
    without = [asset for asset in graph.assets.values() if not asset.owner]
    if len(without) == len(graph.assets) > 1:
        hint = f"say Pipeline({graph.name!r}, owner=...)"
        yield Problem("no asset has an owner: nobody in particular is told of failures", "", hint)
        return
    for asset in without:
        yield Problem(f"{asset.name} has no owner", asset.where, "say owner=...")


def _pools(graph: Graph) -> Iterator[Problem]:
    used: dict[str, Asset] = {}
    for asset in graph.assets.values():
        if asset.pool:
            used.setdefault(asset.pool, asset)
    for pool, asset in used.items():
        if pool not in graph.pools:
            hint = nearest(pool, graph.pools) or f"say Pipeline(..., pools={{{pool!r}: 4}})"
            what = f"pool {pool} has no limit of its own: one step at a time"
            yield Problem(what, asset.where, hint)
    for pool in graph.pools:
        if pool not in used:
            yield Problem(f"no asset is in pool {pool}", "", nearest(pool, used))


def _unheard(graph: Graph) -> Iterator[Problem]:
    heard = {leaf.name for rule in graph.rules.values() for leaf in leaves(rule.trigger)}
    for sensor in graph.sensors:
        if sensor not in heard:
            yield Problem(f"no rule listens to sensor {sensor}", "", "drop it, or say on=...")


def _asked(trigger: Trigger) -> Iterator[tuple[Path, Trigger]]:
    """Every path that an expression looks at, and the part of it whose events it looks at."""
    match trigger:
        case Where(of, predicate):
            yield from ((path, of) for path in _paths(predicate))
        case By(of, key) if isinstance(key, Path):
            yield key, of
        case _:
            pass
    for child in trigger.children:
        yield from _asked(child)


def _paths(predicate: Predicate) -> Iterable[Path]:
    return dict.fromkeys(place.path for place in compared(predicate))


def _absent(path: Path, sources: Iterable[Source]) -> tuple[str, str] | None:
    """What to say if none of the sources can have something at `path`; None if one may."""
    if path.root != "field" or not path.steps:
        return None
    first: tuple[str, str] | None = None
    for source in sources:
        missing = _missing(path, source)
        if missing is None:
            return None
        first = first or missing
    return first


def _missing(path: Path, source: Source) -> tuple[str, str] | None:
    inside: Any = source.model
    for step in path.steps:
        inside = _without_none(inside)
        known = _fields(inside)
        if known is None or not isinstance(step, str):
            return None
        if step not in known:
            name = getattr(inside, "__name__", str(inside))
            said = f"{path} is not in what {source.name} carries: {name} has no {step}"
            return said, nearest(step, known) or f"it has {', '.join(known)}"
        inside = known[step]
    return None


def _fields(type_: Any) -> dict[str, Any] | None:
    """The names that a value of this type has, with their types; None if it may have others."""
    if not isinstance(type_, type):
        return None
    if issubclass(type_, BaseModel):
        if type_.model_config.get("extra") == "allow":
            return None
        own: dict[str, Any] = {name: one.annotation for name, one in type_.model_fields.items()}
        computed = {name: one.return_type for name, one in type_.model_computed_fields.items()}
        return {**_properties(type_), **own, **computed}
    if dataclasses.is_dataclass(type_):
        return {
            **_properties(type_),
            **_hints(type_, [one.name for one in dataclasses.fields(type_)]),
        }
    if typing.is_typeddict(type_):
        return _hints(type_, list(type_.__annotations__))
    return None


def _without_none(type_: Any) -> Any:
    """The only type of an optional one; a union of several stays what it is."""
    if typing.get_origin(type_) is typing.Annotated:
        return _without_none(typing.get_args(type_)[0])
    others = [part for part in typing.get_args(type_) if part is not type(None)]
    optional = type(None) in typing.get_args(type_)
    return _without_none(others[0]) if optional and len(others) == 1 else type_


def _hints(type_: type, names: Iterable[str]) -> dict[str, Any]:
    try:
        known = typing.get_type_hints(type_)
    except NameError:
        known = {}
    return {name: known.get(name, Any) for name in names}


def _properties(type_: type) -> dict[str, Any]:
    public = (name for name in dir(type_) if not name.startswith(("_", "model_")))
    return {name: Any for name in public if isinstance(getattr(type_, name, None), property)}
