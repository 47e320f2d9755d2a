"""The API over a real host and store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from reactor.pipeline import Pipeline
from tests.integration.web_service import Feed, Running, running

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    order_id: int
    region: str
    amount: float


def shop() -> Pipeline:
    """Two feeds, four assets; `broken` fails."""
    pipeline = Pipeline("shop", owner="data@shop.example")
    orders, news = Feed("orders", model=Order), Feed("news")

    @pipeline.asset(on=orders)
    async def raw_orders(events: Any) -> dict[str, int]:
        """Orders as they came."""
        return {"rows": len(events)}

    @pipeline.asset
    async def revenue(raw_orders: Any) -> str:
        return "lake/revenue.parquet"

    @pipeline.asset(on=news)
    async def broken() -> None:
        raise ZeroDivisionError("division by zero")

    @pipeline.asset
    async def report(broken: Any) -> None:
        return None

    return pipeline


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(shop(), tmp_path) as served:
        yield served


async def test_an_event_launches_its_run_and_the_api_says_why(web: Running) -> None:
    answer = await web.emit("orders", {"order_id": 1, "region": "eu", "amount": 9.5}, "o-1")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ids": ["o-1"]})

    runs = await web.until("/api/runs?status=succeeded", lambda page: page["items"])
    assert [(run["rule"], run["roots"], run["asset_count"]) for run in runs["items"]] == [
        ("raw_orders", ["raw_orders"], 2)
    ]
    run = (await web.http.get(f"/api/runs/{runs['items'][0]['id']}")).json()
    assert run["why"] == [
        "raw_orders because orders saw o-1.",
        "Rule raw_orders came true: orders",
        "revenue follows from it.",
    ]
