"""From an expression to operators and leaves.

Knows: which expressions may stand where. A keyed operand beside an unkeyed one, two keys along one
path, a pattern without a window, and a join of something with itself are errors here, when the
pipeline loads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, assert_never

from reactor.core.belonging import bare
from reactor.core.errors import DefinitionError
from reactor.core.place import Get, Path
from reactor.core.predicate import Predicate, conjuncts
from reactor.core.trigger import probe
from reactor.core.trigger.absence import OverdueOf, SilentOf, UnlessOf
from reactor.core.trigger.cover import CompleteOf, UncoveredOf
from reactor.core.trigger.expression import (
    Aggregate,
    AssetEvents,
    AtLeast,
    Batch,
    Both,
    By,
    Changed,
    Complete,
    Count,
    Debounce,
    Delay,
    Distinct,
    During,
    Either,
    Following,
    Incomplete,
    Join,
    Overdue,
    Silent,
    Source,
    Then,
    Throttle,
    Trigger,
    Unless,
    Where,
)
from reactor.core.trigger.join import JoinOf
from reactor.core.trigger.later import DelayOf, DuringOf
from reactor.core.trigger.novelty import ChangedOf, DistinctOf
from reactor.core.trigger.operator import EitherOf, Leaf, Operator, UnkeyedOf, WhereOf
from reactor.core.trigger.pace import BatchOf, DebounceOf, ThrottleOf
from reactor.core.trigger.sequence import ThenOf
from reactor.core.trigger.window import AggregateOf, CountOf, satisfies

KeyOf = Path | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf of a compiled trigger: which events of which source come in, and under which key.

    `probes` find what the operators above look at, each with its place among a match's values.
    """

    leaf: Leaf
    source: Source
    conditions: tuple[Predicate, ...]
    key: Get | None
    probes: tuple[tuple[int, probe.Probe], ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled trigger. `stateless` if every match of a leaf is a firing by itself."""

    root: Operator
    entries: tuple[Entry, ...]
    nodes: tuple[Operator, ...]
    stateless: bool


def compile_trigger(trigger: Trigger) -> Program:
    """The operators of an expression, numbered in the order written.

    Raises: DefinitionError, or ValueError for a place that no event has, with the reason.
    """
    compiler = _Compiler(trigger)
    root = compiler.build(trigger, _Above())
    stateless = all(isinstance(node, (Leaf, EitherOf)) for node in compiler.nodes)
    return Program(root, tuple(compiler.entries), tuple(compiler.nodes), stateless)


@dataclass(frozen=True, slots=True)
class _Above:
    """What the operators above an expression ask of its events."""

    conditions: tuple[Predicate, ...] = ()
    key: KeyOf | None = None
    probes: tuple[tuple[int, probe.Probe], ...] = ()


class _Compiler:
    def __init__(self, whole: Trigger) -> None:
        self._whole = whole
        self.entries: list[Entry] = []
        self.nodes: list[Operator] = []
        self._probes = 0

    def build(self, trigger: Trigger, above: _Above) -> Operator:
        match trigger:
            case Source():
                return self._leaf(trigger, above)
            case Where(of, predicate) if is_stateless(of):
                conditions = (*conjuncts(predicate), *above.conditions)
                return self.build(of, _Above(conditions, above.key, above.probes))
            case By(of, None) if above.key is None:
                node = UnkeyedOf(*self._one(of, above))
                self.nodes.append(node)
                return node
            case By(of, key):
                if above.key is not None and above.key != key:
                    raise DefinitionError(
                        f"{trigger} is keyed twice", hint="one .by(...) along a path is enough"
                    )
                return self.build(of, _Above(above.conditions, key, above.probes))
            case Both() | AtLeast() | Following():
                raise DefinitionError(f"{trigger} has no window", hint="write (...).within('10m')")
            case _:
                node = self._operator(trigger, above)
                self.nodes.append(node)
                return node

    def _operator(self, trigger: Trigger, above: _Above) -> Operator:
        match trigger:
            case Either(of):
                return EitherOf(*self._several(of, above))
            case Join() | Then() | Complete():
                return self._pattern(trigger, above, incomplete=False)
            case Incomplete(of):
                return self._pattern(of, above, incomplete=True)
            case Unless(of, window):
                return UnlessOf(*self._several(of, above), _names(of), window)
            case Silent(of, length):
                return SilentOf(*self._one(of, above), _silence(of), length)
            case Overdue(of, schedule, grace, early):
                return OverdueOf(*self._one(of, above), str(bare(of)), schedule, grace, early)
            case Where() | Aggregate() | Distinct() | Changed():
                return self._looking(trigger, above)
            case _:
                return self._pacing(trigger, above)

    def _pacing(self, trigger: Trigger, above: _Above) -> Operator:
        """Operators that follow nothing but what comes and when."""
        match trigger:
            case Count(of, n, window):
                return CountOf(*self._one(of, above), n, window)
            case Batch(of, n, max_wait):
                return BatchOf(*self._one(of, above), n, max_wait)
            case Debounce(of, quiet, max_wait):
                return DebounceOf(*self._one(of, above), quiet, max_wait)
            case Throttle(of, every, trailing):
                return ThrottleOf(*self._one(of, above), every, trailing)
            case Delay(of, length):
                return DelayOf(*self._one(of, above), length)
            case During(of, calendar, outside):
                return DuringOf(*self._one(of, above), calendar, outside == "hold")
            case _:
                raise DefinitionError(f"{trigger!r} is not a trigger")

    def _pattern(
        self, pattern: Join | Then | Complete, above: _Above, *, incomplete: bool
    ) -> Operator:
        match pattern:
            case Join(of, window, n, pair):
                _refuse_self_join(pattern, of)
                number, children = self._several(of, above)
                return JoinOf(number, children, _names(of), window, pair, incomplete, n)
            case Then(of, window, pair):
                number, children = self._several(of, above)
                return ThenOf(number, children, _names(of), window, pair, incomplete)
            case Complete(of, expected, window, member):
                above, who = self._probe(above, probe.member(member))
                said: tuple[str, ...] | int | None = None
                asked: int | None = None
                if isinstance(expected, Path) or callable(expected):
                    above, asked = self._probe(above, probe.manifest(expected))
                else:
                    said = expected
                number, children = self._one(of, above)
                kind = UncoveredOf if incomplete else CompleteOf
                return kind(number, children, str(bare(of)), said, window, who, asked)
            case _:
                assert_never(pattern)

    def _looking(self, trigger: Where | Aggregate | Distinct | Changed, above: _Above) -> Operator:
        """Operators that look at the latest event of a match."""
        match trigger:
            case Where(of, predicate):
                above, asked = self._probe(above, predicate.test())
                return WhereOf(*self._one(of, above), asked, str(predicate))
            case Aggregate(of, function, bound, window, least):
                above, asked = self._probe(above, probe.number(bound.path))
                return AggregateOf(
                    *self._one(of, above),
                    window,
                    function,
                    asked,
                    satisfies(bound.op, bound.value),
                    least,
                    str(bound.path),
                )
            case Distinct(of, key, ttl):
                above, asked = self._probe(above, probe.plain(key))
                return DistinctOf(*self._one(of, above), asked, ttl)
            case Changed(of, value):
                above, asked = self._probe(above, probe.plain(value))
                return ChangedOf(*self._one(of, above), asked)
            case _:
                assert_never(trigger)

    def _several(self, of: Sequence[Trigger], above: _Above) -> tuple[int, list[Operator]]:
        """The number of the operator on these operands, and their operators."""
        children = [self.build(child, above) for child in of]
        if len({child.keyed for child in children}) > 1:
            raise DefinitionError(
                f"{self._whole} mixes keyed and unkeyed events",
                hint="give every side a key with .by(...), or none",
            )
        return len(self.nodes), children

    def _one(self, of: Trigger, above: _Above) -> tuple[int, list[Operator]]:
        return self._several((of,), above)

    def _probe(self, above: _Above, found: probe.Probe) -> tuple[_Above, int]:
        """What is asked of the events below, with one thing more, and its place."""
        place = self._probes
        self._probes += 1
        return _Above(above.conditions, above.key, (*above.probes, (place, found))), place

    def _leaf(self, source: Source, above: _Above) -> Leaf:
        for condition in above.conditions:
            condition.test()
        leaf = Leaf(len(self.nodes), source.name, source.lateness, above.key is not None)
        self.nodes.append(leaf)
        key = None if above.key is None else probe.getter(above.key)
        self.entries.append(Entry(leaf, source, above.conditions, key, above.probes))
        return leaf


def _names(of: Sequence[Trigger]) -> list[str]:
    return [str(bare(each)) for each in of]


def _silence(of: Trigger) -> str:
    of = bare(of)
    if isinstance(of, AssetEvents):
        return f"{of.asset} {'did not fail' if of.what == 'failed' else f'was not {of.what}'}"
    return f"{of} was silent"


def is_stateless(trigger: Trigger) -> bool:
    """Whether it is leaves and conditions only, which are all asked of the event itself."""
    match trigger:
        case Source():
            return True
        case By(_, None):
            return False
        case Where() | By() | Either():
            return all(is_stateless(child) for child in trigger.children)
        case _:
            return False


def _refuse_self_join(trigger: Join, of: tuple[Trigger, ...]) -> None:
    if any(one == other for one, other in combinations(of, 2)):
        raise DefinitionError(
            f"{trigger} joins something with itself: every event would complete it alone",
            hint="drop one side, or tell them apart with .where(...)",
        )
