"""The live stream, and how the server ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from reactor.core.errors import SettingsError
from reactor.pipeline import Pipeline
from reactor.web import stream
from reactor.web.server import listen
from tests.integration.web_service import Feed, Running, running

pytestmark = pytest.mark.anyio


def pipeline() -> Pipeline:
    made = Pipeline("shop")

    @made.asset(on=Feed("news"))
    async def page(event: Any) -> str:
        return event.subject

    return made


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(pipeline(), tmp_path) as served:
        yield served


class Listener:
    """Reads one stream: messages as (event, id, data)."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, str, Any]:
        """The next message."""
        message = {"event": "message", "id": "", "data": ""}
        while (line := await self.line()) or not message["data"]:
            name, _, text = line.partition(": ")
            if name in message:
                message[name] = text
        return message["event"], message["id"], json.loads(message["data"])

    async def line(self) -> str:
        """The next line, heartbeats included."""
        with anyio.fail_after(20):
            return await anext(self._lines)


@asynccontextmanager
async def listening(web: Running, **headers: str) -> AsyncIterator[Listener]:
    async with web.http.stream("GET", "/api/stream", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Listener(response)


async def test_a_stream_says_hello_and_then_what_happens(web: Running) -> None:
    async with listening(web) as listener:
        event, first, data = await listener.next()
        assert (event, data) == ("hello", {"name": "shop"})
        await web.emit("news", {}, "n-1", subject="<b>'monday'</b>")
        told: list[Any] = []
        ids = [first]
        while not told or told[-1].get("status") != "succeeded":
            _, id, item = await listener.next()
            ids.append(id)
            told.append(item)
    assert len(set(ids)) == len(ids)
    kinds = [item["kind"] for item in told]
    assert kinds[:2] == ["event", "fired"]
    assert (told[0]["sensor"], told[0]["subject"], told[0]["count"]) == (
        "news",
        "<b>'monday'</b>",
        1,
    )
    steps = [item["status"] for item in told if item["kind"] == "step"]
    assert steps[-2:] == ["running", "materialized"]
    (run, *_) = [item for item in told if item["kind"] == "run"]
    assert (run["roots"], run["because"]) == (["page"], "because news saw <b>'monday'</b>")


async def test_whoever_comes_back_is_told_to_read_everything_anew(web: Running) -> None:
    async with listening(web, **{"Last-Event-ID": "an-older-one"}) as listener:
        assert [(await listener.next())[0] for _ in range(2)] == ["hello", "reload"]


async def test_a_quiet_stream_gives_signs_of_life(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.05)
    async with listening(web) as listener:
        await listener.next()
        while not (line := await listener.line()).startswith(": ping"):
            assert line == ""


async def test_a_listener_that_falls_behind_is_told_to_read_anew_and_holds_nobody_up(
    web: Running,
) -> None:
    async with listening(web) as listener:
        await listener.next()
        for burst in range(40):
            events = [
                {"specversion": "1.0", "id": f"{burst}-{n}", "source": "news", "type": "t"}
                for n in range(100)
            ]
            # Long enough to fill what lies between, while nobody reads.
            web.service.host.newsroom.publish(
                [{"kind": "event", "sensor": "news", "text": "x" * 20_000}] * 100
            )
            answer = await web.http.post(
                "/api/events", json=[{**event, "data": {}} for event in events]
            )
            assert answer.status_code == 202
        while (await listener.next())[0] != "reload":
            pass


async def test_an_open_stream_does_not_keep_the_service_from_ending(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient())
        async with running(pipeline(), tmp_path) as web:
            request = http.stream("GET", f"{web.url}/api/stream")
            listener = Listener(await stack.enter_async_context(request))
            assert (await listener.next())[0] == "hello"
        with pytest.raises(StopAsyncIteration):
            await listener.next()


async def test_serving_leaves_the_signals_alone(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with running(pipeline(), tmp_path) as web:
        assert (await web.http.get("/healthz")).status_code == 200
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert during == before


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError) as error:
            listen("127.0.0.1", port)
    assert error.value.what == f"port {port} on 127.0.0.1 is in use"
    assert "REACTOR_PORT" in error.value.hint


def test_a_host_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="cannot listen on no\\.such\\.host\\.invalid"):
        listen("no.such.host.invalid", 0)


async def test_a_listener_that_never_reads_is_dropped(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PATIENCE", 0.2)
    newsroom = web.service.host.newsroom
    _, writer = await asyncio.open_connection(*web.address, limit=1)
    try:
        writer.write(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with anyio.fail_after(20):
            while not newsroom.heard:
                await anyio.sleep(0.01)
            while newsroom.heard:
                newsroom.publish([{"kind": "event", "text": "x" * 1_000_000}])
                await anyio.sleep(0.01)
    finally:
        writer.close()
    assert (await web.http.get("/healthz")).status_code == 200
