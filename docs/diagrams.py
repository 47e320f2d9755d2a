"""Draws the diagrams of docs/triggers.md: `python -m docs.diagrams` writes them anew.

Each scenario (scenarios.py) is played through the simulator, and what that shows stands on the page
between `<!-- diagram NAME -->` and `<!-- end -->`. A test plays them all again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from docs.scenarios import SCENARIOS, Scenario
from reactor import Pipeline, at_least, field, meta
from reactor.core.decision import Decision
from reactor.core.duration import duration, spoken
from reactor.core.event import Event
from reactor.core.ranges import numbers
from reactor.core.trigger.expression import Trigger
from reactor.simulation.chronicle import cause
from reactor.testing import Firing, Simulation, simulate
from sensors import FileArrivals, KafkaTopic

PAGE = Path(__file__).with_name("triggers.md")
WIDTH = 72
"""How wide a diagram may be."""

orders, payments, refunds = (KafkaTopic(name) for name in ("orders", "payments", "refunds"))
inbox = FileArrivals("inbox/*.csv")
_NAMES = {"field": field, "meta": meta, "at_least": at_least}
_SENSORS = {each.name: each for each in (orders, payments, refunds, inbox)}

_BLOCK = re.compile(r"(<!-- diagram (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ROUND = [timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=1)]
_ROOM = 8
"""Columns that a time on the axis takes."""
_LANE = re.compile(r"(\w+)(?: (\w+))?  +(\S+)")


class Lane(NamedTuple):
    """One line of a scenario: a sensor, or one region of it, and what is written there."""

    sensor: str
    region: str | None
    text: str

    @property
    def marks(self) -> dict[int, str]:
        """The names of its events, by column."""
        return {found.start(): found[0] for found in re.finditer(r"[^-?~]+", self.text)}

    @property
    def stretches(self) -> str:
        """The line without marks of late events, which cut no stretch in two."""
        return self.text.replace("~", "?") if "?" in self.text else self.text


class Mark(NamedTuple):
    """A name in a column of a lane."""

    column: int
    text: str


def redrawn(page: str) -> str:
    """A page with its diagrams as they are now.

    Raises: KeyError for a diagram without a scenario.
    """
    known = {each.name: each for each in SCENARIOS}
    return _BLOCK.sub(lambda found: f"{found[1]}{drawn(known[found[2]])}{found[3]}", page)


def named(page: str) -> list[str]:
    """The diagrams of a page, in order."""
    return [found[2] for found in _BLOCK.finditer(page)]


def drawn(scenario: Scenario) -> str:
    """The code of a scenario and the diagram of what it does, as they stand on the page."""
    text = "\n".join(Stage(scenario).lines())
    return f"```python\n{_code(scenario)}\n```\n\n```text\n{text}\n```\n"


class Stage:
    """Plays one scenario, and draws what happened."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._step = duration(scenario.step)
        self._start = datetime.fromisoformat(scenario.start).replace(tzinfo=UTC)
        self._lanes = [*_lanes(scenario)]
        self._length = max(len(lane.text) for lane in self._lanes)
        self._pipeline = Pipeline("diagram", owner="data@shop.example")
        self._rules = self._declare()
        self._names: dict[str, str] = {}
        self._numbers: dict[int, str] = {}
        self._runs: list[Mark] = []
        self._fates: dict[str, list[Mark]] = {word: [] for word in scenario.fates}

    def _declare(self) -> dict[str, Trigger]:
        """The triggers that the code names, each the trigger of a rule that only observes."""
        revenue = self._pipeline.asset(on=orders, name="revenue")(lambda: None)
        space: dict[str, Any] = {**_NAMES, **_SENSORS, "revenue": revenue}
        known = set(space)
        exec(_code(self._scenario), space)
        triggers = {name: each for name, each in space.items() if isinstance(each, Trigger)}
        rules = {name: each for name, each in triggers.items() if name not in known}
        for name, trigger in rules.items():
            self._pipeline.rule(trigger, revenue, name=name, observe=True)
        return rules

    def lines(self) -> list[str]:
        """The diagram.

        Raises: ValueError if it does not fit, or marks lie upon each other.
        """
        with simulate(self._pipeline, self._start) as sim:
            self._play(sim)
            lanes = [*self._inputs(), *self._fired(sim.firings), *self._given_up()]
        size = max(len(label) for label, _ in lanes)
        lines = [f"{label:<{size}}  {text}".rstrip() for label, text in [self._axis(), *lanes]]
        wide = [line for line in lines if len(line) > WIDTH]
        if wide:
            raise ValueError(f"{self._scenario.name} is wider than {WIDTH}: {wide[0]!r}")
        return lines

    def _play(self, sim: Simulation) -> None:
        told = 0
        for column in range(self._length):
            at = self._at(column)
            if at >= sim.now:
                sim.until(at)
                self._happen(sim, column)
            for decision in sim.decisions[told:]:
                self._note(decision, column)
            told = len(sim.decisions)

    def _happen(self, sim: Simulation, column: int) -> None:
        """What the lanes say of a column: fall behind, die, events, catch up."""
        for lane in self._lanes:
            if _begins(lane, column, "?"):
                sim.behind(lane.sensor)
        for lane in self._lanes:
            if lane.sensor == "service" and _begins(lane, column, "x"):
                sim.restart(down=(_end(lane, column, "x") - column) * self._step)
        for lane in self._lanes:
            if lane.sensor != "service" and column in lane.marks:
                sim.emit(self._event(sim, lane, lane.marks[column]))
        for lane in self._lanes:
            if _begins(lane, column - 1, "?", last=True):
                sim.caught_up(lane.sensor)

    def _event(self, sim: Simulation, lane: Lane, mark: str) -> Event:
        """What a mark stands for: it is the event's id, status, amount or region as well."""
        if "revenue" in self._scenario.code and mark == "x":
            sim.on("revenue").fails()
        late = self._scenario.happened.get(mark)
        time = None if late is None else self._at(late)
        if lane.sensor == "inbox":
            event = inbox.event(f"inbox/{mark}.csv", time=time)
        else:
            amount = float(mark) if mark.isdigit() else None
            about = {"id": mark, "status": mark, "amount": amount, "region": lane.region or mark}
            event = _SENSORS[lane.sensor].event(about, time=time)
        self._names[cause(event)] = mark
        return event

    def _note(self, decision: Decision, column: int) -> None:
        for seq, event in decision.facts.accepted:
            if event.source == "asset:revenue":
                mark = "o" if event.type == "materialized" else "x"
                self._names[cause(event)] = mark
                self._runs.append(Mark(self._column(event.time), mark))
            self._numbers[seq] = self._names[cause(event)]
        for fate in decision.facts.fates:
            if fate.word in self._fates and fate.rule in self._rules:
                text = "".join(self._numbers[seq] for seq in numbers(fate.events))
                self._fates[fate.word].append(Mark(column, text))

    def _inputs(self) -> Iterator[tuple[str, str]]:
        for lane in self._lanes:
            yield _label(lane.sensor, lane.region), f"{lane.text:-<{self._length}}"
        if "revenue" in self._scenario.code:
            yield "revenue", self._lane(self._runs)

    def _fired(self, firings: Iterable[Firing]) -> Iterator[tuple[str, str]]:
        """A lane for each rule; of a rule with keys, one for each key."""
        found: dict[tuple[str, str | None], list[Mark]] = {}
        for name, trigger in self._rules.items():
            regions = [lane.region for lane in self._lanes] if ".by(" in str(trigger) else [None]
            found.update(((name, region), []) for region in regions)
        for firing in firings:
            if (firing.rule, firing.key) in found:
                text = [self._names[each] for each in firing.causes]
                joined = ("" if all(len(each) == 1 for each in text) else "+").join(text)
                mark = Mark(self._column(firing.at), joined or "!")
                found[firing.rule, firing.key].append(mark)
        for (name, region), marks in found.items():
            yield _label(name, region), self._lane(marks)

    def _given_up(self) -> Iterator[tuple[str, str]]:
        for word, marks in self._fates.items():
            yield word, self._lane(marks)

    def _lane(self, marks: Iterable[Mark]) -> str:
        """Marks in their columns; what happened at one instant is told apart by commas."""
        at: dict[int, list[str]] = {}
        for mark in marks:
            at.setdefault(mark.column, []).append(mark.text)
        line = ""
        for column, texts in sorted(at.items()):
            if column >= self._length:
                continue
            if len(line) > column or (line and line[-1] != "-" and len(line) == column):
                raise ValueError(f"{self._scenario.name}: {texts} lie upon {line}")
            line = f"{line:-<{column}}{','.join(texts)}"
        return f"{line:-<{self._length}}"

    def _axis(self) -> tuple[str, str]:
        """The time, at round numbers with room between them."""
        unit = next(each for each in _ROUND if each > self._step)
        every = next(n for n in range(_ROOM, 100) if not n * self._step % unit)
        first = -(self._start - _midnight(self._start)) // self._step % every
        line = ""
        for column in range(first, self._length, every):
            at = self._at(column)
            text = f"{at:%H:%M}" if self._scenario.clock else spoken(column * self._step)
            line = f"{line:<{column}}{text}"
        return "", line

    def _at(self, column: int) -> datetime:
        return self._start + column * self._step

    def _column(self, at: datetime) -> int:
        column, rest = divmod(at - self._start, self._step)
        if rest:
            raise ValueError(f"{self._scenario.name}: {at} lies between two columns")
        return column


def _code(scenario: Scenario) -> str:
    return dedent(scenario.code).strip()


def _lanes(scenario: Scenario) -> Iterator[Lane]:
    for line in dedent(scenario.lanes).strip().splitlines():
        found = _LANE.fullmatch(line)
        if found is None:
            raise ValueError(f"{scenario.name}: {line!r} is no lane")
        yield Lane(found[1], found[2], found[3])


def _label(name: str, region: str | None) -> str:
    return f"{name} {region}" if region else name


def _begins(lane: Lane, column: int, sign: str, last: bool = False) -> bool:
    """Whether a stretch of a sign begins in a column; or ends with it, if `last`."""
    beside = column + 1 if last else column - 1
    text = lane.stretches
    return text[column : column + 1] == sign != text[max(beside, 0) : beside + 1]


def _end(lane: Lane, column: int, sign: str) -> int:
    while lane.text[column : column + 1] == sign:
        column += 1
    return column


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0)


def main() -> None:
    """Writes the page anew."""
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
