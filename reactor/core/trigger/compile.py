"""From an expression to operators and leaves.

Knows: which expressions may stand where. A keyed operand beside an unkeyed one, two keys along one
path, a join without a window, and a `where` around a stateful operator are errors here, when the
pipeline loads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from reactor.core.errors import DefinitionError
from reactor.core.event import Event
from reactor.core.field import Get, Path, Predicate, conjuncts
from reactor.core.trigger.expression import (
    AtLeast,
    Batch,
    Both,
    By,
    Debounce,
    Either,
    Join,
    Source,
    Throttle,
    Trigger,
    Where,
)
from reactor.core.trigger.operator import (
    BatchOf,
    DebounceOf,
    EitherOf,
    JoinOf,
    Leaf,
    Operator,
    ThrottleOf,
)

KeyOf = Path | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf of a compiled trigger: which events of which source come in, and under which key."""

    leaf: Leaf
    source: Source
    conditions: tuple[Predicate, ...]
    key: Get | None


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled trigger. `stateless` if every match of a leaf is a firing by itself."""

    root: Operator
    entries: tuple[Entry, ...]
    nodes: tuple[Operator, ...]
    stateless: bool
    joins: bool


def compile_trigger(trigger: Trigger) -> Program:
    """The operators of an expression, numbered in the order written.

    Raises: DefinitionError, or ValueError for a place that no event has, with the reason.
    """
    compiler = _Compiler()
    root = compiler.build(trigger, (), None)
    keyed = {entry.key is not None for entry in compiler.entries}
    if len(keyed) > 1:
        raise DefinitionError(
            f"{trigger} mixes keyed and unkeyed events",
            hint="give every side a key with .by(...), or none",
        )
    stateless = all(isinstance(node, (Leaf, EitherOf)) for node in compiler.nodes)
    joins = any(isinstance(node, JoinOf) for node in compiler.nodes)
    return Program(root, tuple(compiler.entries), tuple(compiler.nodes), stateless, joins)


class _Compiler:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.nodes: list[Operator] = []

    def build(
        self, trigger: Trigger, conditions: tuple[Predicate, ...], key: KeyOf | None
    ) -> Operator:
        match trigger:
            case Source():
                return self._leaf(trigger, conditions, key)
            case Where(of, predicate):
                if not _stateless(of):
                    raise DefinitionError(
                        f"where cannot look at {of}, which is several events",
                        hint="put .where(...) on the sensor, before the operators that collect",
                    )
                return self.build(of, (*conjuncts(predicate), *conditions), key)
            case By(of, inner):
                if key is not None and key != inner:
                    raise DefinitionError(
                        f"{trigger} is keyed twice", hint="one .by(...) along a path is enough"
                    )
                return self.build(of, conditions, inner)
            case Both() | AtLeast():
                raise DefinitionError(
                    f"{trigger} joins without a window", hint="write (...).within('10m')"
                )
            case _:
                return self._operator(trigger, conditions, key)

    def _operator(
        self, trigger: Trigger, conditions: tuple[Predicate, ...], key: KeyOf | None
    ) -> Operator:
        children = [self.build(child, conditions, key) for child in trigger.children]
        number = len(self.nodes)
        match trigger:
            case Either():
                node: Operator = EitherOf(number, children)
            case Join(of, window, n, pair):
                _refuse_self_join(trigger, of)
                node = JoinOf(number, children, window, n, pair)
            case Batch(_, n, max_wait):
                node = BatchOf(number, children, n, max_wait)
            case Debounce(_, quiet, max_wait):
                node = DebounceOf(number, children, quiet, max_wait)
            case Throttle(_, every, trailing):
                node = ThrottleOf(number, children, every, trailing)
            case _:
                raise DefinitionError(f"{trigger!r} is not a trigger")
        self.nodes.append(node)
        return node

    def _leaf(self, source: Source, conditions: tuple[Predicate, ...], key: KeyOf | None) -> Leaf:
        for condition in conditions:
            condition.test()
        leaf = Leaf(len(self.nodes), ())
        self.nodes.append(leaf)
        self.entries.append(Entry(leaf, source, conditions, _getter(key)))
        return leaf


def _getter(key: KeyOf | None) -> Get | None:
    if key is None or not isinstance(key, Path):
        return key
    return key.getter()


def _stateless(trigger: Trigger) -> bool:
    match trigger:
        case Source():
            return True
        case Where() | By() | Either():
            return all(_stateless(child) for child in trigger.children)
        case _:
            return False


def _refuse_self_join(trigger: Join, of: tuple[Trigger, ...]) -> None:
    if any(one == other for one, other in combinations(of, 2)):
        raise DefinitionError(
            f"{trigger} joins something with itself: every event would complete it alone",
            hint="drop one side, or tell them apart with .where(...)",
        )


def describe(event: Event) -> str:
    """What came, in words: `inbox saw inbox/monday.csv`."""
    if event.source.startswith("asset:"):
        return f"{event.subject} {'' if event.type == 'failed' else 'was '}{event.type}"
    return f"{event.source} saw {event.subject}"
