"""`reactor plan`: what an event would launch, and why; nothing runs.

The same brain as in the service, on a virtual clock: every asset counts as built once, the event
comes, and time passes until nothing more would start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Annotated

import typer
from rich.text import Text

from reactor import load
from reactor.cli.screen import (
    Cell,
    Json,
    commands,
    count,
    explained,
    folded,
    say,
    show_json,
)
from reactor.cli.target import Payload, SensorName, Target, made
from reactor.core.duration import spoken
from reactor.core.event import Event
from reactor.core.explain import UNMADE, Explained, Part, Word, beside, explain, together
from reactor.core.graph import Graph
from reactor.core.run import Run, Step, StepStatus, Work
from reactor.core.sentence import describe
from reactor.core.verdict import Status, Verdict, hears
from reactor.pipeline import Definition
from reactor.simulation import Firing, Simulation

LOOKAHEAD = timedelta(days=31)
"""How far the clock is moved on, so that a batch or a debounce that waits is seen to fire."""

_LISTED = 20
"""How many assets that are not affected are named."""

Drawn = Sequence[tuple[str, Sequence[Part]]]
"""What runs hold, each with its rule."""

app = commands()


@dataclass(frozen=True, slots=True)
class Launched:
    """One asset that would run. `after` is how long after the event, `because` begins with it.

    `root` says that the rule launches it; what follows from it names the edge. An asset that would
    only be held, as nothing of it was made yet, has the `status` held and `root` false.
    """

    asset: str
    partition: str | None
    because: str
    rule: str
    after: str
    status: str
    root: bool


@dataclass(frozen=True, slots=True)
class Untouched:
    """A rule or an asset that would do nothing, and why not."""

    name: str
    because: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule that listens to the sensor, or to what followed, and what it would do.

    `does` is fires, waits, observes or refuses; `after` is how long after the event, `because` is
    what it waits for, or why it does not fire, or what fires it.
    """

    name: str
    does: str
    after: str
    because: str
    trigger: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """All that an event would do."""

    rules: list[Asked]
    launched: list[Launched]
    pruned: list[Untouched]
    unaffected: list[str]
    assets: list[Explained]
    """Every asset, if that was asked for."""


@app.command()
def plan(
    target: Target,
    sensor: SensorName,
    payload: Payload,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="As if no asset had ever been built.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Of every asset: why it would run, or would not.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what an event would launch, and why; nothing runs."""
    definition = load.define([target])
    event = made(definition.graph, sensor, payload)
    found = _foreseen(definition, event, fresh, every)
    if not as_json:
        _print(definition.graph, event, found)
        return
    quiet = [Untouched(a.name, a.because) for a in found.rules if a.does != "fires"]
    about = {"source": event.source, "subject": event.subject, "type": event.type}
    told = asdict(found)
    if not every:
        del told["assets"]
    show_json({"event": about, **told, "not_fired": list(map(asdict, quiet))})


def _foreseen(definition: Definition, event: Event, fresh: bool, every: bool) -> Foreseen:
    """What follows from an event alone: no schedule ticks, nothing is concluded from silence."""
    graph = definition.graph
    simulation = Simulation(definition, event.received - LOOKAHEAD, ticks=False)
    simulation.behind(*graph.sensors)
    if not fresh:
        simulation.materialize(*graph.assets)
    # What that set off has ended by then.
    simulation.until(event.received)
    runs, firings = len(simulation.runs), len(simulation.firings)
    simulation.emit(event)
    verdicts = simulation.fates(event)
    simulation.later(LOOKAHEAD)
    new = simulation.runs[runs:]
    launched = list(_launched(simulation, new, event))
    drawn = _drawn(simulation, new)
    launched += _only_held(simulation, event, {each.asset for each in launched})
    pruned = list(_pruned(graph, drawn, event, {each.asset for each in launched}))
    told = {each.asset for each in launched} | {each.name for each in pruned}
    rules = list(_asked(graph, verdicts, simulation.firings[firings:], event))
    rest = [name for name in graph.assets if name not in told]
    runs_or_none = drawn or [("", [])]
    explained = (explain(graph, rule, parts, event.data) for rule, parts in runs_or_none)
    assets = [_or_held(simulation, each) for each in together(explained)] if every else []
    return Foreseen(rules, launched, pruned, rest, assets)


def _only_held(simulation: Simulation, event: Event, launched: set[str]) -> Iterator[Launched]:
    """The assets that are held from now on without a step of theirs that waits."""
    graph = simulation.definition.graph
    schema = (rule for rule in graph.rules.values() if rule.schema and hears(rule, event))
    rule = next((rule.name for rule in schema), "")
    for name in simulation.held:
        if name not in launched:
            unmade = graph.assets[name].partitions is not None
            why = f"because {UNMADE if unmade else describe(event)}; {simulation.why_held(name)}"
            yield Launched(name, None, why, rule, "", StepStatus.HELD.value, root=False)


def _or_held(simulation: Simulation, told: Explained) -> Explained:
    why = simulation.why_held(told.asset)
    return replace(told, because=f"it is held: {why}") if why and told.word is Word.PRUNED else told


def _asked(
    graph: Graph, verdicts: Iterable[Verdict], firings: Iterable[Firing], event: Event
) -> Iterator[Asked]:
    """The rules, in the order in which they were declared."""
    said = {verdict.rule: verdict for verdict in verdicts}
    fired: dict[str, Firing] = {}
    for firing in firings:
        fired.setdefault(firing.rule, firing)
    for rule in graph.rules.values():
        trigger, verdict, firing = str(rule.trigger), said.get(rule.name), fired.get(rule.name)
        if firing is not None:
            waited = firing.at - event.received
            does = "observes" if rule.observe else "fires"
            yield Asked(rule.name, does, spoken(waited) if waited else "", firing.because, trigger)
        elif verdict is not None:
            refused = verdict.status in (Status.FILTERED, Status.FAILED)
            does = "refuses" if refused else "waits"
            because = verdict.text
            for known in _KNOWN:
                because = because.removeprefix(known)
            yield Asked(rule.name, does, "", because, trigger)


_KNOWN = ("did not let it in: ", "keeps it, ", "waits ")
"""How texts begin that say what the column beside them says already."""


def _launched(simulation: Simulation, runs: list[Run], event: Event) -> Iterator[Launched]:
    steps = {step.id: step for step in simulation.steps}
    for run in runs:
        waited = run.created - event.received
        after = spoken(waited) if waited else ""
        for work in run.works:
            step = steps[work.step]
            waits = step.status in (StepStatus.BLOCKED, StepStatus.HELD)
            why = f"{work.because}; {step.note}" if waits and step.note else work.because
            status = step.status.value if waits else "launched"
            yield Launched(work.asset, work.partition, why, run.rule, after, status, work.root)


def _pruned(graph: Graph, drawn: Drawn, event: Event, told: set[str]) -> Iterator[Untouched]:
    """The assets next to the affected ones that would not run, but those that are `told`."""
    ran = {part.asset for _, parts in drawn for part in parts} | told
    found: dict[str, str] = {}
    for rule, parts in drawn:
        found = beside(graph, rule, parts, event.data) | found
    yield from (Untouched(name, why) for name, why in found.items() if name not in ran)


def _drawn(simulation: Simulation, runs: list[Run]) -> Drawn:
    """What each run holds, as it ended."""
    steps = {step.id: step for step in simulation.steps}
    return [(run.rule, [_part(work, steps[work.step]) for work in run.works]) for run in runs]


def _part(work: Work, step: Step) -> Part:
    return Part(
        work.asset,
        work.partition,
        work.because,
        work.root,
        work.upstream,
        work.later,
        step.status,
        step.note,
        step.tries > 0,
    )


def _print(graph: Graph, event: Event, found: Foreseen) -> None:
    say(Text("if ", "dim"), Text(describe(event), "cyan"), Text(", of ", "dim"), graph.name)
    if found.rules:
        say("")
        folded(("rule", "does", "because"), map(_rule, found.rules))
    if found.launched:
        say("")
        folded(("runs", "when", "because"), map(_row, found.launched))
    if found.assets:
        say("")
        folded(("asset", "", "because"), map(explained, map(asdict, found.assets)))
    elif found.pruned:
        say("")
        rows = [(Text(each.name, "dim"), each.because) for each in found.pruned]
        folded(("does not run", "because"), rows)
    say("")
    held = {each.asset for each in found.launched if each.status == "held"}
    names = {each.asset for each in found.launched} - held
    left = len(graph.assets) - len(names)
    would = f"{count(len(names), 'asset')} would run, {count(left, 'asset')} would not"
    say(f"{would}, {len(held)} of them held" if held else would)
    if found.unaffected and not found.assets:
        say(Text(f"not affected: {_named(found.unaffected)}", "dim"))


def _named(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def _rule(each: Asked) -> tuple[Cell, Cell, Cell]:
    when = f"+{each.after}" if each.after else "at once"
    match each.does:
        case "fires":
            return Text(each.name, "magenta"), f"fires {when}", each.trigger
        case "observes":
            return Text(each.name, "magenta"), "only observes", f"it would fire {when}"
        case "refuses":
            return Text(each.name, "dim"), "does not fire", each.because
        case _:
            return Text(each.name, "magenta"), "waits", each.because


def _row(each: Launched) -> tuple[Cell, Cell, Cell]:
    name = f"{each.asset}[{each.partition}]" if each.partition else each.asset
    waits = each.status in ("blocked", "held")
    colour = "yellow" if waits else "green"
    when = each.status if waits else f"+{each.after}" if each.after else "at once"
    rule = f" (rule {each.rule})" if each.root and each.rule != each.asset else ""
    return Text(name, colour), when, f"{each.because.removeprefix('because ')}{rule}"
