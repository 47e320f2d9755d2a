"""What a decision did, in sentences: the same words for a test, a terminal and a page.

Knows: rows before and after a turn. Refuses to know: where the lines are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reactor.core.decision import Decision, Notify
from reactor.core.run import Run, Step, StepStatus
from reactor.core.sentence import describe
from reactor.core.state import Table


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `word` is from the one vocabulary: accepted, planned, started,
    materialized, unchanged, failed, retried, blocked, held, cancelled, alerted; `about` is the
    sensor, asset or run it happened to, `id` its sequence number, step or run.
    """

    word: str
    about: str
    text: str
    id: int = 0


def tell(decision: Decision, runs: dict[int, Run] | None = None) -> list[Line]:
    """The lines of one decision, in the order things happened."""
    lines = [
        Line("accepted", event.source, describe(event), seq)
        for seq, event in decision.facts.accepted
    ]
    planned: dict[int, Run] = {}
    for change in decision.facts.changes:
        if change.table is Table.RUN and change.after is not None:
            planned[change.after.id] = change.after
    for change in decision.facts.changes:
        if change.table is Table.RUN and change.before is None:
            lines.extend(_planned(change.after))
    for change in decision.facts.changes:
        if change.table is Table.STEP and change.after is not None:
            lines.extend(_moved(change.before, change.after))
    lines.extend(
        Line("alerted", effect.alert.asset, effect.alert.text)
        for effect in decision.effects
        if isinstance(effect, Notify)
    )
    return lines


def _planned(run: Run) -> Iterable[Line]:
    for work in run.works:
        partition = f"[{work.partition}]" if work.partition is not None else ""
        yield Line("planned", work.asset, f"{work.asset}{partition} {work.because}", run.id)


_WORDS = {
    StepStatus.RUNNING: "started",
    StepStatus.RETRYING: "retried",
    StepStatus.MATERIALIZED: "materialized",
    StepStatus.UNCHANGED: "unchanged",
    StepStatus.FAILED: "failed",
    StepStatus.BLOCKED: "blocked",
    StepStatus.HELD: "held",
    StepStatus.SKIPPED: "skipped",
    StepStatus.CANCELLED: "cancelled",
}


def _moved(before: Step | None, after: Step) -> Iterable[Line]:
    if after.status is StepStatus.PENDING or (before and before.status is after.status):
        return
    word = _WORDS[after.status]
    note = f": {after.note}" if after.note else ""
    if after.status is StepStatus.RETRYING and after.due:
        note = f" after attempt {after.attempt}{note}"
    yield Line(word, after.asset, f"{after.asset} {word}{note}", after.id)
