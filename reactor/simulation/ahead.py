"""How far a sensor had really been read at each instant of a record.

What happened and was received only later had not been handed in: whoever concludes from silence
must wait for it, as the service had to. A record knows what it still holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reactor.core.event import Event
from reactor.core.instant import EPOCH, MICROSECOND


class Ahead:
    """The events of a record that are still to come, by sensor; only of those that are ever late.

    Cost: O(events) once; then O(1) for each.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        late = {event.source for event in events if event.time < event.received}
        self._earliest: dict[str, list[datetime]] = {name: [] for name in late}
        # From the last on: the earliest time of all that come from there.
        for event in reversed(events) if late else ():
            known = self._earliest.get(event.source)
            if known is not None:
                time = max(event.time, EPOCH)
                known.append(min(time, known[-1]) if known else time)

    def passed(self, sensor: str, number: int) -> None:
        """So many more events of a sensor have been handed in."""
        known = self._earliest.get(sensor)
        if known:
            del known[len(known) - number :]

    def upto(self, sensor: str, now: datetime) -> datetime:
        """Until when all that a sensor saw has been handed in by now."""
        known = self._earliest.get(sensor)
        return min(now, known[-1] - MICROSECOND) if known else now
