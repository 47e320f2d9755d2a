"""Asks a cluster about the topics of a sensor, and finds where to go on with each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiokafka.structs import TopicPartition

from sensors.kafka.cluster import BEGIN, Cluster, Described
from sensors.kafka.resume import Resumption, Topic, await_topic, is_first, resume
from sensors.kafka.topic import KafkaTopic, Start
from sensors.kafka.watch import leaderless


async def survey(
    cluster: Cluster, topic: KafkaTopic, stored: Mapping[str, str]
) -> tuple[dict[str, Described], dict[str, Resumption]]:
    """What there is of each topic, and where to go on reading it.

    Raises: KafkaError or OSError if the cluster cannot be asked.
    """
    layout = await cluster.describe(topic.topics)
    partitions = [TopicPartition(name, p) for name, told in layout.items() for p in told.leaders]
    begin = await cluster.offsets(partitions, BEGIN)
    end = await cluster.ends(partitions)
    first = [tp for tp in partitions if is_first(tp.topic, stored)]
    start = await _start(cluster, topic.start, first, begin, end)
    found: dict[str, Resumption] = {}
    for name, told in layout.items():
        if not told.exists:
            found[name] = await_topic(name, stored)
        elif told.error:
            found[name] = Resumption(waiting=leaderless({name: told}))
        else:
            offsets = (_of(name, at) for at in (begin, end, start))
            seen = Topic(name, told.id, frozenset(told.leaders), *offsets)
            found[name] = resume(seen, stored, topic.on_out_of_range)
    return layout, found


async def _start(
    cluster: Cluster,
    start: Start,
    first: list[TopicPartition],
    begin: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
) -> Mapping[TopicPartition, int]:
    """The offsets that a start position stands for: the end, if no record is that young."""
    if not isinstance(start, datetime):
        return begin if start == "earliest" else end
    at = await cluster.offsets(first, int(start.timestamp() * 1000))
    young = {tp: offset for tp, offset in at.items() if offset >= 0}
    return {tp: end[tp] for tp in at if tp in end} | young


def _of(topic: str, offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {tp.partition: offset for tp, offset in offsets.items() if tp.topic == topic}
