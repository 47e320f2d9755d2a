"""Committing offsets to a consumer group, for tools that show lag. Nothing ever reads them back."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from reactor.ports import Log, Move
from sensors.kafka.cluster import Cluster
from sensors.kafka.health import Pace
from sensors.kafka.position import Position

_WORTH_A_WARNING = 5
"""Failures in a row: a coordinator is often not there yet for the first seconds."""


class Group:
    """The offsets that are still to be committed."""

    def __init__(self, name: str, log: Log, pace: Pace) -> None:
        self._name = name
        self._log = log
        self._pace = pace
        self._due: dict[TopicPartition, int] = {}
        self._woken = anyio.Event()
        self._failures = 0
        self.cluster: Cluster | None = None

    def note(self, moves: Iterable[Move]) -> None:
        """Takes over what was recorded; costs no waiting."""
        for move in moves:
            topic, slash, partition = move.part.partition("/")
            if slash and move.after is not None:
                offset = Position.read(move.after).offset
                self._due[TopicPartition(topic, int(partition))] = offset
        self._woken.set()

    async def run(self) -> None:
        """Commits what is due, at most once in `pace.commit`, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken = anyio.Event()
            await self._commit()
            await anyio.sleep(self._pace.commit)

    async def _commit(self) -> None:
        if self.cluster is None or not self._due:
            return
        due, self._due = self._due, {}
        try:
            with anyio.fail_after(self._pace.patience):
                await self.cluster.commit(self._name, due)
        except (KafkaError, OSError) as error:
            self._failures += 1
            self._due = due | self._due
            self._woken.set()
            say = self._log.warning if self._failures == _WORTH_A_WARNING else self._log.debug
            say("offsets are not committed", group=self._name, error=f"{error!r}")
        else:
            self._failures = 0
