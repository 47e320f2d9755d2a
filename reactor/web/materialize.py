"""Launching by hand: assets, one partition of them, what is out of date, what was never made.

Answers when the command is recorded; what comes of it, the stream tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter

from reactor.core.asset import Asset
from reactor.core.decision import Materialize
from reactor.core.graph import Graph, nearest
from reactor.core.partition import Partitions, Static
from reactor.core.plan import Root
from reactor.core.sentence import listed
from reactor.core.tiling import Windowed
from reactor.web import model
from reactor.web.model import Launched, MaterializeOrder
from reactor.web.problem import Problem, Refused
from reactor.web.service import Service

MANY = 1_000
"""So many partitions that were never made are a backfill."""
_SHOWN = 100
_NAMED = 10
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 409, 413, 422, 503)
}


def routes(service: Service) -> APIRouter:
    """`/api/materialize`."""
    router = APIRouter(responses=_REFUSALS)

    @router.post("/api/materialize", status_code=202, summary="Launch assets by hand")
    async def materialize(order: MaterializeOrder) -> Launched:
        _check(service.graph, order, service.clock.now())
        command = Materialize(
            tuple(dict.fromkeys(order.assets)),
            order.partition,
            order.downstream,
            order.reason,
            order.force,
            order.stale,
            order.missing,
        )
        if not order.stale and not order.missing:
            await service.command(command)
            roots = {(name, order.partition): command.reason for name in command.assets}
            return _launched(f"launched {', '.join(command.assets)}", roots)
        roots = await service.chosen(command)
        if not roots:
            return Launched(done=await _why_nothing(service, command))
        if order.missing and len(roots) > MANY:
            what = f"{len(roots):,} partitions were never made"
            raise Refused(409, what, "reactor backfill makes them, a few at a time")
        await service.command(command)
        names = [name if key is None else f"{name}[{key}]" for name, key in roots]
        return _launched(f"launched {listed(names, _NAMED)}", roots)

    return router


def _launched(done: str, roots: Mapping[Root, str]) -> Launched:
    shown = [
        model.Root(asset=name, partition=key, because=why)
        for (name, key), why in list(roots.items())[:_SHOWN]
    ]
    return Launched(done=done[:500], roots=shown, root_count=len(roots))


async def _why_nothing(service: Service, command: Materialize) -> str:
    """Why nothing is launched of what is out of date or missing."""
    what = [*(["out of date"] if command.stale else []), *(["missing"] if command.missing else [])]
    names = f" of {listed(command.assets, _NAMED)}" if command.assets else ""
    nothing = f"nothing{names} is {' or '.join(what)}"
    found = await service.stale() if command.stale else ()
    waits = [each for each in found if each.asset in (command.assets or service.graph.assets)]
    if not waits:
        return nothing
    if waits[0].root:
        return f"nothing is launched: {waits[0].called} is being brought up to date already"
    return f"nothing is launched: {waits[0].called} is out of date, but {waits[0].why}"


def _check(graph: Graph, order: MaterializeOrder, now: datetime) -> None:
    """Raises: Refused for an order that makes no sense."""
    for name in order.assets:
        if name not in graph.assets:
            hint = nearest(name, graph.assets) or "GET /api/assets lists them"
            raise Refused(404, f"there is no asset {name[:200]}", hint)
    if order.partition is not None and (order.stale or order.missing):
        what = "what is out of date or missing is not asked for by its partition"
        raise Refused(422, what, "leave one of them out")
    if not order.assets and not (order.stale and not order.missing):
        what = "no asset is named"
        raise Refused(422, what, "name assets, or ask for all that is out of date: --stale")
    if not order.stale and not order.missing:
        keyed = any(rule.partition is not None for rule in graph.rules.values())
        for name in order.assets:
            asset = graph.assets[name]
            if order.partition is not None and asset.partitions is None and not keyed:
                raise Refused(422, f"{name} has no partitions", "leave --partition out")
            _check_partition(asset, order.partition, now)


def _check_partition(asset: Asset, partition: str | None, now: datetime) -> None:
    """Raises: Refused if an asset with partitions is asked for without one, or by no key of it."""
    partitions = asset.partitions
    if partitions is None:
        return
    if partition is None:
        hint = (
            f"say {_example(partitions, now)}, or --stale for all that is out of date, --missing "
            "for what was never made, or reactor backfill for a range"
        )
        raise Refused(422, f"{asset.name} is materialized by partition", hint)
    if problem := partitions.problem(partition):
        raise Refused(422, f"{asset.name}: {problem}", f"say {_example(partitions, now)}")
    if isinstance(partitions, Windowed) and partitions.span(partition)[0] > now:
        what = f"{asset.name}: {partition} has not begun"
        raise Refused(422, what, f"say {_example(partitions, now)}")


def _example(partitions: Partitions, now: datetime) -> str:
    """What a key looks like."""
    match partitions:
        case Static():
            return f"--partition {partitions.names[0]}"
        case Windowed():
            return f"--partition {partitions.key(now) or partitions.start}"
        case _:
            return "--partition KEY"
