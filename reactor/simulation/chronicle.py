"""What is kept of a simulated life, so that it can be asked afterwards.

Knows: decisions and when they were taken. Refuses to know: what led to them, and how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from reactor.core.decision import Decision, Facts, Fired, Notify, Start
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.run import Run, Step, StepStatus
from reactor.core.sentence import describe
from reactor.core.state import Table
from reactor.core.story import Line, tell

Keep = Literal["everything", "firings"]
"""What a simulation remembers: all of it, or (for long histories) what fired and what was told."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One time a rule came true, and what it launched.

    `causes` name the events by what they are, not by when they came to be numbered, so that the
    same firing is known again in another life of the pipeline. `assets` are those it launched; in
    observe mode, those it would have.
    """

    at: datetime
    rule: str
    key: str | None
    partition: str | None
    causes: tuple[str, ...]
    assets: tuple[str, ...]
    because: str
    observed: bool = False

    def as_json(self) -> dict[str, Any]:
        """The firing as plain data; `of_json` is the inverse."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Firing:
        """The firing that plain data stands for."""
        lists = {name: tuple(data[name]) for name in ("causes", "assets")}
        return cls(**{**data, **lists, "at": datetime.fromisoformat(data["at"])})


Told = tuple[datetime, Line]
"""A line of the story and when it happened."""


class Chronicle:
    """Remembers decisions. `launched`, `ran` and `alerts` are lists that their reader may empty."""

    def __init__(self, graph: Graph, keep: Keep) -> None:
        self.graph, self.whole = graph, keep == "everything"
        self.launched: list[str] = []
        self.ran: list[str] = []
        self.alerts: list[str] = []
        self.firings: list[Firing] = []
        self.decisions: list[Decision] = []
        self.instants: list[datetime] = []
        """When each decision was taken."""
        self._told: list[Told] = []
        self._telling = 0
        self.runs: dict[int, Run] = {}
        self.steps: dict[int, Step] = {}
        self.newest: dict[tuple[str, str | None], Step] = {}
        self.reasons: dict[str, str] = {}
        self._events: dict[int, Event] = {}
        self._affected: dict[str, tuple[str, ...]] = {}

    def record(self, now: datetime, decision: Decision) -> None:
        """Takes in what was decided at an instant."""
        facts = decision.facts
        self._events.update(facts.accepted)
        fresh = self._rows(facts) if self.whole else {}
        for fired in facts.fired:
            self._fired(now, fired, fresh)
        if not self.whole:
            return
        for effect in decision.effects:
            if isinstance(effect, Start):
                if effect.number == 1:
                    self.launched.append(effect.asset)
                if effect.attempt == 1:
                    self.ran.append(_place(effect.asset, effect.partition))
            elif isinstance(effect, Notify):
                self.alerts.append(effect.alert.text)
        self.decisions.append(decision)
        self.instants.append(now)

    @property
    def told(self) -> list[Told]:
        """The lines of the story so far; put into words when somebody asks."""
        for at in range(self._telling, len(self.decisions)):
            lines = tell(self.decisions[at])
            self._told.extend((self.instants[at], line) for line in lines)
        self._telling = len(self.decisions)
        return self._told

    @property
    def let_go(self) -> Iterator[tuple[datetime, str, int]]:
        """When, of which sensor, and how many events no rule let in."""
        for at, decision in zip(self.instants, self.decisions, strict=True):
            for name, number in decision.facts.filtered.items():
                yield at, name, number

    def _rows(self, facts: Facts) -> dict[int, Run]:
        """Keeps the rows that changed; answers the runs that are new."""
        fresh: dict[int, Run] = {}
        for change in facts.changes:
            row = change.after
            if row is None:
                continue
            if change.table is Table.STEP:
                known = self.newest.get((row.asset, row.partition))
                if known is None or row.id >= known.id:
                    self.newest[row.asset, row.partition] = row
                self.steps[row.id] = row
            elif change.table is Table.RUN:
                if change.before is None:
                    fresh[row.id] = row
                    for work in row.works:
                        self.reasons[work.asset] = work.because
                self.runs[row.id] = row
        return fresh

    def _fired(self, now: datetime, fired: Fired, fresh: dict[int, Run]) -> None:
        """A firing for each match; the label is that of the first, and of what has no events."""
        run = fresh.get(fired.run) if fired.run is not None else None
        if run is not None:
            assets = tuple(dict.fromkeys(work.asset for work in run.works))
        else:
            assets = self._would_run(fired.rule)
        observes = self.graph.rules[fired.rule].observe
        known = self._events
        for number, match in enumerate(fired.matches):
            said = fired.label if not (number and match) else ""
            events = [known[seq] for seq in match if seq in known]
            self.firings.append(
                Firing(
                    now,
                    fired.rule,
                    fired.key,
                    fired.partition,
                    tuple([cause(event) for event in events]),
                    assets,
                    said or _because(events),
                    observes,
                )
            )

    def event(self, seq: int) -> Event:
        """An accepted event by its number."""
        return self._events[seq]

    def number(self, event: Event) -> int | None:
        """The number of an event; of several of one source and id, the newest; None if no rule
        let it in.
        """
        for seq in reversed(self._events):
            known = self._events[seq]
            if (known.source, known.id) == (event.source, event.id):
                return seq
        return None

    def _would_run(self, rule: str) -> tuple[str, ...]:
        """What a firing of a rule reaches."""
        found = self._affected.get(rule)
        if found is None:
            roots = self.graph.rules[rule].assets
            found = self._affected[rule] = self.graph.affected(roots)
        return found

    def with_status(self, status: StepStatus) -> list[str]:
        """The assets of which some newest step is so, in the order in which those were planned."""
        found = [step for step in self.newest.values() if step.status is status]
        return list(dict.fromkeys(step.asset for step in sorted(found, key=lambda s: s.id)))


def cause(event: Event) -> str:
    """What an event is called in any life: an asset's own events are numbered anew in each."""
    if event.source.startswith("asset:"):
        return f"{_place(event.subject, event.key)}.{event.type}"
    return f"{event.source} {event.id}"


def _place(asset: str, partition: str | None) -> str:
    return asset if partition is None else f"{asset}[{partition}]"


def _because(events: Sequence[Event]) -> str:
    if not events:
        return "time went by"
    more = f" and {len(events) - 1:,} more" if len(events) > 1 else ""
    return f"{describe(events[0])}{more}"
