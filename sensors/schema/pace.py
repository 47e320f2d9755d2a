"""How often hints make a sensor look. Pure: seconds go in, seconds come out."""

from __future__ import annotations

FIRST = 0.02
LONGEST = 0.1


class Pace:
    """The first hint is looked at once; those of a burst together, ever more seldom.

    While hints keep coming, the gap between their looks doubles from 20 ms up to 100 ms: fifty
    transactions of a migration are seen in a handful of looks, and its end within a gap. A hint
    that comes when the gap is over begins anew.
    """

    def __init__(self) -> None:
        self._free = float("-inf")
        self._gap = FIRST

    def due(self, now: float) -> float:
        """When to look at a hint that is there at `now`; the look is taken to happen then."""
        if now >= self._free:
            self._gap = FIRST
            at = now
        else:
            self._gap = min(2 * self._gap, LONGEST)
            at = self._free
        self._free = at + self._gap
        return at
