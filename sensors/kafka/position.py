"""How far one partition was read, and whether the broker can still go on from there.

Knows: how a position is written down, and what its relation to the partition's beginning and end
means. Refuses to know: brokers, and what the user wants done about it.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMELESS = "-"
"""The incarnation of a topic whose broker tells no topic id (before Apache Kafka 3.1, KIP-516)."""


def part_of(topic: str, partition: int) -> str:
    """What a position counts by: `orders/3`. A topic's name has no slash."""
    return f"{topic}/{partition}"


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to read, of one incarnation of a partition.

    Offsets start again when a topic is deleted and created anew, or when a partition lost its tail;
    `incarnation` tells these apart, so that no two records ever have the same event id. It is the
    topic's id, with `.2`, `.3` for each restart of the offsets within that id.
    """

    incarnation: str
    offset: int

    def __str__(self) -> str:
        return f"{self.incarnation}:{self.offset}"

    @classmethod
    def read(cls, text: str) -> Position:
        """The position that `str` wrote.

        Raises: ValueError if it is none.
        """
        incarnation, _, offset = text.rpartition(":")
        if not incarnation or not offset.isdecimal():
            raise ValueError(f"{text!r} is not a Kafka position such as 'incarnation:offset'")
        return cls(incarnation, int(offset))

    @property
    def topic_id(self) -> str:
        """The id of the topic when this was written, or `-`."""
        return self.incarnation.partition(".")[0]

    def again(self, offset: int) -> Position:
        """`offset`, of the incarnation after this one."""
        topic_id, _, times = self.incarnation.partition(".")
        return Position(f"{topic_id}.{int(times or 1) + 1}", offset)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Reading cannot go on where it stopped: why, and where each choice would lead.

    `certain` is False if it may pass by itself: an end offset can fall back for a moment while
    another replica takes over.
    """

    why: str
    earliest: Position
    latest: Position
    certain: bool = True


def judge(stored: Position, topic_id: str | None, begin: int, end: int) -> Position | Trouble:
    """Where to go on, given what the broker holds now: [begin, end) of the topic with that id."""
    offset = stored.offset
    if topic_id is not None and stored.topic_id not in (NAMELESS, topic_id):
        return Trouble(
            f"the topic was deleted and created again (its id was {stored.topic_id}, now it is"
            f" {topic_id}); what was not read of the old one is lost",
            earliest=Position(topic_id, begin),
            latest=Position(topic_id, end),
        )
    if offset > end:
        return Trouble(
            f"offset {offset} lies past the end, {end}: the partition lost records, or its topic"
            " was created again",
            earliest=stored.again(begin),
            latest=stored.again(end),
            certain=False,
        )
    if offset < begin:
        return Trouble(
            f"{begin - offset} offsets ({offset} to {begin - 1}) were deleted by the broker before"
            " they were read",
            earliest=Position(stored.incarnation, begin),
            latest=Position(stored.incarnation, end),
        )
    if topic_id is not None and stored.topic_id == NAMELESS:
        return Position(stored.incarnation.replace(NAMELESS, topic_id, 1), offset)
    return stored
