"""Webhooks over HTTP, into a running service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from reactor.pipeline import Pipeline
from sensors import Webhook
from sensors.webhook import sign
from tests.integration.web_service import Running, running

pytestmark = pytest.mark.anyio

SECRET = "a secret that both know"


class Payment(BaseModel):
    amount: float


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Running]:
    pipeline = Pipeline("shop")
    signed = Webhook("payments", model=Payment, secret=SECRET)
    small, large = Webhook("small", max_bytes=100), Webhook("large", max_bytes=200_000)

    @pipeline.asset(on=signed | small | large)
    async def booked(events: Any) -> int:
        return len(events)

    async with running(pipeline, tmp_path, token="a token", body_limit=100_000) as served:
        # A sender of webhooks has no token: it signs.
        del served.http.headers["Authorization"]
        yield served


async def test_a_signed_delivery_is_recorded_and_launches(web: Running) -> None:
    body = b'{"amount": 3}'
    headers = sign(body, "msg-1", datetime.now(UTC), SECRET)
    for _ in range(2):
        answer = await web.http.post("/hooks/payments", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ids": ["msg-1"]})
    auth = {"Authorization": "Bearer a token"}
    events = (await web.http.get("/api/events?sensor=payments", headers=auth)).json()["items"]
    assert [event["id"] for event in events] == ["msg-1"]


async def test_a_delivery_that_is_not_signed_right_is_told_nothing(web: Running) -> None:
    body = b'{"amount": 3}'
    good = sign(body, "msg-1", datetime.now(UTC), SECRET)
    old = sign(body, "msg-1", datetime(2020, 1, 1, tzinfo=UTC), SECRET)
    for headers, content in (({}, body), (good, b'{"amount": 4}'), (old, body)):
        answer = await web.http.post("/hooks/payments", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "not authorized")


async def test_each_webhook_has_its_own_limit(web: Running) -> None:
    for hook, size, status in (
        ("small", 90, 202),
        ("small", 110, 413),
        ("large", 150_000, 202),
        ("large", 210_000, 413),
    ):
        answer = await web.http.post(f"/hooks/{hook}", content=b'"%s"' % (b"x" * (size - 2)))
        assert answer.status_code == status, (hook, size, answer.text)


async def test_an_unknown_webhook_tells_a_stranger_nothing_of_the_others(web: Running) -> None:
    answer = await web.http.post("/hooks/payment", content=b"{}")
    assert (answer.status_code, answer.json()["error"]) == (404, "there is no webhook payment")
    assert "payments" not in answer.text
