"""Where reading starts: the first time, after a restart, and after the topic itself changed.

Knows: what is stored, what the cluster said, and the user's settings. Refuses to know: how the
cluster is asked. Law: nothing is skipped without a `Skip` or a refusal that says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from reactor.ports import Move
from sensors.kafka.position import NAMELESS, Position, Trouble, judge, part_of

OnOutOfRange = Literal["halt", "earliest", "latest"]

ABSENT = "absent"
"""Stored under the topic's bare name while it does not exist.

It makes a start position such as `latest` durable for a topic that is created later, perhaps while
nobody looks: whatever is in it then came after the start, so it is read from its beginning.
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """What the cluster says of one topic.

    `start` is the offset that the sensor's `start` stands for; it is asked for only the first time.
    An offset is missing when its partition has no leader just now.
    """

    name: str
    id: str | None
    partitions: frozenset[int]
    begin: Mapping[int, int] = field(default_factory=lambda: {})
    end: Mapping[int, int] = field(default_factory=lambda: {})
    start: Mapping[int, int] = field(default_factory=lambda: {})


@dataclass(frozen=True, slots=True)
class Skip:
    """Records that will not be read, as the sensor's setting says."""

    part: str
    why: str
    before: Position
    after: Position


@dataclass(frozen=True, slots=True)
class Resumption:
    """What to do about one topic.

    `refused` are the reasons, by part, why reading must not go on; `unsure` those that are to be
    looked at again before anything is done about them. `waiting` says what is not there yet;
    `unasked` are the partitions that had no leader to tell their offsets.
    """

    positions: Mapping[int, Position] = field(default_factory=lambda: {})
    moves: tuple[Move, ...] = ()
    skips: tuple[Skip, ...] = ()
    refused: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    waiting: str = ""
    unasked: frozenset[int] = frozenset()


def is_first(topic: str, stored: Mapping[str, str]) -> bool:
    """Whether this topic was never looked for before."""
    return topic not in stored and not _rows(topic, stored)


def await_topic(topic: str, stored: Mapping[str, str]) -> Resumption:
    """What to do about a topic that does not exist."""
    moves = (Move(topic, None, ABSENT),) if is_first(topic, stored) else ()
    return Resumption(moves=moves, waiting=f"topic {topic} does not exist")


def resume(topic: Topic, stored: Mapping[str, str], choice: OnOutOfRange) -> Resumption:
    """Where to go on reading a topic.

    The first time it starts at `start`, in all partitions or in none; from then on a partition
    that was not there before starts at its beginning.
    """
    if is_first(topic.name, stored):
        return _begin(topic)
    rows = _rows(topic.name, stored)
    found = {
        partition: _find(topic, partition, rows.get(partition))
        for partition in sorted(topic.partitions)
    }
    trouble = {partition: at for partition, at in found.items() if isinstance(at, Trouble)}
    said = {p: f"{part_of(topic.name, p)}: {it.why}" for p, it in trouble.items()}
    positions = {p: at for p, at in found.items() if isinstance(at, Position)}
    unasked = topic.partitions - (topic.begin.keys() & topic.end.keys())
    skips: tuple[Skip, ...] = ()
    if choice != "halt":
        skips = tuple(_skip(topic, p, rows[p], it, choice) for p, it in trouble.items())
        positions |= {p: skip.after for p, skip in zip(trouble, skips, strict=True)}
    return Resumption(
        positions=positions,
        moves=(*_moves(topic, positions, stored), *_forgotten(topic, rows, stored)),
        skips=skips,
        refused=tuple(said.values()) if choice == "halt" else (),
        unsure=tuple(said[p] for p, it in trouble.items() if not it.certain),
        waiting=_leaderless(topic, unasked),
        unasked=unasked,
    )


def _find(topic: Topic, partition: int, row: Position | None) -> Position | Trouble | None:
    """Where to go on with one partition; None if that cannot be told yet."""
    begin, end = topic.begin.get(partition), topic.end.get(partition)
    if begin is None or end is None:
        return row
    if row is None:
        return Position(topic.id or NAMELESS, begin)
    return judge(row, topic.id, begin, end)


def _skip(
    topic: Topic, partition: int, row: Position, trouble: Trouble, choice: OnOutOfRange
) -> Skip:
    after = trouble.earliest if choice == "earliest" else trouble.latest
    return Skip(part_of(topic.name, partition), trouble.why, row, after)


def _moves(
    topic: Topic, positions: Mapping[int, Position], stored: Mapping[str, str]
) -> list[Move]:
    """The changes of position before anything is read."""
    moves: list[Move] = []
    for partition, position in positions.items():
        part = part_of(topic.name, partition)
        if stored.get(part) != str(position):
            moves.append(Move(part, stored.get(part), str(position)))
    return moves


def _leaderless(topic: Topic, unasked: Set[int]) -> str:
    """Which partitions cannot be asked for their offsets; empty if none."""
    names = ", ".join(part_of(topic.name, partition) for partition in sorted(unasked))
    return f"no leader for {names}" if names else ""


def _begin(topic: Topic) -> Resumption:
    """The very first start; it waits until every partition can tell its offset."""
    if unasked := topic.partitions - topic.start.keys():
        return Resumption(waiting=_leaderless(topic, unasked), unasked=unasked)
    topic_id = topic.id or NAMELESS
    positions = {p: Position(topic_id, topic.start[p]) for p in sorted(topic.partitions)}
    return Resumption(positions, tuple(_moves(topic, positions, {})))


def _forgotten(topic: Topic, rows: Mapping[int, Position], stored: Mapping[str, str]) -> list[Move]:
    """The rows that a topic which is there (again) has no use for."""
    moves = [Move(topic.name, stored[topic.name], None)] if topic.name in stored else []
    for partition, row in rows.items():
        gone = partition not in topic.partitions
        if gone and topic.id is not None and row.topic_id not in (NAMELESS, topic.id):
            part = part_of(topic.name, partition)
            moves.append(Move(part, stored[part], None))
    return moves


def _rows(topic: str, stored: Mapping[str, str]) -> dict[int, Position]:
    """The stored positions of one topic, by partition."""
    rows: dict[int, Position] = {}
    for part, text in stored.items():
        name, slash, partition = part.partition("/")
        if slash and name == topic:
            rows[int(partition)] = Position.read(text)
    return rows
