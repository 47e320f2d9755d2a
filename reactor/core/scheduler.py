"""Which steps start now, which wait, retry, are blocked or end: the machine between plans and work.

Knows: live runs and steps, retries, timeouts, pools. Refuses to know: events and rules (engine.py),
and how work is done.

Laws: every change of a step's status goes through `Step.to`; a step starts only when nothing stands
in its way (wave.py), its inputs exist, and its pool and the whole have room; among those, priority,
then age, then order of declaration decides.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from reactor.core import alert
from reactor.core.decision import Effect, Ending, Finished, ResumeRun, Start, Stop
from reactor.core.demand import Demands, Launch
from reactor.core.duration import spoken
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.ranges import Ranges
from reactor.core.run import (
    Attempt,
    Materialization,
    RunStatus,
    Step,
    StepStatus,
)
from reactor.core.state import State, Table
from reactor.core.wave import Place, Waves

LOST_LIMIT = 3
"""A step whose process died this often under it is given up."""
TIMED_OUT = "timed out"

_Ready = tuple[int, datetime, int, int]


class Scheduler:
    """Takes launches and outcomes; its `effects` and asset `events` wait to be collected."""

    def __init__(self, graph: Graph, state: State, slots: int) -> None:
        self._graph, self._state, self._slots = graph, state, slots
        self.begin()
        self.reload()

    def begin(self) -> None:
        """Starts a turn: nothing to do, nothing to tell."""
        self.effects: list[Effect] = []
        self.events: list[Event] = []

    def reload(self) -> None:
        """Derives everything from the state: after a load, or after a turn was undone."""
        self._waves = Waves(self._graph, self._state.rows[Table.STEP])  # type: ignore[arg-type]
        self._demands = Demands(self._graph, self._state, self._waves)
        self._ready: dict[str | None, list[_Ready]] = {}
        self._busy: dict[str | None, int] = {}
        self._running = 0
        self._missing: dict[Place, set[int]] = {}
        self._timers: list[tuple[datetime, int]] = []
        self._demands.reload()
        for step in list(self._state.rows[Table.STEP].values()):
            if step.finished is None:
                self._arm(step)
                if step.status is StepStatus.RUNNING:
                    self._count(step, 1)
                if step.status is StepStatus.BLOCKED:
                    for place in self._absent(step):
                        self._missing.setdefault(place, set()).add(step.id)

    def drain(self) -> None:
        """Starts nothing more."""
        self._slots = 0

    def launch(self, launch: Launch, now: datetime) -> int:
        """Plans a run into the line, or joins one; answers its id."""
        return self._demands.launch(launch, now)

    def going(self, rule: str) -> list[int]:
        """The live runs of a rule, oldest first."""
        return [row.id for row in self._state.rows[Table.RUN].values() if row.rule == rule]

    def supersede(self, run: int, now: datetime) -> Ranges:
        """Stops a run for a newer one of its rule; answers the causes that it never finished."""
        events = self._demands.run(run).events
        self._end_run_early(run, RunStatus.SUPERSEDED, "superseded by a newer run", now)
        return events

    def cancel(self, run: int, reason: str, now: datetime) -> None:
        """Stops a run: what only it wants is cancelled, running work stopped."""
        if self._state.get(Table.RUN, run) is not None:
            self._end_run_early(run, RunStatus.CANCELLED, reason, now)

    def _end_run_early(self, id: int, status: RunStatus, reason: str, now: datetime) -> None:
        run = self._demands.run(id)
        self._state.put(Table.RUN, (id,), replace(run, status=status))
        for work in run.works:
            step = self._waves.step(work.step) if work.step in self._waves.needs else None
            if step is None:
                continue
            if step.status is StepStatus.RUNNING and step.runs == (id,):
                self._stop(step, reason)
            else:
                self._demands.let_go(step, {id}, StepStatus.CANCELLED, reason, now)

    def resume(self, command: ResumeRun, now: datetime) -> None:
        """Lets a failed or cancelled run go on from where it ended."""
        if self._state.get(Table.RUN, command.run.id) is None:
            self._demands.resume(command.run, command.steps, now)

    def restarted(self, now: datetime) -> None:
        """What was running ended with its process; steps of removed assets are cancelled."""
        for step in list(self._state.rows[Table.STEP].values()):
            if step.finished is not None:
                continue
            if step.status is StepStatus.RUNNING:
                self.finish(Finished(step.id, step.tries, Ending.LOST), now)
            if step.asset not in self._graph.assets:
                current = self._waves.step(step.id) if step.id in self._waves.needs else None
                if current is not None:
                    self._demands.let_go(
                        current,
                        set(current.runs),
                        StepStatus.CANCELLED,
                        "removed from the pipeline",
                        now,
                    )

    def tick(self, now: datetime) -> None:
        """Starts retries that are due and stops attempts past their timeout."""
        while self._timers and self._timers[0][0] <= now:
            at, id = heapq.heappop(self._timers)
            step: Step | None = self._state.get(Table.STEP, id)
            if step is None or step.finished is not None:
                continue
            if step.status is StepStatus.RETRYING and step.due == at:
                self._state.put(Table.STEP, (id,), step.to(StepStatus.PENDING, due=None))
                self._demands.requeue([id])
            elif step.status is StepStatus.RUNNING and step.deadline == at:
                self._stop(step, TIMED_OUT)

    def deadline(self) -> datetime | None:
        """When the scheduler next acts by itself."""
        return self._timers[0][0] if self._timers else None

    def finish(self, outcome: Finished, now: datetime) -> None:
        """An attempt ended. An outcome of an attempt that is not the running one is ignored."""
        step: Step | None = self._state.get(Table.STEP, outcome.step)
        if step is None or step.status is not StepStatus.RUNNING or step.tries != outcome.number:
            return
        self._count(step, -1)
        self._close_attempt(step, outcome, now)
        step = replace(step, deadline=None)
        stopping, timed_out = bool(step.stopping), step.stopping == TIMED_OUT
        match outcome.ending:
            case Ending.SUCCEEDED:
                self._succeed(step, outcome, now)
            case Ending.FAILED:
                self._try_again(step, outcome.error, outcome.retryable, now)
            case Ending.CANCELLED if timed_out:
                self._try_again(step, self._timeout_text(step), True, now)
            case Ending.CANCELLED if stopping:
                ended = step.to(StepStatus.CANCELLED, finished=now, note=step.stopping)
                self._state.put(Table.STEP, (step.id,), ended)
                self._demands.leave(ended)
                for below, runs in self._demands.below(step):
                    self._demands.let_go(below, runs, StepStatus.CANCELLED, step.stopping, now)
            case Ending.CANCELLED:
                self._again(replace(step, attempt=step.attempt - 1))
            case Ending.LOST:
                self._lost(step, now)

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
        closed = replace(begun, finished=now, outcome=outcome.ending.value, error=error)
        self._state.put(Table.ATTEMPT, key, closed)
        self._state.forget(Table.ATTEMPT, *key)

    def _succeed(self, step: Step, outcome: Finished, now: datetime) -> None:
        place = (step.asset, step.partition)
        last: Materialization | None = self._state.get(Table.MATERIALIZATION, *place)
        same = last is not None and outcome.version is not None and last.version == outcome.version
        status = StepStatus.UNCHANGED if same else StepStatus.MATERIALIZED
        row = Materialization(
            step.asset,
            step.partition,
            last.step if same and last else step.id,
            now,
            outcome.handle,
            outcome.version,
            outcome.metadata,
            step.inputs,
        )
        self._state.put(Table.MATERIALIZATION, place, row)
        note = f"version {outcome.version} as before" if same else ""
        self._end_well(step.to(status, finished=now, note=note))
        if not same:
            self._tell(step, "materialized", now, handle=outcome.handle)
        for waiting in self._missing.pop(place, set()):
            self._unblock(waiting)
        notice = alert.recovered(self._state, step.asset, now)
        if notice:
            self.effects.append(notice)

    def _end_well(self, step: Step) -> None:
        self._state.put(Table.STEP, (step.id,), step)
        self._demands.claimed(step.id)
        self._demands.leave(step)

    def _unblock(self, id: int) -> None:
        step = self._waves.step(id) if id in self._waves.needs else None
        if step is not None and step.status is StepStatus.BLOCKED:
            self._state.put(Table.STEP, (id,), step.to(StepStatus.PENDING, note=""))
            self._demands.requeue([id])

    def _try_again(self, step: Step, error: str, retryable: bool, now: datetime) -> None:
        retry = self._graph.assets[step.asset].retry
        if retryable and step.attempt <= retry.times:
            due = now + retry.wait(step.attempt, step.run_key)
            row = step.to(StepStatus.RETRYING, due=due, note=error, stopping="")
            self._state.put(Table.STEP, (step.id,), row)
            self._arm(row)
            self._demands.look |= self._waves.rest(step.id)
            return
        tries = "1 attempt" if step.attempt == 1 else f"{step.attempt} attempts"
        self._fail(step, error, f"failed after {tries}", now)

    def _lost(self, step: Step, now: datetime) -> None:
        lost = step.lost + 1
        if lost >= LOST_LIMIT:
            text = f"lost {lost} times with the process that ran it"
            self._fail(replace(step, lost=lost), text, text, now)
            return
        self._again(replace(step, lost=lost, attempt=step.attempt - 1))

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
        notice = alert.failed(self._state, step.asset, owner, what, names, now)
        if notice:
            self.effects.append(notice)

    def _tell(self, step: Step, what: str, now: datetime, **about: object) -> None:
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

    def settle(self, now: datetime) -> None:
        """Starts all that may start, ends runs that are through, until nothing moves."""
        while True:
            while self._demands.look:
                look, self._demands.look = self._demands.look, set()
                for id in sorted(look):
                    self._examine(id)
            if not self._start_next(now):
                break
        self._demands.end_runs(now)

    def _examine(self, id: int) -> None:
        if id not in self._waves.needs:
            return
        step = self._waves.step(id)
        if step.status is not StepStatus.PENDING or self._waves.blocker(id) is not None:
            return
        absent = self._absent(step)
        if absent:
            names = ", ".join(dict.fromkeys(name for name, _ in absent))
            note = f"waits for {names}, which was never materialized"
            self._state.put(Table.STEP, (id,), step.to(StepStatus.BLOCKED, note=note))
            for place in absent:
                self._missing.setdefault(place, set()).add(id)
            self._demands.look |= self._waves.rest(id)
            return
        pool = self._pool(step)
        heapq.heappush(self._ready.setdefault(pool, []), self._rank(step))

    def _rank(self, step: Step) -> _Ready:
        priority = max((self._demands.run(run).priority for run in step.runs), default=0)
        own = self._graph.assets[step.asset].priority
        return (-(priority + own), step.created, self._graph.place[step.asset], step.id)

    def _pool(self, step: Step) -> str | None:
        asset = self._graph.assets.get(step.asset)
        return asset.pool if asset else None

    def _absent(self, step: Step) -> list[Place]:
        asset = self._graph.assets.get(step.asset)
        needed = (
            [upstream.name for upstream in asset.upstream if not upstream.optional] if asset else []
        )
        return [
            (name, step.partition) for name in needed if self._last(name, step.partition) is None
        ]

    def _last(self, asset: str, partition: str | None) -> Materialization | None:
        row: Materialization | None = self._state.get(Table.MATERIALIZATION, asset, partition)
        if row is None and partition is not None:
            row = self._state.get(Table.MATERIALIZATION, asset, None)
        return row

    def _start_next(self, now: datetime) -> bool:
        """Starts the first of all ready steps for which there is room; False if there is none."""
        if self._running >= self._slots:
            return False
        best: tuple[_Ready, str | None] | None = None
        for pool, heap in self._ready.items():
            if heap and self._room(pool) and (best is None or heap[0] < best[0]):
                best = (heap[0], pool)
        if best is None:
            return False
        id = heapq.heappop(self._ready[best[1]])[-1]
        step = self._waves.step(id) if id in self._waves.needs else None
        if step and step.status is StepStatus.PENDING and self._waves.blocker(id) is None:
            self._start(step, now)
        return True

    def _room(self, pool: str | None) -> bool:
        return pool is None or self._busy.get(pool, 0) < self._graph.pools.get(pool, 1)

    def _start(self, step: Step, now: datetime) -> None:
        asset = self._graph.assets[step.asset]
        rows = {
            up.name: row
            for up in asset.upstream
            if (row := self._last(up.name, step.partition)) is not None
        }
        inputs = tuple((row.asset, row.partition, row.step) for row in rows.values())
        last: Materialization | None = self._state.get(
            Table.MATERIALIZATION, step.asset, step.partition
        )
        if not step.root and inputs and last is not None and last.inputs == inputs:
            note = "its inputs are those of its last success"
            self._end_well(step.to(StepStatus.UNCHANGED, finished=now, note=note))
            return
        causes = self._demands.causes(step)
        running = step.to(
            StepStatus.RUNNING,
            attempt=step.attempt + 1,
            tries=step.tries + 1,
            run_key=step.run_key or _run_key(step, causes),
            started=now,
            deadline=now + asset.timeout if asset.timeout else None,
            inputs=inputs,
            note="",
        )
        self._state.put(Table.STEP, (step.id,), running)
        attempt = Attempt(step.id, running.tries, now)
        self._state.put(Table.ATTEMPT, (step.id, running.tries), attempt)
        self._count(running, 1)
        self._arm(running)
        self._demands.claimed(step.id)
        self.effects.append(
            Start(
                step.id,
                running.tries,
                step.asset,
                step.partition,
                running.attempt,
                running.run_key,
                step.runs,
                causes,
                {
                    name: row.handle if row is not None else None
                    for name, row in rows.items()
                    if row
                },
                last.handle if last is not None else None,
            )
        )

    def _stop(self, step: Step, reason: str) -> None:
        if not step.stopping:
            self._state.put(Table.STEP, (step.id,), replace(step, stopping=reason))
            self.effects.append(Stop(step.id, step.tries, reason))

    def _count(self, step: Step, change: int) -> None:
        pool = self._pool(step)
        self._running += change
        self._busy[pool] = self._busy.get(pool, 0) + change

    def _arm(self, step: Step) -> None:
        at = step.due if step.status is StepStatus.RETRYING else step.deadline
        if at is not None:
            heapq.heappush(self._timers, (at, step.id))

    @property
    def running(self) -> int:
        """How many attempts are running."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many live steps are not running."""
        return len(self._waves.needs) - self._running


def _run_key(step: Step, causes: Iterable[tuple[int, int]]) -> str:
    """Names a step's work by what caused it: the same for every attempt and for a resume."""
    text = f"{step.asset}|{step.partition}|{sorted(causes)}|{step.id}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
