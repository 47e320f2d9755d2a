"""What becomes of a step, and of what waits for it, when its attempt ends.

Knows: retries, timeouts, checks, versions. Refuses to know: which step starts next (scheduler.py).

Laws: every change of a step's status goes through `Step.to`; an attempt that was being stopped for
an operator is never tried again, however it ends; a failure blocks what is below it, and nothing
else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from reactor.core import alert
from reactor.core.agenda import Agenda
from reactor.core.asset import Retry
from reactor.core.backfill import rule_name
from reactor.core.decision import Effect, Ending, Finished
from reactor.core.demand import Demands
from reactor.core.duration import spoken
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.inventory import Inventory
from reactor.core.link import link
from reactor.core.plan import Plan, Root, plan, there
from reactor.core.run import Attempt, Materialization, Run, Step, StepStatus, Work
from reactor.core.sentence import listed
from reactor.core.state import State, Table
from reactor.core.wave import Waves

LOST_LIMIT = 3
"""A step whose process died this often under it is given up."""
TIMED_OUT = "timed out"
"""Why an attempt is being stopped, if that counts as a failed try."""


class Outcomes:
    """Takes the ends of attempts; its `effects` and asset `events` wait to be collected."""

    def __init__(
        self,
        graph: Graph,
        state: State,
        inventory: Inventory,
        waves: Waves,
        demands: Demands,
        agenda: Agenda,
    ) -> None:
        self._graph, self._state, self._waves = graph, state, waves
        self._inventory, self._demands, self._agenda = inventory, demands, agenda
        self._heard = graph.heard()
        self.effects: list[Effect] = []
        self.events: list[Event] = []

    def take(self, step: Step, outcome: Finished, now: datetime) -> None:
        """The attempt of a running step ended."""
        self._close_attempt(step, outcome, now)
        timed_out = step.stopping == TIMED_OUT
        match outcome.ending:
            case Ending.SUCCEEDED:
                self._succeed(step, outcome, now)
            case _ if step.stopping and not timed_out:
                self._cancelled(step, now)
            case Ending.FAILED:
                if outcome.check:
                    self._spoil(step)
                self._try_again(step, outcome.error, outcome.retryable, now)
            case _ if timed_out:
                self._try_again(step, self._timeout_text(step), True, now)
            case Ending.CANCELLED:
                self._again(step._replace(attempt=step.attempt - 1))
            case Ending.LOST:
                self._lost(step, now)

    def _spoil(self, step: Step) -> None:
        """A blocking check refused what a step wrote: readers wait until there is good data again.

        A versioned asset still has its last version; one that is overwritten has nothing.
        """
        asset = self._graph.assets.get(step.asset)
        if asset is None or not asset.versioned:
            self._inventory.drop(step.asset, step.partition)

    def _cancelled(self, step: Step, now: datetime) -> None:
        """A step that was being stopped ended, in whatever way."""
        ended = step.to(StepStatus.CANCELLED, finished=now, note=step.stopping)
        self._state.put(Table.STEP, (step.id,), ended)
        self._demands.leave(ended)
        for below, runs in self._demands.below(step):
            self._demands.let_go(below, runs, StepStatus.CANCELLED, step.stopping, now)

    def _timeout_text(self, step: Step) -> str:
        asset = self._graph.assets.get(step.asset)
        return f"timed out after {spoken(asset.timeout)}" if asset and asset.timeout else TIMED_OUT

    def _close_attempt(self, step: Step, outcome: Finished, now: datetime) -> None:
        key = (step.id, step.tries)
        known: Attempt | None = self._state.get(Table.ATTEMPT, *key)
        begun = known or Attempt(step.id, step.tries, step.started or now)
        error = outcome.error
        if outcome.ending is Ending.CANCELLED and step.stopping:
            error = self._timeout_text(step) if step.stopping == TIMED_OUT else step.stopping
        closed = begun._replace(finished=now, outcome=outcome.ending.value, error=error)
        self._state.put(Table.ATTEMPT, key, closed)
        self._state.forget(Table.ATTEMPT, *key)

    def _succeed(self, step: Step, outcome: Finished, now: datetime) -> None:
        last = self._inventory.last(step.asset, step.partition)
        same = self._unchanged(step, outcome, last)
        if same and last is not None:
            maker, change, whole = last.step, last.change, last.whole
        else:
            maker, change = step.id, self._inventory.next_change()
            whole = last.whole if last is not None and outcome.changed is not None else change
        row = Materialization(
            step.asset,
            step.partition,
            maker,
            now,
            outcome.handle,
            outcome.version,
            outcome.metadata,
            step.inputs,
            change,
            whole,
        )
        if same:
            self._inventory.put(row)
            ended = step.to(StepStatus.UNCHANGED, finished=now, note=same, stopping="")
        else:
            self._inventory.put(row, outcome.changed)
            note = self._astray(step, outcome.changed or ())
            ended = step.to(StepStatus.MATERIALIZED, finished=now, note=note, stopping="")
            self._demands.follow(step, partial(self._following, step, outcome.changed), now)
        self.end_well(ended)
        if not same:
            self._tell(step, "materialized", now, handle=outcome.handle)
        for waiting in self._waves.came(step.asset, step.partition):
            if waiting.status is StepStatus.BLOCKED:
                self._state.put(Table.STEP, (waiting.id,), waiting.to(StepStatus.PENDING, note=""))
                self._demands.requeue([waiting.id])
        notice = alert.recovered(self._state, step, now)
        if notice:
            self.effects.append(notice)

    def _unchanged(self, step: Step, outcome: Finished, last: Materialization | None) -> str:
        """Why what a step made counts as what was there before; empty if it does not."""
        if last is None or any(self._demands.run(run).forced for run in step.runs):
            return ""
        if outcome.version is not None and last.version == outcome.version:
            return f"version {outcome.version} as before"
        return "nothing of it changed" if outcome.changed == () else ""

    def _following(self, step: Step, changed: Sequence[str] | None, run: Run, work: Work) -> Plan:
        """What follows, in one of its runs, from a step that told what changed."""
        roots: dict[Root, None] = {}
        below = self._graph.downstream.get(step.asset, ())
        for name in work.later:
            # The run may have been planned on a pipeline that had more edges.
            if name in below:
                roots |= dict.fromkeys((name, key) for key in self._spread(step, name, changed))
        because = f"because {step.asset} changes"
        return plan(self._graph, run.rule, roots, because, known=self._inventory.made)

    def _spread(self, step: Step, name: str, changed: Sequence[str] | None) -> Iterable[str | None]:
        """The partitions of an asset below that a change of some keys, or of all, concerns."""
        below = self._graph.assets[name]
        edge = link(self._graph.assets[step.asset], below)
        if edge is None:
            return (step.partition,)
        everything = there(below, self._inventory.made)
        return everything if changed is None else edge.spread(changed, everything)

    def _astray(self, step: Step, changed: Iterable[str]) -> str:
        """Which of the changed keys lead to no partition of an asset below; empty if none."""
        found: list[str] = []
        for name in self._graph.downstream.get(step.asset, ()) if changed else ():
            below = self._graph.assets[name]
            edge = link(self._graph.assets[step.asset], below)
            if edge is None or not edge.spreads:
                continue
            lost = [key for key in changed if not edge.spread([key], [key])]
            if lost:
                found.append(f"{listed(lost)} {_lead(lost)} to no partition of {name}")
        return "; ".join(found)

    def end_well(self, step: Step) -> None:
        """A step ended well, with or without an attempt."""
        self._state.put(Table.STEP, (step.id,), step)
        self._demands.leave(step)

    def _try_again(self, step: Step, error: str, retryable: bool, now: datetime) -> None:
        asset = self._graph.assets.get(step.asset)
        retry = asset.retry if asset else Retry(0)
        if retryable and step.attempt <= retry.times:
            due = now + retry.wait(step.attempt, step.run_key)
            row = step.to(StepStatus.RETRYING, due=due, note=error, stopping="")
            self._state.put(Table.STEP, (step.id,), row)
            self._agenda.enter(row, len(self._waves.needs))
            self._waves.refresh([step.id])
            return
        tries = "1 attempt" if step.attempt == 1 else f"{step.attempt} attempts"
        self._fail(step, error, f"failed after {tries}", now)

    def _lost(self, step: Step, now: datetime) -> None:
        lost = step.lost + 1
        if lost >= LOST_LIMIT:
            text = f"lost {lost} times with the process that ran it"
            self._fail(step._replace(lost=lost), text, text, now)
            return
        self._again(step._replace(lost=lost, attempt=step.attempt - 1))

    def _again(self, step: Step) -> None:
        row = step.to(StepStatus.PENDING, started=None, stopping="")
        self._state.put(Table.STEP, (step.id,), row)
        self._demands.requeue([step.id])

    def _fail(self, step: Step, error: str, what: str, now: datetime) -> None:
        failed = step.to(StepStatus.FAILED, finished=now, note=error, stopping="")
        self._state.put(Table.STEP, (step.id,), failed)
        below = self._demands.below(step)
        for waiting, runs in below:
            note = f"{step.asset} {what}"
            self._demands.let_go(waiting, runs, StepStatus.BLOCKED, note, now)
        self._demands.leave(failed)
        self._tell(step, "failed", now, error=error)
        names = list(dict.fromkeys(waiting.asset for waiting, _ in below))
        owner = self._graph.assets[step.asset].owner if step.asset in self._graph.assets else ""
        fill = self._demands.backfill(step)
        alone = rule_name(fill) if fill is not None else ""
        notice = alert.failed(self._state, step, owner, what, names, now, alone)
        if notice:
            self.effects.append(notice)

    def _tell(self, step: Step, what: str, now: datetime, **about: object) -> None:
        if step.asset not in self._heard:
            return
        data = {"asset": step.asset, "partition": step.partition, "step": step.id, **about}
        self.events.append(
            Event(
                id=f"{step.id}/{step.tries}/{what}",
                source=f"asset:{step.asset}",
                type=what,
                subject=step.asset,
                time=now,
                received=now,
                data=data,
                key=step.partition,
            )
        )


def _lead(keys: Sequence[str]) -> str:
    return "leads" if len(keys) == 1 else "lead"
