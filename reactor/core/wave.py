"""Who waits for whom: the order in which steps may touch asset partitions.

Knows: live steps, what each writes and reads, and the steps it needs. Refuses to know: time,
retries, pools, outcomes (scheduler.py).

Laws. A step writes its asset partition and reads its upstreams'. Conflicting steps go in the line
given by `Step.order`: a reader waits for earlier writers, a writer for earlier readers, and both
for one that is running. A step that waits out a retry, is blocked, held or paused, and whatever
needs it, *stands aside*: it keeps no claim on its inputs. On what it writes it keeps one once it
was started, so that the causes of one asset partition are worked off in order, and what is behind
it there stands aside with it (one that is held does not: only what is forced comes to pass it).
`order` grows along every `need`, and a step that moves back takes along all that must stay behind
it; so no circle of waiting exists. Who stands aside follows from the rows alone, whatever way led
to them.

Cost: a waiting step watches one step that stands in its way and is looked at again only when that
one moves.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from reactor.core.graph import Graph
from reactor.core.link import EVERY, Place
from reactor.core.run import ENDED, Step, StepStatus
from reactor.core.state import Key

_IDLE = frozenset({StepStatus.RETRYING, StepStatus.BLOCKED, StepStatus.HELD})


_Of = TypeVar("_Of")


class Waves:
    """The line. `steps` is the live table it looks into; it never changes a row.

    Args: `places` answers the asset partitions that a step of an asset partition reads.

    `look` collects the steps that may be able to start now, `parked` those that are paused.
    """

    def __init__(
        self,
        graph: Graph,
        steps: Mapping[Key, Step],
        places: Callable[[str, str | None], tuple[Place, ...]],
    ) -> None:
        self._graph = graph
        self._steps = steps
        self._places = places
        self._reads: dict[int, tuple[Place, ...]] = {}
        self.needs: dict[int, set[int]] = {}
        self.look: set[int] = set()
        self.parked: set[int] = set()
        self._dependents: dict[int, set[int]] = {}
        self._last: dict[Place, int] = {}
        self._ahead: dict[int, int] = {}
        self._behind: dict[int, int] = {}
        self._started: dict[Place, dict[int, None]] = {}
        self._readers: dict[Place, dict[int, None]] = {}
        self._writers: dict[str, dict[int, None]] = {}
        """Of assets with partitions of their own, who writes any of them."""
        self._watchers: dict[int, set[int]] = {}
        self._missing: dict[Place, dict[int, None]] = {}
        self._aside: set[int] = set()

    def step(self, id: int) -> Step:
        """The row of a step that is in the line."""
        return self._steps[(id,)]

    def reads(self, step: Step) -> tuple[Place, ...]:
        """The asset partitions that a step in the line reads."""
        return self._reads[step.id]

    def enter(self, step: Step, needs: Iterable[int]) -> None:
        """Puts a step at the end of the line."""
        place = (step.asset, step.partition)
        self._append(place, step.id)
        if step.tries:
            self._started.setdefault(place, {})[step.id] = None
        if self._partitioned(step.asset):
            self._writers.setdefault(step.asset, {})[step.id] = None
        self._reads[step.id] = self._places(step.asset, step.partition)
        for read in self.reads(step):
            self._readers.setdefault(read, {})[step.id] = None
        self.needs[step.id] = set()
        self.add_needs(step.id, needs)
        self.look.add(step.id)
        if self._aside or step.status in _IDLE:
            self.refresh([step.id])

    def writers(self, asset: str) -> tuple[int, ...]:
        """The live steps of an asset that has partitions."""
        return tuple(self._writers.get(asset, ()))

    def gathers(self, id: int) -> bool:
        """Whether a step in the line reads many partitions of one asset."""
        own = [place for place in self._reads.get(id, ()) if place[1] is not None]
        if any(partition is EVERY for _, partition in own):
            return True
        return len({asset for asset, _ in own}) < len(own)

    def _partitioned(self, asset: str) -> bool:
        known = self._graph.assets.get(asset)
        return known is not None and known.partitions is not None

    def _append(self, place: Place, id: int) -> None:
        last = self._last.get(place)
        if last is not None:
            self._ahead[id], self._behind[last] = last, id
        self._last[place] = id

    def _unlink(self, place: Place, id: int) -> None:
        ahead, behind = self._ahead.pop(id, None), self._behind.pop(id, None)
        if ahead is not None:
            self._behind.pop(ahead)
            if behind is not None:
                self._behind[ahead] = behind
        if behind is not None:
            self._ahead.pop(behind)
            if ahead is not None:
                self._ahead[behind] = ahead
        elif ahead is not None:
            self._last[place] = ahead
        else:
            del self._last[place]

    def moved_back(self, ids: Iterable[int]) -> None:
        """These steps, in this order, are now at the end of the line."""
        ids = list(ids)
        for id in ids:
            step = self.step(id)
            place = (step.asset, step.partition)
            self._unlink(place, id)
            self._append(place, id)
            self.moved(id)
        self.look.update(ids)
        if self._aside:
            self.refresh(ids)

    def started(self, step: Step) -> None:
        """A step was claimed: from now on nothing of its asset partition passes it."""
        self._started.setdefault((step.asset, step.partition), {})[step.id] = None

    def add_needs(self, id: int, needs: Iterable[int]) -> bool:
        """Lets a step wait for more steps; answers whether any of them is new."""
        fresh = {need for need in needs if need not in self.needs[id] and need in self.needs}
        for need in fresh:
            self.needs[id].add(need)
            self._dependents.setdefault(need, set()).add(id)
        if fresh and self._aside:
            self.refresh([id])
        return bool(fresh)

    def set_needs(self, id: int, needs: set[int]) -> None:
        """Lets a step wait for exactly these steps (those of them that are in the line)."""
        for need in self.needs[id] - needs:
            self._dependents.get(need, set()).discard(id)
        self.needs[id] &= needs
        self.add_needs(id, needs)
        self.look.add(id)
        self.refresh([id])

    def leave(self, step: Step) -> None:
        """Takes a step out of the line."""
        self.moved(step.id)
        place = (step.asset, step.partition)
        after = self._dependents.pop(step.id, set())
        if step.id in self._aside:
            after = after.union(self._held_back_by(step))
        self._unlink(place, step.id)
        self._drop(self._started, place, step.id)
        self._drop(self._writers, step.asset, step.id)
        for read in self._reads.pop(step.id, ()):
            self._drop(self._readers, read, step.id)
            self._drop(self._missing, read, step.id)
        for need in self.needs.pop(step.id, set()):
            self._dependents.get(need, set()).discard(step.id)
        self._aside.discard(step.id)
        self.parked.discard(step.id)
        for each in after:
            self.needs[each].discard(step.id)
        self.look |= after
        if self._aside:
            self.refresh(after)

    @staticmethod
    def _drop(index: dict[_Of, dict[int, None]], place: _Of, id: int) -> None:
        held = index.get(place)
        if held is not None:
            held.pop(id, None)
            if not held:
                del index[place]

    def moved(self, id: int) -> None:
        """What was waiting for this step to move is to be looked at again."""
        self.look |= self._watchers.pop(id, set())

    def miss(self, step: Step, places: Iterable[Place]) -> None:
        """A step waits for asset partitions that nobody ever made."""
        for place in places:
            self._missing.setdefault(place, {})[step.id] = None

    def came(self, asset: str, partition: str | None) -> list[Step]:
        """The steps that waited for an asset partition to be made, in the order of the line."""
        ids: dict[int, None] = self._missing.pop((asset, partition), {})
        if partition is not None and self._partitioned(asset):
            ids = {**ids, **self._missing.pop((asset, EVERY), {})}
        found = [self.step(id) for id in ids]
        return sorted(found, key=lambda step: step.order)

    def refresh(self, ids: Iterable[int]) -> None:
        """Works out anew whether steps, and what follows from them, stand aside."""
        stack = list(ids)
        while stack:
            id = stack.pop()
            step = self.step(id)
            aside = self._must_stand_aside(step)
            if aside is (id in self._aside):
                continue
            if aside:
                self._aside.add(id)
                self.moved(id)
            else:
                self._aside.discard(id)
            stack.extend(self._dependents.get(id, ()))
            stack.extend(self._held_back_by(step))

    def _must_stand_aside(self, step: Step) -> bool:
        if step.status in _IDLE or step.id in self.parked:
            return True
        if not self._aside.isdisjoint(self.needs[step.id]):
            return True
        return any(
            id in self._aside and self.step(id).order < step.order and not self._is_held(id)
            for id in self._started.get((step.asset, step.partition), ())
        )

    def held(self, id: int) -> None:
        """A step is held now: only one that is forced does not wait with it, and may pass it."""
        self.refresh([id, *self._held_back_by(self.step(id))])
        self.moved(id)

    def _held_back_by(self, step: Step) -> list[int]:
        """The steps that must not pass this one on the asset partition it writes."""
        found: list[int] = []
        if step.id in self._started.get((step.asset, step.partition), ()):
            behind = self._behind.get(step.id)
            while behind is not None:
                found.append(behind)
                behind = self._behind.get(behind)
        return found

    def closure(self, ids: Iterable[int]) -> list[int]:
        """These steps and all that must stay behind them, in an order that respects every need.

        Where needs leave it open, the order of the line stands. Source: Kahn 1962, with a heap.
        """
        later: dict[int, set[int]] = {}
        stack = list(ids)
        while stack:
            id = stack.pop()
            if id in later or id not in self.needs:
                continue
            following = set(self._dependents.get(id, ()))
            behind = self._behind.get(id)
            if behind is not None:
                following.add(behind)
            later[id] = following
            stack.extend(following)
        before = dict.fromkeys(later, 0)
        for following in later.values():
            for id in following:
                before[id] += 1
        ready = [(self.step(id).order, id) for id, number in before.items() if not number]
        heapq.heapify(ready)
        line: list[int] = []
        while ready:
            id = heapq.heappop(ready)[1]
            line.append(id)
            for each in later[id]:
                before[each] -= 1
                if not before[each]:
                    heapq.heappush(ready, (self.step(each).order, each))
        return line

    def dependents(self, id: int) -> Iterable[int]:
        """The steps that need this one."""
        return self._dependents.get(id, ())

    def queue(self, place: Place) -> list[Step]:
        """The live steps of an asset partition, in the order of the line."""
        return [self.step(id) for id in self._from_the_end(place)][::-1]

    def _from_the_end(self, place: Place) -> Iterator[int]:
        id = self._last.get(place)
        while id is not None:
            yield id
            id = self._ahead.get(id)

    def blocker(self, id: int) -> int | None:
        """A step that stands in this one's way, now being watched; None if nothing does.

        Of several it is the one right ahead, so that not all that wait are looked at each time.
        Cost: O(1) amortised for a reader; for a writer, the readers it has to pass over.
        """
        found = self._find(self.step(id))
        if found is not None:
            self._watchers.setdefault(found, set()).add(id)
        return found

    def _find(self, step: Step) -> int | None:
        for need in self.needs[step.id]:
            return need
        ahead = self._writer_ahead(step)
        if ahead is not None:
            return ahead
        asset = self._graph.assets.get(step.asset)
        if asset is None or not asset.versioned:
            for id in self._reading(step):
                if id != step.id and self._claims_before(id, step.order):
                    return id
        for read in self.reads(step):
            for id in self._writing(read):
                if id != step.id and self._claims_before(id, step.order):
                    return id
        return None

    def _reading(self, step: Step) -> Iterator[int]:
        """Who reads what a step writes."""
        yield from self._readers.get((step.asset, step.partition), ())
        if step.id in self._writers.get(step.asset, ()):
            yield from self._readers.get((step.asset, EVERY), ())

    def _writing(self, read: Place) -> Iterable[int]:
        """Who writes what is read, the last in the line first."""
        asset, partition = read
        if partition is EVERY:
            return reversed(self._writers.get(asset, {}))
        return self._from_the_end(read)

    def _writer_ahead(self, step: Step) -> int | None:
        place = (step.asset, step.partition)
        ahead = self._ahead.get(step.id)
        if ahead is not None and self._goes_before(ahead):
            return ahead
        for id in self._started.get(place, ()):
            earlier = self.step(id).order < step.order and not self._is_held(id)
            if id != step.id and (self._runs(id) or earlier):
                return id
        while ahead is not None:
            if self._goes_before(ahead):
                return ahead
            ahead = self._ahead.get(ahead)
        return None

    def _goes_before(self, id: int) -> bool:
        """Whether a step keeps its place in front of those behind it on its asset partition.

        One that stands aside and was never started does not: nothing is lost by passing it.
        """
        return id not in self._aside or (self.step(id).tries > 0 and not self._is_held(id))

    def _is_held(self, id: int) -> bool:
        return self.step(id).status is StepStatus.HELD

    def stands_aside(self, ids: Iterable[int]) -> bool:
        """Whether any of these steps gave up its claims for now."""
        return not self._aside.isdisjoint(ids)

    def _runs(self, id: int) -> bool:
        return self.step(id).status is StepStatus.RUNNING

    def _claims_before(self, id: int, order: int) -> bool:
        other = self.step(id)
        if other.status is StepStatus.RUNNING:
            return True
        return id not in self._aside and other.status not in ENDED and other.order < order
