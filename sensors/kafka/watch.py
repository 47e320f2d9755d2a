"""Looks at the cluster while records are read, and says when reading must start anew.

The consumer itself is not asked: it is silent when its broker is gone, when its offset lies past
the end on a broker that just waits there, and when it is stuck.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import anyio
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from reactor.ports import Clock
from sensors.kafka.cluster import NO_LEADER, Cluster, Described
from sensors.kafka.health import Health, Pace
from sensors.kafka.position import part_of
from sensors.kafka.record import Part

_SURE = 3
"""How often in a row the end must lie before our position to be believed."""


class Watch:
    """A watch over one session.

    `over` says why the session must end, once it must; `failure` is set if that is because the
    cluster cannot be reached, `changed` if there is something else to read than when the session
    began. `sure` is the instant before the last look that found all topics and partitions there,
    and no others; after each of these `looked` is called. `busy` is set by the session while it
    waits for the host.

    Args:
        layout: what the cluster said of the topics when the session began.
        waiting: what was missing then; the sensor is down until it is there.
        unasked: partitions whose offsets are not known for want of a leader; the session ends as
            soon as one of them has a leader, since only a new one can judge where to go on.
    """

    def __init__(
        self,
        cluster: Cluster,
        layout: Mapping[str, Described],
        parts: Iterable[Part],
        waiting: str,
        unasked: Iterable[TopicPartition],
        health: Health,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._layout = _shape(layout)
        self._parts = {part.tp: part for part in parts}
        self._waiting = waiting
        self._unasked = tuple(unasked)
        self._health = health
        self._pace = pace
        self._past: Counter[TopicPartition] = Counter()
        self._idle: dict[TopicPartition, tuple[int, float]] = {}
        self.sure: datetime | None = None
        self.looked: Callable[[], None] = lambda: None
        self.busy = False
        self.changed = False
        self.over = ""
        self.failure: Exception | None = None

    async def run(self) -> None:
        """Looks until cancelled, or until the session is over."""
        failures = 0
        while not self.over:
            await anyio.sleep(self._pace.watch)
            asked = self._clock.now()
            before = {tp: part.offset for tp, part in self._parts.items()}
            try:
                with anyio.fail_after(self._pace.patience):
                    told = await self._cluster.describe(self._layout)
                    ends = await self._cluster.ends(self._parts)
            except (KafkaError, OSError) as error:
                failures += 1
                self._health.say(complaint(error))
                if failures > 1:
                    self.failure, self.over = error, "the cluster cannot be reached"
            else:
                failures = 0
                self._look(told, before, ends)
                if not (self._missing(told) or self.over):
                    self.sure = asked
                    self.looked()

    def _look(
        self,
        told: Mapping[str, Described],
        before: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
    ) -> None:
        self._health.say(self._missing(told))
        if _shape(told) != self._layout:
            self.changed, self.over = True, "the topics changed"
        elif led := [tp for tp in self._unasked if _leader(told, tp) != NO_LEADER]:
            names = ", ".join(part_of(*tp) for tp in led)
            self.changed, self.over = True, f"there is a leader for {names}"
        for tp, offset in before.items():
            end = ends.get(tp, offset)
            self._past[tp] = self._past[tp] + 1 if end < offset else 0
            if self._past[tp] >= _SURE:
                self.over = f"the end of {part_of(*tp)}, {end}, lies before our offset, {offset}"
            elif self._stuck(tp, offset, end):
                self.over = f"{part_of(*tp)} has records, but none came for {self._pace.stall:g} s"

    def _missing(self, told: Mapping[str, Described]) -> str:
        return self._waiting or leaderless(told)

    def _stuck(self, tp: TopicPartition, offset: int, end: int) -> bool:
        """Whether there have been records to read for too long, and none was."""
        now = anyio.current_time()
        at, since = self._idle.get(tp, (-1, now))
        if offset != at or end <= offset or self.busy:
            self._idle[tp] = (offset, now)
            return False
        return now - since > self._pace.stall


def leaderless(told: Mapping[str, Described]) -> str:
    """What of some topics cannot be read just now; empty if nothing."""
    found = [f"topic {topic}: {one.error}" for topic, one in told.items() if one.error]
    found += [
        f"no leader for {part_of(topic, partition)}"
        for topic, one in told.items()
        for partition, leader in one.leaders.items()
        if leader == NO_LEADER
    ]
    return "; ".join(found)


def complaint(error: Exception) -> str:
    """An error of the client in one line."""
    said, name = str(error), type(error).__name__
    if not said:
        return name
    return said if isinstance(error, (KafkaError, OSError)) else f"{name}: {said}"


def _leader(told: Mapping[str, Described], tp: TopicPartition) -> int:
    return told[tp.topic].leaders.get(tp.partition, NO_LEADER)


def _shape(layout: Mapping[str, Described]) -> dict[str, Any]:
    """What of a description, when it changes, changes what there is to read."""
    return {topic: (one.exists, one.id, frozenset(one.leaders)) for topic, one in layout.items()}
