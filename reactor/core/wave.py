"""Who waits for whom: the order in which steps may touch asset partitions.

Knows: live steps, what each writes and reads, and the steps it needs. Refuses to know: time,
retries, pools, outcomes (scheduler.py).

Laws. A step writes its asset partition and reads its upstreams'. Conflicting steps go in the line
given by `Step.order`: a reader waits for earlier writers, a writer for earlier readers, and both
for one that is running. A step that waits out a retry, is blocked or held, and whatever needs it,
keeps no claim on its inputs; on what it writes it does once it was started, so that the causes of
one asset partition are worked off in order. `order` grows along every `need`, and a step that moves
back takes along all that must stay behind it; so no circle of waiting exists.

Cost: a waiting step watches one step that stands in its way and is looked at again only when that
one moves.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from reactor.core.graph import Graph
from reactor.core.run import ENDED, Step, StepStatus
from reactor.core.state import Key

Place = tuple[str, str | None]

_IDLE = frozenset({StepStatus.RETRYING, StepStatus.BLOCKED, StepStatus.HELD})


class Waves:
    """The line. `steps` is the live table it looks into; it never changes a row."""

    def __init__(self, graph: Graph, steps: Mapping[Key, Step]) -> None:
        self._graph = graph
        self._steps = steps
        self.needs: dict[int, set[int]] = {}
        self._dependents: dict[int, set[int]] = {}
        self._writers: dict[Place, dict[int, None]] = {}
        self._readers: dict[Place, dict[int, None]] = {}
        self._watchers: dict[int, set[int]] = {}
        self._idle: set[int] = set()

    def step(self, id: int) -> Step:
        """The row of a step that is in the line."""
        return self._steps[(id,)]

    def reads(self, step: Step) -> list[Place]:
        """The asset partitions a step reads; with a partition also the unpartitioned whole."""
        asset = self._graph.assets.get(step.asset)
        names = [upstream.name for upstream in asset.upstream] if asset else []
        places: list[Place] = [(name, step.partition) for name in names]
        if step.partition is not None:
            places.extend((name, None) for name in names)
        return places

    def enter(self, step: Step, needs: Iterable[int]) -> None:
        """Puts a step into the line."""
        self._writers.setdefault((step.asset, step.partition), {})[step.id] = None
        for place in self.reads(step):
            self._readers.setdefault(place, {})[step.id] = None
        self.needs[step.id] = set()
        self.add_needs(step.id, needs)

    def add_needs(self, id: int, needs: Iterable[int]) -> bool:
        """Lets a step wait for more steps; answers whether any of them is new."""
        fresh = {need for need in needs if need not in self.needs[id] and need in self.needs}
        for need in fresh:
            self.needs[id].add(need)
            self._dependents.setdefault(need, set()).add(id)
            if need in self._idle or self.step(need).status in _IDLE:
                self._rest(id)
        return bool(fresh)

    def set_needs(self, id: int, needs: set[int]) -> None:
        """Lets a step wait for exactly these steps (those of them that are in the line)."""
        for need in self.needs[id] - needs:
            self._dependents.get(need, set()).discard(id)
        self.needs[id] &= needs
        self.add_needs(id, needs)
        self._wake(id)

    def leave(self, step: Step) -> set[int]:
        """Takes a step out of the line; answers the steps to look at again."""
        look = self.moved(step.id)
        self._drop(self._writers, (step.asset, step.partition), step.id)
        for place in self.reads(step):
            self._drop(self._readers, place, step.id)
        for need in self.needs.pop(step.id, set()):
            self._dependents.get(need, set()).discard(step.id)
        for dependent in self._dependents.pop(step.id, set()):
            self.needs[dependent].discard(step.id)
            self._wake(dependent)
            look.add(dependent)
        self._idle.discard(step.id)
        return look

    @staticmethod
    def _drop(index: dict[Place, dict[int, None]], place: Place, id: int) -> None:
        held = index.get(place)
        if held is not None:
            held.pop(id, None)
            if not held:
                del index[place]

    def moved(self, id: int) -> set[int]:
        """The steps that were waiting for this one to move: to be looked at again."""
        return self._watchers.pop(id, set())

    def rest(self, id: int) -> set[int]:
        """A step stands aside (retry, blocked, held): it and what needs it give up their claims.

        Answers the steps to look at again.
        """
        look: set[int] = set()
        for each in self.closure([id]):
            self._idle.add(each)
            look |= self.moved(each)
        return look

    def _rest(self, id: int) -> None:
        self._idle.update(self.closure([id]))

    def wake(self, id: int) -> None:
        """A step that stood aside goes on; its claims, and those of what needs it, return."""
        self._wake(id)

    def _wake(self, id: int) -> None:
        if id not in self._idle or self.step(id).status in _IDLE:
            return
        if any(need in self._idle for need in self.needs[id]):
            return
        self._idle.discard(id)
        for dependent in self._dependents.get(id, set()):
            self._wake(dependent)

    def closure(self, ids: Iterable[int]) -> list[int]:
        """These steps and all that must stay behind them, in an order that respects every need.

        Where needs leave it open, the order of the line stands. Source: Kahn 1962, with a heap.
        """
        found: set[int] = set()
        stack = list(ids)
        while stack:
            id = stack.pop()
            if id not in found and id in self.needs:
                found.add(id)
                stack.extend(self._dependents.get(id, ()))
                stack.extend(self._behind(id))
        before = dict.fromkeys(found, 0)
        for id in found:
            for later in self._later(id, found):
                before[later] += 1
        ready = [(self.step(id).order, id) for id, number in before.items() if not number]
        heapq.heapify(ready)
        line: list[int] = []
        while ready:
            id = heapq.heappop(ready)[1]
            line.append(id)
            for later in self._later(id, found):
                before[later] -= 1
                if not before[later]:
                    heapq.heappush(ready, (self.step(later).order, later))
        return line

    def _behind(self, id: int) -> list[int]:
        step = self.step(id)
        same = self.queue((step.asset, step.partition))
        return [other.id for other in same if other.order > step.order]

    def _later(self, id: int, among: set[int]) -> set[int]:
        return (self._dependents.get(id, set()) | set(self._behind(id))) & among

    def dependents(self, id: int) -> set[int]:
        """The steps that need this one."""
        return set(self._dependents.get(id, ()))

    def queue(self, place: Place) -> list[Step]:
        """The live steps of an asset partition, oldest first."""
        return [self.step(id) for id in self._writers.get(place, ())]

    def blocker(self, id: int) -> int | None:
        """A step that stands in this one's way, now being watched; None if nothing does.

        Cost: O(1) amortised for a reader; for a writer, the readers it has to pass over.
        """
        found = self._find(self.step(id))
        if found is not None:
            self._watchers.setdefault(found, set()).add(id)
        return found

    def _find(self, step: Step) -> int | None:
        for need in self.needs[step.id]:
            return need
        place = (step.asset, step.partition)
        for id in self._writers[place]:
            if id != step.id and (self._runs(id) or self._goes_before(id, step.order)):
                return id
        asset = self._graph.assets.get(step.asset)
        if asset is None or not asset.versioned:
            for id in self._readers.get(place, ()):
                if id != step.id and self._claims_before(id, step.order):
                    return id
        for read in self.reads(step):
            for id in self._writers.get(read, ()):
                if id != step.id and self._claims_before(id, step.order):
                    return id
        return None

    def _goes_before(self, id: int, order: int) -> bool:
        """Whether a step of the same asset partition keeps its place in front of `order`.

        One that stands aside and was never started does not: nothing is lost by passing it.
        """
        other = self.step(id)
        return other.order < order and (other.tries > 0 or id not in self._idle)

    def stands_aside(self, ids: Iterable[int]) -> bool:
        """Whether any of these steps gave up its claims for now."""
        return any(id in self._idle for id in ids)

    def _runs(self, id: int) -> bool:
        return self.step(id).status is StepStatus.RUNNING

    def _claims_before(self, id: int, order: int) -> bool:
        other = self.step(id)
        if other.status is StepStatus.RUNNING:
            return True
        return id not in self._idle and other.status not in ENDED and other.order < order
