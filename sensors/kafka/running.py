"""An opened `KafkaTopic`: it finds out where to start, reads, and starts anew whenever it must."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.structs import TopicPartition
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from reactor.core.errors import SensorError, SensorRefused
from reactor.ports import Batch, DeadLetter, Desk
from sensors.kafka.cluster import Cluster, Described, connected, ids_of
from sensors.kafka.decoding import Decoding
from sensors.kafka.group import Group
from sensors.kafka.health import Health, Pace
from sensors.kafka.record import Part, Reader
from sensors.kafka.rescue import Unreadable, fetch_alone
from sensors.kafka.resume import Resumption, Skip
from sensors.kafka.session import Handed, Session, Suspect, only
from sensors.kafka.survey import survey
from sensors.kafka.topic import KafkaTopic
from sensors.kafka.watch import Watch, complaint

# While a broker is away it complains many times a second; what matters of that, `Health` says.
if (_client_log := logging.getLogger("aiokafka")).level == logging.NOTSET:
    _client_log.setLevel(logging.CRITICAL)

_TRIES = 3
"""How often something odd is looked at before it is believed."""

_CHOOSE = (
    "set on_out_of_range='earliest' to go on with the oldest record there is, or 'latest' with the"
    " next one to come; or move the sensor with `reactor sensors seek`"
)
_CHECK_CREDENTIALS = "check the security options of KafkaTopic(...)"
_CREDENTIALS = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


class RunningKafka:
    """Reads the topics of one `KafkaTopic`.

    Its own account of the positions, `_stored`, is what the host was offered so far, batch by
    batch; every consumer starts from it, and none is trusted to know better.
    """

    def __init__(
        self, topic: KafkaTopic, desk: Desk, servers: str, pace: Pace | None = None
    ) -> None:
        self._topic = topic
        self._desk = desk
        self._servers = servers
        self._pace = pace or Pace()
        self._stored = dict(desk.positions)
        self._reader = Reader(topic)
        self._health = Health(desk)
        self._group = Group(topic.group, desk.log, self._pace)
        self._delay = 0.0
        self._strikes: Counter[tuple[str, int]] = Counter()
        self._aside: dict[str, str] = {}

    async def run(self) -> None:
        """Offers batches until cancelled; see `RunningSensor`."""
        outlet, inlet = anyio.create_memory_object_stream[Handed](0)
        try:
            async with outlet, inlet, self._schemas(), anyio.create_task_group() as tasks:
                tasks.start_soon(self._offer, inlet)
                tasks.start_soon(self._group.run)
                await self._keep_reading(outlet)
        except ExceptionGroup as errors:
            raise only(errors) from None

    @asynccontextmanager
    async def _schemas(self) -> AsyncIterator[None]:
        """Has records decoded with the topic's schema registry, if it has one."""
        if self._topic.schema is None:
            yield
            return
        async with self._topic.schema.schemas(self._pace.patience) as decoder:
            decoding = Decoding(decoder, self._health, self._pace, self._desk.log)
            self._reader = Reader(self._topic, decoding)
            yield

    async def recorded(self, batch: Batch) -> None:
        """Lets lag tools know, some time later."""
        self._group.note(batch.moves)

    async def _offer(self, inlet: MemoryObjectReceiveStream[Handed]) -> None:
        """Hands batches over, so that the next one is read while the host records the last."""
        async for batch, upto in inlet:
            if batch is not None:
                await self._desk.offer(batch)
            if upto is not None:
                self._desk.reached(upto)

    async def _keep_reading(self, outlet: MemoryObjectSendStream[Handed]) -> None:
        """Reads with one connection to the cluster after another."""
        options = await self._options()
        while True:
            try:
                async with connected(options, self._pace.stop) as cluster:
                    with self._group.at(cluster):
                        while True:
                            well = await self._read_once(cluster, options, outlet)
                            await self._pause(well=well)
            except SensorError:
                raise
            except _CREDENTIALS as error:
                raise self._refused(complaint(error), _CHECK_CREDENTIALS) from error
            except Exception as error:  # noqa: BLE001 - whatever it is, a new client may do better
                self._health.say(complaint(error))
            await self._pause()

    async def _pause(self, *, well: bool = False) -> None:
        """Waits a moment, and longer each time that it did not go well."""
        first, last = self._pace.first_retry, self._pace.last_retry
        self._delay = first if well or not self._delay else min(self._delay * 2, last)
        await anyio.sleep(self._delay)

    async def _read_once(
        self, cluster: Cluster, options: dict[str, Any], outlet: MemoryObjectSendStream[Handed]
    ) -> bool:
        """One consumer's life, from finding its positions to its end; whether it did any good."""
        layout, found = await self._find(cluster)
        cluster.pin(layout)
        await self._settle(found.values(), outlet)
        parts = [
            part
            for topic, one in found.items()
            for partition, position in one.positions.items()
            if (part := Part.at(TopicPartition(topic, partition), position)).name not in self._aside
        ]
        waiting = "; ".join(
            [*(one.waiting for one in found.values() if one.waiting), *self._aside.values()]
        )
        self._health.say(waiting)
        if not parts:
            await anyio.sleep(self._pace.watch)
            return True
        clock = self._desk.clock
        unasked = [TopicPartition(name, p) for name, one in found.items() for p in one.unasked]
        watch = Watch(cluster, layout, parts, waiting, unasked, self._health, self._pace, clock)
        session = Session(self._desk, self._reader, outlet, parts, watch, self._pace)
        try:
            over = await session.run(options, ids_of(layout))
        except Suspect as error:
            self._desk.log.warning("partitions are read one by one", why=str(error))
            return await self._read_alone(cluster, parts, outlet) or session.delivered
        finally:
            self._stored |= {part.name: part.recorded for part in parts}
        self._desk.log.info("reading starts anew", why=over)
        return session.delivered or watch.changed

    async def _find(self, cluster: Cluster) -> tuple[dict[str, Described], dict[str, Resumption]]:
        """What there is of each topic, and where to go on reading it.

        Raises: SensorRefused if that is not for us to decide.
        """
        layout, found = await survey(cluster, self._topic, self._stored)
        for _ in range(_TRIES):
            if not any(one.unsure for one in found.values()):
                break
            await anyio.sleep(self._pace.settle)
            layout, found = await survey(cluster, self._topic, self._stored)
        if refused := [why for one in found.values() for why in one.refused]:
            raise self._refused("; ".join(refused), _CHOOSE)
        return layout, found

    async def _settle(
        self, found: Iterable[Resumption], outlet: MemoryObjectSendStream[Handed]
    ) -> None:
        """Has start positions, and what is skipped, recorded before anything is read."""
        moves = [move for one in found for move in one.moves]
        letters = [self._skipped(skip) for one in found for skip in one.skips]
        if moves or letters:
            await outlet.send((Batch(self._topic.name, (), moves, letters), None))
        for move in moves:
            if move.after is None:
                del self._stored[move.part]
            else:
                self._stored[move.part] = move.after

    async def _read_alone(
        self, cluster: Cluster, parts: Iterable[Part], outlet: MemoryObjectSendStream[Handed]
    ) -> bool:
        """Reads each partition once without the consumer; whether any record came of it.

        One that fails three times at the same offset is set aside until the sensor is opened again.
        """
        progress = False
        for part in parts:
            try:
                with anyio.fail_after(self._pace.patience):
                    records, after = await fetch_alone(cluster, part)
            except Unreadable as error:
                self._strike(part, error)
                continue
            if after != part.offset:
                if (decoding := self._reader.decoding) is not None:
                    await decoding.ready(records, lambda: False)
                now = self._desk.clock.now()
                await outlet.send((self._reader.batch([(part, records, after)], now), None))
                progress = True
        return progress

    def _strike(self, part: Part, error: Unreadable) -> None:
        self._strikes[part.name, part.offset] += 1
        if self._strikes[part.name, part.offset] >= _TRIES:
            why = (
                f"{part.name} is set aside: at offset {part.offset} it cannot be read"
                f" ({error}); skip it with `reactor sensors seek`"
            )
            self._aside[part.name] = why
            self._desk.log.error("a partition is set aside", part=part.name, why=why)

    def _skipped(self, skip: Skip) -> DeadLetter:
        """The durable fact that records were not read."""
        error = f"{skip.why}; reading goes on at offset {skip.after.offset}"
        self._desk.log.error("records are skipped", part=skip.part, why=error)
        return DeadLetter(
            id=f"{skip.part}/{skip.before}-{skip.after}",
            sensor=self._topic.name,
            subject=skip.part,
            error=error,
            at=self._desk.clock.now(),
        )

    def _refused(self, what: str, hint: str) -> SensorRefused:
        self._health.say(what)
        return SensorRefused(what, where=f"sensor {self._topic.name}", hint=hint)

    async def _options(self) -> dict[str, Any]:
        """aiokafka's options of a client."""
        security = self._topic.security
        if security.exposed:
            self._desk.log.warning("the password crosses the network in the clear")
        try:
            said = await anyio.to_thread.run_sync(security.options)
        except OSError as error:
            what = f"the certificates {', '.join(security.files)} cannot be read: {error}"
            raise self._refused(what, _CHECK_CREDENTIALS) from error
        return {
            "bootstrap_servers": self._servers,
            "client_id": f"reactor-{self._topic.name}",
            **said,
        }
