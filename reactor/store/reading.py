"""What a store answers, beside the writer: the asynchronous face of queries.py and listings.py.

Law: each answer is one state of the store, read in one short transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from reactor.core.event import Event
from reactor.store import history, listings, loading, queries
from reactor.store.aftermath import fate_counts, run_briefs
from reactor.store.showing import Row

Result = TypeVar("Result")


class Read(Protocol):
    """Does work in one read-only transaction."""

    def __call__(self, work: Callable[[sa.Connection], Result], /) -> Awaitable[Result]: ...


class Reading:
    """Rows are dictionaries with ISO 8601 instants; lists are newest first, `limit` of them before
    the key `before`: a run's id, an event's seq, and so on.
    """

    def __init__(self, read: Read) -> None:
        self._read = read

    async def runs(self, **which: Any) -> list[Row]:
        """See `queries.runs`: status, asset, rule, limit, before."""
        return await self._read(lambda connection: queries.runs(connection, **which))

    async def run(self, id: int, *, events_limit: int = 100) -> Row | None:
        """A run: works with steps and attempts, firings, its first events and their number."""
        return await self._read(
            lambda connection: queries.run(connection, id, events_limit=events_limit)
        )

    async def run_briefs(self, ids: Sequence[int]) -> dict[int, Row]:
        """Runs by their numbers: rule and status."""
        return await self._read(lambda connection: run_briefs(connection, ids))

    async def events(self, **which: Any) -> list[Row]:
        """See `queries.events`: sensor, aftermaths, limit, before."""
        return await self._read(lambda connection: queries.events(connection, **which))

    async def event(self, seq: int) -> Row | None:
        """An event, what names it, and the runs it caused."""
        return await self._read(lambda connection: queries.event(connection, seq))

    async def original(self, seq: int) -> Event | None:
        """An event as it came: `data` is None and `raw` is set, as in `Store.events`."""
        found = await self._read(lambda connection: loading.events(connection, [(seq, seq)]))
        return found[0][1] if found else None

    async def assets(self, names: Sequence[str] | None = None) -> dict[str, Row]:
        """Each asset's latest materialization and last step."""
        return await self._read(lambda connection: listings.assets(connection, names))

    async def steps(self, asset: str, **which: Any) -> list[Row]:
        """The steps of an asset: limit, before."""
        return await self._read(lambda connection: listings.steps(connection, asset, **which))

    async def materializations(self, asset: str, **which: Any) -> list[Row]:
        """The history of an asset: limit, before."""
        return await self._read(
            lambda connection: listings.materializations(connection, asset, **which)
        )

    async def log(self, step: int, **which: Any) -> list[Row]:
        """The output of a step, oldest first: attempt, after, limit."""
        return await self._read(lambda connection: listings.log(connection, step, **which))

    async def dead_letters(self, **which: Any) -> list[Row]:
        """See `listings.dead_letters`: sensor, status, limit, before."""
        return await self._read(lambda connection: listings.dead_letters(connection, **which))

    async def dead_letter(self, seq: int) -> Row | None:
        """One dead letter, with its bytes."""
        return await self._read(lambda connection: listings.dead_letter(connection, seq))

    async def alerts(self, **which: Any) -> list[Row]:
        """See `listings.alerts`: is_open, limit."""
        return await self._read(lambda connection: listings.alerts(connection, **which))

    async def backfills(self, **which: Any) -> list[Row]:
        """Backfills without their partitions: limit, before."""
        return await self._read(lambda connection: listings.backfills(connection, **which))

    async def backfill(self, **which: Any) -> Row | None:
        """One backfill: id or token."""
        return await self._read(lambda connection: listings.backfill(connection, **which))

    async def pauses(self) -> list[Row]:
        """What operators have paused."""
        return await self._read(listings.pauses)

    async def sensors(self, **which: Any) -> dict[str, Row]:
        """The positions of all sensors."""
        return await self._read(lambda connection: listings.sensors(connection, **which))

    async def raised(self, **which: Any) -> list[Row]:
        """Errors that callables of rules raised: rule, limit, before."""
        return await self._read(lambda connection: listings.raised(connection, **which))

    async def audit(self, **which: Any) -> list[Row]:
        """What operators did: limit, before."""
        return await self._read(lambda connection: listings.audit(connection, **which))

    async def counts(self) -> Row:
        """Totals for metrics."""
        return await self._read(listings.counts)

    async def filtered(self) -> dict[str, int]:
        """How many events no rule let in, by sensor."""
        return await self._read(listings.filtered)

    async def fate_counts(self, since: datetime) -> list[Row]:
        """How many events met each fate since an instant, by rule and word."""
        return await self._read(lambda connection: fate_counts(connection, since))

    async def firings(self, rule: str, **which: Any) -> list[Row]:
        """See `queries.firings`: observed, limit, before."""
        return await self._read(lambda connection: queries.firings(connection, rule, **which))

    async def rules(self) -> dict[str, Row]:
        """When each rule fired last, and since when it reads as it does."""
        return await self._read(listings.rules)

    async def began(self) -> dict[str, datetime]:
        """Since when each rule reads as it does, where that is known."""
        return await self._read(listings.began)

    async def rule_versions(self, name: str, **which: Any) -> list[Row]:
        """How a rule read, from when on: limit."""
        return await self._read(
            lambda connection: listings.rule_versions(connection, name, **which)
        )

    async def history_events(self, **which: Any) -> list[tuple[int, Event]]:
        """See `history.events`: since, until, after."""
        return await self._read(lambda connection: history.events(connection, **which))

    async def history_end(self) -> datetime | None:
        """The last instant at which something came in or fired."""
        return await self._read(history.end)

    async def history_horizon(self) -> datetime | None:
        """From when on no event has been deleted; None if none ever was."""
        return await self._read(history.horizon)

    async def history_firings(self, **which: Any) -> list[Row]:
        """See `history.firings`: since, until, after."""
        return await self._read(lambda connection: history.firings(connection, **which))

    async def history_versions(self) -> list[Row]:
        """How every rule has read, from when on, the oldest first."""
        return await self._read(history.versions)
