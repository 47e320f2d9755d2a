"""A pipeline on a virtual clock: the same brain as in production, with scripted outcomes.

No asset code runs, no sensor is opened, no time passes: events are handed in, steps end as the
script says, and what would have been launched, blocked and told can be read off. Deterministic.

Laws: every sensor is read to its end at every instant, unless the test says that it is behind; at
one instant, what was under way ends first, then schedules tick, then timers ring. An event that is
handed in at an instant comes after those, but one of a replay comes before them: it was there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reactor.core.decision import (
    Ack,
    Arrived,
    CancelRun,
    Decision,
    Ending,
    Finished,
    Input,
    Materialize,
    Restarted,
    ResumeRun,
    Start,
    Stop,
)
from reactor.core.duration import Duration, duration
from reactor.core.errors import DefinitionError, ReactorError
from reactor.core.event import Event
from reactor.core.graph import nearest
from reactor.core.reactor import Reactor
from reactor.core.run import Run, RunStatus, Step, StepStatus
from reactor.core.stale import Stale, given_up
from reactor.core.state import State
from reactor.core.trigger.expression import Source
from reactor.core.verdict import Status, Verdict, fates, status
from reactor.core.why import why_not_asset, why_not_rule
from reactor.pipeline import DeclaredAsset, Definition, Pipeline
from reactor.review import mistakes
from reactor.simulation.ahead import Ahead
from reactor.simulation.asking import record
from reactor.simulation.chronicle import Chronicle, Firing, Keep
from reactor.simulation.life import heard, observing, recorded
from reactor.simulation.script import Script
from reactor.simulation.telling import lanes, story, timeline

Watch = Callable[[Sequence[Event]], Iterable[Event]]

START = datetime(2026, 1, 1, tzinfo=UTC)
_BEGUN = datetime.now(UTC) - timedelta(minutes=1)
"""Test events are not older than this, unless they are told when they happened."""


class Simulation:
    """A running simulation. Whatever moves it on answers it, so that such calls chain."""

    def __init__(
        self,
        definition: Definition,
        start: datetime = START,
        *,
        seed: object = 0,
        keep: Keep = "everything",
        ticks: bool = True,
        plays: bool | None = None,
    ) -> None:
        self.definition, self.now, self.start = definition, start, start
        self._seed, self._ticks = seed, ticks
        # Nobody hears of steps, so they need not be played.
        self._plays = keep == "everything" or bool(definition.graph.heard())
        if plays is not None:
            self._plays = plays
        self._chronicle = Chronicle(definition.graph, keep)
        self._scripts: dict[str, Script] = {}
        self._behind: set[str] = set()
        self._begin(State())

    def _begin(self, state: State) -> None:
        """Starts a life of the reactor, the first or the next."""
        graph = self.definition.graph
        self._reactor = Reactor(graph if self._plays else observing(graph), state)
        self._wake: datetime | None = None
        self._idle: datetime | None = None
        self._ends: list[tuple[datetime, int, Finished]] = []
        self._stands: dict[tuple[int, int], int] = {}
        self._numbers = 0
        self._heard = heard(self.definition.graph)
        self._read: dict[str, datetime] = {}
        self._ahead = Ahead(())
        self._clocks: list[tuple[datetime, str, Event, Iterator[Event]]] = []
        for source in self._heard.values() if self._ticks else ():
            self._wind(source.name, source.ticks(self.now))
        self._turn([Restarted(True, given_up(self._chronicle.steps.values()))])
        self._settle(self.now)

    def on(self, asset: DeclaredAsset | str) -> Script:
        """The script of an asset."""
        return self._scripts.setdefault(self._name(asset), Script())

    def emit(self, *events: Event) -> Simulation:
        """Hands events in, now. Their sensor must be one that a rule of the pipeline listens to.

        An event happens now, on the virtual clock, unless its `time` was given: then it is late.
        What is handed in twice came twice: repeats are dropped before anything gets this far.
        """
        for event in events:
            name = self._sensor(event.source)
            self._turn([Arrived(name, [self._dated(event)], self._reads(name))])
        return self._catch_up()

    def replay(self, events: Sequence[Event], watch: Watch = iter) -> Simulation:
        """Hands in what was received elsewhere, each event at the instant it was `received`.

        They come in that order, none before the simulation's own time. What happened and was
        received only later counts as not read before. Time ends with the last of them: say `later`
        to see what is still to come. `watch` sees them go by.

        Raises: ReactorError for an event out of order. Cost: one turn for each instant.
        """
        self._ahead = Ahead(events)
        for at, inputs in _together(watch(events)):
            if at < self.now:
                raise ReactorError(
                    f"an event was received at {at.isoformat()}, and it is {self.now.isoformat()}",
                    hint="sort the events by received, and let the simulation start before them",
                )
            self._settle(at, before=True)
            self.now = at
            for name, some in inputs:
                self._ahead.passed(name, len(some))
            self._turn([Arrived(name, some, self._reads(name)) for name, some in inputs])
        self._settle(self.now)
        return self._catch_up()

    def later(self, length: Duration) -> Simulation:
        """Lets time pass: schedules tick, timers ring, retries start, steps end."""
        return self.until(self.now + duration(length))

    def until(self, moment: datetime | str) -> Simulation:
        """Lets time pass until a moment, as `later` does: `"2026-01-05T09:00"`, UTC if not said.

        Raises: ReactorError if it is past already.
        """
        at = _instant(moment)
        if at < self.now:
            raise ReactorError(f"{at.isoformat()} is past: it is {self.now.isoformat()}")
        self._settle(at)
        self.now = at
        return self._catch_up()

    def behind(self, *sensors: Source | str) -> Simulation:
        """From now on these sensors lag: nobody knows that they have nothing more to say.

        What they are told to emit still comes. A schedule that is behind does not tick.
        """
        self._behind.update(map(self._sensor, sensors))
        return self

    def caught_up(self, *sensors: Source | str) -> Simulation:
        """These sensors, or all of them, have been read to their end again."""
        self._behind.difference_update(map(self._sensor, sensors or tuple(self._behind)))
        return self._catch_up()

    def restart(self, pipeline: Pipeline | None = None, *, down: Duration = 0) -> Simulation:
        """The service dies, and another one goes on from what was recorded; attempts are lost.

        Args: the `pipeline` that is loaded then, if it was changed; how long the service is `down`:
            what is due meanwhile comes late, and what a schedule would have ticked is missed.
        """
        if pipeline is not None:
            self.definition = pipeline.definition()
            self._chronicle.graph = self.definition.graph
        self.now += duration(down)
        self._begin(State.of(recorded(self._reactor.state)))
        return self

    def materialize(
        self, *assets: DeclaredAsset | str, partition: str | None = None, force: bool = False
    ) -> Simulation:
        """Launches assets by hand, and what follows from them; `force` whatever holds them back."""
        self._turn([Materialize(tuple(map(self._name, assets)), partition, forced=force)])
        return self._settle(self.now)

    def ack(self, table: str | None = None) -> Simulation:
        """Lets go on what the breaking changes of a table hold, or those of all tables."""
        holds = [hold for hold in self._reactor.holds.open if table in (None, hold.table)]
        if not holds:
            raise ValueError(f"nothing is held{f' by changes of {table}' if table else ''}")
        self._turn([Ack(hold.id) for hold in holds])
        return self._settle(self.now)

    def cancel(self, run: int) -> Simulation:
        """Cancels a run."""
        self._turn([CancelRun(run)])
        return self._settle(self.now)

    def resume(self, run: int | None = None) -> Simulation:
        """Lets a failed or cancelled run go on from where it ended; without a number, the last
        that failed. What succeeded in it is not done again.

        Raises: ReactorError if there is none.
        """
        rows, steps = self._whole().runs, self._whole().steps
        if run is None:
            run = max((id for id, row in rows.items() if row.status is RunStatus.FAILED), default=0)
        if run not in rows:
            raise ReactorError("there is no such run to resume", hint="look at sim.runs")
        row = rows[run]
        self._turn([ResumeRun(row, tuple(steps[work.step] for work in row.works))])
        return self._settle(self.now)

    @property
    def launched(self) -> list[str]:
        """Asset names, in the order in which their steps first started."""
        return self._whole().launched

    @property
    def ran(self) -> list[str]:
        """What was started, with its partition: `["raw[2026-01-05]", "report"]`.

        A retry is not told again; what is resumed, or lost in a restart and begun anew, is.
        """
        return self._whole().ran

    @property
    def alerts(self) -> list[str]:
        """What the owners were told, in order."""
        return self._whole().alerts

    @property
    def firings(self) -> list[Firing]:
        """Every time a rule came true, with what it launched, in order."""
        return self._chronicle.firings

    @property
    def decisions(self) -> list[Decision]:
        """Everything that was decided, in order."""
        return self._whole().decisions

    @property
    def runs(self) -> list[Run]:
        """Every run so far, oldest first."""
        rows = self._whole().runs
        return [rows[id] for id in sorted(rows)]

    @property
    def steps(self) -> list[Step]:
        """Every step so far, oldest first."""
        rows = self._whole().steps
        return [rows[id] for id in sorted(rows)]

    @property
    def blocked(self) -> list[str]:
        """The assets that now wait for something that failed or is missing."""
        return self._whole().with_status(StepStatus.BLOCKED)

    @property
    def held(self) -> list[str]:
        """The assets that breaking schema changes hold now, upstreams first."""
        return list(self._reactor.holds.held)

    def why_held(self, asset: DeclaredAsset | str) -> str:
        """Which hold holds an asset and what broke, in words; empty if none does."""
        return self._reactor.holds.why(self._name(asset))

    @property
    def failed(self) -> list[str]:
        """The assets that failed for good and have not been well since."""
        return self._whole().with_status(StepStatus.FAILED)

    @property
    def stale(self) -> list[Stale]:
        """What is out of date with respect to its inputs now: each with its `asset`, `partition`
        and `why`; upstreams first.
        """
        return list(self._reactor.stale())

    def why(self, asset: DeclaredAsset | str) -> str:
        """Why the asset was launched last, in a sentence."""
        name = self._name(asset)
        because = self._whole().reasons.get(name)
        return f"{name} {because}" if because else f"{name} was not launched"

    def why_not(self, asset_or_rule: DeclaredAsset | str, event: Event) -> str:
        """Why an event did not launch an asset, or fire a rule, or that it did; in a sentence.

        An event that was never handed in is matched as if it were: "recomputed".
        """
        graph, known = self.definition.graph, record(self._whole(), self._reactor, event)
        if asset_or_rule in graph.rules and asset_or_rule not in graph.assets:
            return why_not_rule(graph, known, str(asset_or_rule))
        return why_not_asset(graph, known, self._name(asset_or_rule))

    def fates(self, event: Event) -> list[Verdict]:
        """What became of an event for each rule that listens to its sensor, the most telling first.

        Each has the `rule`, its `status` in a word, and a `text`, the rest of a sentence.
        """
        known = record(self._whole(), self._reactor, event)
        return fates(self.definition.graph, known)

    def status(self, event: Event) -> Status:
        """What became of an event, in a word: ran, waiting, throttled, filtered ..."""
        return status(self.fates(event))

    def story(self) -> str:
        """Everything that happened, a line each, in order, with the time since the start.

        A line that repeats itself is told once, with how often.
        """
        return story(self._whole(), self.start)

    def timeline(self) -> str:
        """What fired and what was launched, a line each, with the virtual time; gaps show.

        Good as a snapshot: it holds no number that another life of the pipeline would give anew.
        """
        return timeline(self._chronicle)

    def lanes(self, width: int = 60) -> str:
        """A diagram from the start to now: a lane for each sensor, rule and asset.

        On the lane of a sensor `●` is an event, `○` one that no rule let in, a digit several of
        them; a rule's lane has the number of events it fired with; an asset's lane `■` where it
        was brought up to date, `✗` where it failed, `═` while it ran.
        """
        return lanes(self._whole(), list(self._heard), self.start, self.now, width)

    def _whole(self) -> Chronicle:
        if not self._chronicle.whole:
            raise ReactorError("this was not kept", hint='say simulate(..., keep="everything")')
        return self._chronicle

    def _name(self, asset: DeclaredAsset | str) -> str:
        name = asset if isinstance(asset, str) else asset.name
        if name not in self.definition.graph.assets:
            hint = nearest(name, self.definition.graph.assets)
            raise ReactorError(f"{name} is no asset of {self.definition.graph.name}", hint=hint)
        return name

    def _sensor(self, sensor: Source | str) -> str:
        name = sensor if isinstance(sensor, str) else sensor.name
        known = self.definition.graph.sensors
        if name not in known:
            raise ReactorError(
                f"no rule listens to a sensor called {name}",
                hint=nearest(name, known) or f"there are {', '.join(known) or 'none'}",
            )
        return name

    def _dated(self, event: Event) -> Event:
        """The event as it would arrive now: one dated by the machine's clock was given no time."""
        undated = _BEGUN <= event.time <= datetime.now(UTC)
        return replace(event, time=self.now if undated else event.time, received=self.now)

    def _reads(self, sensor: str) -> datetime | None:
        """Until when a sensor has been read with what it hands in now; None if that is not new."""
        upto = self._ahead.upto(sensor, self.now)
        if sensor in self._behind or self._read.get(sensor) == upto:
            return None
        self._read[sensor] = upto
        return upto

    def _caught_up(self, sensors: Iterable[str] | None = None) -> list[Input]:
        """What the sensors, or all of them, say that have nothing more until now."""
        names = self._heard if sensors is None else sensors
        return [Arrived(name, (), upto) for name in names if (upto := self._reads(name))]

    def _catch_up(self) -> Simulation:
        """Lets every sensor that is not behind say that it has been read until now."""
        if said := self._caught_up():
            self._turn(said)
        return self._settle(self.now)

    def _settle(self, until: datetime, before: bool = False) -> Simulation:
        """Carries out all that is due by `until` (or `before` it), in order."""
        while (at := self._next()) is not None and (at < until if before else at <= until):
            self.now = max(self.now, at)
            self._turn(self._due())
            awaited = self._reactor.awaits
            if awaited and (said := self._caught_up(sorted(awaited))):
                self._turn(said)
        return self

    def _next(self) -> datetime | None:
        """When something is next to be done."""
        while self._ends and self._stands.get(_attempt(self._ends[0][2])) != self._ends[0][1]:
            heapq.heappop(self._ends)
        at = self._ends[0][0] if self._ends else None
        if self._clocks and (at is None or self._clocks[0][0] < at):
            at = self._clocks[0][0]
        # A timer that rang in vain is not rung again before something has changed.
        wake = self._wake if self._wake is None or self._wake != self._idle else None
        if wake is not None and (at is None or wake < at):
            at = wake
        return at

    def _due(self) -> list[Input]:
        """What comes next at this instant; nothing means that a timer rings."""
        if self._ends and self._ends[0][0] <= self.now:
            outcome = heapq.heappop(self._ends)[2]
            del self._stands[_attempt(outcome)]
            return [outcome]
        ticks: list[Input] = []
        while self._clocks and self._clocks[0][0] <= self.now:
            _, name, event, more = heapq.heappop(self._clocks)
            self._wind(name, more)
            if name not in self._behind:
                ticks.append(Arrived(name, [event], self._reads(name)))
        return ticks

    def _wind(self, sensor: str, ticks: Iterator[Event]) -> None:
        """Sets a schedule to its next tick."""
        event = next(ticks, None)
        if event is not None:
            heapq.heappush(self._clocks, (event.time, sensor, event, ticks))

    def _turn(self, inputs: Sequence[Input]) -> Decision:
        decision = self._reactor.receive(inputs, self.now)
        wake = self._wake = decision.wake_at
        vain = wake is not None and wake <= self.now and not inputs and not decision.facts.changes
        self._idle = wake if vain else None
        self._chronicle.record(self.now, decision)
        for effect in decision.effects:
            if isinstance(effect, Start):
                script = self._scripts.get(effect.asset) or Script()
                self._ends_in(*script.plays(effect, self._seed))
            elif isinstance(effect, Stop):
                ended = Finished(effect.step, effect.number, Ending.CANCELLED)
                self._ends_in(ended, timedelta(0))
        return decision

    def _ends_in(self, outcome: Finished, length: timedelta) -> None:
        """Notes how and when an attempt ends, instead of what was noted of it before."""
        self._numbers += 1
        self._stands[_attempt(outcome)] = self._numbers
        heapq.heappush(self._ends, (self.now + length, self._numbers, outcome))


def _attempt(outcome: Finished) -> tuple[int, int]:
    return outcome.step, outcome.number


def _together(events: Iterable[Event]) -> Iterator[tuple[datetime, list[tuple[str, list[Event]]]]]:
    """The events of each instant, as one sensor after the other saw them."""
    at: datetime | None = None
    seen: list[tuple[str, list[Event]]] = []
    some: list[Event] = []
    source = ""
    for event in events:
        if event.received != at:
            if at is not None:
                yield at, seen
            at, seen, source = event.received, [], ""
        if event.source != source:
            source, some = event.source, []
            seen.append((source, some))
        some.append(event)
    if at is not None:
        yield at, seen


def _instant(moment: datetime | str) -> datetime:
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@contextmanager
def simulate(
    pipeline: Pipeline,
    start: datetime | str = START,
    *,
    seed: object = 0,
    keep: Keep = "everything",
    ticks: bool = True,
) -> Iterator[Simulation]:
    """A simulation of a pipeline.

    Args:
        start: when it begins: an instant, or text such as "2026-01-05T09:00", UTC if not said.
        seed: what is drawn follows from it: a script's `rate=` and range of lengths.
        keep: for very long histories, `firings` keeps what fired and no more: no stories, no runs.
            Unless a rule listens to assets, no step is played then.
        ticks: schedules that a rule listens to tick by themselves; if False, as the test says.

    Raises: DefinitionError for what could not be served either, such as a field that no event has.
    """
    definition = pipeline.definition()
    if wrong := mistakes(definition):
        raise DefinitionError(wrong)
    yield Simulation(definition, _instant(start), seed=seed, keep=keep, ticks=ticks)
