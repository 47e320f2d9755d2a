"""How far each sensor has been read, and the timers that wait for it.

Knows: `upto` by sensor, as the sensors said in this life; timers of absence that are due. Refuses
to know: rules and operators.

Laws: nothing here is saved: after a restart nothing is known until the sensors say so again, so
that a backlog raises no false alarm; what a turn learned is forgotten if the turn is undone.
"""

from __future__ import annotations

import heapq

Place = tuple[str, int, str | None]
"""A rule, the number of an operator in it, and a key."""
_Parked = tuple[int, str, int, bool, str]


class Watermarks:
    """What has been read, in microseconds since 1970. Assets (`asset:name`) are always known."""

    def __init__(self) -> None:
        self._upto: dict[str, int] = {}
        self._before: dict[str, int | None] = {}
        self._parked: dict[tuple[str, ...], list[_Parked]] = {}
        self._due: dict[Place, int] = {}

    def begin(self) -> None:
        """Starts a turn."""
        self._before = {}

    def undo(self) -> None:
        """Forgets what this turn learned, and every timer: they ring again by themselves."""
        for sensor, upto in self._before.items():
            if upto is None:
                self._upto.pop(sensor, None)
            else:
                self._upto[sensor] = upto
        self._before, self._parked, self._due = {}, {}, {}

    def reach(self, sensor: str, upto: int) -> bool:
        """Notes how far a sensor has been read; whether that is news."""
        known = self._upto.get(sensor)
        if known is not None and upto <= known:
            return False
        self._before.setdefault(sensor, known)
        self._upto[sensor] = upto
        return True

    def upto(self, sources: tuple[str, ...], now: int) -> int | None:
        """How far all of these have been read; None if one said nothing."""
        lowest = now
        for source in sources:
            upto = self._upto.get(source)
            if upto is None:
                if source.startswith("asset:"):
                    continue
                return None
            lowest = min(lowest, upto)
        return lowest

    def park(self, place: Place, due: int, sources: tuple[str, ...]) -> None:
        """A timer that is due waits until its sources have been read that far."""
        if self._due.get(place) != due:
            self._due[place] = due
            rule, node, key = place
            waiting = self._parked.setdefault(sources, [])
            heapq.heappush(waiting, (due, rule, node, key is not None, key or ""))

    def ready(self, now: int) -> tuple[Place, int] | None:
        """Takes out a timer that waits no longer, the earliest first; its time may be out of date.

        Cost: O(kinds of sources that anything waits for).
        """
        best: tuple[str, ...] | None = None
        for sources, waiting in self._parked.items():
            upto = self.upto(sources, now)
            if upto is None or waiting[0][0] > upto:
                continue
            if best is None or waiting[0] < self._parked[best][0]:
                best = sources
        if best is None:
            return None
        waiting = self._parked[best]
        due, rule, node, keyed, key = heapq.heappop(waiting)
        if not waiting:
            del self._parked[best]
        place = (rule, node, key if keyed else None)
        if self._due.get(place) == due:
            del self._due[place]
        return place, due

    @property
    def awaits(self) -> frozenset[str]:
        """The sensors that a due timer waits for."""
        return frozenset(
            source
            for sources, waiting in self._parked.items()
            for source in sources
            if not source.startswith("asset:") and self._upto.get(source, -1) < waiting[0][0]
        )
