"""Holds: which are open, and letting one go."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Path

from reactor.core.decision import Ack
from reactor.core.graph import Graph
from reactor.core.hold import follow
from reactor.core.ranges import count, numbers
from reactor.core.sentence import listed
from reactor.core.state import Hold as Row
from reactor.web.hold_model import AckOrder, Hold
from reactor.web.model import BIGGEST, Done
from reactor.web.problem import Problem, Refused
from reactor.web.service import Service

Number = Annotated[int, Path(ge=1, le=BIGGEST)]

EVENTS_SHOWN = 20
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 413, 422, 503)
}


def routes(service: Service) -> APIRouter:
    """`/api/holds`."""
    router = APIRouter(responses=_REFUSALS)

    @router.get("/api/holds", summary="Open holds, the oldest first")
    async def holds() -> list[Hold]:
        now = service.clock.now()
        return [_shown(row, service.graph, now) for row in service.holds()]

    @router.get("/api/holds/{id}", summary="One open hold")
    async def hold(id: Number) -> Hold:
        return _shown(_open(service, id), service.graph, service.clock.now())

    @router.post("/api/holds/{id}/ack", status_code=202, summary="Let go on what a hold holds")
    async def ack(id: Number, order: AckOrder | None = None) -> Done:
        row = _open(service, id)
        note = order.note.strip() if order else ""
        await service.command(Ack(id, f"acknowledged: {note}" if note else "acknowledged"))
        held = listed(follow(service.graph, row))
        return Done(done=f"hold {id} on {row.table} is acknowledged: {held} may go on"[:500])

    return router


def _open(service: Service, id: int) -> Row:
    for row in service.holds():
        if row.id == id:
            return row
    raise Refused(404, f"there is no open hold {id}", "GET /api/holds lists them")


def _shown(row: Row, graph: Graph, now: datetime) -> Hold:
    held = follow(graph, row)
    owners = dict.fromkeys(graph.assets[name].owner for name in held)
    return Hold(
        id=row.id,
        sensor=row.sensor,
        table=row.table,
        columns=list(row.columns),
        text=row.text,
        readers=list(row.assets),
        assets=list(held),
        owners=list(filter(None, owners)),
        opened=row.opened,
        age_seconds=max(0.0, (now - row.opened).total_seconds()),
        events=list(islice(numbers(row.events), EVENTS_SHOWN)),
        event_count=count(row.events),
    )
