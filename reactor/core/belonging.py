"""Which events a rule takes whose assets have partitions: those that belong to one.

Knows: partitions as a condition on events. Refuses to know: what a rule does with what it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reactor.core.event import Event
from reactor.core.partition import Partitions
from reactor.core.place import Path
from reactor.core.predicate import ALONE, Build, Callback, Exists, Predicate, Test
from reactor.core.trigger.expression import Trigger, Where


@dataclass(frozen=True, slots=True)
class Belongs(Predicate):
    """The event belongs to one partition, the same of each of these."""

    partitions: tuple[Partitions, ...]

    def __str__(self) -> str:
        # Not as `.by(...)`: what is keyed is no condition (simulation/coverage.py).
        return f"belongs({' & '.join(map(_shown, self.partitions))})"

    @property
    def parts(self) -> Sequence[Predicate]:
        """What is asked of the event: a function to be called, or a place that must be there."""
        places = [each.how.place for each in self.partitions if each.how is not None]
        asked = [place for place in dict.fromkeys(places) if place is not None]
        return [Exists(each) if isinstance(each, Path) else Callback(each) for each in asked]

    def test(self, build: Build = ALONE) -> Test:
        """A function that evaluates this predicate; it raises only what a user's code raises."""
        first, *others = self.partitions

        def test(event: Event) -> bool:
            key = first.of(event)
            return key is not None and all(other.of(event) == key for other in others)

        return test

    def _refusal(self, event: Event) -> str:
        found: dict[str, None] = {}
        for each in self.partitions:
            key, why = each.placed(event)
            if key is None:
                return why
            found[key] = None
        return f"it belongs to different partitions of its assets: {', '.join(found)}"


def _shown(partitions: Partitions) -> str:
    how = partitions.how
    return str(partitions) if how is None else f"{partitions.plain}, {how}"


def bare(trigger: Trigger) -> Trigger:
    """A trigger as it was written, without what its assets' partitions ask of its events."""
    while isinstance(trigger, Where) and isinstance(trigger.predicate, Belongs):
        trigger = trigger.of
    return trigger
