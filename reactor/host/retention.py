"""Deletes what is older than wanted, a little at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import anyio

from reactor.core.errors import StoreError
from reactor.core.instant import EPOCH
from reactor.ports import Clock, Log, Store


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended runs, and events that nothing needs, are kept; None is for ever."""

    events: timedelta | None
    runs: timedelta | None


async def retain(retention: Retention, store: Store, clock: Clock, log: Log) -> None:
    """Deletes for ever what is older."""
    while True:
        now = clock.now()
        events = now - retention.events if retention.events is not None else EPOCH
        runs = now - retention.runs if retention.runs is not None else EPOCH
        try:
            more = (await store.prune(events, runs)).more
        except StoreError as error:
            log.warning("nothing pruned", error=str(error))
            more = False
        await anyio.sleep(0.05 if more else 600)
