"""What the partitions of a rule's assets make of its trigger.

Knows: that each event belongs to one partition or is not taken, and that state is kept for each
partition by itself. Refuses to know: how rules are declared, or matched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from reactor.core.belonging import Belongs
from reactor.core.errors import Problem
from reactor.core.partition import Partitions
from reactor.core.trigger.compile import compile_trigger, is_stateless
from reactor.core.trigger.expression import (
    AssetEvents,
    By,
    Over,
    Several,
    Trigger,
    Value,
    Where,
    leaves,
)


@dataclass(frozen=True, slots=True)
class Division:
    """A trigger that takes the events of some partition, and tells which one.

    `written` is its text without what names the partitions there are: they may grow, and what it
    remembers is still good.
    """

    trigger: Trigger
    partition: Value | None
    written: str


def divided(
    trigger: Trigger, partition: Value | None, assets: Mapping[str, Partitions | None]
) -> Division | Problem:
    """A rule's trigger and partition, as the partitions of its assets want them.

    Args: `partition` is what the rule itself says; it counts for more than what the assets say.
    Returns: a problem (without its place) if nothing says how an event belongs to a partition.
    Raises: DefinitionError, ValueError for a trigger that makes no sense.
    """
    parts = {name: each for name, each in assets.items() if each is not None}
    if not parts:
        return Division(trigger, partition, str(trigger))
    if partition is not None:
        several = list(dict.fromkeys(each.plain.by(partition) for each in parts.values()))
    else:
        several = list(dict.fromkeys(parts.values()))
        if len(several) > 1 or len(parts) < len(assets):
            shown = [f"{name} ({each or 'none'})" for name, each in assets.items()]
            what = f"its assets have different partitions: {', '.join(shown)}"
            return Problem(what, hint="write a rule for each of them, or say partition=")
    key = several[0]
    if not key.maps and not all(isinstance(leaf, AssetEvents) for leaf in leaves(trigger)):
        what = f"nothing says to which of {key} an event belongs"
        return Problem(what, hint=f"say partitions={key}.by(field...), or partition= in a rule")
    place = partition if key.how is None or partition is not None else key.how.place
    keyed = _changed(trigger, lambda part: _rekeyed(part, place, key))
    if not any(True for _ in keys(keyed)) and not compile_trigger(keyed).stateless:
        keyed = By(keyed, key)
    belongs = Belongs(tuple(several))
    return Division(_narrowed(keyed, belongs), key, str(keyed))


def keys(trigger: Trigger) -> Iterator[Value | None]:
    """Everything that an expression is keyed by."""
    if isinstance(trigger, By):
        yield trigger.key
    for child in trigger.children:
        yield from keys(child)


def _rekeyed(part: Trigger, place: Value | None, key: Partitions) -> Trigger:
    """What is keyed by what names a partition is keyed by the partition itself."""
    keyed = isinstance(part, By) and part.key is not None and part.key == place
    return By(part.of, key) if isinstance(part, By) and keyed else part


def _narrowed(trigger: Trigger, belongs: Belongs) -> Trigger:
    """Asks it of the events, after all that the user asks: that may guard a function of theirs."""
    if is_stateless(trigger):
        return Where(trigger, belongs)
    match trigger:
        case Over():
            return replace(trigger, of=_narrowed(trigger.of, belongs))
        case Several():
            return replace(trigger, of=tuple(_narrowed(one, belongs) for one in trigger.of))
        case _:
            return trigger


def _changed(trigger: Trigger, change: Callable[[Trigger], Trigger]) -> Trigger:
    """The expression with a change made to each of its parts, from the leaves up."""
    match trigger:
        case Over():
            return change(replace(trigger, of=_changed(trigger.of, change)))
        case Several():
            return change(replace(trigger, of=tuple(_changed(one, change) for one in trigger.of)))
        case _:
            return change(trigger)
