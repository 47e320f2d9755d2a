"""A fetch that names topics by their ids, which aiokafka cannot do yet.

By name alone, records of a topic that was deleted and created anew under a running consumer would
be taken for records of the old one, wherever the new one has grown past the old offset.

Source: KIP-516 (Fetch v13); the fields are those of FetchRequest.json and FetchResponse.json of
Apache Kafka.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from sensors.kafka.wire import Uuid, topic_id

UNKNOWN_TOPIC = 3
UNKNOWN_ID, INCONSISTENT_ID = 100, 103


class FetchResponseById(Response):
    API_KEY = 1  # pyright: ignore
    API_VERSION = 13  # pyright: ignore
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("session_id", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("high_watermark", Int64),
                        ("last_stable_offset", Int64),
                        ("log_start_offset", Int64),
                        (
                            "aborted_transactions",
                            CompactArray(
                                ("producer_id", Int64),
                                ("first_offset", Int64),
                                ("tags", TaggedFields),
                            ),
                        ),
                        ("preferred_read_replica", Int32),
                        ("records", CompactBytes),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class FetchRequestById(RequestStruct):
    API_KEY = 1
    API_VERSION = 13
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = FetchResponseById
    SCHEMA = Schema(
        ("replica_id", Int32),
        ("max_wait_ms", Int32),
        ("min_bytes", Int32),
        ("max_bytes", Int32),
        ("isolation_level", Int8),
        ("session_id", Int32),
        ("session_epoch", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("current_leader_epoch", Int32),
                        ("fetch_offset", Int64),
                        ("last_fetched_epoch", Int32),
                        ("log_start_offset", Int64),
                        ("partition_max_bytes", Int32),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        (
            "forgotten_topics_data",
            CompactArray(
                ("topic_id", Uuid), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
            ),
        ),
        ("rack_id", CompactString()),
        ("tags", TaggedFields),
    )


class PinnedFetch(Request[FetchRequest_v4 | FetchRequest_v11 | FetchRequestById]):
    """aiokafka's fetch, of the topics with these ids where the broker understands that.

    Args:
        ids: the id of every topic in the request, as text.
    """

    API_KEY = 1

    def __init__(self, request: FetchRequest, ids: Mapping[str, str]) -> None:
        self._request = request
        self._ids = ids

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class is not FetchRequestById:
            return self._request.build(request_struct_class)
        told: Any = self._request.build(FetchRequest_v11)
        by_id = [
            (
                urlsafe_b64decode(self._ids[topic] + "=="),
                [(p, leader, at, -1, begin, size, {}) for p, leader, at, begin, size in parts],
                {},
            )
            for topic, parts in told.topics
        ]
        return FetchRequestById(
            told.replica_id,
            told.max_wait_time,
            told.min_bytes,
            told.max_bytes,
            told.isolation_level,
            told.session_id,
            told.session_epoch,
            by_id,
            [],
            told.rack_id,
            {},
        )


@dataclass(frozen=True, slots=True)
class ByName:
    """An answer by id in the form of the one by name that aiokafka reads, version 11."""

    topics: list[tuple[str, list[tuple[Any, ...]]]]
    API_VERSION: int = 11


def by_name(answer: FetchResponseById, ids: Mapping[str, str]) -> tuple[ByName, bool]:
    """The answer with names for ids, and whether some topic is not the one it was any more."""
    names = {it: name for name, it in ids.items()}
    topics: list[tuple[str, list[tuple[Any, ...]]]] = []
    estranged = False
    for raw_id, parts, _ in answer.get_item("topics"):
        found: list[tuple[Any, ...]] = []
        for partition, code, high, stable, begin, aborted, replica, records, _ in parts:
            other = code in (UNKNOWN_ID, INCONSISTENT_ID)
            estranged = estranged or other
            said = UNKNOWN_TOPIC if other else code
            pairs = [(producer, first) for producer, first, _ in aborted or ()]
            found.append((partition, said, high, stable, begin, pairs, replica, records or b""))
        topics.append((names[topic_id(raw_id) or ""], found))
    return ByName(topics), estranged
