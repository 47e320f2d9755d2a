"""The newest events at hand, so that a step need not read what was just written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import from_json

from reactor.core.errors import StepError
from reactor.core.event import Event
from reactor.core.ranges import Ranges, count, numbers
from reactor.ports import Store

RECENT = 20_000


class Hand:
    """Answers events by their sequence numbers: from memory if all are there, else the store."""

    def __init__(self, store: Store, sensors: Mapping[str, Any]) -> None:
        self._store, self._sensors = store, sensors
        self._recent: OrderedDict[int, Event] = OrderedDict()

    def keep(self, accepted: Sequence[tuple[int, Event]]) -> None:
        """Takes what was just accepted; the oldest make room."""
        self._recent.update(accepted)
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def newest(self, wanted: Ranges) -> Event | None:
        """The last event of some ranges, if it is at hand."""
        return self._recent.get(wanted[-1][1]) if wanted else None

    async def events(self, wanted: Ranges) -> list[Event]:
        """The events of some ranges, in order."""
        if count(wanted) <= len(self._recent):
            at_hand = [self._recent.get(seq) for seq in numbers(wanted)]
            if None not in at_hand:
                return [event for event in at_hand if event is not None]
        stored = await self._store.events(wanted)
        return [self._recent.get(seq) or self._restored(event) for seq, event in stored]

    def _restored(self, event: Event) -> Event:
        """The event with its payload decoded again by its sensor.

        Raises: StepError if the sensor can no longer read it, since its model changed.
        """
        if event.data is not None or event.raw is None:
            return event
        sensor = self._sensors.get(event.source)
        restore = sensor.restore if sensor is not None else from_json
        try:
            return replace(event, data=restore(event.raw))
        except Exception as error:
            raise StepError(
                f"event {event.id} was recorded before {event.source} changed: {error}",
                hint="let the model read both, then resume the run",
            ) from error
