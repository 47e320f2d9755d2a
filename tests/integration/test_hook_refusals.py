"""A webhook whose body cannot become an event is told so, and its bytes are kept."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel

from reactor import Pipeline
from reactor.web.app import create_app
from reactor.web.hosted import Hosted
from reactor.web.service import WebSettings
from sensors import Webhook
from tests.integration.serving import serving

pytestmark = pytest.mark.anyio


class Payment(BaseModel):
    amount: float


async def test_a_body_that_does_not_fit_the_model_is_refused_and_kept(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("payments", model=Payment)

    @shop.asset(on=hook)
    async def booked() -> None: ...

    async with serving(shop, tmp_path) as served:
        app = create_app(Hosted(served.host, served.store), WebSettings())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            good = await client.post("/hooks/payments", json={"amount": 1})
            bad = await client.post("/hooks/payments", json={"amount": "much"})
            broken = await client.post("/hooks/payments", content=b"{")
        assert good.status_code == 202
        assert (bad.status_code, broken.status_code) == (422, 422)
        assert "amount" in bad.json()["error"]
        dead = await served.store.read.dead_letters()
        assert len(dead) == 2
        await served.until_status("booked", "materialized")
