"""The live stream: what happens, as server-sent events.

A stream begins with `hello` and goes on with news, each under an id. Nothing is replayed: whoever
comes back (`Last-Event-ID`) or falls behind is told to `reload`, for the store knows everything.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import APIRouter, Request
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from reactor.logs import logger
from reactor.web.service import Service

HEARTBEAT = 15
"""Seconds between signs of life on a quiet stream."""

PATIENCE = 20.0
"""Seconds that a reader may take to take something, before it is dropped."""


class Stream(EventSourceResponse):
    """A stream that drops a reader who takes nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            logger().info("listener dropped", why=f"it took nothing for {PATIENCE:g} s")


def routes(service: Service) -> APIRouter:
    """`GET /api/stream`."""
    router = APIRouter()

    @router.get(
        "/api/stream",
        summary="What happens, live",
        response_class=EventSourceResponse,
        responses={
            200: {"content": {"text/event-stream": {}}, "description": "Server-sent events"}
        },
    )
    async def stream(request: Request) -> Stream:
        sending, receiving = anyio.create_memory_object_stream[ServerSentEvent](0)
        again = "last-event-id" in request.headers
        return Stream(
            _each(receiving),
            ping=HEARTBEAT,
            send_timeout=PATIENCE,
            data_sender_callable=_feeding(service, request.app.state, sending, again),
        )

    return router


async def _each(
    receiving: MemoryObjectReceiveStream[ServerSentEvent],
) -> AsyncGenerator[ServerSentEvent]:
    async with receiving:
        async for message in receiving:
            yield message


def _feeding(
    service: Service, state: State, sending: MemoryObjectSendStream[ServerSentEvent], again: bool
) -> Callable[[], Any]:
    number = 0
    name = secrets.token_hex(4)

    def message(data: Any, event: str | None = None) -> ServerSentEvent:
        nonlocal number
        number += 1
        return ServerSentEvent(
            data=json.dumps(data, default=str), event=event, id=f"{name}-{number}"
        )

    async def tell() -> None:
        async with service.news() as news:
            await sending.send(message({"name": service.name}, "hello"))
            if again:
                await sending.send(message({}, "reload"))
            async for item in news:
                if item["kind"] == "reload":
                    await sending.send(message({}, "reload"))
                else:
                    await sending.send(message(item))

    async def feed() -> None:
        async with sending, anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when, state.closing, tasks.cancel_scope)
            # The reader may go while something is handed to it.
            with suppress(anyio.BrokenResourceError):
                await tell()
            tasks.cancel_scope.cancel()

    return feed


async def _cancel_when(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
