"""Events from outside: `POST /api/events` and webhooks.

Law: `202` is said when what came is recorded, and not before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from fastapi import APIRouter, Request
from pydantic import ValidationError
from pydantic_core import from_json

from reactor.core.errors import SensorError
from reactor.core.event import Event
from reactor.core.graph import nearest
from reactor.core.verdict import Record
from reactor.logs import logger
from reactor.ports import Batch, Sensor
from reactor.web import explain
from reactor.web.model import Accepted, Why
from reactor.web.problem import RETRY_SOON, Problem, Refused, said
from reactor.web.service import Service
from sensors.cloudevent import CloudEvent, Malformed, mode, read

AT_ONCE = 100
"""Requests that may wait for the store at the same time; one more is asked to come again."""

_HOOKS = "/hooks/"
_JSON = {"type": "object"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": _JSON},
            "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _JSON}},
            "application/json": {
                "schema": {"description": "An event, or the payload of one under ce- headers"}
            },
        },
    }
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 404, 413, 422, 429, 503)
}


def routes(service: Service) -> APIRouter:
    """`POST /api/events` and `POST /hooks/{sensor}`."""
    router = APIRouter(responses=_REFUSALS)
    limiter = anyio.CapacityLimiter(AT_ONCE)

    @router.post(
        "/api/events", status_code=202, summary="Hand events to sensors", openapi_extra=_BODY
    )
    async def post_events(request: Request) -> Accepted:
        """Takes CloudEvents whose `source` names a sensor: one in JSON (structured), one in headers
        and body (binary), or a batch. Answers when they are recorded.
        """
        body = await request.body()
        try:
            events = read_events(request.headers, body)
        except Malformed as error:
            raise Refused(400, str(error), "https://cloudevents.io describes the format") from error
        batches = _batches(service, events)
        async with _one_of(limiter):
            for batch in batches:
                await service.submit(batch)
        return Accepted(accepted=len(events), ids=[event.id for event in events])

    @router.post("/hooks/{name:path}", status_code=202, summary="Deliver a webhook")
    async def hook(name: str, request: Request) -> Accepted:
        """Takes a delivery for the webhook sensor of that name. Answers when it is recorded;
        a body that cannot become an event is recorded as a dead letter, and answered with 422.
        """
        sensor: Any = service.sensor(name)
        if not hasattr(sensor, "decode"):
            # Whoever may not read the API need not learn what there is.
            raise Refused(404, f"there is no webhook {name[:200]}", "GET /api/sensors lists them")
        body = await request.body()
        batch = _decoded(sensor, dict(request.headers), body, service)
        async with _one_of(limiter):
            await service.submit(batch)
        if batch.dead:
            kept = "its bytes are kept: GET /api/deadletters lists them"
            raise Refused(422, batch.dead[0].error, kept)
        return Accepted(accepted=len(batch.events), ids=[event.id for event in batch.events])

    @router.post(
        "/api/events/why",
        summary="What an event that was not kept would do, or would not",
        openapi_extra=_BODY,
    )
    async def post_why(request: Request, rule: str | None = None, asset: str | None = None) -> Why:
        """Matches an event anew, for one rule or one asset; nothing is recorded or launched."""
        explain.check(service, rule, asset)
        try:
            [came] = read_events(request.headers, await request.body())
        except Malformed as error:
            raise Refused(400, str(error), "https://cloudevents.io describes the format") from error
        except ValueError as error:
            raise Refused(422, "ask about one event at a time") from error
        event = _event(service, _sensor(service, came.source), came)
        return await explain.why(service, Record(event), rule, asset)

    return router


def body_limit(service: Service, usual: int) -> Callable[[str], int]:
    """How long a body may be, by path: a webhook says so itself."""

    def limit(path: str) -> int:
        if not path.startswith(_HOOKS):
            return usual
        sensor: Any = service.sensor(path.removeprefix(_HOOKS))
        return getattr(sensor, "max_bytes", usual)

    return limit


def read_events(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    """The events of a request; plain JSON is an event, or a list of them.

    Raises: Malformed if there is anything else among them.
    """
    if not mode(headers):
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media not in ("", "application/json"):
            raise Malformed(
                f"a body of type {media[:100]} is no CloudEvent: send application/cloudevents+json,"
                " or the headers ce-specversion, ce-id, ce-source and ce-type"
            )
        many = "-batch" if body.lstrip()[:1] == b"[" else ""
        headers = {**headers, "content-type": f"application/cloudevents{many}+json"}
    events: list[CloudEvent] = []
    for number, event in enumerate(read(headers, body)):
        if isinstance(event, Malformed):
            raise Malformed(f"event {number} of the batch: {event}")
        events.append(event)
    return events


@asynccontextmanager
async def _one_of(limiter: anyio.CapacityLimiter) -> AsyncIterator[None]:
    try:
        limiter.acquire_on_behalf_of_nowait(token := object())
    except anyio.WouldBlock:
        raise Refused(429, "too much at once", "send it again in a moment", RETRY_SOON) from None
    try:
        yield
    finally:
        limiter.release_on_behalf_of(token)


def _sensor(service: Service, name: str) -> Sensor:
    sensor = service.sensor(name)
    if sensor is None:
        names = [state.name for state in service.sensors()]
        hint = nearest(name, names) or f"the sensors are {', '.join(names[:20]) or 'none'}"
        raise Refused(404, f"there is no sensor {name[:200]}", hint)
    return sensor


def _batches(service: Service, events: Sequence[CloudEvent]) -> list[Batch]:
    """One batch a sensor, all of them checked before the first is submitted."""
    batches: list[Batch] = []
    for source in dict.fromkeys(event.source for event in events):
        sensor = _sensor(service, source)
        made = [_event(service, sensor, event) for event in events if event.source == source]
        batches.append(Batch(sensor=source, events=made, repeats=True))
    return batches


def _event(service: Service, sensor: Sensor, came: CloudEvent) -> Event:
    now = service.clock.now()
    data, raw, subject = _payload(sensor, came)
    return Event(
        id=came.id,
        source=came.source,
        type=came.type,
        subject=came.subject or subject or came.id,
        time=came.time or now,
        received=now,
        data=data,
        key=came.extensions.get("partitionkey"),
        headers=dict(came.extensions),
        raw=raw,
    )


def _payload(sensor: Sensor, came: CloudEvent) -> tuple[Any, bytes | None, str]:
    """What the bytes stand for, as the sensor would record them or as its `event(...)` takes it."""
    try:
        return sensor.restore(came.content), came.content, ""
    except (SensorError, ValueError):
        try:
            payload = from_json(came.content) if came.content else None
            made = cast(Event, cast(Any, sensor).event(payload))
        except Exception as error:
            what = f"event {came.id[:200]} does not fit sensor {sensor.name}: {_complaint(error)}"
            raise Refused(422, what) from error
        return made.data, made.raw, made.subject


def _complaint(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return said(error.errors())
    return error.what if isinstance(error, SensorError) else str(error) or type(error).__name__


def _decoded(sensor: Any, headers: dict[str, str], body: bytes, service: Service) -> Batch:
    try:
        return cast(Batch, sensor.decode(headers, body, service.clock.now()))
    except SensorError as error:
        why = getattr(error, "why", "") or error.what
        logger().warning("webhook refused", sensor=sensor.name, why=why)
        # A webhook's refusal says which status it is answered with.
        raise Refused(getattr(error, "status", 400), error.what, error.hint) from error
