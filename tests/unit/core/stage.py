"""A reactor, the work it started, and the rows a store would hold: what the stories are told on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from reactor.core.asset import Asset, Rule, Upstream
from reactor.core.decision import (
    Arrived,
    CancelRun,
    Decision,
    Ending,
    Finished,
    Input,
    Materialize,
    Notify,
    Restarted,
    ResumeRun,
    SetPaused,
    Start,
    Stop,
)
from reactor.core.duration import duration
from reactor.core.event import Event
from reactor.core.field import path_of
from reactor.core.graph import Graph
from reactor.core.reactor import Reactor
from reactor.core.run import Run, Step
from reactor.core.state import Key, Node, State, Table
from tests.unit.core.tap import START, Tap


def drawn(drawing: str, *rules: Rule, pools: dict[str, int] | None = None, **of: Any) -> Graph:
    """A graph as drawn: `"raw, clean(raw), report(clean prices?)"`; `?` is an optional input.

    An asset that reads nothing is launched by a tap of its own name, unless `rules` are given.
    Keywords are the options of the asset of that name.
    """
    assets: list[Asset] = []
    for name, inside in re.findall(r"(\w+)(?:\(([^)]*)\))?", drawing):
        above = [Upstream(each.rstrip("?"), each.endswith("?")) for each in inside.split()]
        assets.append(Asset(name, tuple(above), **of.get(name, {})))
    own = [rule(asset.name) for asset in assets if not asset.upstream]
    return Graph.of("drawn", assets, rules or own, pools=pools)


def rule(*assets: str, on: str = "", **options: Any) -> Rule:
    """A rule called after its first asset, on a tap of the same name."""
    name = options.pop("name", assets[0])
    options["partition"] = path_of(options.get("partition"))
    return Rule(name, options.pop("trigger", Tap(on or assets[0])), assets, **options)


class Stage:
    """Decides, keeps every row, and holds the attempts that were started until they are ended."""

    def __init__(self, graph: Graph, slots: int = 64) -> None:
        self.graph, self.slots, self.now = graph, slots, START
        self.reactor = Reactor(graph, State(), slots)
        self.table: dict[tuple[Table, Key], Any] = {}
        self.going: dict[str, list[Start]] = {}
        self.started: list[str] = []
        self.starts: list[Start] = []
        self.stops: list[Stop] = []
        self.told: list[str] = []
        self.decisions: list[Decision] = []
        self.numbers = 0

    def receive(self, *inputs: Input) -> Decision:
        """One turn."""
        decision = self.reactor.receive(inputs, self.now)
        self.keep(decision)
        return decision

    def keep(self, decision: Decision) -> None:
        """Records a decision, as a store does, and notes its effects."""
        self.decisions.append(decision)
        for change in decision.facts.changes:
            if change.after is None:
                self.table.pop((change.table, change.key), None)
            else:
                self.table[change.table, change.key] = change.after
        for effect in decision.effects:
            match effect:
                case Start():
                    self.going.setdefault(effect.asset, []).append(effect)
                    self.started.append(effect.asset)
                    self.starts.append(effect)
                case Stop():
                    self.stops.append(effect)
                case Notify(alert):
                    self.told.append(alert.text)

    def event(self, tap: str, **data: Any) -> Event:
        """A new event of a tap, now."""
        self.numbers += 1
        seconds = (self.now - START).total_seconds()
        return Tap(tap).event(f"e{self.numbers}", seconds, **data)

    def fire(self, *taps: str, **data: Any) -> Decision:
        """An event of each tap, all in one turn."""
        return self.receive(*(Arrived(tap, [self.event(tap, **data)]) for tap in taps))

    def burst(self, tap: str, number: int) -> Decision:
        """Many events of one tap, in one turn."""
        return self.receive(Arrived(tap, [self.event(tap) for _ in range(number)]))

    def ends(self, *assets: str, ending: Ending = Ending.SUCCEEDED, **about: Any) -> Decision:
        """The oldest running attempt of each asset ends."""
        outcomes: list[Finished] = []
        for asset in assets:
            start = self.going[asset].pop(0)
            if not self.going[asset]:
                del self.going[asset]
            outcomes.append(Finished(start.step, start.number, ending, **about))
        return self.receive(*outcomes)

    def fails(self, asset: str, error: str = "no luck", **about: Any) -> Decision:
        """The running attempt of an asset fails."""
        return self.ends(asset, ending=Ending.FAILED, error=error, **about)

    def stopped(self, asset: str) -> Decision:
        """The running attempt of an asset has really been stopped."""
        return self.ends(asset, ending=Ending.CANCELLED)

    def all_end(self) -> Stage:
        """Every attempt succeeds, until nothing is left to do."""
        while self.going or self.reactor.wake_at() is not None:
            if self.going:
                self.ends(next(iter(self.going)))
            else:
                self.passes(self.reactor.wake_at() - self.now)  # type: ignore[operator]
        return self

    def passes(self, length: str | timedelta) -> Decision:
        """Time passes."""
        self.now += duration(length)
        return self.receive()

    def by_hand(self, *assets: str, **about: Any) -> Decision:
        return self.receive(Materialize(assets, **about))

    def cancel(self, run: int) -> Decision:
        return self.receive(CancelRun(run))

    def resume(self, run: int) -> Decision:
        """Resumes a run with its rows as the store holds them."""
        row = self.run(run)
        return self.receive(ResumeRun(row, tuple(self.step(work.step) for work in row.works)))

    def pause(self, kind: str, name: str) -> Decision:
        return self.receive(SetPaused(kind, name, True))

    def unpause(self, kind: str, name: str) -> Decision:
        return self.receive(SetPaused(kind, name, False))

    def rows(self) -> list[tuple[Table, Key, Any]]:
        """The rows that a store loads: what has not ended, and what is current, in key order."""
        runs = [r for (t, _), r in self.table.items() if t is Table.RUN and not r.finished]
        named = {work.step for run in runs for work in run.works}
        rows: list[tuple[Table, Key, Any]] = []
        for (table, key), row in self.table.items():
            ended = any(getattr(row, end, None) for end in ("finished", "resolved", "closed"))
            if ended and not (table is Table.STEP and row.id in named):
                continue
            rows.append((table, key, _through_json(row)))
        return sorted(rows, key=lambda row: (row[0], [str(part) for part in row[1]]))

    def loaded(self, graph: Graph | None = None) -> Reactor:
        """A reactor made of those rows."""
        return Reactor(graph or self.graph, State.of(self.rows()), self.slots)

    def restart(self, graph: Graph | None = None) -> Decision:
        """The process dies and another one goes on from the rows."""
        self.graph = graph or self.graph
        self.reactor = self.loaded()
        self.going = {}
        return self.receive(Restarted())

    @property
    def running(self) -> list[str]:
        """The assets that are being run, in the order in which they started."""
        return [start.asset for start in self.starts if start in self.going.get(start.asset, ())]

    def running_starts(self) -> list[Start]:
        """The attempts that are being run."""
        return [start for starts in self.going.values() for start in starts]

    @property
    def steps(self) -> list[Step]:
        """Every step so far, oldest first."""
        return self._all(Table.STEP)

    @property
    def runs(self) -> list[Run]:
        """Every run so far, oldest first."""
        return self._all(Table.RUN)

    def _all(self, table: Table) -> list[Any]:
        found = [row for (kind, _), row in self.table.items() if kind is table]
        return sorted(found, key=lambda row: row.id)

    def step(self, id: int) -> Step:
        return self.table[Table.STEP, (id,)]

    def run(self, id: int) -> Run:
        return self.table[Table.RUN, (id,)]

    def of(self, asset: str) -> list[Step]:
        """Every step of an asset, oldest first."""
        return [step for step in self.steps if step.asset == asset]

    @property
    def states(self) -> str:
        """Every step so far and how it is: `raw materialized, clean running`."""
        return ", ".join(f"{_place(step)} {step.status.value}" for step in self.steps)

    @property
    def ends_of_runs(self) -> list[str]:
        """How every run so far is."""
        return [run.status.value for run in self.runs]


def _through_json(row: Any) -> Any:
    """The row with operator state as it comes back from a store."""
    if not isinstance(row, Node):
        return row
    return row._replace(data=_in_tuples(json.loads(json.dumps(row.data))))


def _in_tuples(data: Any) -> Any:
    return tuple(map(_in_tuples, data)) if isinstance(data, list) else data


def _place(step: Step) -> str:
    return step.asset if step.partition is None else f"{step.asset}[{step.partition}]"


def at(start: Start) -> Sequence[int]:
    """The events that an attempt was given."""
    return [seq for low, high in start.events for seq in range(low, high + 1)]


def seconds(at: datetime | None) -> float | None:
    """How long after the start of time an instant is."""
    return None if at is None else (at - START).total_seconds()
