"""`Reactor.receive(inputs, now) -> Decision`: where an event becomes a run.

The whole of the brain in one synchronous, deterministic call. Live, the host feeds it from sensors
and performs its effects; in a test the simulation does, on a virtual clock. It knows no clock,
never awaits, logs, or touches a file; its state is plain rows that are saved and loaded.

    events ──▶ Engine ──▶ firings ──▶ plan ──▶ Scheduler ──▶ Start, Stop, Notify
                 ▲                                 │
                 └───── materialized, failed ◀─────┘ outcomes

Laws: equal states, inputs and instants give equal decisions; a decision that could not be recorded
is taken back by the very rows it changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from reactor.core.asset import Pending, Rule
from reactor.core.backfill import LAST, Backfills, rule_name
from reactor.core.decision import (
    Ack,
    Arrived,
    CancelRun,
    Decision,
    Facts,
    Finished,
    Fired,
    Input,
    Materialize,
    Restarted,
    ResumeRun,
    RetryBackfill,
    SetBackfill,
    SetPaused,
    StartBackfill,
    Word,
)
from reactor.core.demand import Launch
from reactor.core.engine import Engine, Group, Waiting
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.hold import UNDONE, Holds
from reactor.core.plan import plan, roots_at, wholly
from reactor.core.ranges import Ranges, ranges, union
from reactor.core.scheduler import Scheduler
from reactor.core.sentence import describe
from reactor.core.stale import AGAIN, CATCH_UP, Stale, stale
from reactor.core.state import Backfill, Pause, State, Table
from reactor.core.upkeep import Upkeep

BY_HAND = "by hand"
"""The rule name of runs that an operator launched."""


class Reactor:
    """The pure state machine. `slots` is how many attempts may run at once."""

    def __init__(self, graph: Graph, state: State | None = None, slots: int = 64) -> None:
        self.graph = graph
        self.state = state if state is not None else State()
        self._engine = Engine(graph, self.state)
        self._holds = Holds(graph, self.state)
        self._scheduler = Scheduler(graph, self.state, self._holds, slots)
        self._backfills = Backfills(self.state, self._scheduler, self._fill)
        self._upkeep = Upkeep(graph, self.state, self._scheduler)

    def receive(self, inputs: Sequence[Input], now: datetime) -> Decision:
        """Decides upon all that waits.

        Args: inputs, in the order they came; `now`, aware UTC, never earlier than before.
        Returns: what to record and what to do once that is recorded. Also what is due by `now`.
        Cost: O(matching rules and affected assets), whatever else exists.
        """
        engine, scheduler = self._engine, self._scheduler
        engine.begin()
        scheduler.begin()
        self._holds.begin()
        fired: list[Fired] = []
        if any(isinstance(each, Restarted) for each in inputs):
            # Before any timer rings: what another expression remembered is not for this one.
            engine.adopt(now)
        scheduler.tick(now)
        engine.tick(now)
        for each in inputs:
            self._take(each, now)
        while True:
            self._launch(fired, now)
            scheduler.settle(now)
            happened = [*scheduler.happened(), *self._holds.happened()]
            if not self._backfills.settle(now) and not happened:
                break
            for event in happened:
                engine.arrive(event.source, [event], now)
        return Decision(
            Facts(
                engine.accepted,
                fired,
                self.state.end_turn(),
                engine.raised,
                engine.filtered,
                engine.fates,
            ),
            (*scheduler.effects, *self._holds.notices),
            self.wake_at(),
        )

    def undo(self, decision: Decision) -> None:
        """Takes back a decision that could not be recorded, as if its inputs had not come."""
        self.state.undo(decision.facts.changes)
        self._engine.reload()
        self._holds.reload()
        self._scheduler.reload()
        self._backfills.reload()

    def drain(self) -> None:
        """Starts nothing more; what runs may end and be recorded."""
        self._scheduler.drain()

    def wake_at(self) -> datetime | None:
        """When to ask again even if nothing arrives."""
        times = [at for at in (self._engine.deadline(), self._scheduler.deadline()) if at]
        return min(times, default=None)

    @property
    def awaits(self) -> frozenset[str]:
        """The sensors whose `upto` a timer of absence waits for: it is due, and they are behind."""
        return self._engine.awaits

    def waiting_for(self, seq: int) -> tuple[Waiting, ...]:
        """What an accepted event still waits for, by rule. Cost: O(what operators keep)."""
        return self._engine.waiting(seq)

    def made(self, asset: str) -> Iterable[str]:
        """The partitions that an asset was made for."""
        return self._scheduler.known(asset)

    def stale(self) -> tuple[Stale, ...]:
        """What is out of date, and why. Cost: O(what was made, and what each of it reads)."""
        return stale(self.graph, self.state)

    @property
    def holds(self) -> Holds:
        """What is held by breaking schema changes."""
        return self._holds

    @property
    def running(self) -> int:
        """How many attempts are running."""
        return self._scheduler.running

    @property
    def waiting(self) -> int:
        """How many steps wait to run."""
        return self._scheduler.waiting

    def _take(self, each: Input, now: datetime) -> None:
        match each:
            case Arrived(sensor, events, upto):
                if events:
                    self._engine.arrive(sensor, events, now)
                if upto is not None:
                    self._engine.reach(sensor, upto, now)
            case Finished():
                self._scheduler.finish(each, now)
            case Restarted():
                self._holds.adopt(now)
                self._scheduler.hold_back()
                self._scheduler.go_on()
                self._plan_again(now)
                self._scheduler.restarted(now)
                self._upkeep.restarted(each, now)
            case CancelRun(run, reason):
                self._scheduler.cancel(run, reason, now)
            case ResumeRun():
                self._scheduler.resume(each, now)
                self._backfills.resumed(each.run)
            case Materialize():
                self._by_hand(each, now)
            case SetPaused():
                self._pause(each, now)
            case Ack(hold, reason):
                self._holds.acknowledge(hold, reason, now)
                self._scheduler.go_on()
            case StartBackfill() | SetBackfill() | RetryBackfill():
                self._backfills.take(each, now)
            case _:
                assert_never(each)

    def _pause(self, command: SetPaused, now: datetime) -> None:
        key = (command.kind, command.name)
        if not command.paused:
            self.state.drop(Table.PAUSE, *key)
        elif self.state.get(Table.PAUSE, *key) is None:
            self.state.put(Table.PAUSE, key, Pause(*key, now))
        self._scheduler.pauses_changed()

    def _by_hand(self, command: Materialize, now: datetime) -> None:
        if command.stale or command.missing:
            self._upkeep.asked(command, BY_HAND, now)
            return
        # A command may have waited while the asset was removed from the pipeline.
        names = [name for name in command.assets if name in self.graph.assets]
        roots = roots_at(self.graph, names, command.partition)
        if not roots:
            return
        because = f"because it was {command.reason}"
        made = plan(
            self.graph,
            BY_HAND,
            roots,
            because,
            partition=command.partition,
            downstream=command.downstream,
            known=self._scheduler.known,
        )
        launch = Launch(made, because=command.reason, pending=Pending.QUEUE, forced=command.forced)
        self._scheduler.launch(launch, now)

    def _fill(self, backfill: Backfill, partition: str, now: datetime) -> int | None:
        """Launches one partition of a backfill; None if the pipeline has no such partition."""
        names = [name for name in backfill.assets if name in self.graph.assets]
        roots = roots_at(self.graph, names, partition)
        if not roots:
            return None
        rule = rule_name(backfill.id)
        because = f"because {rule} covers {partition}"
        made = plan(
            self.graph,
            rule,
            roots,
            because,
            partition=partition,
            downstream=backfill.downstream,
            known=self._scheduler.known,
        )
        return self._scheduler.launch(Launch(made, because=because, priority=LAST), now)

    def _plan_again(self, now: datetime) -> None:
        """Plans anew, on a changed pipeline, the runs of which nothing has begun."""
        for run in self._scheduler.outdated():
            roots = [w for w in run.works if w.root and w.asset in self.graph.assets]
            rule = self.graph.rules.get(run.rule)
            if not roots:
                continue
            events = self._scheduler.supersede(run.id, now, AGAIN)
            if run.rule == CATCH_UP:
                continue  # what is out of date now is found anew
            below = run.rule in self.graph.rules or not all(work.root for work in run.works)
            names = {root.asset for root in roots} if rule and rule.schema else ()
            made = plan(
                self.graph,
                run.rule,
                [(root.asset, root.partition) for root in roots],
                roots[0].because,
                partition=run.partition,
                downstream=below,
                known=self._scheduler.known,
                touched={name: self._holds.renews(name) for name in names} or None,
            )
            pending = rule.pending if rule else Pending.QUEUE
            launch = Launch(made, events, run.key, run.because, run.priority, pending, run.forced)
            self._scheduler.launch(launch, now)

    def _launch(self, fired: list[Fired], now: datetime) -> None:
        """Where firings become runs."""
        groups, self._engine.groups = self._engine.groups, {}
        for group in groups.values():
            rule = self.graph.rules[group.rule]
            accepted = dict(self._engine.accepted) if rule.schema else {}
            for matches in self._portions(rule, group):
                runs: Sequence[int | None] = [None]
                if rule.schema:
                    seq = matches[0][0]
                    runs = self._schema_runs(rule, accepted[seq], seq, now)
                elif not rule.observe:
                    runs = [self._run(rule, group, matches, now)]
                for run in runs:
                    fired.append(self._fired(rule, group, matches, run, now))

    def _fired(
        self,
        rule: Rule,
        group: Group,
        matches: Sequence[tuple[int, ...]],
        run: int | None,
        now: datetime,
    ) -> Fired:
        return Fired(
            self.state.next("firing"),
            rule.name,
            group.key,
            group.partition,
            now,
            run,
            tuple(matches),
            group.timer,
            rule.observe,
            group.label,
        )

    def _portions(self, rule: Rule, group: Group) -> list[list[tuple[int, ...]]]:
        """The matches, in portions of which each makes one launch."""
        if rule.pending is Pending.QUEUE or rule.schema:
            return [[match] for match in group.matches]
        limit = min((self.graph.assets[name].max_events for name in rule.assets), default=1)
        if sum(map(len, group.matches)) <= limit:
            return [group.matches]
        portions: list[list[tuple[int, ...]]] = [[]]
        held = 0
        for match in group.matches:
            if held and held + len(match) > limit:
                portions.append([])
                held = 0
            portions[-1].append(match)
            held += len(match)
        return portions

    def _run(
        self, rule: Rule, group: Group, matches: Sequence[tuple[int, ...]], now: datetime
    ) -> int:
        events: Ranges = ranges(seq for match in matches for seq in match)
        if rule.pending is Pending.COALESCE:
            waiting = self._scheduler.coalesce(rule.name, group.partition, events)
            if waiting is not None:
                return waiting
        if rule.pending is Pending.REPLACE:
            for run in self._scheduler.going(rule.name, group.partition):
                events = union(events, self._scheduler.supersede(run, now))
        more = f" and {len(matches) - 1} more" if len(matches) > 1 else ""
        because = f"because {group.label}{more}"
        roots = roots_at(self.graph, rule.assets, group.partition)
        made = plan(
            self.graph,
            rule.name,
            roots,
            because,
            partition=group.partition,
            known=self._scheduler.known,
        )
        launch = Launch(made, events, group.key, because, rule.priority, rule.pending)
        return self._scheduler.launch(launch, now)

    def _schema_runs(
        self, rule: Rule, event: Event, seq: int, now: datetime
    ) -> list[int] | list[None]:
        """Launches who reads what changed of a table: who is held apart from who may go on, so that
        nobody waits for the held ones who need not.
        """
        reach = self._holds.take(event, seq, now, observe=rule.observe)
        if reach.undone:
            self._scheduler.spare(rule.name, reach.undone, UNDONE, now)
        if reach.held:
            self._scheduler.hold_back()
        known = self._scheduler.known
        roots = [root for name in reach.roots for root in wholly(self.graph.assets[name], known)]
        if not roots:
            why = reach.why or "nothing was ever made of what it changes"
            self._engine.lost(rule.name, Word.FILTERED, ((seq, seq),), why)
            if reach.held:
                self._scheduler.go_on()
            return []
        because = f"because {describe(event)}: {reach.what}"
        held = self._holds.held
        made = [
            plan(self.graph, rule.name, some, because, known=known, touched=reach.roots)
            for some in (
                [root for root in roots if root[0] not in held],
                [root for root in roots if root[0] in held],
            )
            if some
        ]
        runs: list[int] = []
        if not rule.observe:
            launches = (Launch(each, ((seq, seq),), None, because, rule.priority) for each in made)
            runs = [self._scheduler.launch(each, now) for each in launches]
        if reach.held:
            # Not before: what was held takes its last causes along.
            self._scheduler.go_on()
        return runs or [None]
