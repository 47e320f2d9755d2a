"""What can be asked: the graph, assets, rules, sensors, runs, events, what failed.

Each answer is one state of the store; what is live (steps that have not ended, how sensors are) is
the host's, as it is now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Path, Query

from reactor.core.graph import nearest
from reactor.core.plan import Known
from reactor.core.run import ENDED, RunStatus, Step, StepStatus
from reactor.core.stale import Stale
from reactor.web import because, explain, model, shape
from reactor.web.model import BIGGEST, MOST, Page
from reactor.web.problem import Problem, Refused
from reactor.web.service import SensorState, Service

Number = Annotated[int, Path(ge=0, le=BIGGEST)]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most")]
Before = Annotated[int | None, Query(ge=0, le=BIGGEST, description="Only those before this one")]
Name = Annotated[str | None, Query(max_length=500, pattern=r"^[^\x00]*$")]

RECENT = 10
PARTITIONS = 50
_DEAD_COUNTED = 1_000
_LINES = 5_000
_PAGES = 100
_EVERY = "Also why each asset of the pipeline ran, or did not"
_HOUR = timedelta(hours=1)
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 422, 503)
}


def routes(service: Service) -> APIRouter:
    """The routes that change nothing."""
    router = APIRouter(responses=_REFUSALS)
    _now(router, service)
    _assets(router, service)
    _rules_and_sensors(router, service)
    _happened(router, service)
    _wrong(router, service)
    return router


def _now(router: APIRouter, service: Service) -> None:
    @router.get("/api/status", summary="How the service is")
    async def status() -> model.Status:
        well, reasons = service.ready()
        steps = [step for step in service.steps() if step.status not in ENDED]
        running = sum(step.status is StepStatus.RUNNING for step in steps)
        dead = await service.read.dead_letters(limit=_DEAD_COUNTED)
        return model.Status(
            name=service.name,
            now=service.clock.now(),
            leader=service.leader,
            ready=well,
            reasons=list(reasons),
            running=running,
            waiting=len(steps) - running,
            deadletters=len(dead),
        )

    @router.get("/api/graph", summary="The declared pipeline")
    async def graph() -> model.Graph:
        return model.Graph(name=service.name, **service.describe())


def _assets(router: APIRouter, service: Service) -> None:
    @router.get("/api/assets", summary="Assets and how they are")
    async def assets() -> list[model.Asset]:
        nodes = service.describe()["assets"]
        known = await service.read.assets([node["name"] for node in nodes])
        live, down = _live(service), _downstream(nodes)
        old, now = await _stale(service), service.clock.now()
        return [
            shape.asset(
                node, known[name], live.get(name, ()), down.get(name, ()), old.get(name, ()), now
            )
            for node in nodes
            for name in (node["name"],)
        ]

    @router.get("/api/assets/{name:path}", summary="One asset")
    async def asset(name: str) -> model.AssetDetail:
        nodes = service.describe()["assets"]
        node = _named("asset", name, nodes)
        known = await service.read.assets([name])
        made = await service.read.materializations(name, limit=PARTITIONS)
        live = _live(service).get(name, ())
        below, old = _downstream(nodes).get(name, ()), (await _stale(service)).get(name, ())
        brief = shape.asset(node, known[name], live, below, old, service.clock.now())
        return model.AssetDetail(
            **brief.model_dump(),
            materializations=[model.Materialization(**row) for row in made],
            runs=await _runs(service, asset=name, limit=RECENT),
        )


def _rules_and_sensors(router: APIRouter, service: Service) -> None:
    @router.get("/api/rules", summary="Rules and how they are")
    async def rules() -> list[model.Rule]:
        return await _known_rules(service, service.describe()["rules"])

    @router.get("/api/rules/{name:path}", summary="One rule, and what came of it")
    async def rule(name: str) -> model.RuleDetail:
        node = _named("rule", name, service.describe()["rules"])
        raised = await service.read.raised(rule=name, limit=RECENT)
        firings = await service.read.firings(name, limit=RECENT)
        [brief] = await _known_rules(service, [node])
        return model.RuleDetail(
            **brief.model_dump(),
            runs=await _runs(service, rule=name, limit=RECENT),
            raised=[model.RaisedError(**row) for row in raised],
            firings=[shape.firing(row, node) for row in firings],
        )

    @router.get("/api/sensors", summary="Sensors and how they are")
    async def sensors() -> list[model.Sensor]:
        return [_sensor(state) for state in service.sensors()]

    @router.get("/api/sensors/{name:path}", summary="One sensor")
    async def sensor(name: str) -> model.SensorDetail:
        states = {state.name: state for state in service.sensors()}
        if name not in states:
            raise _unknown("sensor", name, list(states))
        fed = [rule["name"] for rule in service.describe()["rules"] if name in rule["sensors"]]
        return model.SensorDetail(
            **_sensor(states[name]).model_dump(),
            rules=fed,
            events=await _events(service, sensor=name, limit=RECENT),
        )


def _happened(router: APIRouter, service: Service) -> None:
    @router.get("/api/runs", summary="Runs, the newest first")
    async def runs(
        status: RunStatus | None = None,
        rule: Name = None,
        asset: Name = None,
        backfills: Annotated[bool, Query(description="Also those of backfills")] = True,
        before: Before = None,
        limit: Limit = 50,
    ) -> Page[model.Run]:
        chosen = status.value if status else None
        found = await _runs(
            service,
            status=chosen,
            rule=rule,
            asset=asset,
            fills=backfills,
            before=before,
            limit=limit,
        )
        return Page(items=found, next=found[-1].id if len(found) == limit else None)

    @router.get("/api/runs/{id}", summary="One run: why it ran, and what became of it")
    async def run(
        id: Number,
        every: Annotated[bool, Query(alias="explain", description=_EVERY)] = False,
    ) -> model.RunDetail:
        row = await service.read.run(id, events_limit=RECENT)
        if row is None:
            raise _no_run(id)
        versions = await service.read.rule_versions(row["rule"])
        then = because.wording(versions, datetime.fromisoformat(row["created"]))
        changed = await _changed(service, row)
        # Of that a thread may not ask.
        made = _made(service, row["rule"])
        why = because.why(row, service.graph, then, changed, made)
        if not every:
            return shape.run_detail(row, _rules(service), why)
        # It follows the graph, which may be large.
        told = await anyio.to_thread.run_sync(because.every, row, service.graph, changed, made)
        return shape.run_detail(row, _rules(service), why, told)

    @router.get("/api/runs/{id}/log", summary="The end of a step's output")
    async def log(
        id: Number, step: Annotated[int, Query(ge=0, le=BIGGEST)], limit: Limit = 200
    ) -> model.Log:
        row = await service.read.run(id, events_limit=0)
        if row is None or step not in [work["step"]["id"] for work in row["works"] if work["step"]]:
            raise Refused(404, f"run {id} has no step {step}", f"GET /api/runs/{id} lists them")
        return model.Log(
            lines=[model.LogLine(**line) for line in await _tail(service, step, limit)]
        )

    @router.get("/api/events", summary="Accepted events, the newest first")
    async def events(
        sensor: Name = None, before: Before = None, limit: Limit = 50
    ) -> Page[model.Event]:
        found = await _events(service, sensor=sensor, before=before, limit=limit)
        return Page(items=found, next=found[-1].seq if len(found) == limit else None)

    @router.get("/api/events/{seq}", summary="One event, and what became of it for each rule")
    async def event(seq: Number) -> model.EventDetail:
        row = await _event(service, seq)
        rules = _rules(service)
        found = [await service.read.run(id, events_limit=0) for id in row["runs"][:RECENT]]
        launched = [shape.run(run, rules, run["works"]) for run in found if run]
        verdicts = await explain.verdicts(service, await explain.record(service, row))
        fates = [explain.fate(verdict) for verdict in verdicts]
        return shape.event_detail(row, launched, fates, explain.FATES)

    @router.get("/api/events/{seq}/why", summary="Why an event did no more than it did")
    async def why(seq: Number, rule: Name = None, asset: Name = None) -> model.Why:
        """For one rule or one asset, from what is recorded."""
        explain.check(service, rule, asset)
        record = await explain.record(service, await _event(service, seq))
        return await explain.why(service, record, rule, asset)


def _wrong(router: APIRouter, service: Service) -> None:
    @router.get("/api/deadletters", summary="Input that could not become events")
    async def dead_letters(
        sensor: Name = None,
        status: Literal["waiting", "taken", "replayed", "dropped", "all"] = "waiting",
        before: Before = None,
        limit: Limit = 50,
    ) -> Page[model.DeadLetter]:
        wanted = None if status == "all" else status
        rows = await service.read.dead_letters(
            sensor=sensor, status=wanted, before=before, limit=limit
        )
        found = [model.DeadLetter(**row) for row in rows]
        return Page(items=found, next=found[-1].seq if len(found) == limit else None)

    @router.get("/api/deadletters/{seq}", summary="One dead letter, with its bytes")
    async def dead_letter(seq: Number) -> model.DeadLetterDetail:
        row = await service.read.dead_letter(seq)
        if row is None:
            raise Refused(404, f"there is no dead letter {seq}", "GET /api/deadletters lists them")
        return shape.dead_letter(row)

    @router.get("/api/alerts", summary="Alerts, the newest first")
    async def alerts(
        open: Annotated[bool | None, Query(description="Only open, or only resolved")] = None,
        limit: Limit = 50,
    ) -> list[model.Alert]:
        rows = await service.read.alerts(is_open=open, limit=limit)
        return [model.Alert(**row) for row in rows]


async def find_run(service: Service, id: int) -> model.Run:
    """The run of that number. Raises: Refused."""
    row = await service.read.run(id, events_limit=0)
    if row is None:
        raise _no_run(id)
    return shape.run(row, _rules(service), row["works"])


async def _event(service: Service, seq: int) -> Mapping[str, Any]:
    row = await service.read.event(seq)
    if row is None:
        raise Refused(404, f"there is no event {seq}", "GET /api/events lists them")
    return row


async def _events(service: Service, **which: Any) -> list[model.Event]:
    """Events, each with what became of it."""
    rows = await service.read.events(aftermaths=True, **which)
    told = await explain.statuses(service, rows)
    return [shape.event(row, became) for row, became in zip(rows, told, strict=True)]


async def _known_rules(service: Service, nodes: Sequence[Mapping[str, Any]]) -> list[model.Rule]:
    """Rules, with what is known of each."""
    known = await service.read.rules()
    counted = await service.read.fate_counts(service.clock.now() - _HOUR)
    fates: dict[str, dict[str, int]] = {}
    for row in counted:
        fates.setdefault(row["rule"], {})[row["word"]] = row["count"]
    return [
        model.Rule(**node, **known.get(node["name"], {}), fates=fates.get(node["name"], {}))
        for node in nodes
    ]


async def _runs(service: Service, **which: Any) -> list[model.Run]:
    rules = _rules(service)
    found = [shape.run(row, rules) for row in await service.read.runs(**which)]
    # What was launched by hand stands in no rule, and what a schema change launches is not all.
    for run in [run for run in found if not run.roots][:RECENT]:
        whole = await service.read.run(run.id, events_limit=0)
        if whole:
            run.roots = shape.run(whole, rules, whole["works"]).roots
    return found


async def _tail(service: Service, step: int, limit: int) -> Sequence[Mapping[str, Any]]:
    """The last lines of a step's last attempt that wrote any."""
    lines: list[Mapping[str, Any]] = []
    after = (0, 0)
    for _ in range(_PAGES):
        more = await service.read.log(step, after=after, limit=_LINES)
        lines = [*lines, *more][-limit:]
        if len(more) < _LINES:
            break
        after = (more[-1]["attempt"], more[-1]["seq"])
    return lines


def _rules(service: Service) -> shape.Rules:
    return {rule["name"]: rule for rule in service.describe()["rules"]}


def _live(service: Service) -> dict[str, list[Step]]:
    """The steps that have not ended, by asset."""
    found: dict[str, list[Step]] = {}
    for step in service.steps():
        if step.status in ENDED:
            continue
        found.setdefault(step.asset, []).append(step)
    return found


async def _stale(service: Service) -> dict[str, list[Stale]]:
    """What is out of date, by asset."""
    found: dict[str, list[Stale]] = {}
    for each in await service.stale():
        found.setdefault(each.asset, []).append(each)
    return found


def _downstream(nodes: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in nodes:
        for upstream in node["upstream"]:
            found.setdefault(upstream, []).append(node["name"])
    return found


def _sensor(state: SensorState) -> model.Sensor:
    return model.Sensor.model_validate(state, from_attributes=True)


def _named(kind: str, name: str, nodes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    for node in nodes:
        if node["name"] == name:
            return node
    raise _unknown(kind, name, [node["name"] for node in nodes])


def _unknown(kind: str, name: str, names: Sequence[str]) -> Refused:
    hint = nearest(name, names) or f"GET /api/{kind}s lists them"
    return Refused(404, f"there is no {kind} {name[:200]}", hint)


async def _changed(service: Service, row: Mapping[str, Any]) -> object:
    """What the event says that launched a run of a schema rule; None of another run."""
    rule = service.graph.rules.get(row["rule"])
    if rule is None or not rule.schema or len(row["events"]) != 1:
        return None
    event = await service.read.original(row["events"][0]["seq"])
    return explain.restored(service, event)[0].data if event is not None else None


def _made(service: Service, name: str) -> Known:
    """The partitions that there are now of the assets of a schema rule."""
    rule = service.graph.rules.get(name)
    names = rule.assets if rule is not None and rule.schema else ()
    found = {each: tuple(service.made(each)) for each in names}
    return lambda asset: found.get(asset, ())


def _no_run(id: int) -> Refused:
    return Refused(404, f"there is no run {id}", "GET /api/runs lists them")
