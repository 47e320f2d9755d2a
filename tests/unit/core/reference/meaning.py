"""From an expression to its reference."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from reactor.core.place import Path
from reactor.core.trigger.expression import (
    Aggregate,
    Batch,
    By,
    Changed,
    Complete,
    Count,
    Debounce,
    Delay,
    Distinct,
    During,
    Either,
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
from tests.unit.core.reference.absences import OverdueNode, SilentNode, UnlessNode
from tests.unit.core.reference.model import Leaf, Model, Node
from tests.unit.core.reference.paces import CollectNode, LaterNode, ThrottleNode
from tests.unit.core.reference.patterns import (
    CompleteNode,
    CompletePattern,
    IncompleteNode,
    JoinPattern,
    Pattern,
    PatternNode,
    ThenPattern,
)
from tests.unit.core.reference.windows import (
    AggregateNode,
    ChangedNode,
    CountNode,
    DistinctNode,
    EitherNode,
    UnkeyedNode,
    WhereNode,
)

NEVER = timedelta(0)
MINUTE = timedelta(minutes=1)
_FUNCTIONS: dict[str, Any] = {
    "avg": lambda values: sum(values) / len(values),
    "sum": sum,
    "min": min,
    "max": max,
}
_COMPARISONS: dict[str, Any] = {
    "<": lambda limit: lambda value: value < limit,
    "<=": lambda limit: lambda value: value <= limit,
    ">": lambda limit: lambda value: value > limit,
    ">=": lambda limit: lambda value: value >= limit,
    "between": lambda limits: lambda value: limits[0] <= value <= limits[1],
}


def model_of(trigger: Trigger, now: datetime) -> Model:
    """What the trigger should do, from `now` on."""
    return Model(node_of(trigger, None), now)


def lag_of(trigger: Trigger) -> timedelta:
    """How long after they came matches may come out of an expression, at most."""
    below = max((lag_of(child) for child in trigger.children), default=NEVER)
    match trigger:
        case Batch(_, _, wait) | Debounce(_, _, wait) | Delay(_, wait):
            return below + wait
        case Throttle(_, every, trailing):
            return below + every if trailing else below
        case _:
            return below


def is_held_back(trigger: Trigger) -> bool:
    """Whether something is made of what comes out later than it came in."""
    return any(_holds_back(child) for child in trigger.children)


def _holds_back(trigger: Trigger) -> bool:
    if isinstance(trigger, (Batch, Debounce, Delay, During, Throttle)):
        return True
    return any(_holds_back(child) for child in trigger.children)


def node_of(trigger: Trigger, key: str | None) -> Node:
    match trigger:
        case Source():
            return Leaf(trigger.name, key)
        case By(of, None):
            return UnkeyedNode(node_of(of, None))
        case By(of, place):
            return node_of(of, name_of(place))
        case Incomplete(of):
            children = [node_of(child, key) for child in of.children]
            return IncompleteNode(pattern_of(of), lag_of(trigger), *children)
        case _:
            return _node(trigger, [node_of(child, key) for child in trigger.children])


def name_of(place: Any) -> str:
    assert isinstance(place, Path)
    return str(place.steps[0])


def pattern_of(of: Join | Then | Complete) -> Pattern:
    match of:
        case Join(sides, window, n, pair):
            return JoinPattern(len(sides), window, pair, n)
        case Then(sides, window, pair):
            return ThenPattern(len(sides), window, pair)
        case Complete(_, expected, window, member):
            assert isinstance(expected, (tuple, int))
            return CompletePattern(window, expected, name_of(member))


def _node(trigger: Trigger, children: list[Node]) -> Node:
    lag = lag_of(trigger)
    match trigger:
        case Either():
            return EitherNode(*children)
        case Where(_, predicate):
            return WhereNode(predicate.test(), *children)
        case Join() | Then():
            return PatternNode(pattern_of(trigger), *children)
        case Complete(_, expected, window, member):
            said = expected if isinstance(expected, (tuple, int)) else name_of(expected)
            return CompleteNode(window, said, name_of(member), *children)
        case Unless(_, window):
            return UnlessNode(window, lag, *children)
        case Silent(_, length):
            return SilentNode(length, lag, *children)
        case Overdue(_, schedule, grace, early):
            return OverdueNode(_ticks(schedule), grace, early, lag, *children)
        case _:
            return _window_or_pace(trigger, children[0])


def _window_or_pace(trigger: Trigger, of: Node) -> Node:
    match trigger:
        case Count(_, n, window):
            return CountNode(n, window, of)
        case Aggregate(_, function, bound, window, least):
            holds = _COMPARISONS[bound.op](bound.value)
            name = name_of(bound.path)
            return AggregateNode(window, _FUNCTIONS[function], holds, name, least, of)
        case Distinct(_, key, ttl):
            return DistinctNode(name_of(key), ttl, of)
        case Changed(_, value):
            return ChangedNode(name_of(value), of)
        case Batch(_, n, wait):
            return CollectNode(lambda e: len(e) >= n, lambda first, last: first + wait, of)
        case Debounce(_, quiet, wait):
            return CollectNode(
                lambda e: False, lambda first, last: min(last + quiet, first + wait), of
            )
        case Throttle(_, every, trailing):
            return ThrottleNode(every, trailing, of)
        case Delay(_, length):
            return LaterNode(lambda now: now + length, of)
        case During(_, calendar, outside):
            return LaterNode(lambda now: _opens(calendar, outside, now), of)
        case _:
            raise TypeError(f"no reference for {trigger}")


def _opens(calendar: Any, outside: str, now: datetime) -> datetime | None:
    """Minute after minute is tried."""
    if calendar.open_at(now):
        return now
    minute = now.replace(second=0, microsecond=0)
    while outside == "hold":
        minute += MINUTE
        if calendar.open_at(minute):
            return minute
    return None


def _ticks(schedule: Any) -> list[datetime]:
    """All there are in the histories of these tests."""
    ticks, found = schedule.after(datetime.fromisoformat("2025-12-31T00:00:00+00:00")), []
    for tick in ticks:
        found.append(tick)
        if tick > datetime.fromisoformat("2026-01-03T00:00:00+00:00"):
            return found
    return found
