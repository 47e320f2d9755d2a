"""Backfills in a store: listed, found by what whoever asked called them, and loaded while live."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reactor.core.decision import Facts
from reactor.core.state import Backfill, BackfillStatus, State, Table
from reactor.ports import Turn
from reactor.store.database import Database

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


async def _keep(store: Database, *rows: Backfill) -> None:
    """Records rows, one turn each."""
    state = State()
    for row in rows:
        state.put(Table.BACKFILL, (row.id,), row)
        await store.commit(Turn(NOW, Facts(changes=state.end_turn())))


def _row(id: int, **about: Any) -> Backfill:
    status = about.pop("status", BackfillStatus.RUNNING)
    return Backfill(id, ("raw",), DAYS, 2, True, status, NOW, "late", token=f"t{id}", **about)


async def test_what_moves_is_written_and_the_partitions_stay(store: Database) -> None:
    moved = replace(_row(1), next=2, done=1, failed=("2026-01-01",))
    await _keep(store, _row(1), moved)
    assert (await store.load()).get(Table.BACKFILL, 1) == moved
    # Tried again, what failed is last.
    again = replace(moved, partitions=(*DAYS[1:], DAYS[0]), failed=(), next=0, done=0)
    await _keep(store, moved, again)
    assert await store.recall_backfill(1) == again


async def test_an_ended_one_is_recalled_and_no_longer_loaded(store: Database) -> None:
    ended = replace(_row(1), status=BackfillStatus.SUCCEEDED, finished=NOW, next=3, done=3)
    await _keep(store, _row(1), ended)
    assert (await store.load()).get(Table.BACKFILL, 1) is None
    assert await store.recall_backfill(1) == ended
    assert await store.recall_backfill(2) is None


async def test_they_are_listed_in_brief_and_found_whole(store: Database) -> None:
    await _keep(store, *(_row(id) for id in range(1, 4)))
    listed = await store.read.backfills(limit=2)
    assert [(row["id"], row["total"]) for row in listed] == [(3, 3), (2, 3)]
    assert "partitions" not in listed[0]
    assert [row["id"] for row in await store.read.backfills(before=2)] == [1]
    found = await store.read.backfill(token="t2")
    assert found is not None
    assert (found["id"], found["partitions"], found["failed"]) == (2, list(DAYS), [])
    assert (await store.read.backfill(id=3) or {})["assets"] == ["raw"]
    assert await store.read.backfill(token="another") is None
