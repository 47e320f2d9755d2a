"""Asking a Kafka cluster about topics and offsets, beside the consumer that reads them.

A consumer of aiokafka says nothing when its broker is gone, and may get stuck afterwards (issues
703 and 1154 of aiokafka); these questions go over connections of their own, and fail loudly.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, for_code
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from reactor.ports import Clock
from sensors.kafka.fetch import UNKNOWN_TOPIC, FetchResponseById, PinnedFetch, by_name
from sensors.kafka.watermark import Answer
from sensors.kafka.wire import DescribeTopics, topic_id

BEGIN, END = -2, -1
"""What ListOffsets understands beside milliseconds since 1970."""

READ_COMMITTED = 1
NO_LEADER = -1
FETCH_WAIT_MS = 50
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Described:
    """A topic as the cluster describes it: the leader of each partition, -1 for none.

    `error` says why it cannot be read although it is there.
    """

    id: str | None = None
    leaders: Mapping[int, int] = field(default_factory=lambda: {})
    exists: bool = True
    error: str = ""


class Client(AIOKafkaClient):
    """aiokafka's client, but for how it begins and how it asks about topics.

    Its questions about a topic never create the topic: by default they do, so that one which is
    deleted while it is read comes back at once, empty and with other settings. They are also
    spaced, since aiokafka asks without a pause while a topic that it reads is gone. It fetches the
    topics in `ids` by their id; `estranged` says that one of them is another topic by now. With a
    `clock`, `answers` has of each partition the last answer to a fetch that was no error.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ids: Mapping[str, str] = {}
        self.estranged = False
        self.clock: Clock | None = None
        self.answers: dict[TopicPartition, Answer] = {}
        self._options = {name: it for name, it in options.items() if name != "bootstrap_servers"}

    async def bootstrap(self) -> None:
        """Learns who the brokers are. Closes its connection even if cancelled meanwhile.

        Raises: KafkaError or OSError, saying what is wrong with the last server that was tried.
        """
        why: Exception = KafkaConnectionError("no bootstrap server is named")
        for host, port, _ in self.hosts:
            try:
                connection = await create_conn(host, port, **self._options)
                try:
                    self.cluster.update_metadata(await connection.send(MetadataRequest([])))
                finally:
                    connection.close()
            except (KafkaError, OSError) as error:
                why = error
                continue
            self._sync_task = asyncio.create_task(self._md_synchronizer())
            return
        raise why

    async def send(
        self, node_id: Any, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT
    ) -> Any:
        fetches = isinstance(request, FetchRequest)
        asked = self.clock.now() if self.clock is not None else None
        if fetches and all(topic in self.ids for topic, _ in request.topics):
            request = PinnedFetch(request, self.ids)
        answer = await super().send(node_id, request, group=group)
        if isinstance(answer, FetchResponseById):
            answer, estranged = by_name(answer, self.ids)
            if estranged:
                self.estranged = True
                await asyncio.sleep(_PAUSE)
        if fetches and asked is not None:
            self._note(answer, asked)
        return answer

    def _note(self, answer: Any, asked: datetime) -> None:
        for topic, answered in answer.topics:
            for partition, code, highwater, *_ in answered:
                if code == 0:
                    self.answers[TopicPartition(topic, partition)] = Answer(highwater, asked)

    async def _metadata_update(self, cluster_metadata: Any, topics: Any) -> bool:
        await asyncio.sleep(_PAUSE)
        request = MetadataRequest(sorted(topics), allow_auto_topic_creation=False)
        for node in self.nodes():
            connection = await self._get_conn(node)
            if connection is None:
                continue
            try:
                answer = await connection.send(request)
            except (KafkaError, OSError):
                continue
            if answer.brokers:
                cluster_metadata.update_metadata(answer)
                return True
        cluster_metadata.failed_update(None)
        return False

    def drop(self) -> None:
        """Closes what is still open, without waiting."""
        if self._sync_task is not None:
            self._sync_task.cancel()
        for connection in self._conns.values():
            connection.close()

    def nodes(self) -> list[int]:
        """Whom to ask, in any order."""
        nodes = [broker.nodeId for broker in self.cluster.brokers()]
        random.shuffle(nodes)
        return nodes


class Cluster:
    """A connected cluster. Every method raises KafkaError or OSError if it cannot be asked."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._leaders: dict[TopicPartition, int] = {}
        self._coordinator: int | None = None

    async def describe(self, topics: Iterable[str]) -> dict[str, Described]:
        """What there is of these topics."""
        answer = await self._ask_any(DescribeTopics(list(topics)))
        found: dict[str, Described] = {}
        for topic in answer.topics:
            described = _described(topic, with_id=answer.API_VERSION >= 10)
            name = topic[1]
            found[name] = described
            for partition, leader in described.leaders.items():
                self._leaders[TopicPartition(name, partition)] = leader
        return found

    async def offsets(
        self, partitions: Iterable[TopicPartition], at: int
    ) -> dict[TopicPartition, int]:
        """The offset at BEGIN, END or milliseconds since 1970 (-1: no record is that young).

        A partition without a reachable leader is left out; `describe` must have seen the others.
        """
        found: dict[TopicPartition, int] = {}
        for leader, topics in self._by_leader({tp: (tp.partition, at) for tp in partitions}):
            request = OffsetRequest(-1, READ_COMMITTED, topics)
            answer = await self._client.send(leader, request)
            for topic, answered in answer.topics:
                for partition, code, _, offset in answered:
                    if code == 0:
                        found[TopicPartition(topic, partition)] = offset
        return found

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The end of what is committed, past all records of transactions that have ended.

        What `offsets` says of END is asked again with a fetch: tansu 0.6 answers the first question
        with the start of its last batch (and answers no fetch that may not wait).
        """
        found = await self.offsets(partitions, END)
        wanted = {tp: (tp.partition, offset, 1) for tp, offset in found.items()}
        for leader, topics in self._by_leader(wanted):
            request = FetchRequest(FETCH_WAIT_MS, 0, 1, READ_COMMITTED, topics)
            answer = await self._client.send(leader, request)
            for topic, answered in answer.topics:
                for partition, code, highwater, stable, *_ in answered:
                    if code == 0:
                        tp = TopicPartition(topic, partition)
                        found[tp] = max(found[tp], stable if stable >= 0 else highwater)
        return found

    def _by_leader(
        self, wanted: Mapping[TopicPartition, Any]
    ) -> Iterable[tuple[int, list[tuple[str, list[Any]]]]]:
        """What is wanted of each partition, as requests want it: by leader and topic."""
        sorted_out: dict[int, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for tp, what in wanted.items():
            leader = self._leaders.get(tp, NO_LEADER)
            if leader != NO_LEADER:
                sorted_out[leader][tp.topic].append(what)
        return [(leader, list(topics.items())) for leader, topics in sorted_out.items()]

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commits offsets to a group without being a member of it."""
        if self._coordinator is None:
            self._coordinator = await self._client.coordinator_lookup(CoordinationType.GROUP, group)
        topics: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for tp, offset in offsets.items():
            topics[tp.topic].append((tp.partition, offset, ""))
        request = OffsetCommitRequest(
            group, OffsetCommitRequest.DEFAULT_GENERATION_ID, "", -1, list(topics.items())
        )
        coordinator, self._coordinator = self._coordinator, None
        answer = await self._client.send(coordinator, request, group=ConnectionGroup.COORDINATION)
        for _, answered in answer.topics:
            for _, code in answered:
                if code:
                    raise for_code(code)()
        self._coordinator = coordinator

    def pin(self, layout: Mapping[str, Described]) -> None:
        """Has what is fetched from now on come from these very topics."""
        self._client.ids = ids_of(layout)

    async def ask_leader(self, tp: TopicPartition, request: Any) -> Any:
        """The answer of a partition's leader."""
        return await self._client.send(self._leaders[tp], request)

    async def _ask_any(self, request: Any) -> Any:
        error: KafkaError = NodeNotReadyError("no broker is known")
        for node in self._client.nodes():
            try:
                return await self._client.send(node, request)
            except KafkaError as failed:
                error = failed
        raise error


async def let_go(
    stop: Callable[[], Coroutine[Any, Any, None]], client: Client, patience: float
) -> None:
    """Ends a client, in `patience` seconds at the latest, and whatever it raises.

    aiokafka's `stop` may hang (its issue 773), and may raise a CancelledError that is none of ours
    and leave connections open; in a task of its own that ends nothing but the task.
    """
    with suppress(Exception), anyio.move_on_after(patience, shield=True):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
    client.drop()


@asynccontextmanager
async def connected(options: Mapping[str, Any], patience: float) -> AsyncIterator[Cluster]:
    """A cluster, asked over connections that are closed afterwards.

    Args:
        options: aiokafka's options of a client.
        patience: seconds that closing may take.

    Raises: KafkaError or OSError, saying what is wrong, if no bootstrap server can be reached.
    """
    client = Client(**options)
    try:
        await client.bootstrap()
        yield Cluster(client)
    finally:
        await let_go(client.close, client, patience)


def ids_of(layout: Mapping[str, Described]) -> dict[str, str]:
    """The topics whose id is known."""
    return {topic: told.id for topic, told in layout.items() if told.id is not None}


def _described(topic: Any, *, with_id: bool) -> Described:
    """One topic of a metadata response."""
    code, _, *rest = topic
    if code == UNKNOWN_TOPIC:
        return Described(exists=False)
    partitions = rest[2 if with_id else 1]
    return Described(
        id=topic_id(rest[0]) if with_id else None,
        leaders={partition: leader for _, partition, leader, *_ in partitions},
        error=for_code(code).__name__ if code else "",
    )
