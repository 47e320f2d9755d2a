"""Two lives of a pipeline, firing by firing: which appear, which disappear, which move.

Law: two firings are the same when rule, key, partition and causes are; of several, those of the
same instant belong together first, then one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from reactor.simulation.chronicle import Firing

Word = Literal["appears", "disappears", "moves"]
_Same = tuple[str, str | None, str | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One launch that is not as it was; `was` is when it was, if it moves."""

    word: Word
    firing: Firing
    was: datetime | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different, in the order of time, and how many launches are the same."""

    differences: Sequence[Difference]
    same: int

    def only(self, word: Word) -> list[Difference]:
        """The differences of one kind."""
        return [each for each in self.differences if each.word == word]


def compare(
    before: Iterable[Firing], after: Iterable[Firing], tolerance: timedelta = timedelta(0)
) -> Comparison:
    """How `after` differs from `before`; instants no further apart than `tolerance` are equal.

    Cost: O(n log n) in all firings.
    """
    groups: dict[_Same, tuple[list[Firing], list[Firing]]] = {}
    for side, firings in enumerate((before, after)):
        for firing in firings:
            place = (firing.rule, firing.key, firing.partition, firing.causes)
            groups.setdefault(place, ([], []))[side].append(firing)
    found: list[Difference] = []
    same = 0
    for old, new in groups.values():
        gone, come = _unpaired(sorted(old, key=_at), sorted(new, key=_at), tolerance)
        same += len(new) - len(come)
        # What is left over on both sides has moved, one after the other.
        moved = min(len(gone), len(come))
        pairs = zip(gone, come, strict=False)
        found.extend(Difference("moves", each, was.at) for was, each in pairs)
        found.extend(Difference("appears", each) for each in come[moved:])
        found.extend(Difference("disappears", each) for each in gone[moved:])
    found.sort(
        key=lambda each: (each.firing.at, each.firing.rule, each.firing.key or "", each.word)
    )
    return Comparison(found, same)


def _unpaired(
    old: list[Firing], new: list[Firing], tolerance: timedelta
) -> tuple[list[Firing], list[Firing]]:
    """Those of either side, both in order, that the other side does not have at their instant."""
    gone: list[Firing] = []
    come: list[Firing] = []
    at = 0
    for firing in new:
        while at < len(old) and old[at].at < firing.at - tolerance:
            gone.append(old[at])
            at += 1
        if at < len(old) and old[at].at <= firing.at + tolerance:
            at += 1
        else:
            come.append(firing)
    return [*gone, *old[at:]], come


def _at(firing: Firing) -> datetime:
    return firing.at
