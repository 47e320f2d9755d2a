"""Committing offsets to a consumer group, for tools that show lag. Nothing ever reads them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

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
        self._cluster: Cluster | None = None
        self._going = anyio.CancelScope()

    @contextmanager
    def at(self, cluster: Cluster) -> Iterator[None]:
        """Where to commit, until the block ends; a commit that is going on then is broken off."""
        self._cluster = cluster
        try:
            yield
        finally:
            self._cluster = None
            self._going.cancel()

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
        if self._cluster is None or not self._due:
            return
        due, self._due = self._due, {}
        error = "no answer"
        try:
            with anyio.move_on_after(self._pace.patience) as self._going:
                await self._cluster.commit(self._name, due)
                error = ""
        except (KafkaError, OSError) as failed:
            error = repr(failed)
        if not error:
            self._failures = 0
            return
        self._failures += 1
        self._due = due | self._due
        self._woken.set()
        say = self._log.warning if self._failures == _WORTH_A_WARNING else self._log.debug
        say("offsets are not committed", group=self._name, error=error)
