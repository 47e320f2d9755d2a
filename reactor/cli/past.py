"""What `reactor simulate` replays: a file of events, or what a store has kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reactor.cli.complaint import BadUsage
from reactor.core.duration import duration
from reactor.core.errors import ReactorError
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.simulation.chronicle import Firing, cause
from reactor.simulation.coverage import Read
from reactor.simulation.recording import Document, document, documents
from reactor.store import Reading, open_reading


@dataclass(slots=True)
class Past:
    """Recorded events as lines, and from when until when they are asked about.

    `reads` is None for a file, of which nobody knows what was left out. Before `kept` a store has
    let go of events, as they were old.
    """

    lines: Sequence[Document]
    since: datetime | None
    until: datetime | None
    reads: Sequence[Read] | None = None
    filtered: dict[str, int] = field(default_factory=lambda: {})
    kept: datetime | None = None


def moment(text: str | None) -> datetime | None:
    """An instant, UTC if not said; a duration is so long ago.

    Raises: BadUsage.
    """
    if text is None:
        return None
    try:
        return datetime.now(UTC) - duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        hint = "say 2026-01-05, 2026-01-05T09:00 or 7d, which is seven days ago"
        raise BadUsage(f"{text!r} is no moment", hint=hint) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def from_file(path: Path, since: datetime | None, until: datetime | None) -> Past:
    """The events of a file.

    Raises: BadUsage if it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return Past(list(documents(text, str(path))), since, until)
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsage(f"cannot read {path}: {error}") from None
    except ReactorError as error:
        raise BadUsage(str(error)) from None


async def from_store(url: str, since: datetime | None, until: datetime | None) -> Past:
    """The events of a store, and how the rules of the time read.

    Raises: StoreError if there is none.
    """
    async with open_reading(url) as reading:
        lines = [document(seq, event) async for seq, event in _events(reading, since, until)]
        reads = _reads(await reading.history_versions())
        filtered = await reading.filtered()
        end, kept = await reading.history_end(), await reading.history_horizon()
    if since is None:
        first = (datetime.fromisoformat(line["received"]) for line in lines[:1])
        since = kept or min([*first, *(read.since for read in reads)], default=None)
    # What a service that is down would have done since then is nobody's history.
    return Past(lines, since, until or end or datetime.now(UTC), reads, filtered, kept)


async def _events(
    reading: Reading, since: datetime | None, until: datetime | None
) -> AsyncIterator[tuple[int, Event]]:
    """All events of a time, by number, a page at a time."""
    after = 0
    while some := await reading.history_events(since=since, until=until, after=after):
        for seq, event in some:
            yield seq, event
        after = some[-1][0]


def _reads(versions: Sequence[Mapping[str, Any]]) -> list[Read]:
    """How every rule read, until it read otherwise or was no more."""
    found: list[Read] = []
    last: dict[str, int] = {}
    for row in versions:
        at = datetime.fromisoformat(str(row["at"]))
        before = last.get(row["rule"])
        if before is not None:
            found[before] = Read(found[before].trigger, found[before].since, at)
        last[row["rule"]] = len(found)
        # Since when a rule is no more, nobody wrote down: it counts for nothing.
        found.append(Read(str(row["trigger"]), at, at if row["gone"] else None))
    return found


async def happened(
    url: str, graph: Graph, since: datetime | None, until: datetime | None
) -> list[Firing]:
    """What really fired, according to a store.

    Raises: StoreError if there is none.
    """
    async with open_reading(url) as reading:
        known = {seq: cause(event) async for seq, event in _events(reading, None, until)}
        found: list[Firing] = []
        after = 0
        while rows := await reading.history_firings(since=since, until=until, after=after):
            after = rows[-1]["id"]
            found.extend(firing for row in rows for firing in _firings(row, graph, known))
        return found


def _firings(row: Mapping[str, Any], graph: Graph, known: dict[int, str]) -> list[Firing]:
    rule = graph.rules.get(str(row["rule"]))
    assets = tuple(map(str, row["assets"])) or (graph.affected(rule.assets) if rule else ())
    matches: tuple[tuple[int, ...], ...] = row["matches"]
    because = str(row["because"]).removeprefix("because ")
    return [
        Firing(
            datetime.fromisoformat(str(row["at"])),
            str(row["rule"]),
            None if row["key"] is None else str(row["key"]),
            None if row["partition"] is None else str(row["partition"]),
            tuple(known.get(seq, f"event {seq}") for seq in match),
            assets,
            because or "it fired then",
            bool(row["observed"]),
        )
        for match in matches or ((),)
    ]
