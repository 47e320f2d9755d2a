"""Backfills: start one, see how far it is, pause, resume, cancel, try again what failed."""

from __future__ import annotations

import secrets
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from reactor.core.backfill import rule_name
from reactor.core.decision import Order, SetBackfill, StartBackfill
from reactor.core.errors import ReactorError
from reactor.core.graph import nearest
from reactor.core.run import RunStatus, StepStatus
from reactor.core.selection import selected
from reactor.core.sentence import listed
from reactor.web.backfill_model import Backfill, BackfillDetail, BackfillOrder, Part
from reactor.web.model import BIGGEST, MOST, Done, Page
from reactor.web.problem import Problem, Refused
from reactor.web.service import Service

Number = Annotated[int, Path(ge=1, le=BIGGEST)]
Row = Mapping[str, Any]

FAILURES = 100
"""How many partitions that failed are named."""
_TOLD = 10
"""Of how many of them the reason is told."""
_RUNS = 500
_RATED = 20
"""From how many runs the rate is taken."""
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 409, 413, 422, 503)
}


def routes(service: Service) -> APIRouter:
    """`/api/backfills`."""
    router = APIRouter(responses=_REFUSALS)

    @router.get("/api/backfills", summary="Backfills, the newest first")
    async def backfills(
        before: Annotated[int | None, Query(ge=0, le=BIGGEST)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> Page[Backfill]:
        rows = await service.read.backfills(before=before, limit=limit)
        found = [await _brief(service, row) for row in rows]
        return Page(items=found, next=found[-1].id if len(found) == limit else None)

    @router.post("/api/backfills", status_code=202, summary="Bring partitions up to date")
    async def start(order: BackfillOrder) -> Backfill:
        partitions = _meant(service, order)
        token = order.token or secrets.token_hex(8)
        row = await service.read.backfill(token=token)
        if row is None:
            names = tuple(dict.fromkeys(order.assets))
            command = StartBackfill(
                names, partitions, order.limit, order.downstream, order.reason, token
            )
            await service.command(command)
            row = await service.read.backfill(token=token)
        if row is None:
            raise Refused(503, "the backfill is not there yet", "GET /api/backfills lists them")
        return await _brief(service, row)

    @router.get("/api/backfills/{id}", summary="One backfill: how far it is, and what failed")
    async def backfill(id: Number) -> BackfillDetail:
        row = await _found(service, id)
        runs = await service.read.runs(rule=rule_name(id), limit=_RUNS)
        brief = await _brief(service, row, runs)
        keys: Sequence[str] = row["partitions"]
        live, held = await _live(service, runs)
        return BackfillDetail(
            **brief.model_dump(),
            first=keys[0],
            last=keys[-1],
            live=live,
            held=held,
            failures=await _failures(service, row["failed"], runs),
            rule=rule_name(id),
        )

    @router.post("/api/backfills/{id}/retry", status_code=202, summary="Try again what failed")
    async def retry(id: Number) -> Done:
        row = await _found(service, id)
        if not row["finished"]:
            raise Refused(409, f"backfill {id} is {row['status']}", "it has to end first")
        if not row["failed"] and row["next"] == row["total"]:
            raise Refused(409, f"backfill {id} has nothing left to do", "start another one")
        await service.retry_backfill(id)
        return Done(done=f"backfill {id} goes on with what is left")

    @router.post("/api/backfills/{id}/{order}", status_code=202, summary="Pause, resume or cancel")
    async def settle(id: Number, order: Order) -> Done:
        row = await _found(service, id)
        if row["finished"]:
            hint = "retry goes on with what failed" if row["failed"] else "start another one"
            raise Refused(409, f"backfill {id} has ended: {row['status']}", hint)
        if row["status"] == "cancelled":
            raise Refused(409, f"backfill {id} is being cancelled", "retry it when it has ended")
        await service.command(SetBackfill(id, order))
        said = {Order.PAUSE: "is paused", Order.RESUME: "goes on", Order.CANCEL: "is cancelled"}
        return Done(done=f"backfill {id} {said[order]}")

    return router


def _meant(service: Service, order: BackfillOrder) -> tuple[str, ...]:
    """The partitions that an order means. Raises: Refused."""
    names = list(dict.fromkeys(order.assets))
    for name in names:
        if name not in service.graph.assets:
            hint = nearest(name, service.graph.assets) or "GET /api/assets lists them"
            raise Refused(404, f"there is no asset {name[:200]}", hint)
    try:
        return selected(service.graph, names, order.partitions, service.made, service.clock.now())
    except ReactorError as error:
        what = f"{error.where}: {error.what}" if error.where else error.what
        raise Refused(422, what, error.hint) from None


async def _found(service: Service, id: int) -> Row:
    row = await service.read.backfill(id=id)
    if row is None:
        raise Refused(404, f"there is no backfill {id}", "GET /api/backfills lists them")
    return row


async def _brief(service: Service, row: Row, runs: Sequence[Row] | None = None) -> Backfill:
    eta = None
    if row["status"] == "running":
        known = await service.read.runs(rule=rule_name(row["id"]), limit=_RATED * 2)
        eta = _eta(row, known if runs is None else runs)
    told = {"running": row["next"] - row["done"], "failed": len(row["failed"])}
    return Backfill(**{**row, **told, "eta_seconds": eta})


def _eta(row: Row, runs: Sequence[Row]) -> float | None:
    """How long the rest takes if it goes on like the last ones."""
    ended = [run for run in runs if run["finished"]][:_RATED]
    if not ended:
        return None
    spent = [_instant(run["finished"]) - _instant(run["created"]) for run in ended]
    mean = sum(each.total_seconds() for each in spent) / len(spent)
    left = row["total"] - row["done"]
    return mean * left / max(1, min(row["limit"], left))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def _live(service: Service, runs: Sequence[Row]) -> tuple[list[Part], int]:
    """The partitions that are launched, the oldest first, and how many of them are held."""
    going = [run for run in reversed(runs) if not run["finished"]]
    held = [run["id"] for run in going if run["status"] == RunStatus.HELD]
    why = dict.fromkeys(held, "held")
    for run in held[:_TOLD]:
        why[run] = await _why(service, run, (StepStatus.HELD,))
    live = [
        Part(partition=run["partition"], run=run["id"], text=why.get(run["id"], ""))
        for run in going
    ]
    return live, len(held)


async def _failures(service: Service, failed: Sequence[str], runs: Sequence[Row]) -> list[Part]:
    """The first partitions that failed, each with its last run."""
    last: dict[str, int] = {}
    for run in runs:
        last.setdefault(run["partition"], run["id"])
    parts: list[Part] = []
    for at, key in enumerate(failed[:FAILURES]):
        run = last.get(key)
        text = await _why(service, run) if run is not None and at < _TOLD else ""
        parts.append(Part(partition=key, run=run, text=text))
    return parts


_BAD = (StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.CANCELLED)


async def _why(service: Service, id: int, states: Container[str] = _BAD) -> str:
    """What went wrong in a run, or keeps it waiting, in a line."""
    run = await service.read.run(id, events_limit=0)
    steps = [work["step"] for work in run["works"] if work["step"]] if run else []
    told = [f"{step['asset']}: {step['note']}" for step in steps if step["status"] in states]
    return listed([line.splitlines()[0] for line in told if line], 1)
