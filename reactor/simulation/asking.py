"""What became of an event in a simulated life, as the core explains it (core/why.py)."""

from __future__ import annotations

from collections.abc import Iterable

from reactor.core.event import Event
from reactor.core.ranges import Ranges
from reactor.core.reactor import Reactor
from reactor.core.run import Run
from reactor.core.state import Table
from reactor.core.verdict import Launched, Met, Part, Record
from reactor.simulation.chronicle import Chronicle


def record(life: Chronicle, reactor: Reactor, event: Event) -> Record:
    """An event and all that is known of it; of several of one source and id, the newest.

    Cost: O(everything that is kept): for a question.
    """
    seq = life.number(event)
    if seq is None:
        return Record(event)
    decisions = life.decisions
    facts = [decision.facts for decision in decisions]
    return Record(
        life.event(seq),
        seq,
        [each for fact in facts for each in fact.fired if any(seq in m for m in each.matches)],
        [
            Met(fate.rule, fate.word, at, fate.why)
            for at, fact in zip(life.instants, facts, strict=True)
            for fate in fact.fates
            if _holds(fate.events, seq)
        ],
        [each for fact in facts for each in fact.raised if each.event == event.id],
        reactor.waiting_for(seq),
        [_launched(life, run) for run in life.runs.values() if _holds(run.events, seq)],
        {},
        frozenset(reactor.state.rows[Table.PAUSE]),  # type: ignore[arg-type]
    )


def _launched(life: Chronicle, run: Run) -> Launched:
    return Launched(run.id, run.rule, run.status, tuple(_parts(life, run)))


def _parts(life: Chronicle, run: Run) -> Iterable[Part]:
    for work in run.works:
        step = life.steps.get(work.step)
        yield Part(
            work.asset, work.partition, step.status if step else None, step.note if step else ""
        )


def _holds(events: Ranges, seq: int) -> bool:
    return any(low <= seq <= high for low, high in events)
