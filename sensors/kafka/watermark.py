"""How far a set of partitions has been read, in event time.

Knows: positions, what the brokers answered, the times of records. Refuses to know: the network.

A partition read to its end is read up to the instant before the fetch that showed the end: no older
record is there. Of another, records come roughly in order: it is read up to its newest time so far,
less the allowed lateness. The whole is read as far as the partition that is least far.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from aiokafka.structs import TopicPartition

from reactor.core.instant import MICROSECOND
from sensors.kafka.record import Part

_TIME = attrgetter("timestamp")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a broker answered to a fetch: the end of the partition (its high watermark, past open
    transactions too), and the instant before it was asked."""

    end: int
    asked: datetime


class Watermark:
    """The watermark of one consumer's partitions."""

    def __init__(self, parts: Iterable[Part], lateness: timedelta) -> None:
        self._parts = tuple(parts)
        self._lateness = lateness
        self._newest: dict[TopicPartition, int] = {}

    def saw(self, part: Part, records: Sequence[Any], now: datetime) -> None:
        """Records of a partition were read. One that lies in the future says nothing."""
        limit = now.timestamp() * 1000
        newest = max(map(_TIME, records), default=-1)
        if newest > limit:
            newest = max((one.timestamp for one in records if one.timestamp <= limit), default=-1)
        if newest > self._newest.get(part.tp, -1):
            self._newest[part.tp] = newest

    def upto(self, answers: Mapping[TopicPartition, Answer], limit: datetime) -> datetime | None:
        """Up to when everything was read, at most `limit`; None if some partition cannot tell."""
        lowest = limit
        for part in self._parts:
            answer, newest = answers.get(part.tp), self._newest.get(part.tp)
            if answer is not None and answer.end == part.offset:
                lowest = min(lowest, answer.asked)
            elif answer is not None and answer.end > part.offset and newest is not None:
                lowest = min(lowest, datetime.fromtimestamp(newest / 1000, UTC) - self._lateness)
            else:
                return None
        # A record's time is whole milliseconds: one written just after may bear the one before.
        return lowest.replace(microsecond=lowest.microsecond // 1000 * 1000) - MICROSECOND
