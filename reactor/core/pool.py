"""Room for attempts: which of the steps that may start is next.

Knows: slots, pools, backfills, ranks. Refuses to know: why a step may start, and what it does.

Laws: no more attempts than slots, in a pool no more than its limit (one, unless it has one), and
for a backfill alone no more than it may have at once; among steps for which there is room, the
lowest rank goes first.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from datetime import datetime

Rank = tuple[int, datetime, int, int]
"""Priority (negated), age, order of declaration, and the step's id."""

Room = tuple[str | None, int | None]
"""The pool of a step, and the backfill for which alone it is done."""


class Pools:
    """The steps that may start, by where they need room, and the attempts that run.

    `at_once` answers how many steps of a backfill may run.
    """

    def __init__(
        self, limits: Mapping[str, int], slots: int, at_once: Callable[[int], int]
    ) -> None:
        self._limits, self.slots, self._at_once = limits, slots, at_once
        self._waiting: dict[Room, list[Rank]] = {}
        self._offers: dict[int, tuple[Rank, Room]] = {}
        self._began: dict[int, Room] = {}
        self._busy: dict[str | int, int] = {}

    @property
    def running(self) -> int:
        """How many attempts run."""
        return len(self._began)

    def offer(self, room: Room, rank: Rank) -> None:
        """A step may start. One that is offered again has the rank and room it was given last."""
        offer = (rank, room)
        if self._offers.get(rank[-1]) != offer:
            self._offers[rank[-1]] = offer
            heapq.heappush(self._waiting.setdefault(room, []), rank)

    def next(self) -> int | None:
        """Takes out the first step for which there is room; None if there is none."""
        while self.running < self.slots:
            best: tuple[Rank, Room] | None = None
            for room, heap in self._waiting.items():
                if (best is None or heap[0] < best[0]) and self._has(room):
                    best = (heap[0], room)
            if best is None:
                return None
            rank, room = best
            heap = self._waiting[room]
            heapq.heappop(heap)
            if not heap:
                del self._waiting[room]
            if self._offers.get(rank[-1]) == best:
                del self._offers[rank[-1]]
                return rank[-1]
        return None

    def _has(self, room: Room) -> bool:
        pool, backfill = room
        if pool is not None and self._busy.get(pool, 0) >= self._limits.get(pool, 1):
            return False
        return backfill is None or self._busy.get(backfill, 0) < self._at_once(backfill)

    def began(self, step: int, room: Room) -> None:
        """An attempt of a step began."""
        self._began[step] = room
        for each in room:
            if each is not None:
                self._busy[each] = self._busy.get(each, 0) + 1

    def ended(self, step: int) -> None:
        """The attempt of a step ended: it gives back the room it took, whoever wants it now."""
        for each in self._began.pop(step):
            if each is not None:
                self._busy[each] -= 1
                if not self._busy[each]:
                    del self._busy[each]
