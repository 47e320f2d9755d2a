"""Which step does the work of which run: joining, forming the step behind, and letting go.

Knows: live runs and steps, and what has been claimed. Refuses to know: time beyond stamps, slots,
outcomes (scheduler.py), and who may start (wave.py).

Laws. A demand joins an equal step only while neither that step nor anything it needs has been
claimed; otherwise it forms the step behind. From its first claim on, nothing joins a step. So an
asset partition has at most one step running, one pending and one behind, whatever the number of
events (and one more for every `max_events` of them). A step that several runs wait for is done
once, and each of them records it. What a step is to whom changes together in several indexes, so
all that changes it is in this one room, long as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reactor.core.asset import Pending
from reactor.core.backfill import backfill_of
from reactor.core.graph import Graph
from reactor.core.joining import WAITING, Joining, unclaimed
from reactor.core.plan import Plan
from reactor.core.ranges import Ranges, count, union
from reactor.core.run import GOOD, Run, RunStatus, Step, StepStatus, Work
from reactor.core.state import State, Table
from reactor.core.wave import Waves
from reactor.core.works import upstreams_first

_LIVE = frozenset({RunStatus.RUNNING, RunStatus.HELD})


@dataclass(frozen=True, slots=True)
class Launch:
    """A planned run, with the policy of the rule that asks for it."""

    plan: Plan
    events: Ranges = ()
    key: str | None = None
    because: str = ""
    priority: int = 0
    pending: Pending = Pending.COALESCE
    forced: bool = False


@dataclass(slots=True)
class _Placing:
    """One run's demands while they are placed: `works` are those that have their steps, `known` is
    what was found out of steps so far, `pushed` the steps that wait for more now.
    """

    run: int
    pending: Pending
    events: Ranges
    rules: tuple[str, ...]
    forced: bool
    works: list[Work] = field(default_factory=lambda: [])
    known: dict[int, bool] = field(default_factory=lambda: {})
    pushed: list[int] = field(default_factory=lambda: [])


class Demands:
    """The live runs.

    Beside the rows, and derived from them: how many works each live run still waits for (`left`),
    where its roots are among them (`_roots`), which steps do a work with `later` (`_later`), how
    many live runs name a step (`_held`), and which live runs a rule has (`_going`). `_doubtful` are
    runs of which it is to be told anew whether they are held. What may be joined, joining.py knows.
    """

    def __init__(self, graph: Graph, state: State, waves: Waves) -> None:
        self._graph, self._state, self._waves = graph, state, waves
        self._joining = Joining(waves)
        self._left: dict[int, int] = {}
        self._roots: dict[int, tuple[int, ...]] = {}
        self._later: set[int] = set()
        self._through: list[int] = []
        self._held: dict[int, int] = {}
        self._going: dict[tuple[str, str | None], dict[int, None]] = {}
        self._doubtful: set[int] = set()

    def run(self, id: int) -> Run:
        """A live run's row."""
        return self._state.rows[Table.RUN][(id,)]

    def backfill(self, step: Step) -> int | None:
        """The backfill for which alone a step is done; None if somebody else waits for it."""
        if not self._state.rows[Table.BACKFILL]:
            return None
        found = [backfill_of(self.run(id).rule) for id in step.runs]
        return None if None in found else next(iter(found), None)

    def reload(self) -> None:
        """Derives everything from the state's rows."""
        steps: dict[tuple[int], Step] = self._state.rows[Table.STEP]  # type: ignore[assignment]
        live = [step for step in steps.values() if step.finished is None]
        for step in sorted(live, key=lambda step: step.order):
            self._waves.enter(step, ())
        runs: list[Run] = list(self._state.rows[Table.RUN].values())
        for run in sorted(runs, key=lambda run: run.id):
            self._hold(run, sum(1 for work in run.works if work.step in self._waves.needs))
            for work in run.works:
                if work.step in self._waves.needs:
                    self._joining.gather(work, run.works)
                    above = [run.works[at].step for at in work.upstream]
                    self._waves.add_needs(work.step, above)
                    self._joining.needs(work.step, above)

    def _hold(self, run: Run, left: int) -> None:
        """A run is live from now on."""
        self._left[run.id] = left
        self._roots[run.id] = tuple(at for at, work in enumerate(run.works) if work.root)
        self._later.update(work.step for work in run.works if work.later)
        if not left:
            self._through.append(run.id)
        self._going.setdefault((run.rule, run.partition), {})[run.id] = None
        for work in run.works:
            self._held[work.step] = self._held.get(work.step, 0) + 1

    def going(self, rule: str, partition: str | None) -> list[int]:
        """The live runs of a rule for a partition, oldest first."""
        return sorted(self._going.get((rule, partition), ()))

    def outdated(self) -> list[Run]:
        """The live runs that were planned on another graph and of which nothing has begun."""
        runs = [self.run(id) for id in sorted(self._left)]
        known: dict[int, bool] = {}
        return [
            run
            for run in runs
            if run.fingerprint != self._graph.fingerprint
            and run.status in _LIVE
            and all(self._joining.fresh(work.step, known) for work in run.works)
        ]

    def coalesce(self, rule: str, partition: str | None, events: Ranges) -> int | None:
        """Adds causes to the newest run of a rule, if it has not begun; answers which it is."""
        run = self._unbegun(rule, partition, events)
        if run is None:
            return None
        more = union(run.events, events)
        self._state.put(Table.RUN, (run.id,), run._replace(events=more))
        return run.id

    def launch(self, launch: Launch, now: datetime) -> int:
        """Makes the run of a launch."""
        plan = launch.plan
        id = self._state.next("run")
        placing = _Placing(id, launch.pending, launch.events, (plan.rule,), launch.forced)
        works = placing.works
        for work in plan.works:
            needs = [works[at].step for at in work.upstream]
            works.append(self._place(work, needs, placing, now))
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
            forced=launch.forced,
        )
        self._state.put(Table.RUN, (id,), run)
        self._hold(run, len(works))
        self.requeue([*placing.pushed, *self._awaiting(works)])
        return id

    def _awaiting(self, works: Iterable[Work]) -> list[int]:
        """Steps that nothing has begun of, and that the end of one of these works may concern.

        Behind it they see its change, too, and need not be done again for it.
        """
        names = dict.fromkeys(name for work in works for name in work.later)
        known: dict[int, bool] = {}
        ids = [id for name in names for id in self._waves.writers(name)]
        return [id for id in ids if self._joining.fresh(id, known)]

    def _place(self, work: Work, needs: list[int], placing: _Placing, now: datetime) -> Work:
        """The work with the step that does it: one that is joined, or a new one."""
        step = self._joinable(work, needs, placing)
        if step is None:
            placed = work.done_by(self._create(work, placing.run, needs, now))
            self._joining.gather(placed, placing.works)
            return placed
        joined = step._replace(runs=(*step.runs, placing.run), root=step.root or work.root)
        self._state.put(Table.STEP, (step.id,), joined)
        # What follows from a step that was joined may be joined, too.
        placing.known[step.id] = True
        self._waves.look.add(step.id)
        if self._waves.add_needs(step.id, needs):
            placing.pushed.append(step.id)
        if step.status is StepStatus.HELD:
            self._doubtful.add(placing.run)
        placed = work.done_by(step.id)
        self._joining.gather(placed, placing.works)
        return placed

    def follow(self, step: Step, draw: Callable[[Run, Work], Plan], now: datetime) -> None:
        """Plans what follows from a step that told, at its end, which partitions do.

        In each of its runs `draw` plans them; what the run has of them already waits for the new
        ones too. The step is still in the line.
        """
        if step.id not in self._later:
            return
        for id in step.runs:
            run = self.run(id)
            at = next(at for at, work in enumerate(run.works) if work.step == step.id)
            if run.works[at].later and run.status is RunStatus.RUNNING:
                plan = draw(run, run.works[at])
                if plan.works:
                    self._grow(run, at, plan, now)

    def _grow(self, run: Run, above: int, plan: Plan, now: datetime) -> None:
        """Adds the works of a plan to a run, below the work at `above`."""
        places = {(work.asset, work.partition): at for at, work in enumerate(run.works)}
        moved: dict[int, int] = {}
        rule = self._graph.rules.get(run.rule)
        pending = rule.pending if rule is not None else Pending.COALESCE
        placing = _Placing(run.id, pending, run.events, (run.rule,), run.forced, list(run.works))
        works = placing.works
        telling = self._telling(run, above)
        for number, work in enumerate(plan.works):
            told = (at for at, names in telling.items() if work.asset in names)
            upstream = (*(moved[each] for each in work.upstream), *told)
            needs = [works[each].step for each in upstream]
            if work.root:
                upstream = (above, *upstream)
            at = places.get((work.asset, work.partition))
            if at is None:
                added = replace(work, upstream=upstream, root=False)
                moved[number] = len(works)
                works.append(self._place(added, needs, placing, now))
                continue
            moved[number] = at
            there = works[at]
            more = tuple(each for each in upstream if each not in there.upstream)
            works[at] = replace(there, upstream=(*there.upstream, *more))
            self._joining.gather(works[at], works)
            if there.step in self._waves.needs and self._waves.add_needs(there.step, needs):
                placing.pushed.append(there.step)
        self._left[run.id] += len(works) - len(run.works)
        for work in works[len(run.works) :]:
            self._held[work.step] = self._held.get(work.step, 0) + 1
            if work.later:
                self._later.add(work.step)
        ordered = upstreams_first(works)
        self._state.put(Table.RUN, (run.id,), run._replace(works=ordered))
        self._roots[run.id] = tuple(at for at, work in enumerate(ordered) if work.root)
        self.requeue(placing.pushed)

    def _telling(self, run: Run, above: int) -> dict[int, frozenset[str]]:
        """The other works of a run whose end tells what follows, each with all that may."""
        return {
            at: frozenset(self._graph.affected(name for name in work.later if self._has(name)))
            for at, work in enumerate(run.works)
            if work.later and at != above and work.step in self._waves.needs
        }

    def _has(self, asset: str) -> bool:
        return asset in self._graph.assets

    def _unbegun(self, rule: str, partition: str | None, events: Ranges) -> Run | None:
        newest = max(self._going.get((rule, partition), ()), default=0)
        run: Run | None = self._state.get(Table.RUN, newest)
        if run is None or run.status not in _LIVE:
            return None
        if run.fingerprint != self._graph.fingerprint:
            return None
        known: dict[int, bool] = {}
        for at in self._roots[newest]:
            step: Step | None = self._state.get(Table.STEP, run.works[at].step)
            fresh = step is not None and self._joining.fresh(step.id, known)
            if step is None or not fresh or not self._fits(step, events):
                return None
        return run

    def _joinable(self, work: Work, needs: list[int], placing: _Placing) -> Step | None:
        """The step that a demand joins: the pending one, or else the one behind it.

        A demand that could go on does not join a step that waits for something missing or paused.
        One for a held step always does: that one goes to the end of the line before it goes on.
        New causes of a root join only the last in the line, so that they stay in order.
        """
        if placing.pending is Pending.QUEUE or placing.forced:
            return None
        known, events = placing.known, placing.events
        aside = self._waves.stands_aside(needs)
        waiting = [
            step
            for step in self._waves.queue((work.asset, work.partition))
            if step.tries == 0 and self._alike(step, aside, placing)
        ]
        last = waiting[-1:]
        for step in last if work.root else reversed(waiting):
            fits = not work.root or self._fits(step, events)
            if fits and step.status is StepStatus.HELD:
                return step
            fresh = fits and self._joining.fresh(step.id, known)
            if fresh or (fits and self._joining.apart(step, work, placing.works)):
                return step
        if len(waiting) >= 2 and (not work.root or self._fits(last[0], events)):
            return last[0]
        return None

    def _alike(self, step: Step, aside: bool, placing: _Placing) -> bool:
        """Whether a step that waits and a new demand for it wait for the same kind of thing."""
        if step.id in self._waves.parked:
            return self.paused(step.asset, placing.rules)
        if step.status is StepStatus.HELD:
            return True
        return self._waves.stands_aside(self._waves.needs[step.id]) is aside

    def paused(self, asset: str, rules: Iterable[str]) -> bool:
        """Whether an operator paused the asset, or every one of the rules that want it."""
        pauses = self._state.rows[Table.PAUSE]
        if not pauses:
            return False
        return ("asset", asset) in pauses or all(("rule", rule) in pauses for rule in rules)

    def _fits(self, step: Step, events: Ranges) -> bool:
        held = count(self.causes(step)) if step.root else 0
        return held + count(events) <= self._graph.assets[step.asset].max_events or not held

    def _create(self, work: Work, run: int, needs: Iterable[int], now: datetime) -> int:
        id, order = self._state.next("step"), self._state.next("order")
        step = Step(
            id, work.asset, work.partition, StepStatus.PENDING, order, (run,), now, root=work.root
        )
        self._state.put(Table.STEP, (id,), step)
        self._waves.enter(step, needs)
        return id

    def causes(self, step: Step) -> Ranges:
        """The events to hand to a step: of the runs it is a root of, else of all its runs."""
        runs = [self.run(id) for id in step.runs]
        if len(runs) == 1:
            return runs[0].events
        if step.root:
            runs = [run for run in runs if self.asks(run, step)]
        return union(*(run.events for run in runs))

    def asks(self, run: Run, step: Step) -> bool:
        """Whether a live run asks for a step for its own sake."""
        return any(run.works[at].step == step.id for at in self._roots[run.id])

    def claimed(self, id: int) -> None:
        """A step was claimed, or ended without: what needs it can no longer be joined."""
        self._joining.claimed(id)

    def requeue(self, ids: Iterable[int]) -> None:
        """Sends steps, and all that must stay behind them, to the end of the line."""
        ids = list(ids)
        if not ids:
            return
        closure = self._waves.closure(ids)
        for id in closure:
            moved = self._waves.step(id)._replace(order=self._state.next("order"))
            self._state.put(Table.STEP, (id,), moved)
        self._waves.moved_back(closure)

    def leave(self, step: Step) -> None:
        """A step ended for all its runs: takes it out of the line and counts it for each."""
        self.claimed(step.id)
        self._waves.leave(step)
        self._joining.left(step.id)
        for run in step.runs:
            self._count_down(run)

    def _count_down(self, run: int) -> None:
        self._left[run] -= 1
        if not self._left[run]:
            self._through.append(run)
        elif self._state.rows[Table.HOLD]:
            self._doubtful.add(run)

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
            works = tuple(w.done_by(id) if w.step == step.id else w for w in run.works)
            self._state.put(Table.RUN, (each,), run._replace(works=works))
            self._count_down(each)
        self._held[id] = len(gone)
        self._keep(step, rest)

    def _keep(self, step: Step, rest: tuple[int, ...]) -> None:
        """Only these runs go on waiting for a step."""
        self._held[step.id] -= len(step.runs) - len(rest)
        root, above = self._wanted(step.id, rest)
        self._state.put(Table.STEP, (step.id,), step._replace(runs=rest, root=root))
        self._waves.set_needs(step.id, above)
        self._joining.needs_only(step.id, above)

    def _wanted(self, id: int, runs: Iterable[int]) -> tuple[bool, set[int]]:
        """Whether any of these runs has a step among its roots, and what it needs for them."""
        works = [(self.run(run), work) for run in runs for work in self.run(run).works]
        mine = [(run, work) for run, work in works if work.step == id]
        above = {run.works[at].step for run, work in mine for at in work.upstream}
        return any(work.root for _, work in mine), above

    def part(self, blocked: Step) -> None:
        """Has runs that do not wait for a blocked step go on without those that do.

        What both wait for below it becomes two steps.
        """
        for step, runs in self.below(blocked):
            if len(runs) == len(step.runs) or not unclaimed(step):
                continue
            id, order = self._state.next("step"), self._state.next("order")
            mine = tuple(run for run in step.runs if run in runs)
            for each in mine:
                run = self.run(each)
                works = tuple(w.done_by(id) if w.step == step.id else w for w in run.works)
                self._state.put(Table.RUN, (each,), run._replace(works=works))
                self._later.update(work.step for work in works if work.later)
            root, above = self._wanted(id, mine)
            own = Step(
                id,
                step.asset,
                step.partition,
                StepStatus.PENDING,
                order,
                mine,
                step.created,
                root=root,
            )
            self._state.put(Table.STEP, (id,), own)
            self._held[id] = len(mine)
            self._waves.enter(own, above)
            for each in mine:
                works = self.run(each).works
                for work in works:
                    if work.step == id:
                        self._joining.gather(work, works)
            self._joining.needs(id, above)
            self._keep(step, tuple(run for run in step.runs if run not in runs))

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

    def spare(self, run: Run, assets: Collection[str], note: str, now: datetime) -> None:
        """Skips what a live run asks of assets for their own sake, and what only follows from that.

        What was begun goes on.
        """
        gone: set[int] = set()
        follows: set[int] = set()
        for at, work in enumerate(run.works):
            known: Step | None = self._state.get(Table.STEP, work.step)
            if known is not None and known.status is StepStatus.SKIPPED:
                gone.add(at)
                continue
            above = gone.issuperset(work.upstream)
            if not (above and (work.asset in assets if work.root else work.upstream)):
                if work.root and work.asset in assets:
                    follows.add(at)
                continue
            gone.add(at)
            step = self._waves.step(work.step) if work.step in self._waves.needs else None
            if step is not None and unclaimed(step):
                self.let_go(step, {run.id}, StepStatus.SKIPPED, note, now)
        self._unroot(run.id, follows)

    def _unroot(self, id: int, places: Collection[int]) -> None:
        """Works of a run are no more asked for: they only follow from others."""
        if not places:
            return
        run = self.run(id)
        works = tuple(
            replace(work, root=work.root and at not in places) for at, work in enumerate(run.works)
        )
        self._state.put(Table.RUN, (id,), run._replace(works=works))
        self._roots[id] = tuple(at for at, work in enumerate(works) if work.root)
        for step in {works[at].step for at in places}.intersection(self._waves.needs):
            row = self._waves.step(step)
            root, _ = self._wanted(step, row.runs)
            self._state.put(Table.STEP, (step,), row._replace(root=root))

    def held_or_not(self, step: Step) -> None:
        """A step is held, or goes on: so may the runs be that wait for it."""
        self._doubtful.update(step.runs)

    def tell_held(self, now: datetime) -> None:
        """Marks the live runs of which all that is left is held, and no others.

        However long it is held, there is one such run for each rule and partition: the newest one,
        which takes over the causes of those before it.
        """
        doubtful, self._doubtful = self._doubtful, set()
        for id in sorted(doubtful):
            run = self.run(id) if self._left.get(id) else None
            if run is None or run.status not in _LIVE:
                continue
            left = self._waits_for(run)
            held = all(self._waves.step(each).status is StepStatus.HELD for each in left)
            status = RunStatus.HELD if held else RunStatus.RUNNING
            if status is not run.status:
                self._state.put(Table.RUN, (id,), run._replace(status=status))
            if held:
                self._fold(run.rule, run.partition, now)

    def _fold(self, rule: str, partition: str | None, now: datetime) -> None:
        """Lets the newest held run of a rule take over from the older ones that wait for no more
        than it does.
        """
        known = self._graph.rules.get(rule)
        runs = [self.run(id) for id in self.going(rule, partition)]
        held = [run for run in runs if run.status is RunStatus.HELD and not run.forced]
        if len(held) < 2 or (known is not None and known.schema):
            return
        newest = held.pop()
        mine = self._waits_for(newest)
        older = [run for run in held if self._waits_for(run) <= mine]
        events = union(newest.events, *(run.events for run in older))
        self._state.put(Table.RUN, (newest.id,), newest._replace(events=events))
        for run in older:
            self._state.put(Table.RUN, (run.id,), run._replace(status=RunStatus.SUPERSEDED))
            for id in sorted(self._waits_for(run)):
                note = f"run {newest.id} goes on for it"
                self.let_go(self._waves.step(id), {run.id}, StepStatus.SKIPPED, note, now)

    def _waits_for(self, run: Run) -> set[int]:
        """The steps of a run that have not ended."""
        return {work.step for work in run.works if work.step in self._waves.needs}

    def end_runs(self, now: datetime) -> None:
        """Ends the runs that have nothing left to wait for, and forgets what only they needed."""
        through, self._through = self._through, []
        for id in sorted(through):
            del self._left[id], self._roots[id]
            run = self.run(id)
            done = run._replace(status=self._outcome(run), finished=now)
            self._state.put(Table.RUN, (id,), done)
            self._state.forget(Table.RUN, id)
            self._let_go_of(run)

    def _let_go_of(self, run: Run) -> None:
        place = (run.rule, run.partition)
        del self._going[place][run.id]
        if not self._going[place]:
            del self._going[place]
        for work in run.works:
            self._held[work.step] -= 1
            if not self._held[work.step]:
                del self._held[work.step]
                self._later.discard(work.step)
                self._state.forget(Table.STEP, work.step)

    def _outcome(self, run: Run) -> RunStatus:
        if run.status in (RunStatus.CANCELLED, RunStatus.SUPERSEDED):
            return run.status
        statuses = {self._state.rows[Table.STEP][(work.step,)].status for work in run.works}
        if StepStatus.FAILED in statuses or StepStatus.BLOCKED in statuses:
            return RunStatus.FAILED
        if statuses == {StepStatus.SKIPPED}:
            return RunStatus.CANCELLED
        return RunStatus.CANCELLED if StepStatus.CANCELLED in statuses else RunStatus.SUCCEEDED

    def resume(self, run: Run, steps: Iterable[Step], now: datetime) -> None:
        """Takes a failed or cancelled run back into the line; what succeeded stays done."""
        by_id = {step.id: step for step in steps}
        works = tuple(self._again(work, by_id, run.id, now) for work in run.works)
        run = run._replace(status=RunStatus.RUNNING, finished=None, works=works)
        self._state.put(Table.RUN, (run.id,), run)
        live = [work for work in works if work.step in self._waves.needs]
        self._hold(run, len(live))
        pushed: list[int] = []
        for work in live:
            self._joining.gather(work, works)
            above = [works[at].step for at in work.upstream]
            step = self._waves.step(work.step)
            waits = step.status in WAITING and self._waves.add_needs(step.id, above)
            if waits or step.runs == (run.id,):
                pushed.append(step.id)
            self._joining.needs(step.id, above)
        self.requeue(pushed)

    def _again(self, work: Work, by_id: Mapping[int, Step], run: int, now: datetime) -> Work:
        """A work of a run that is resumed: done, joined to what goes on already, or to do again."""
        step: Step = self._state.get(Table.STEP, work.step) or by_id[work.step]
        if step.id in self._waves.needs:
            joined = step._replace(runs=(*step.runs, run))
            self._state.put(Table.STEP, (step.id,), joined)
            self._waves.look.add(step.id)
            return work
        if step.status in GOOD or work.asset not in self._graph.assets:
            self._state.put(Table.STEP, (step.id,), step)
            return work
        if self._held.get(step.id):
            # Another live run has recorded how this step ended: it is done again beside it.
            step = step._replace(id=self._state.next("step"), tries=0)
        again = step.to(
            StepStatus.PENDING,
            runs=(run,),
            root=work.root,
            attempt=0,
            lost=0,
            started=None,
            finished=None,
            note="",
            stopping="",
            order=self._state.next("order"),
        )
        self._state.put(Table.STEP, (again.id,), again)
        self._waves.enter(again, ())
        return work.done_by(again.id)
