"""Backfills over HTTP, on a real host and store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactor.core.field import field
from reactor.core.partition import Static
from reactor.core.window import Daily
from reactor.pipeline import Pipeline
from tests.integration.web_service import Feed, Running, running

pytestmark = pytest.mark.anyio

WEEK = [f"2026-01-0{day}" for day in range(1, 8)]


class Gate:
    """Lets attempts of `raw` through by their partition; those of `bad` fail."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.bad: set[str] = set()
        self.began: list[str] = []

    def let(self, *keys: str) -> None:
        self.open.update(keys)

    async def __call__(self, partition: str) -> None:
        self.began.append(partition)
        while partition not in self.open and "all" not in self.open:
            await anyio.sleep(0.01)
        if partition in self.bad:
            raise ValueError(f"{partition} is broken")


def shop(gate: Gate) -> Pipeline:
    pipeline = Pipeline("shop", owner="data@shop.example")
    orders = Feed("orders")

    @pipeline.asset(on=orders, partitions=Daily("2026-01-01").by(field.day))
    async def raw(partition: str) -> str:
        await gate(partition)
        return f"lake/{partition}"

    @pipeline.asset(partitions=Daily("2026-01-01"))
    async def clean(raw: Any, partition: str) -> str:
        return f"lake/clean/{partition}"

    @pipeline.asset(partitions=Static("eu", "us"))
    async def prices(partition: str) -> str:
        return partition

    @pipeline.asset
    async def whole() -> None: ...

    return pipeline


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def web(tmp_path: Path, gate: Gate) -> AsyncIterator[Running]:
    async with running(shop(gate), tmp_path) as served:
        yield served


async def _start(web: Running, partitions: Any, **about: Any) -> dict[str, Any]:
    order = {"assets": ["raw"], "partitions": partitions, **about}
    answer = await web.http.post("/api/backfills", json=order)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def _order(web: Running, id: int, order: str) -> tuple[int, str]:
    answer = await web.http.post(f"/api/backfills/{id}/{order}")
    said = answer.json()
    return answer.status_code, said.get("done") or said["error"]


def _path(id: int = 1) -> str:
    return f"/api/backfills/{id}"


async def test_a_range_is_launched_a_few_at_a_time_to_its_end(web: Running, gate: Gate) -> None:
    fill = await _start(web, "2026-01-01..2026-01-07", limit=2, reason="a late fix")
    assert (fill["id"], fill["status"], fill["total"], fill["done"]) == (1, "running", 7, 0)
    found = await web.until(_path(), lambda fill: len(gate.began) == 2)
    assert [part["partition"] for part in found["live"]] == WEEK[:2]
    assert (found["first"], found["last"], found["reason"]) == (WEEK[0], WEEK[-1], "a late fix")
    assert (found["running"], found["eta_seconds"]) == (2, None)

    gate.let(WEEK[0])
    found = await web.until(_path(), lambda fill: fill["done"] == 1)
    assert found["eta_seconds"] > 0
    assert [part["partition"] for part in found["live"]] == WEEK[1:3]
    gate.let("all")
    found = await web.until(_path(), lambda fill: fill["finished"])
    assert (found["status"], found["done"], found["failures"]) == ("succeeded", 7, [])
    assert gate.began == WEEK

    runs = (await web.http.get("/api/runs", params={"rule": found["rule"]})).json()["items"]
    assert sorted(run["partition"] for run in runs) == WEEK
    apart = (await web.http.get("/api/runs", params={"backfills": False})).json()["items"]
    assert apart == []
    detail = (await web.http.get(f"/api/runs/{runs[-1]['id']}")).json()
    assert detail["why"][0] == f"raw[{WEEK[0]}] because backfill 1 covers {WEEK[0]}."
    clean = (await web.http.get("/api/assets/clean")).json()
    assert clean["partitions"] == 7


async def test_it_is_paused_resumed_and_cancelled(web: Running, gate: Gate) -> None:
    await _start(web, WEEK, limit=1, downstream=False)
    assert await _order(web, 1, "pause") == (202, "backfill 1 is paused")
    gate.let(WEEK[0])
    await web.until(_path(), lambda fill: fill["done"] == 1 and fill["running"] == 0)
    assert await _order(web, 1, "retry") == (409, "backfill 1 is paused")
    assert await _order(web, 1, "resume") == (202, "backfill 1 goes on")
    await web.until(_path(), lambda fill: fill["running"] == 1)
    assert await _order(web, 1, "cancel") == (202, "backfill 1 is cancelled")
    found = await web.until(_path(), lambda fill: fill["finished"])
    assert (found["status"], found["done"], found["failed"]) == ("cancelled", 2, 1)
    assert found["failures"] == [
        {"partition": WEEK[1], "run": 2, "text": "raw: its backfill was cancelled"}
    ]
    assert await _order(web, 1, "pause") == (409, "backfill 1 has ended: cancelled")


async def test_what_failed_is_named_and_tried_again(web: Running, gate: Gate) -> None:
    gate.let("all")
    gate.bad = {WEEK[1]}
    await _start(web, "2026-01-01..2026-01-03")
    found = await web.until(_path(), lambda fill: fill["finished"])
    assert (found["status"], found["failed"]) == ("failed", 1)
    (failure,) = found["failures"]
    assert failure["partition"] == WEEK[1]
    assert failure["text"].startswith("raw: ")
    assert "2026-01-02 is broken" in failure["text"]
    gate.bad = set()
    assert await _order(web, 1, "retry") == (202, "backfill 1 goes on with what is left")
    found = await web.until(_path(), lambda fill: fill["finished"])
    assert (found["status"], found["done"], found["failed"]) == ("succeeded", 3, 0)
    assert gate.began.count(WEEK[1]) == 2
    assert await _order(web, 1, "retry") == (409, "backfill 1 has nothing left to do")


async def test_only_what_is_missing_is_asked_for(web: Running, gate: Gate) -> None:
    gate.let("all")
    await _start(web, [WEEK[1]])
    await web.until(_path(1), lambda fill: fill["finished"])
    (await web.http.post("/api/backfills", json={"assets": ["prices"], "partitions": "all"})).json()
    await web.until(_path(2), lambda fill: fill["status"] == "succeeded")
    answer = await web.http.post(
        "/api/backfills", json={"assets": ["prices"], "partitions": "missing"}
    )
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "no partition of prices is missing",
    )
    fill = await _start(web, "missing", limit=1)
    days = (await web.http.get(_path(fill["id"]))).json()
    assert days["first"] == WEEK[0]
    await _order(web, fill["id"], "cancel")


async def test_the_same_token_is_one_backfill(web: Running, gate: Gate) -> None:
    first = await _start(web, WEEK, token="abc")
    again = await _start(web, WEEK, token="abc")
    other = await _start(web, WEEK[:1], token="def")
    assert (first["id"], again["id"], other["id"]) == (1, 1, 2)
    listed = (await web.http.get("/api/backfills")).json()["items"]
    assert [fill["id"] for fill in listed] == [2, 1]


async def test_what_cannot_be_is_refused_in_words(web: Running) -> None:
    for order, status, said in (
        ({"assets": ["raw"], "partitions": "2026-01-03..2026-01-01"}, 422, "before 2026-01-03"),
        ({"assets": ["raw"], "partitions": "monday"}, 422, "monday"),
        ({"assets": ["whole"], "partitions": "all"}, 422, "whole has no partitions"),
        ({"assets": ["rwa"], "partitions": "all"}, 404, "there is no asset rwa"),
        ({"assets": [], "partitions": "all"}, 422, "assets"),
        ({"assets": ["raw"], "partitions": "all", "limit": 0}, 422, "limit"),
        ({"assets": ["raw"], "partitions": []}, 422, "partitions"),
    ):
        answer = await web.http.post("/api/backfills", json=order)
        assert answer.status_code == status, answer.text
        assert said in answer.json()["error"]
    assert (await web.http.get("/api/backfills/9")).status_code == 404
    assert (await web.http.post("/api/backfills/9/cancel")).status_code == 404
    assert (await web.http.post("/api/backfills/1/repeat")).status_code in (404, 422)


async def test_the_stream_tells_how_far_it_is(web: Running, gate: Gate) -> None:
    gate.let("all")
    async with web.service.news() as news:
        await _start(web, WEEK[:2], limit=1)
        told: list[tuple[Any, ...]] = []
        with anyio.fail_after(20):
            async for item in news:
                if item["kind"] == "backfill":
                    told.append((item["status"], item["done"], item["running"], item["total"]))
                    if item["finished"]:
                        break
    assert told[0] == ("running", 0, 1, 2)
    assert told[-1] == ("succeeded", 2, 0, 2)
    assert ("running", 1, 1, 2) in told


async def test_a_token_is_wanted_for_each_of_them(tmp_path: Path, gate: Gate) -> None:
    async with running(shop(gate), tmp_path, token="secret") as web:
        del web.http.headers["authorization"]
        for method, path in (
            ("GET", "/api/backfills"),
            ("GET", "/api/backfills/1"),
            ("POST", "/api/backfills"),
            ("POST", "/api/backfills/1/pause"),
            ("POST", "/api/backfills/1/retry"),
        ):
            assert (await web.http.request(method, path)).status_code == 401


async def test_it_goes_on_where_it_was_after_a_restart(tmp_path: Path, gate: Gate) -> None:
    async with running(shop(gate), tmp_path) as web:
        await _start(web, WEEK, limit=2)
        gate.let(WEEK[0])
        await web.until(_path(), lambda fill: fill["done"] == 1)
    gate.let("all")
    async with running(shop(gate), tmp_path) as web:
        found = await web.until(_path(), lambda fill: fill["finished"])
        assert (found["status"], found["done"]) == ("succeeded", 7)
        runs = (await web.http.get("/api/runs", params={"rule": found["rule"]})).json()["items"]
    assert sorted(run["partition"] for run in runs) == WEEK
