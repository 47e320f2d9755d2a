"""Which step does the work of which run: joining, forming the step behind, and letting go.

Knows: live runs and steps, and what has been claimed. Refuses to know: time beyond stamps, slots,
outcomes (scheduler.py), and who may start (wave.py).

Laws. A demand joins an equal step only while neither that step nor anything it needs has been
claimed; otherwise it forms the step behind. From its first claim on, nothing joins a step. So an
asset partition has at most one step running, one pending and one behind, whatever the number of
events (and one more for every `max_events` of them). A step that several runs wait for is done
once, and each of them records it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from reactor.core.asset import Pending
from reactor.core.graph import Graph
from reactor.core.plan import Plan
from reactor.core.ranges import Ranges, count, union
from reactor.core.run import ENDED, Run, RunStatus, Step, StepStatus, Work
from reactor.core.state import State, Table
from reactor.core.wave import Waves

_UNCLAIMED = frozenset({StepStatus.PENDING, StepStatus.BLOCKED})


@dataclass(frozen=True, slots=True)
class Launch:
    """A planned run, with the policy of the rule that asks for it."""

    plan: Plan
    events: Ranges = ()
    key: str | None = None
    because: str = ""
    priority: int = 0
    pending: Pending = Pending.COALESCE


class Demands:
    """The live runs. `look` collects the steps that the scheduler has to look at."""

    def __init__(self, graph: Graph, state: State, waves: Waves) -> None:
        self._graph, self._state, self._waves = graph, state, waves
        self.look: set[int] = set()
        self.left: dict[int, int] = {}
        self._stale: set[int] = set()
        self._open: dict[tuple[str, str | None], int] = {}

    def run(self, id: int) -> Run:
        """A live run's row."""
        return self._state.rows[Table.RUN][(id,)]

    def reload(self) -> None:
        """Derives everything from the state's rows."""
        self.look, self.left, self._stale, self._open = set(), {}, set(), {}
        steps: dict[tuple[int], Step] = self._state.rows[Table.STEP]  # type: ignore[assignment]
        live = [step for step in steps.values() if step.finished is None]
        for step in sorted(live, key=lambda step: step.id):
            self._waves.enter(step, ())
        for run in self._state.rows[Table.RUN].values():
            self.left[run.id] = sum(1 for work in run.works if self._unfinished(work))
            self._open[run.rule, run.partition] = run.id
            for work in run.works:
                if work.step in self._waves.needs:
                    above = [run.works[at].step for at in work.upstream]
                    self._waves.add_needs(work.step, above)
                    if any(id not in self._waves.needs or steps[id,].tries for id in above):
                        self._stale.add(work.step)
        for step in live:
            if step.status in (StepStatus.RETRYING, StepStatus.BLOCKED, StepStatus.HELD):
                self._waves.rest(step.id)
        self.look.update(step.id for step in live)

    def _unfinished(self, work: Work) -> bool:
        step: Step | None = self._state.get(Table.STEP, work.step)
        return step is not None and step.finished is None

    def launch(self, launch: Launch, now: datetime) -> int:
        """Makes the run of a launch, or joins the one of the same rule that has not begun."""
        plan, mode = launch.plan, launch.pending
        if mode is Pending.COALESCE:
            waiting = self._unbegun(plan.rule, plan.partition, launch)
            if waiting is not None:
                events = union(waiting.events, launch.events)
                self._state.put(Table.RUN, (waiting.id,), replace(waiting, events=events))
                return waiting.id
        id = self._state.next("run")
        works: list[Work] = []
        pushed: list[int] = []
        for work in plan.works:
            needs = [works[at].step for at in work.upstream]
            step = None if mode is Pending.QUEUE else self._joinable(work, needs, launch)
            if step is None:
                made = self._create(work, id, needs, now)
                works.append(replace(work, step=made))
                continue
            joined = replace(step, runs=(*step.runs, id), root=step.root or work.root)
            self._state.put(Table.STEP, (step.id,), joined)
            if self._waves.add_needs(step.id, needs):
                pushed.append(step.id)
            works.append(replace(work, step=step.id))
        run = Run(
            id,
            plan.rule,
            RunStatus.RUNNING,
            now,
            tuple(works),
            partition=plan.partition,
            key=launch.key,
            priority=launch.priority,
            because=launch.because,
            fingerprint=self._graph.fingerprint,
            events=launch.events,
        )
        self._state.put(Table.RUN, (id,), run)
        self.left[id] = len(works)
        self._open[plan.rule, plan.partition] = id
        self.requeue(pushed)
        return id

    def _unbegun(self, rule: str, partition: str | None, launch: Launch) -> Run | None:
        run: Run | None = self._state.get(Table.RUN, self._open.get((rule, partition), 0))
        if run is None or run.status is not RunStatus.RUNNING:
            return None
        if run.fingerprint != self._graph.fingerprint:
            return None
        for work in run.works:
            if work.root:
                step: Step | None = self._state.get(Table.STEP, work.step)
                if step is None or not self._fresh(step.id) or not self._fits(step, launch):
                    return None
        return run

    def _joinable(self, work: Work, needs: list[int], launch: Launch) -> Step | None:
        """The step that a demand joins: the pending one, or else the one behind it.

        A demand that could go on does not join a step that waits for something missing.
        """
        aside = self._waves.stands_aside(needs)
        waiting = [
            step
            for step in self._waves.queue((work.asset, work.partition))
            if step.tries == 0
            and (step.status is StepStatus.BLOCKED or self._waves.stands_aside([step.id]) is aside)
        ]
        for step in waiting:
            if self._fresh(step.id) and (not work.root or self._fits(step, launch)):
                return step
        if len(waiting) >= 2 and (not work.root or self._fits(waiting[-1], launch)):
            return waiting[-1]
        return None

    def _fits(self, step: Step, launch: Launch) -> bool:
        held = count(self.causes(step)) if step.root else 0
        return held + count(launch.events) <= self._graph.assets[step.asset].max_events or not held

    def _fresh(self, id: int) -> bool:
        """Whether neither the step nor anything it needs was claimed."""
        seen: set[int] = set()
        stack = [id]
        while stack:
            each = stack.pop()
            if each in seen:
                continue
            seen.add(each)
            if each in self._stale or each not in self._waves.needs:
                return False
            step = self._waves.step(each)
            if step.tries or step.status not in _UNCLAIMED:
                return False
            stack.extend(self._waves.needs[each])
        return True

    def _create(self, work: Work, run: int, needs: Iterable[int], now: datetime) -> int:
        id, order = self._state.next("step"), self._state.next("order")
        step = Step(
            id, work.asset, work.partition, StepStatus.PENDING, order, (run,), now, root=work.root
        )
        self._state.put(Table.STEP, (id,), step)
        self._waves.enter(step, needs)
        self.look.add(id)
        return id

    def causes(self, step: Step) -> Ranges:
        """The events to hand to a step: of the runs it is a root of, else of all its runs."""
        runs = [self.run(id) for id in step.runs]
        if step.root:
            runs = [run for run in runs if any(w.root and w.step == step.id for w in run.works)]
        return union(*(run.events for run in runs))

    def claimed(self, id: int) -> None:
        """A step was claimed, or ended without: what needs it can no longer be joined."""
        self._stale.update(self._waves.dependents(id))

    def requeue(self, ids: Iterable[int]) -> None:
        """Sends steps, and all that must stay behind them, to the end of the line."""
        ids = list(ids)
        if not ids:
            return
        closure = self._waves.closure(ids)
        for id in closure:
            moved = replace(self._waves.step(id), order=self._state.next("order"))
            self._state.put(Table.STEP, (id,), moved)
        for id in closure:
            self._waves.wake(id)
            self.look |= self._waves.moved(id)
        self.look.update(closure)

    def leave(self, step: Step) -> None:
        """A step ended for all its runs: takes it out of the line and counts it for each."""
        self.look |= self._waves.leave(step)
        self._stale.discard(step.id)
        for run in step.runs:
            if run in self.left:
                self.left[run] -= 1

    def let_go(
        self, step: Step, runs: set[int], status: StepStatus, note: str, now: datetime
    ) -> None:
        """Some runs no longer wait for a step, and record `status` for it instead.

        If no other run wants it, that is how the step itself ends.
        """
        rest = tuple(run for run in step.runs if run not in runs)
        if not rest:
            ended = step.to(status, note=note, finished=now, due=None)
            self._state.put(Table.STEP, (step.id,), ended)
            self.leave(ended)
            return
        gone = tuple(run for run in step.runs if run in runs)
        id = self._state.next("step")
        row = Step(
            id, step.asset, step.partition, status, step.order, gone, now, note=note, finished=now
        )
        self._state.put(Table.STEP, (id,), row)
        for each in gone:
            run = self.run(each)
            works = tuple(replace(w, step=id) if w.step == step.id else w for w in run.works)
            self._state.put(Table.RUN, (each,), replace(run, works=works))
            self.left[each] -= 1
        works_left = [(self.run(run), work) for run in rest for work in self.run(run).works]
        mine = [(run, work) for run, work in works_left if work.step == step.id]
        root = any(work.root for _, work in mine)
        self._state.put(Table.STEP, (step.id,), replace(step, runs=rest, root=root))
        self._waves.set_needs(
            step.id, {run.works[at].step for run, work in mine for at in work.upstream}
        )
        self.look.add(step.id)

    def below(self, step: Step) -> list[tuple[Step, set[int]]]:
        """What follows from a step in its runs, each with the runs in which it does."""
        found: dict[int, set[int]] = {}
        for id in step.runs:
            run = self.run(id)
            hit = {at for at, work in enumerate(run.works) if work.step == step.id}
            for at, work in enumerate(run.works):
                if any(above in hit for above in work.upstream):
                    hit.add(at)
                    found.setdefault(work.step, set()).add(id)
        steps = [
            (self._waves.step(id), runs) for id, runs in found.items() if id in self._waves.needs
        ]
        return sorted(steps, key=lambda pair: pair[0].order)

    def end_runs(self, now: datetime) -> list[Run]:
        """Ends the runs that have nothing left to wait for, and forgets what only they needed."""
        ended: list[Run] = []
        for id in [id for id, left in self.left.items() if left <= 0]:
            del self.left[id]
            run = self.run(id)
            done = replace(run, status=self._outcome(run), finished=now)
            self._state.put(Table.RUN, (id,), done)
            self._state.forget(Table.RUN, id)
            ended.append(done)
            if self._open.get((run.rule, run.partition)) == id:
                del self._open[run.rule, run.partition]
            for work in run.works:
                step: Step | None = self._state.get(Table.STEP, work.step)
                if step and step.finished and not any(each in self.left for each in step.runs):
                    self._state.forget(Table.STEP, work.step)
        return ended

    def _outcome(self, run: Run) -> RunStatus:
        if run.status in (RunStatus.CANCELLED, RunStatus.SUPERSEDED):
            return run.status
        statuses = {self._state.rows[Table.STEP][(work.step,)].status for work in run.works}
        if StepStatus.FAILED in statuses or StepStatus.BLOCKED in statuses:
            return RunStatus.FAILED
        return RunStatus.CANCELLED if StepStatus.CANCELLED in statuses else RunStatus.SUCCEEDED

    def resume(self, run: Run, steps: Iterable[Step], now: datetime) -> None:
        """Takes a failed or cancelled run back into the line; what succeeded stays done."""
        by_id = {step.id: step for step in steps}
        self._state.put(Table.RUN, (run.id,), replace(run, status=RunStatus.RUNNING, finished=None))
        self.left[run.id] = 0
        for work in run.works:
            step: Step = self._state.get(Table.STEP, work.step) or by_id[work.step]
            live = step.id in self._waves.needs
            if not live and step.status in ENDED - {StepStatus.FAILED, StepStatus.CANCELLED}:
                self._state.put(Table.STEP, (step.id,), step)
                continue
            self.left[run.id] += 1
            needs = [run.works[at].step for at in work.upstream]
            if live:
                runs = tuple(dict.fromkeys((*step.runs, run.id)))
                self._state.put(Table.STEP, (step.id,), replace(step, runs=runs))
                self._waves.add_needs(step.id, needs)
                continue
            again = step.to(
                StepStatus.PENDING,
                runs=(run.id,),
                root=work.root,
                attempt=0,
                lost=0,
                finished=None,
                note="",
                stopping="",
                order=self._state.next("order"),
            )
            self._state.put(Table.STEP, (step.id,), again)
            self._waves.enter(again, needs)
        self.requeue([work.step for work in run.works if work.step in self._waves.needs])
