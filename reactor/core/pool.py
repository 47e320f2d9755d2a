"""Room for attempts: which of the steps that may start is next.

Knows: slots, pools, ranks. Refuses to know: why a step may start, and what it does.

Laws: no more attempts than slots, and in a pool no more than its limit (one, unless it has one);
among steps for which there is room, the lowest rank goes first.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from datetime import datetime

Rank = tuple[int, datetime, int, int]
"""Priority (negated), age, order of declaration, and the step's id."""


class Pools:
    """The steps that may start, by pool, and the attempts that run."""

    def __init__(self, limits: Mapping[str, int], slots: int) -> None:
        self._limits, self.slots = limits, slots
        self._waiting: dict[str | None, list[Rank]] = {}
        self._ranks: dict[int, Rank] = {}
        self._busy: dict[str | None, int] = {}
        self.running = 0

    def offer(self, pool: str | None, rank: Rank) -> None:
        """A step may start. A step that is offered again has the rank that it was given last."""
        if self._ranks.get(rank[-1]) != rank:
            self._ranks[rank[-1]] = rank
            heapq.heappush(self._waiting.setdefault(pool, []), rank)

    def next(self) -> int | None:
        """Takes out the first step for which there is room; None if there is none."""
        while self.running < self.slots:
            best: tuple[Rank, str | None] | None = None
            for pool, heap in self._waiting.items():
                if heap and self._room(pool) and (best is None or heap[0] < best[0]):
                    best = (heap[0], pool)
            if best is None:
                return None
            rank = heapq.heappop(self._waiting[best[1]])
            if self._ranks.get(rank[-1]) == rank:
                del self._ranks[rank[-1]]
                return rank[-1]
        return None

    def _room(self, pool: str | None) -> bool:
        return pool is None or self._busy.get(pool, 0) < self._limits.get(pool, 1)

    def count(self, pool: str | None, change: int) -> None:
        """An attempt began (1) or ended (-1)."""
        self.running += change
        self._busy[pool] = self._busy.get(pool, 0) + change
