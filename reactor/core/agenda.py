"""When live steps act by themselves: a retry that is due, an attempt that has had its time.

Knows: the instants in the rows. Refuses to know: what is done then.

Law: what is due follows from the rows; an instant that is no longer in a row rings for nobody.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import datetime

from reactor.core.run import Step, StepStatus
from reactor.core.state import Key


class Agenda:
    """The instants of live steps. `steps` is the table it looks into."""

    def __init__(self, steps: Mapping[Key, Step]) -> None:
        self._steps = steps
        self._instants: list[tuple[datetime, int]] = []

    def enter(self, step: Step, live: int) -> None:
        """Notes when a step acts next, if it does. `live` is how many steps there are to note.

        Cost: O(log live), and no more instants than a few for each of them.
        """
        at = _acts_at(step)
        if at is None:
            return
        heapq.heappush(self._instants, (at, step.id))
        if len(self._instants) > 100 + 4 * live:
            self._instants = sorted({each for each in self._instants if self._stands(*each)})

    def due(self, now: datetime) -> Iterable[Step]:
        """Takes out the steps whose time has come, in the order of their times."""
        while (at := self.first()) is not None and at <= now:
            yield self._steps[(heapq.heappop(self._instants)[1],)]

    def first(self) -> datetime | None:
        """The next instant at which a step acts, or None."""
        while self._instants and not self._stands(*self._instants[0]):
            heapq.heappop(self._instants)
        return self._instants[0][0] if self._instants else None

    def _stands(self, at: datetime, id: int) -> bool:
        step = self._steps.get((id,))
        return step is not None and _acts_at(step) == at


def _acts_at(step: Step) -> datetime | None:
    if step.status is StepStatus.RETRYING:
        return step.due
    return step.deadline if step.status is StepStatus.RUNNING and not step.stopping else None
