"""Which steps start now, and which wait: the machine between plans and work.

Knows: live runs and steps, pauses, pools, who is held (hold.py). Refuses to know: events and rules
(engine.py), what becomes of a step when its attempt ends (outcome.py), and how work is done.

Laws: every change of a step's status goes through `Step.to`; a step starts only when nothing stands
in its way (wave.py), its inputs exist, and its pool and the whole have room; among those, priority,
then age, then order of declaration decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from reactor.core.agenda import Agenda
from reactor.core.decision import Effect, Ending, Finished, ResumeRun, Start, Stop
from reactor.core.demand import Demands, Launch
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.hold import Holds
from reactor.core.inputs import Inputs, Seen
from reactor.core.inventory import Inventory
from reactor.core.outcome import TIMED_OUT, Outcomes
from reactor.core.plan import Known
from reactor.core.pool import Pools, Rank, Room
from reactor.core.ranges import Ranges, covers
from reactor.core.run import Attempt, Run, RunStatus, Step, StepStatus
from reactor.core.stale import CATCH_UP, REMOVED
from reactor.core.state import Backfill, Key, State, Table
from reactor.core.wave import Waves


class Scheduler:
    """Takes launches and outcomes; effects and asset events wait to be collected."""

    def __init__(self, graph: Graph, state: State, holds: Holds, slots: int) -> None:
        self._graph, self._state, self._holds, self._slots = graph, state, holds, slots
        self.reload()

    @property
    def effects(self) -> list[Effect]:
        """What is to be done once this turn is recorded."""
        return self._outcomes.effects

    def begin(self) -> None:
        """Starts a turn: nothing to do, nothing to tell."""
        self._outcomes.effects, self._outcomes.events = [], []

    def happened(self) -> list[Event]:
        """The events of assets since it was asked last."""
        events, self._outcomes.events = self._outcomes.events, []
        return events

    def reload(self) -> None:
        """Derives everything from the state: after a load, or after a turn was undone."""
        self._inventory = Inventory(self._state)
        self._inputs = Inputs(self._graph, self._inventory)
        steps: Mapping[Key, Step] = self._state.rows[Table.STEP]  # type: ignore[assignment]
        self._waves = Waves(self._graph, steps, self._inputs.places)
        self._demands = Demands(self._graph, self._state, self._waves)
        self._pools = Pools(self._graph.pools, self._slots, self._at_once)
        self._agenda = Agenda(self._state.rows[Table.STEP])
        self._outcomes = Outcomes(
            self._graph, self._state, self._inventory, self._waves, self._demands, self._agenda
        )
        self._demands.reload()
        for step in self._live():
            self._agenda.enter(step, len(self._waves.needs))
            if step.status is StepStatus.RUNNING:
                self._pools.began(step.id, self._room(step))
            elif step.status is StepStatus.BLOCKED:
                self._waves.miss(step, self._inputs.absent(step.asset, step.partition))
            elif step.status is StepStatus.PENDING and self._paused(step):
                self._waves.parked.add(step.id)
        self._waves.refresh(self._waves.parked)

    def _live(self) -> list[Step]:
        """The steps that have not ended, in the order of the line."""
        rows: list[Step] = list(self._state.rows[Table.STEP].values())
        return sorted((step for step in rows if step.finished is None), key=lambda step: step.order)

    def drain(self) -> None:
        """Starts nothing more."""
        self._slots = self._pools.slots = 0

    def coalesce(self, rule: str, partition: str | None, events: Ranges) -> int | None:
        """Adds causes to the run of a rule that has not begun; answers which, or None."""
        return self._demands.coalesce(rule, partition, events)

    def launch(self, launch: Launch, now: datetime) -> int:
        """Plans a run into the line; answers its id."""
        return self._demands.launch(launch, now)

    @property
    def known(self) -> Known:
        """Answers the partitions that an asset was made for."""
        return self._inventory.made

    def going(self, rule: str, partition: str | None) -> list[int]:
        """The live runs of a rule for a partition, oldest first."""
        return self._demands.going(rule, partition)

    def outdated(self) -> list[Run]:
        """The live runs that were planned on another graph and of which nothing has begun."""
        return self._demands.outdated()

    def supersede(
        self, run: int, now: datetime, reason: str = "superseded by a newer run"
    ) -> Ranges:
        """Stops a run for another one that takes over its causes; answers them."""
        events = self._demands.run(run).events
        self._end_run_early(run, RunStatus.SUPERSEDED, reason, now)
        return events

    def cancel(self, run: int, reason: str, now: datetime) -> None:
        """Stops a run: what only it wants is cancelled, running work stopped."""
        if self._state.get(Table.RUN, run) is not None:
            self._end_run_early(run, RunStatus.CANCELLED, reason, now)

    def _end_run_early(self, id: int, status: RunStatus, reason: str, now: datetime) -> None:
        run = self._demands.run(id)
        self._state.put(Table.RUN, (id,), run._replace(status=status))
        for work in run.works:
            step = self._waves.step(work.step) if work.step in self._waves.needs else None
            if step is None:
                continue
            if step.status is StepStatus.RUNNING and step.runs == (id,):
                self._stop(step, reason)
            else:
                self._demands.let_go(step, {id}, StepStatus.CANCELLED, reason, now)

    def resume(self, command: ResumeRun, now: datetime) -> None:
        """Lets a failed or cancelled run go on from where it ended.

        One that goes already, or whose steps are no longer kept, is left as it is.
        """
        known = {step.id for step in command.steps}
        whole = all(work.step in known for work in command.run.works)
        if whole and self._state.get(Table.RUN, command.run.id) is None:
            self._demands.resume(command.run, command.steps, now)

    def pauses_changed(self) -> None:
        """An operator paused or resumed something: what is resumed joins the line again."""
        parked = sorted(map(self._waves.step, self._waves.parked), key=lambda step: step.order)
        self._unpark([step.id for step in parked if not self._paused(step)])
        self._waves.look.update(self._waves.needs)

    def hold_back(self) -> None:
        """A hold began or changed: steps that wait are held from now on."""
        for step in self._live():
            why = self._why_held(step)
            if step.status is StepStatus.PENDING and why and step.id not in self._waves.parked:
                self._hold(step, why)

    def go_on(self) -> None:
        """A hold changed or ended: what nothing holds any more joins the line again."""
        free: list[int] = []
        for step in self._live():
            why = self._why_held(step)
            if step.status is StepStatus.HELD and not why:
                self._state.put(Table.STEP, (step.id,), step.to(StepStatus.PENDING, note=""))
                self._demands.held_or_not(step)
                free.append(step.id)
            elif step.status is StepStatus.HELD and why != step.note:
                self._state.put(Table.STEP, (step.id,), step._replace(note=why))
        self._demands.requeue(free)

    def _hold(self, step: Step, why: str) -> None:
        self._state.put(Table.STEP, (step.id,), step.to(StepStatus.HELD, note=why))
        self._waves.held(step.id)
        self._demands.held_or_not(step)

    def _why_held(self, step: Step) -> str:
        """What holds a step back; a run that is forced is held by nothing."""
        why = self._holds.why(step.asset)
        return "" if why and any(self._demands.run(id).forced for id in step.runs) else why

    def spare(self, rule: str, undone: Mapping[str, Ranges], reason: str, now: datetime) -> None:
        """Skips what live runs of a rule ask of assets because of these events alone."""
        for id in self._demands.going(rule, None):
            run = self._demands.run(id)
            spared = {asset for asset, events in undone.items() if covers(events, run.events)}
            self._demands.spare(run, spared, reason, now)

    def _unpark(self, ids: list[int]) -> None:
        for id in ids:
            self._waves.parked.discard(id)
            self._state.put(Table.STEP, (id,), self._waves.step(id)._replace(note=""))
        self._demands.requeue(ids)

    def _paused(self, step: Step) -> bool:
        if not self._state.rows[Table.PAUSE]:
            return False
        return self._demands.paused(step.asset, (self._demands.run(id).rule for id in step.runs))

    def restarted(self, now: datetime) -> None:
        """What was running ended with its process; steps of removed assets are cancelled."""
        for step in self._live():
            if step.status is StepStatus.RUNNING:
                self.finish(Finished(step.id, step.tries, Ending.LOST), now)
            if step.asset not in self._graph.assets:
                current = self._waves.step(step.id) if step.id in self._waves.needs else None
                if current is not None:
                    self._demands.let_go(
                        current,
                        set(current.runs),
                        StepStatus.CANCELLED,
                        REMOVED,
                        now,
                    )

    def tick(self, now: datetime) -> None:
        """Starts retries that are due and stops attempts past their timeout."""
        for step in self._agenda.due(now):
            if step.status is StepStatus.RETRYING:
                self._state.put(Table.STEP, (step.id,), step.to(StepStatus.PENDING, due=None))
                self._demands.requeue([step.id])
            else:
                self._stop(step, TIMED_OUT)

    def deadline(self) -> datetime | None:
        """When the scheduler next acts by itself."""
        return self._agenda.first()

    def finish(self, outcome: Finished, now: datetime) -> None:
        """An attempt ended. An outcome of an attempt that is not the running one is ignored."""
        step: Step | None = self._state.get(Table.STEP, outcome.step)
        if step is None or step.status is not StepStatus.RUNNING or step.tries != outcome.number:
            return
        self._pools.ended(step.id)
        self._outcomes.take(step, outcome, now)

    def settle(self, now: datetime) -> None:
        """Starts all that may start, ends runs that are through, until nothing moves."""
        while True:
            while self._waves.look:
                look, self._waves.look = self._waves.look, set()
                for id in sorted(look):
                    self._examine(id)
            id = self._pools.next()
            if id is None:
                break
            self._start_if_it_may(id, now)
        self._demands.tell_held(now)
        self._demands.end_runs(now)

    def _examine(self, id: int) -> None:
        if id not in self._waves.needs:
            return
        step = self._waves.step(id)
        if step.status is not StepStatus.PENDING or self._stays_parked(step):
            return
        if why := self._why_held(step):
            self._hold(step, why)
            return
        if self._waves.blocker(id) is not None:
            return
        absent = self._inputs.absent(step.asset, step.partition)
        if absent:
            names = ", ".join(dict.fromkeys(name for name, _ in absent))
            note = f"waits for {names}, which is not materialized"
            self._state.put(Table.STEP, (id,), step.to(StepStatus.BLOCKED, note=note))
            self._waves.miss(step, absent)
            self._waves.refresh([id])
            self._demands.part(step)
            return
        self._pools.offer(self._room(step), self._rank(step))

    def _stays_parked(self, step: Step) -> bool:
        """Whether a step is paused; it leaves or joins the line when that has changed."""
        paused, parked = self._paused(step), step.id in self._waves.parked
        if paused and not parked:
            self._waves.parked.add(step.id)
            self._state.put(Table.STEP, (step.id,), step._replace(note="paused"))
            self._waves.refresh([step.id])
        elif parked and not paused:
            self._unpark([step.id])
        return paused or parked

    def _rank(self, step: Step) -> Rank:
        priority = self._demands.run(step.runs[0]).priority
        if len(step.runs) > 1:
            priority = max(self._demands.run(run).priority for run in step.runs)
        own = self._graph.assets[step.asset].priority
        return (-(priority + own), step.created, self._graph.place[step.asset], step.id)

    def _room(self, step: Step) -> Room:
        asset = self._graph.assets.get(step.asset)
        return asset.pool if asset else None, self._demands.backfill(step)

    def _at_once(self, backfill: int) -> int:
        """How many steps of a backfill may run; one that has ended keeps none back."""
        row: Backfill | None = self._state.get(Table.BACKFILL, backfill)
        return row.limit if row is not None else self._slots

    def _start_if_it_may(self, id: int, now: datetime) -> None:
        step = self._waves.step(id) if id in self._waves.needs else None
        if step is None or step.status is not StepStatus.PENDING or id in self._waves.parked:
            return
        if self._waves.blocker(id) is None:
            self._start(step, now)

    def _start(self, step: Step, now: datetime) -> None:
        asset = self._graph.assets[step.asset]
        last = self._inventory.last(step.asset, step.partition)
        seen = self._inputs.seen(asset, step.partition, last)
        if last is not None and seen.inputs == last.inputs and not self._must_run(step, seen):
            note = "its inputs are those of its last success"
            self._outcomes.end_well(step.to(StepStatus.UNCHANGED, finished=now, note=note))
            return
        causes = self._demands.causes(step)
        running = step.to(
            StepStatus.RUNNING,
            attempt=step.attempt + 1,
            tries=step.tries + 1,
            run_key=step.run_key or _run_key(step, causes),
            started=now,
            deadline=now + asset.timeout if asset.timeout else None,
            inputs=seen.inputs,
            note="",
        )
        self._state.put(Table.STEP, (step.id,), running)
        attempt = Attempt(step.id, running.tries, now)
        self._state.put(Table.ATTEMPT, (step.id, running.tries), attempt)
        self._pools.began(step.id, self._room(step))
        self._agenda.enter(running, len(self._waves.needs))
        self._waves.started(running)
        self._demands.claimed(step.id)
        self._outcomes.effects.append(
            Start(
                step.id,
                running.tries,
                step.asset,
                step.partition,
                running.attempt,
                running.run_key,
                step.runs,
                causes,
                seen.handles,
                last.handle if last is not None else None,
                self._because(step),
                seen.changed,
            )
        )

    def _must_run(self, step: Step, seen: Seen) -> bool:
        """Whether a step runs although it has read all that is there."""
        if not seen.inputs:
            return True
        runs = [self._demands.run(id) for id in step.runs]
        if step.root and any(self._demands.asks(run, step) for run in runs if run.rule != CATCH_UP):
            return True
        return any(run.forced for run in runs)

    def _because(self, step: Step) -> str:
        """Why the runs that wait for a step are, each reason once."""
        if len(step.runs) == 1:
            return self._demands.run(step.runs[0]).because.removeprefix("because ")
        runs = (self._state.get(Table.RUN, id) for id in step.runs)
        said = (run.because.removeprefix("because ") for run in runs if run is not None)
        return "; ".join(dict.fromkeys(said))

    def _stop(self, step: Step, reason: str) -> None:
        """Stops an attempt, once; an operator's reason stands above that it took too long."""
        if step.stopping and step.stopping != TIMED_OUT:
            return
        self._state.put(Table.STEP, (step.id,), step._replace(stopping=reason))
        if not step.stopping:
            self._outcomes.effects.append(Stop(step.id, step.tries, reason))

    @property
    def running(self) -> int:
        """How many attempts are running."""
        return self._pools.running

    @property
    def waiting(self) -> int:
        """How many live steps are not running."""
        return len(self._waves.needs) - self._pools.running


def _run_key(step: Step, causes: Iterable[tuple[int, int]]) -> str:
    """Names a step's work by what caused it: the same for every attempt and for a resume."""
    text = f"{step.asset}|{step.partition}|{[*causes]}|{step.id}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
