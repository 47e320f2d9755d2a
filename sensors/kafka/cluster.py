"""Asking a Kafka cluster about topics and offsets, beside the consumer that reads them.

A consumer of aiokafka says nothing when its broker is gone, and may get stuck afterwards (issues
703 and 1154 of aiokafka); these questions go over connections of their own, and fail loudly.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, for_code
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from sensors.kafka.wire import DescribeTopics, topic_id

BEGIN, END = -2, -1
"""What ListOffsets understands beside milliseconds since 1970."""

READ_COMMITTED = 1
_UNKNOWN_TOPIC = 3
NO_LEADER = -1
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
    """aiokafka's client, but its questions about a topic never create the topic.

    By default they do, so that a topic which is deleted while it is read comes back at once, empty
    and with other settings. They are also spaced: aiokafka asks without a pause while a topic that
    it reads is gone.
    """

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

    def nodes(self) -> list[int | str]:
        """Whom to ask, in any order; after `bootstrap` from a cluster without topics, that one."""
        nodes: list[int | str] = [broker.nodeId for broker in self.cluster.brokers()]
        random.shuffle(nodes)
        return nodes or ["bootstrap"]


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

        END is the end of what is committed. A partition without a reachable leader is left out;
        `describe` must have seen the others.
        """
        by_leader: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for tp in partitions:
            leader = self._leaders.get(tp, NO_LEADER)
            if leader != NO_LEADER:
                by_leader[leader][tp.topic].append((tp.partition, at))
        found: dict[TopicPartition, int] = {}
        for leader, topics in by_leader.items():
            answer = await self._client.send(
                leader, OffsetRequest(-1, READ_COMMITTED, list(topics.items()))
            )
            for topic, answered in answer.topics:
                for partition, code, _, offset in answered:
                    if code == 0:
                        found[TopicPartition(topic, partition)] = offset
        return found

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
        try:
            await client.bootstrap()
        except KafkaConnectionError:
            await _say_why(options)
            raise
        yield Cluster(client)
    finally:
        with anyio.move_on_after(patience, shield=True):
            await client.close()


async def _say_why(options: Mapping[str, Any]) -> None:
    """Raises what went wrong: `bootstrap` only logs it."""
    connecting = dict(options)
    why: Exception = KafkaConnectionError("no bootstrap server is named")
    for host, port, _ in collect_hosts(connecting.pop("bootstrap_servers")):
        try:
            connection = await create_conn(host, port, **connecting)
        except (KafkaError, OSError) as error:
            why = error
        else:
            connection.close()
            return
    raise why


def _described(topic: Any, *, with_id: bool) -> Described:
    """One topic of a metadata response."""
    code, _, *rest = topic
    if code == _UNKNOWN_TOPIC:
        return Described(exists=False)
    partitions = rest[2 if with_id else 1]
    return Described(
        id=topic_id(rest[0]) if with_id else None,
        leaders={partition: leader for _, partition, leader, *_ in partitions},
        error=for_code(code).__name__ if code else "",
    )
