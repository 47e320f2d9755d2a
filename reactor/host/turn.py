"""What one turn of the loop works on, and what of it was accepted before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio

from reactor.core.decision import Arrived, Finished, Input
from reactor.core.event import Event
from reactor.host.intake import Post
from reactor.ports import Batch, DeadLetter, Move, Store

Posted = tuple[Post | None, Batch]
"""A batch, and the sensor that offered it; None if it came from outside."""


@dataclass(slots=True)
class Request:
    """Something from outside that wants to know when it is recorded."""

    batch: Batch | None = None
    command: Input | None = None
    done: anyio.Event = field(default_factory=anyio.Event)
    error: Exception | None = None

    def refuse(self, error: Exception) -> None:
        """Says that it is not recorded."""
        self.error = error
        self.done.set()


@dataclass(slots=True)
class Taken:
    """What one turn works on; `marks` say how far sensors have been read with it."""

    batches: list[Posted] = field(default_factory=lambda: [])
    requests: list[Request] = field(default_factory=lambda: [])
    outcomes: list[Finished] = field(default_factory=lambda: [])
    marks: Mapping[str, datetime] = field(default_factory=lambda: {})

    def __bool__(self) -> bool:
        return bool(self.batches or self.requests or self.outcomes or self.marks)

    def inputs(self, batches: Iterable[Posted]) -> list[Input]:
        """What the reactor is told, of these batches: what came, and only behind all of it how far
        sensors have been read.
        """
        return [
            *self.outcomes,
            *(each.command for each in self.requests if each.command is not None),
            *(Arrived(batch.sensor, batch.events) for _, batch in batches if batch.events),
            *(Arrived(name, (), upto) for name, upto in self.marks.items()),
        ]


async def unseen(
    batches: Sequence[Posted], store: Store, duplicate: Callable[[str], None]
) -> list[Posted]:
    """The batches without events that were accepted before; `duplicate` is told of each of those
    by the name of its sensor.
    """
    repeated = [batch for _, batch in batches if batch.repeats]
    if not repeated:
        return list(batches)
    ids = [(batch.sensor, event.id) for batch in repeated for event in batch.events]
    ids += [(batch.sensor, dead.id) for batch in repeated for dead in batch.dead]
    seen = await store.known(ids)
    fresh: list[Posted] = []
    for post, batch in batches:
        if not batch.repeats:
            fresh.append((post, batch))
            continue
        events: list[Event] = []
        for event in batch.events:
            if (batch.sensor, event.id) in seen:
                duplicate(batch.sensor)
            else:
                seen.add((batch.sensor, event.id))
                events.append(event)
        dead = [each for each in batch.dead if (batch.sensor, each.id) not in seen]
        fresh.append((post, replace(batch, events=events, dead=dead)))
    return fresh


def owed(batches: Iterable[Posted]) -> tuple[list[tuple[str, Move]], list[DeadLetter]]:
    """What is recorded of batches beside what was decided: positions, and dead letters."""
    moves: list[tuple[str, Move]] = []
    dead: list[DeadLetter] = []
    for post, batch in batches:
        if post is not None:
            moves.extend((post.key, move) for move in batch.moves)
        dead.extend(batch.dead)
    return moves, dead
