"""The step of each asset partition that ended last: what a start asks of a store."""

from __future__ import annotations

import pytest

from reactor.core.decision import Facts
from reactor.core.run import Step, StepStatus
from reactor.core.state import Table
from reactor.ports import Turn
from reactor.store.database import Database
from tests.contract.turns import at, put, step

pytestmark = pytest.mark.anyio


async def _keep(store: Database, *steps: Step) -> None:
    changes = [put(Table.STEP, (each.id,), each) for each in steps]
    await store.commit(Turn(at(100), Facts(changes=changes)))


def _ended(id: int, when: int, partition: str | None = None, asset: str = "raw") -> Step:
    return step(id, asset)._replace(
        partition=partition, status=StepStatus.CANCELLED, finished=at(when)
    )


async def test_what_ended_last_is_not_what_was_made_last(store: Database) -> None:
    await _keep(store, _ended(1, 9), _ended(2, 5), step(3))
    assert [each.id for each in await store.ended([("raw", None)])] == [1]


async def test_each_partition_has_its_own(store: Database) -> None:
    await _keep(
        store,
        _ended(1, 1, "eu"),
        _ended(2, 2, "us"),
        _ended(3, 3, "eu"),
        _ended(4, 4),
        _ended(5, 5, "eu", "clean"),
    )
    found = await store.ended([("raw", "eu"), ("raw", None), ("clean", "us"), ("clean", "eu")])
    assert sorted(each.id for each in found) == [3, 4, 5]
    assert found[0].note == ""


async def test_of_nothing_there_is_nothing(store: Database) -> None:
    assert await store.ended([]) == []
    assert await store.ended([("raw", None)]) == []
