"""From the store's rows to what the API answers, and the sentences that say why."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from reactor.core.explain import Explained
from reactor.core.run import ENDED, Step, StepStatus
from reactor.core.sentence import listed
from reactor.core.stale import Stale
from reactor.web import model

Row = Mapping[str, Any]
Rules = Mapping[str, Row]

ACTIVE_SHOWN = 100
EVENTS_SHOWN = 20
STALE_SHOWN = 20
ASSETS_TOLD = 5
_ENDED = frozenset(map(str, ENDED))
_UNSEEN = (str(StepStatus.SKIPPED), str(StepStatus.CANCELLED))


def run(row: Row, rules: Rules, works: Sequence[Row] = ()) -> model.Run:
    """A run; what it launched is told by its works where they were read, else by its rule."""
    roots = [work["asset"] for work in works if work["root"]]
    rule = rules.get(row["rule"])
    if not works and rule and not rule["implicit"]:
        roots = rule["assets"]
    assets = len({work["asset"] for work in works}) if works else row["assets"]
    return model.Run(**{**row, "roots": list(dict.fromkeys(roots)), "asset_count": assets})


def run_detail(
    row: Row, rules: Rules, why: Sequence[str], every: tuple[Sequence[Explained], str] = ((), "")
) -> model.RunDetail:
    """A run with everything that the page shows of it."""
    works: Sequence[Row] = row["works"]
    brief = run(row, rules, works).model_dump()
    return model.RunDetail(
        **brief,
        why=list(why),
        assets=list(dict.fromkeys(work["asset"] for work in works)),
        steps=[_step(work) for work in works],
        events=[event(each) for each in row["events"]],
        event_count=row["events_count"],
        explained=[
            model.Explained(asset=each.asset, word=each.word, because=each.because, text=each.text)
            for each in every[0]
        ],
        unexplained=every[1],
    )


def _step(work: Row) -> model.Step:
    step: Row = work["step"] or {}
    own = ("asset", "partition", "because", "root")
    return model.Step(**{**step, **{name: work[name] for name in own}})


def event(row: Row, told: tuple[str, str] = ("", "")) -> model.Event:
    """An event, with the word and the sentence for what became of it."""
    status, text = told
    about = {"sensor": row["source"], "at": row["time"], "status": status, "status_text": text}
    return model.Event(**{**row, **about})


def event_detail(
    row: Row, runs: Iterable[model.Run], fates: Sequence[model.Fate], shown: int
) -> model.EventDetail:
    """An event with everything that the page shows of it."""
    first = fates[0] if fates else None
    told = {
        "sensor": row["source"],
        "at": row["time"],
        "run_count": len(row["runs"]),
        "runs": list(runs),
        "fates": list(fates[:shown]),
        "fate_count": len(fates),
        "status": first.status if first else "accepted",
        "status_text": f"{first.rule} {first.text}" if first else "",
    }
    return model.EventDetail(**{**row, **told})


def firing(row: Row, rule: Row) -> model.Firing:
    """A firing of a rule, and what it launched."""
    events = [seq for match in row["matches"] for seq in match]
    assets = listed(rule["assets"], ASSETS_TOLD) if rule["assets"] else "nothing"
    if rule["implicit"]:
        assets = "what reads it"
    text = f"launched {assets} in run {row['run']}"
    if row["run"] is None:
        text = f"would have launched {assets}"
    told = {"matches": row["matches_count"], "event_count": row["events_count"], "text": text}
    return model.Firing(**{**row, **told, "events": events[:EVENTS_SHOWN]})


def asset(
    node: Row,
    known: Row,
    live: Sequence[Step],
    downstream: Sequence[str],
    out_of_date: Sequence[Stale],
    now: datetime,
) -> model.Asset:
    """An asset: its declaration, what the store knows of it, and its steps that have not ended."""
    made: Row | None = known["materialization"]
    last = datetime.fromisoformat(made["at"]) if made else None
    return model.Asset(
        **node,
        downstream=list(downstream),
        last=last,
        age_seconds=max(0.0, (now - last).total_seconds()) if last else None,
        partitions=known["partitions"],
        active=[active(step) for step in live[:ACTIVE_SHOWN]],
        ended=ended(known["step"]),
        stale=[
            model.Stale(partition=each.partition, why=each.why, root=each.root)
            for each in out_of_date[:STALE_SHOWN]
        ],
        stale_count=len(out_of_date),
    )


def active(step: Step) -> model.ActiveStep:
    """A step that has not ended."""
    started = step.started if step.status is StepStatus.RUNNING else None
    return model.ActiveStep(
        step=step.id,
        status=step.status,
        at=started or step.created,
        partition=step.partition,
        note=step.note,
    )


def ended(step: Row | None) -> model.Ended | None:
    """How the newest step ended; None if it has not, or says nothing of the asset."""
    if step is None or step["status"] not in _ENDED or step["status"] in _UNSEEN:
        return None
    at = step["finished"] or step["created"]
    return model.Ended(status=step["status"], at=at, note=step["note"])


def dead_letter(row: Row) -> model.DeadLetterDetail:
    """A dead letter with its bytes."""
    raw: bytes = row["raw"]
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    return model.DeadLetterDetail(
        **{**row, "text": text, "base64": base64.b64encode(raw).decode(), "size_bytes": len(raw)}
    )
