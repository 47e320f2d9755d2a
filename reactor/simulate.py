"""A pipeline on a virtual clock: the same brain as in production, with scripted outcomes.

No asset code runs, no sensor is opened, no time passes: events are handed in, steps end as the
script says, and what would have been launched, blocked and told can be read off. Deterministic.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from reactor.core.decision import (
    Arrived,
    CancelRun,
    Decision,
    Ending,
    Finished,
    Input,
    Materialize,
    Notify,
    Start,
    Stop,
)
from reactor.core.duration import Duration, duration, spoken
from reactor.core.errors import ReactorError
from reactor.core.event import Event
from reactor.core.graph import nearest
from reactor.core.reactor import Reactor
from reactor.core.run import Run, Step, StepStatus
from reactor.core.state import Table
from reactor.core.story import Line, tell
from reactor.pipeline import DeclaredAsset, Definition, Output, Pipeline

START = datetime(2026, 1, 1, tzinfo=UTC)
_BEGUN = datetime.now(UTC) - timedelta(minutes=1)
"""Test events are not older than this, unless they are told when they happened."""


@dataclass(slots=True)
class Script:
    """What the attempts of one asset do; without a script they succeed at once."""

    failures: int = 0
    error: str = "it failed"
    lasts: timedelta = timedelta(0)
    value: Any = None

    def fails(self, times: int = 1, error: str = "it failed") -> Script:
        """The next `times` attempts fail."""
        self.failures, self.error = times, error
        return self

    def takes(self, length: Duration) -> Script:
        """Each attempt takes this long."""
        self.lasts = duration(length)
        return self

    def returns(self, value: Any) -> Script:
        """Each attempt returns this handle or `Output`."""
        self.value = value
        return self


@dataclass(slots=True)
class Told:
    """A line of the story and when it happened."""

    at: datetime
    line: Line

    def text(self, start: datetime) -> str:
        return f"+{spoken(self.at - start):<8} {self.line.text}"


@dataclass
class Simulation:
    """A running simulation. `emit` and `later` answer it, so that they chain."""

    definition: Definition
    now: datetime = START
    launched: list[str] = field(default_factory=lambda: [])
    """Asset names, in the order in which their steps first started."""
    alerts: list[str] = field(default_factory=lambda: [])
    """What the owners were told, in order."""
    decisions: list[Decision] = field(default_factory=lambda: [])

    def __post_init__(self) -> None:
        self.start = self.now
        self._reactor = Reactor(self.definition.graph)
        self._scripts: dict[str, Script] = {}
        self._agenda: list[tuple[datetime, int, Finished]] = []
        self._numbers = 0
        self._steps: dict[int, Step] = {}
        self._runs: dict[int, Run] = {}
        self._told: list[Told] = []

    def on(self, asset: DeclaredAsset | str) -> Script:
        """The script of an asset."""
        name = self._name(asset)
        return self._scripts.setdefault(name, Script())

    def emit(self, *events: Event) -> Simulation:
        """Hands events in, now. Their sensor must be one that a rule of the pipeline listens to.

        An event happens now, on the virtual clock, unless its `time` was given: then it is late.
        """
        for event in events:
            if event.source not in self.definition.graph.sensors:
                known = self.definition.graph.sensors
                raise ReactorError(
                    f"no rule listens to a sensor called {event.source}",
                    hint=nearest(event.source, known) or f"there are {', '.join(known) or 'none'}",
                )
            self._receive([Arrived(event.source, [self._dated(event)])])
        return self._settle(self.now)

    def _dated(self, event: Event) -> Event:
        """The event as it would arrive now: one dated by the machine's clock was given no time."""
        undated = _BEGUN <= event.time <= datetime.now(UTC)
        return replace(event, time=self.now if undated else event.time, received=self.now)

    def later(self, length: Duration) -> Simulation:
        """Lets time pass: timers ring, retries start, steps end."""
        until = self.now + duration(length)
        self._settle(until)
        self.now = until
        return self

    def materialize(self, *assets: DeclaredAsset | str, partition: str | None = None) -> Simulation:
        """Launches assets by hand, and what follows from them."""
        self._receive([Materialize(tuple(map(self._name, assets)), partition)])
        return self._settle(self.now)

    def cancel(self, run: int) -> Simulation:
        """Cancels a run."""
        self._receive([CancelRun(run)])
        return self._settle(self.now)

    @property
    def runs(self) -> list[Run]:
        """Every run so far, oldest first."""
        return [self._runs[id] for id in sorted(self._runs)]

    @property
    def steps(self) -> list[Step]:
        """Every step so far, oldest first."""
        return [self._steps[id] for id in sorted(self._steps)]

    @property
    def blocked(self) -> list[str]:
        """The assets that now wait for something that failed or is missing."""
        return self._with(StepStatus.BLOCKED)

    @property
    def failed(self) -> list[str]:
        """The assets that failed for good and have not been well since."""
        return self._with(StepStatus.FAILED)

    def _with(self, status: StepStatus) -> list[str]:
        newest: dict[tuple[str, str | None], Step] = {}
        for step in sorted(self.steps, key=lambda step: (step.finished or self.now, step.id)):
            newest[step.asset, step.partition] = step
        found = sorted(each.id for each in newest.values() if each.status is status)
        return list(dict.fromkeys(self._steps[id].asset for id in found))

    def why(self, asset: DeclaredAsset | str) -> str:
        """Why the asset was launched last, in a sentence."""
        name = self._name(asset)
        for run in reversed(self.runs):
            for work in run.works:
                if work.asset == name:
                    return f"{name} {work.because}"
        return f"{name} was not launched"

    def story(self) -> str:
        """Everything that happened, a line each, in order, with the time since the start.

        A line that repeats itself is told once, with how often.
        """
        lines: list[str] = []
        for text, same in groupby(told.text(self.start) for told in self._told):
            times = len(list(same))
            lines.append(f"{text}, {times:,} times" if times > 1 else text)
        return "\n".join(lines)

    def _name(self, asset: DeclaredAsset | str) -> str:
        name = asset if isinstance(asset, str) else asset.name
        if name not in self.definition.graph.assets:
            hint = nearest(name, self.definition.graph.assets)
            raise ReactorError(f"{name} is no asset of {self.definition.graph.name}", hint=hint)
        return name

    def _settle(self, until: datetime) -> Simulation:
        """Carries out all that is due by `until`, in order."""
        while True:
            due = self._agenda[0][0] if self._agenda else None
            wake = self._reactor.wake_at()
            times = [at for at in (due, wake) if at is not None]
            if not times or min(times) > until:
                return self
            self.now = max(self.now, min(times))
            outcomes: list[Input] = []
            while self._agenda and self._agenda[0][0] <= self.now and not outcomes:
                outcomes.append(heapq.heappop(self._agenda)[2])
            self._receive(outcomes)

    def _receive(self, inputs: Sequence[Input]) -> None:
        decision = self._reactor.receive(inputs, self.now)
        self.decisions.append(decision)
        for change in decision.facts.changes:
            if change.table is Table.STEP and change.after is not None:
                self._steps[change.after.id] = change.after
            elif change.table is Table.RUN and change.after is not None:
                self._runs[change.after.id] = change.after
        self._told.extend(Told(self.now, line) for line in tell(decision))
        for effect in decision.effects:
            match effect:
                case Start():
                    self._start(effect)
                case Stop(step, number):
                    self._agenda = [
                        e for e in self._agenda if (e[2].step, e[2].number) != (step, number)
                    ]
                    heapq.heapify(self._agenda)
                    self._schedule(Finished(step, number, Ending.CANCELLED), timedelta(0))
                case Notify(alert):
                    self.alerts.append(alert.text)

    def _start(self, start: Start) -> None:
        if start.number == 1:
            self.launched.append(start.asset)
        script = self._scripts.get(start.asset, Script())
        if script.failures:
            script.failures -= 1
            outcome = Finished(start.step, start.number, Ending.FAILED, error=script.error)
        else:
            value = script.value
            output = value if isinstance(value, Output) else Output(value)
            changed = tuple(output.changed) if output.changed is not None else None
            outcome = Finished(
                start.step,
                start.number,
                Ending.SUCCEEDED,
                output.value,
                output.version,
                changed,
                output.metadata,
            )
        self._schedule(outcome, script.lasts)

    def _schedule(self, outcome: Finished, length: timedelta) -> None:
        self._numbers += 1
        heapq.heappush(self._agenda, (self.now + length, self._numbers, outcome))


@contextmanager
def simulate(pipeline: Pipeline, start: datetime = START) -> Iterator[Simulation]:
    """A simulation of a pipeline, from `start` (aware UTC) on."""
    yield Simulation(pipeline.definition(), start)
