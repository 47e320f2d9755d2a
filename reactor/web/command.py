"""What an operator can have done: cancel, resume, pause; replay or drop what could not be read.

Each answers when the command is recorded; what comes of it, the stream tells.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from reactor.core.decision import CancelRun, SetPaused
from reactor.core.graph import nearest
from reactor.web.model import BIGGEST, CancelOrder, Done, PauseOrder
from reactor.web.problem import Problem, Refused
from reactor.web.read import find_run
from reactor.web.service import Service

Number = Annotated[int, Path(ge=1, le=BIGGEST)]

_ENDED = ("succeeded", "failed", "cancelled", "superseded")
_DONE = ("succeeded", "superseded")
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 409, 413, 422, 503)
}


def routes(service: Service) -> APIRouter:
    """The routes that change something."""
    router = APIRouter(responses=_REFUSALS)

    @router.post("/api/runs/{id}/cancel", status_code=202, summary="Stop a run")
    async def cancel(id: Number, order: CancelOrder | None = None) -> Done:
        run = await find_run(service, id)
        if run.status in _ENDED:
            raise Refused(409, f"run {id} has ended: {run.status}", "there is nothing to cancel")
        await service.command(CancelRun(id, (order or CancelOrder()).reason))
        return Done(done=f"run {id} is being cancelled")

    @router.post("/api/runs/{id}/resume", status_code=202, summary="Go on from the failure")
    async def resume(id: Number) -> Done:
        run = await find_run(service, id)
        if run.status in _DONE:
            raise Refused(409, f"run {id} is {run.status}", "materialize its assets to run again")
        await service.resume(id)
        return Done(done=f"run {id} goes on")

    @router.post("/api/deadletters/{seq}/replay", status_code=202, summary="Read it again")
    async def replay(seq: Number) -> Done:
        await _waiting(service, seq)
        if wrong := await service.replay(seq):
            raise Refused(422, f"dead letter {seq} cannot be read: {wrong}", "it waits as before")
        return Done(done=f"dead letter {seq} became an event")

    @router.post("/api/deadletters/{seq}/drop", status_code=202, summary="Give it up")
    async def drop(seq: Number) -> Done:
        await _waiting(service, seq)
        await service.drop(seq)
        return Done(done=f"dead letter {seq} is dropped")

    @router.post("/api/pauses", status_code=202, summary="Pause or resume something")
    async def pause(order: PauseOrder) -> Done:
        names = [one["name"] for one in service.describe()[f"{order.kind}s"]]
        _known(order.kind, order.name, names)
        await service.command(SetPaused(order.kind, order.name, order.paused))
        return Done(done=f"{order.kind} {order.name} {'is paused' if order.paused else 'goes on'}")

    return router


async def _waiting(service: Service, seq: int) -> None:
    row = await service.read.dead_letter(seq)
    if row is None:
        raise Refused(404, f"there is no dead letter {seq}", "GET /api/deadletters lists them")
    if row["status"] != "waiting":
        raise Refused(409, f"dead letter {seq} is {row['status']}", "only one that waits will do")


def _known(kind: str, name: str, names: list[str]) -> None:
    if name not in names:
        hint = nearest(name, names) or f"GET /api/{kind}s lists them"
        raise Refused(404, f"there is no {kind} {name[:200]}", hint)
