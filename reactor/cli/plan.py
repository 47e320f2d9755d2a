"""`reactor plan`: what an event would launch, and why; nothing runs.

The same brain as in the service, on a virtual clock: every asset counts as built once, the event
comes, and time passes until nothing more would start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from reactor import load
from reactor.cli.screen import Json, commands, count, say, show_json, table
from reactor.cli.target import Payload, SensorName, Target, made
from reactor.core.duration import spoken
from reactor.core.event import Event
from reactor.core.field import MISSING, Compare, Exists, Predicate
from reactor.core.graph import Graph
from reactor.core.plan import plan as planned
from reactor.core.run import Run, StepStatus
from reactor.core.trigger.compile import compile_trigger, describe
from reactor.pipeline import Definition
from reactor.simulation import Simulation

LOOKAHEAD = timedelta(days=31)
"""How far the clock is moved on, so that a batch or a debounce that waits is seen to fire."""

app = commands()


@dataclass(frozen=True, slots=True)
class Launched:
    """One asset that would run. `after` is how long after the event, `because` begins with it."""

    asset: str
    partition: str | None
    because: str
    rule: str
    after: str
    status: str


@dataclass(frozen=True, slots=True)
class Untouched:
    """A rule or an asset that would do nothing, and why not."""

    name: str
    because: str


@app.command()
def plan(
    target: Target,
    sensor: SensorName,
    payload: Payload,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="As if no asset had ever been built.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what an event would launch, and why; nothing runs."""
    definition = load.define([target])
    graph = definition.graph
    event = made(graph, sensor, payload)
    runs, launched = _foreseen(definition, event, fresh)
    waiting = list(_waiting(graph, event, {run.rule for run in runs}))
    pruned = list(_pruned(graph, runs))
    if as_json:
        about = {"source": event.source, "subject": event.subject, "type": event.type}
        lists = {"launched": launched, "pruned": pruned, "not_fired": waiting}
        show_json(
            {"event": about, **{name: list(map(asdict, each)) for name, each in lists.items()}}
        )
        return
    _print(graph, event, launched, pruned, waiting)


def _foreseen(
    definition: Definition, event: Event, fresh: bool
) -> tuple[list[Run], list[Launched]]:
    simulation = Simulation(definition, event.received)
    if not fresh:
        simulation.materialize(*definition.graph.assets)
    before = len(simulation.runs)
    if event.source in definition.graph.sensors:
        simulation.emit(event).later(LOOKAHEAD)
    runs = simulation.runs[before:]
    return runs, list(_launched(simulation, runs, event))


def _launched(simulation: Simulation, runs: list[Run], event: Event) -> Iterator[Launched]:
    steps = {step.id: step for step in simulation.steps}
    for run in runs:
        waited = run.created - event.received
        after = spoken(waited) if waited else ""
        for work in run.works:
            step = steps[work.step]
            blocked = step.status is StepStatus.BLOCKED
            why = f"{work.because}; {step.note}" if blocked and step.note else work.because
            status = "blocked" if blocked else "launched"
            yield Launched(work.asset, work.partition, why, run.rule, after, status)


def _pruned(graph: Graph, runs: list[Run]) -> Iterator[Untouched]:
    """The assets next to the affected ones that would not run."""
    ran = {work.asset for run in runs for work in run.works}
    told: set[str] = set()
    for run in runs:
        roots = [work.asset for work in run.works if work.root]
        for name, why in planned(graph, run.rule, roots, run.because, run.partition).pruned:
            if name not in ran | told:
                told.add(name)
                yield Untouched(name, why)


def _waiting(graph: Graph, event: Event, fired: set[str]) -> Iterator[Untouched]:
    """The rules that listen to the sensor and would not fire."""
    for rule in graph.rules.values():
        program = compile_trigger(rule.trigger)
        entries = [entry for entry in program.entries if entry.source.name == event.source]
        if not entries or rule.name in fired:
            continue
        refused = [_refusal(entry.conditions, event) for entry in entries]
        if all(refused):
            yield Untouched(rule.name, "; ".join(dict.fromkeys(map(str, refused))))
        elif rule.observe:
            yield Untouched(rule.name, "it only observes (observe=True)")
        else:
            yield Untouched(rule.name, f"it lets the event in and waits for more: {rule.trigger}")


def _refusal(conditions: tuple[Predicate, ...], event: Event) -> str:
    """Why the event is not let in, or an empty text if it is."""
    for condition in conditions:
        try:
            if condition.test()(event):
                continue
        except Exception as error:  # noqa: BLE001 - a predicate is a user's code
            return f"{condition} raises {type(error).__name__}: {error}"
        return f"{condition} does not hold{_seen(condition, event)}"
    return ""


def _seen(condition: Predicate, event: Event) -> str:
    if not isinstance(condition, (Compare, Exists)):
        return ""
    value = condition.path.getter()(event)
    return ": there is no such field" if value is MISSING else f": it is {value!r}"


def _print(
    graph: Graph,
    event: Event,
    launched: list[Launched],
    pruned: list[Untouched],
    waiting: list[Untouched],
) -> None:
    say(Text("if ", "dim"), Text(describe(event), "cyan"), Text(", of ", "dim"), graph.name)
    names = {each.asset for each in launched}
    if launched:
        say("")
        table(("runs", "when", "because"), [_row(each) for each in launched])
    if pruned:
        say("")
        rows = [(Text(each.name, "dim"), each.because) for each in pruned]
        table(("does not run", "because"), rows)
    if waiting:
        say("")
        rows = [(Text(each.name, "magenta"), each.because) for each in waiting]
        table(("does not fire", "because"), rows)
    say("")
    left = len(graph.assets) - len(names)
    say(f"{count(len(names), 'asset')} would run, {count(left, 'asset')} would not")


def _row(each: Launched) -> tuple[Any, ...]:
    name = f"{each.asset}[{each.partition}]" if each.partition else each.asset
    colour = "yellow" if each.status == "blocked" else "green"
    when = "blocked" if each.status == "blocked" else f"+{each.after}" if each.after else "at once"
    return Text(name, colour), when, each.because.removeprefix("because ")
