"""Whether a step that waits may still be joined by another demand for it.

Knows: what was claimed, and from which steps one that gathers partitions follows. Refuses to know:
rules, causes, runs (demand.py).

Laws. A step is *fresh* while neither it nor anything it needs was claimed. One that reads many
partitions may be joined beyond that, by a demand that follows from other asset partitions than all
it waited for so far (`GATHERED` of them at most, so that a stream of ever new ones does not put it
off for good); one of them that changes again forms the step behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reactor.core.link import Place
from reactor.core.run import Step, StepStatus, Work
from reactor.core.wave import Waves
from reactor.core.works import followed

GATHERED = 1_000
"""From how many asset partitions a step that gathers them may follow, at most."""

WAITING = frozenset({StepStatus.PENDING, StepStatus.BLOCKED, StepStatus.HELD})
"""How a step may be that nothing has begun of."""


class Joining:
    """What is known of live steps beside their rows, and derived from them."""

    def __init__(self, waves: Waves) -> None:
        self._waves = waves
        self._stale: set[int] = set()
        """The steps that can no longer be joined, as something they need was claimed or ended."""
        self._above: dict[int, dict[Place, int]] = {}
        """Of those that gather partitions: from which steps of which places each follows."""

    def claimed(self, id: int) -> None:
        """A step was claimed, or ended without: what needs it can no longer be joined."""
        self._stale.update(self._waves.dependents(id))

    def left(self, id: int) -> None:
        """A step is no more in the line."""
        self._stale.discard(id)
        self._above.pop(id, None)

    def needs(self, id: int, above: Iterable[int]) -> None:
        """A step needs these from now on: it can be joined no more if one of them was claimed."""
        if self._any_claimed(above):
            self._stale.add(id)

    def needs_only(self, id: int, above: Iterable[int]) -> None:
        """A step needs these, and no longer what made it stale."""
        if not self._any_claimed(above):
            self._stale.discard(id)

    def _any_claimed(self, steps: Iterable[int]) -> bool:
        needs = self._waves.needs
        return any(id not in needs or self._waves.step(id).tries for id in steps)

    def gather(self, work: Work, works: Sequence[Work]) -> None:
        """Notes from which steps one that reads many partitions follows in a run."""
        if self._waves.gathers(work.step):
            self._above.setdefault(work.step, {}).update(followed(work, works))

    def apart(self, step: Step, work: Work, works: Sequence[Work]) -> bool:
        """Whether a demand follows from other asset partitions than a step that gathers them."""
        above = self._above.get(step.id)
        if above is None or not unclaimed(step):
            return False
        mine = followed(work, works)
        if any(above.get(place, id) != id for place, id in mine.items()):
            return False
        return len(above) + len(mine) <= GATHERED

    def fresh(self, id: int, known: dict[int, bool]) -> bool:
        """Whether neither the step nor anything it needs was claimed.

        `known` is what was found out for this launch so far.
        """
        stack = [id]
        while stack:
            each = stack[-1]
            if each in known:
                stack.pop()
                continue
            if not self._itself(each):
                known[each] = False
                continue
            needs = self._waves.needs[each]
            unknown = [need for need in needs if need not in known]
            stack.extend(unknown)
            if not unknown:
                known[each] = all(known[need] for need in needs)
        return known[id]

    def _itself(self, id: int) -> bool:
        if id in self._stale or id not in self._waves.needs:
            return False
        return unclaimed(self._waves.step(id))


def unclaimed(step: Step) -> bool:
    """Whether a step waits, and was never started."""
    return step.tries == 0 and step.status in WAITING
