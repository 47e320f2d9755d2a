"""What the work on a partition is told of its window, whichever way it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from reactor import Daily, Dynamic, Pipeline, field
from sensors import Webhook
from tests.integration.serving import posted, serving

pytestmark = pytest.mark.anyio

DAYS = Daily("2026-01-01", zone="Europe/Berlin").by(field.day)
TOLD = ["2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", "25:00:00"]
PRINTS = """
import json, os
print(json.dumps([os.environ.get("REACTOR_WINDOW_" + name) for name in ("START", "END")]))
"""


def told(context: Any) -> list[str]:
    start, end = context.window
    hours = (end - start).total_seconds() / 3600
    return [start.isoformat(), end.isoformat(), f"{hours:.0f}:00:00"]


async def test_work_is_told_when_the_window_of_its_partition_begins_and_ends(
    tmp_path: Path,
) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    shop.asset(name="looped", on=hook, partitions=DAYS)(_looped)
    shop.asset(name="threaded", on=hook, partitions=DAYS)(told)
    shop.asset(name="processed", on=hook, partitions=DAYS, executor="process")(told)
    shop.asset(name="run", on=hook, partitions=DAYS, command=[sys.executable, "-c", PRINTS])(_run)

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", day="2026-10-25"))
        for name in ("looped", "threaded", "processed", "run"):
            await served.until_status(name, "materialized")
        assets = await served.store.read.assets()
        handles = {name: asset["materialization"]["handle"] for name, asset in assets.items()}
        assert handles["looped"] == handles["threaded"] == handles["processed"] == TOLD
        assert handles["run"]["stdout"] == TOLD[:2]


async def test_a_partition_that_is_no_window_has_none(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    customers = Dynamic("customer").by(field.customer)

    @shop.asset(on=hook, partitions=customers)
    async def orders(context: Any, partition: str) -> list[Any]:
        return [partition, context.window]

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", customer="ann"))
        await served.until_status("orders", "materialized")
        assets = await served.store.read.assets()
        assert assets["orders"]["materialization"]["handle"] == ["ann", None]


async def _looped(context: Any) -> list[str]:
    return told(context)


def _run() -> None: ...
