"""What became of events and why, as the API tells it: from the store's rows to the core's records.

Knows: which rows a record is made of. Refuses to know: what they mean (core/verdict.py, why.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio
from pydantic_core import from_json

from reactor.core.decision import Fired, PredicateRaised, Word
from reactor.core.errors import SensorError
from reactor.core.event import Event
from reactor.core.graph import nearest
from reactor.core.run import RunStatus, StepStatus
from reactor.core.verdict import (
    Launched,
    Met,
    Part,
    Record,
    Status,
    Verdict,
    fates,
    hears,
    status,
    told,
)
from reactor.core.why import why_not_asset, why_not_rule
from reactor.web import model
from reactor.web.problem import Refused
from reactor.web.service import Service

Row = Mapping[str, Any]

RUNS = 50
"""Of how many runs of one event the steps are read."""
FATES = 100
"""How many fates of one event are shown."""
_SETTLED = frozenset(list(Status)[: list(Status).index(Status.WAITING)])
"""What a list shows whether or not some rule still waits with the event."""


async def statuses(service: Service, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The word for each event of a list, and a sentence; the rows come with their aftermaths."""
    records = {row["seq"]: _brief(service, row) for row in rows}
    found = {seq: told(service.graph, record) for seq, record in records.items()}
    unsettled = [seq for seq, verdicts in found.items() if status(verdicts) not in _SETTLED]
    waiting = service.briefly_waiting(unsettled)
    for seq, texts in waiting.items():
        found[seq] = told(service.graph, replace(records[seq], waiting=texts))
    # Of what it would take long to tell, it is said that it waits, if nothing came of it yet.
    unknown = Status.WAITING if len(waiting) < len(unsettled) else Status.ACCEPTED
    return [
        (verdicts[0].status, f"{verdicts[0].rule} {verdicts[0].text}")
        if verdicts
        else (Status.ACCEPTED if seq in waiting else unknown, "")
        for seq, verdicts in found.items()
    ]


def _brief(service: Service, row: Row) -> Record:
    """What a list knows of an event."""
    event = _envelope(row)
    return Record(
        event,
        row["seq"],
        fired=[_fired(each) for each in row["firings"]],
        fates=[_met(each) for each in row["fates"]],
        raised=_raised(service, row, event),
        runs=[_briefly(each) for each in row["runs"]],
    )


async def record(service: Service, row: Row) -> Record:
    """All that is known of one event, from its row as `Reading.event` answers it."""
    seq: int = row["seq"]
    kept = await service.read.original(seq)
    event, unreadable = restored(service, kept) if kept is not None else (_envelope(row), "")
    runs = {id: _briefly(run) for id, run in (await service.read.run_briefs(row["runs"])).items()}
    for id in sorted(runs)[-RUNS:]:
        whole = await service.read.run(id, events_limit=0)
        if whole is not None:
            runs[id] = _launched(whole)
    return Record(
        event,
        seq,
        fired=[_fired(each) for each in row["firings"]],
        fates=[_met(each) for each in row["fates"]],
        raised=_raised(service, row, event),
        waiting=service.waiting(seq),
        runs=list(runs.values()),
        began=await service.read.began(),
        paused=_paused(service),
        unreadable=unreadable,
    )


def _envelope(row: Row) -> Event:
    names = (row[name] for name in ("id", "source", "type", "subject"))
    return Event(*names, time=_at(row["time"]), received=_at(row["received"]))


def _raised(service: Service, row: Row, event: Event) -> list[PredicateRaised]:
    """What was raised for this event, and not for one of another sensor with the same id."""
    rules = service.graph.rules
    return [
        PredicateRaised(each["rule"], each["event"], each["error"])
        for each in row["raised"]
        if each["rule"] not in rules or hears(rules[each["rule"]], event)
    ]


def restored(service: Service, event: Event) -> tuple[Event, str]:
    """An event with its payload decoded again by its sensor; or as it is, and why it cannot be."""
    if event.data is not None or event.raw is None:
        return event, ""
    sensor = service.sensor(event.source)
    try:
        data = sensor.restore(event.raw) if sensor is not None else from_json(event.raw)
    except Exception as error:  # noqa: BLE001 - a model that has changed; what is recorded stands
        return event, error.what if isinstance(error, SensorError) else str(error)
    return replace(event, data=data), ""


async def verdicts(service: Service, record: Record) -> list[Verdict]:
    """What became of an event for each rule; in a thread, as there may be thousands of them."""
    return await anyio.to_thread.run_sync(fates, service.graph, record)


def check(service: Service, rule: str | None, asset: str | None) -> None:
    """Raises: Refused unless one rule or one asset of the pipeline is asked about."""
    if (rule is None) == (asset is None):
        raise Refused(422, "ask about a rule or an asset", "?rule=NAME or ?asset=NAME")
    kind, name = ("rule", rule) if rule is not None else ("asset", asset or "")
    names = service.graph.rules if rule is not None else service.graph.assets
    if name not in names:
        hint = nearest(name or "", names) or f"GET /api/{kind}s lists them"
        raise Refused(404, f"there is no {kind} {(name or '')[:200]}", hint)


async def why(service: Service, record: Record, rule: str | None, asset: str | None) -> model.Why:
    """Why an event did not fire a rule, or bring an asset up to date: one of them is given."""
    if rule is not None:
        text = await anyio.to_thread.run_sync(why_not_rule, service.graph, record, rule)
    else:
        text = await anyio.to_thread.run_sync(why_not_asset, service.graph, record, asset or "")
    kept = record.seq is not None
    return model.Why(event=record.seq, rule=rule, asset=asset, text=text, recomputed=not kept)


def fate(verdict: Verdict) -> model.Fate:
    """A verdict as the API answers it."""
    return model.Fate(rule=verdict.rule, status=verdict.status, text=verdict.text, run=verdict.run)


def _fired(row: Row) -> Fired:
    return Fired(
        row["id"],
        row["rule"],
        row["key"],
        row["partition"],
        _at(row["at"]),
        row["run"],
        (),
        row["timer"],
        row["observed"],
    )


def _met(row: Row) -> Met:
    return Met(row["rule"], Word(row["word"]), _at(row["at"]), row["why"])


def _briefly(run: Row) -> Launched:
    return Launched(run["id"], run["rule"], RunStatus(run["status"]))


def _launched(run: Row) -> Launched:
    parts: list[Part] = []
    for work in run["works"]:
        step: Row | None = work["step"]
        known = StepStatus(step["status"]) if step else None
        parts.append(Part(work["asset"], work["partition"], known, step["note"] if step else ""))
    return Launched(run["id"], run["rule"], RunStatus(run["status"]), tuple(parts))


def _paused(service: Service) -> frozenset[tuple[str, str]]:
    described = service.describe()
    return frozenset(
        (kind, each["name"])
        for kind, plural in (("rule", "rules"), ("asset", "assets"))
        for each in described[plural]
        if each["paused"]
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
