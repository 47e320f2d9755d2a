"""`reactor simulate`: what recorded events would have launched, and how that differs from before.

The same brain as in the service, on the clock of the record. Nothing runs, nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from reactor import load, settings
from reactor.cli import against as other
from reactor.cli.complaint import BadUsage
from reactor.cli.options import StoreUrl
from reactor.cli.past import Past, from_file, from_store, happened, moment
from reactor.cli.screen import Cell, Json, commands, count, err, remark, say, show_json, table
from reactor.cli.target import Target
from reactor.core.errors import ReactorError
from reactor.core.event import Event
from reactor.core.graph import Graph, nearest
from reactor.pipeline import Definition
from reactor.simulation.backtest import backtest
from reactor.simulation.chronicle import Firing
from reactor.simulation.comparison import Comparison, Difference, compare
from reactor.simulation.coverage import gaps
from reactor.simulation.recording import Recording, recording

LONG = 2_000
"""From this many events on, a terminal shows how far it is."""
PUNCTUAL = timedelta(seconds=5)
"""A launch within this time of when it would have been really happened then."""

_COLOURS = {"appears": "green", "disappears": "red", "moves": "yellow"}

app = commands()


@dataclass(frozen=True, slots=True)
class _Life:
    """A simulated past: what was replayed, from when until when, and what would have fired."""

    found: Recording
    start: datetime
    end: datetime | None
    firings: Sequence[Firing]


@app.command()
def simulate(
    target: Target,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Events, a JSON object a line; else the store's own."),
    ] = None,
    store: StoreUrl = None,
    since: Annotated[str | None, typer.Option(help="From when on: an instant, or 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="Until when.")] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="Compare: other.py, HEAD~1, store, or a store's URL."),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Though the store did not keep all it would read.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="The most rows to print; 0 for all.")] = 100,
    as_json: Json = False,
) -> None:
    """Show what recorded events would have launched, and what would have been different."""
    definition = load.define([target])
    first, last = moment(since), moment(until)
    if events is not None:
        past = from_file(events, first, last)
    else:
        past = anyio.run(from_store, settings.read(store=store).store, first, last)
    life = _lived(definition, past, str(events or "the store"))
    _refuse_gaps(definition.graph, past, life, partial)
    if against is None:
        _show(definition, life, limit, as_json)
        return
    before, tolerance = _before(against, target, definition.graph, past, life, store)
    comparison = compare(before, life.firings, tolerance)
    _show_comparison(definition, against, life, comparison, limit, as_json)


def _lived(definition: Definition, past: Past, name: str) -> _Life:
    try:
        found = recording(definition.graph, past.lines)
    except ReactorError as error:
        raise BadUsage(str(error)) from None
    _remark(definition.graph, found, name, past.reads is not None)
    found.events = [
        event
        for event in found.events
        if (past.since is None or event.received >= past.since)
        and (past.until is None or event.received <= past.until)
    ]
    start = past.since or (found.events[0].received if found.events else None)
    if start is None:
        raise BadUsage(
            f"{name} has no event that a rule of {definition.graph.name} listens to",
            hint=f"its sensors are {', '.join(definition.graph.sensors) or 'none'}",
        )
    firings = backtest(definition, found.events, start, past.until, watched)
    return _Life(found, start, past.until, firings)


def _remark(graph: Graph, found: Recording, name: str, stored: bool) -> None:
    """Says what of a record was not taken as it stands."""
    for sensor, (number, why) in found.unfit.items():
        remark(f"{count(number, 'event')} of {sensor} left out, which it does not read now: {why}")
    if stored:
        return
    if found.sorted:
        remark(f"the events of {name} were put in the order in which they came")
    if found.repeats:
        remark(f"{count(found.repeats, 'repeat')} left out")
    if found.ticks:
        remark(f"{count(found.ticks, 'tick')} left out: schedules tick by themselves")
    for sensor, number in found.others.items():
        if not sensor.startswith("asset:"):
            close = nearest(sensor, graph.sensors)
            hint = f" ({close})" if close else ""
            remark(f"{count(number, 'event')} of {sensor} left out: no rule listens to it{hint}")


def watched(events: Sequence[Event]) -> Iterable[Event]:
    """The events as they go by; on a terminal, and if they are many, under a bar."""
    if len(events) < LONG or not err().is_terminal:
        return events
    return _under_a_bar(events)


def _under_a_bar(events: Sequence[Event]) -> Iterator[Event]:
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        task = progress.add_task("", total=len(events))
        for number, event in enumerate(events):
            if not number % 500:
                progress.update(task, completed=number)
            yield event


def _refuse_gaps(graph: Graph, past: Past, life: _Life, partial: bool) -> None:
    """Raises: ReactorError if the store did not keep all that the pipeline would have read."""
    if past.reads is None or past.until is None:
        return
    if past.kept is not None and life.start < past.kept and not partial:
        raise ReactorError(
            f"the store has let go of events from before {_when(past.kept)}",
            hint="say a later --since, or --partial",
        )
    found = gaps(graph, past.reads, past.filtered, life.start, past.until)
    for gap in found if partial else ():
        remark(f"not all of {gap.sensor} was kept: {gap.why} (rule {gap.rule})")
    if found and not partial:
        told = "; ".join(f"{gap.sensor} (rule {gap.rule}): {gap.why}" for gap in found)
        raise ReactorError(
            f"the store did not keep all that {graph.name} reads of {told}",
            hint="--partial simulates what there is; --since takes a later start",
        )


def _before(
    against: str, target: str, graph: Graph, past: Past, life: _Life, store: str | None
) -> tuple[Sequence[Firing], timedelta]:
    """The firings to compare with, and how far apart two may be that are the same."""
    if against == "store" or "://" in against:
        url = settings.read(store=store if against == "store" else against).store
        return anyio.run(happened, url, graph, life.start, life.end), PUNCTUAL
    with other.version(against, target) as version:
        return other.firings(version, past.lines, life.start, life.end), timedelta(0)


def _show(definition: Definition, life: _Life, limit: int, as_json: bool) -> None:
    firings = life.firings
    totals = Counter(dict.fromkeys(definition.graph.rules, 0))
    totals.update(firing.rule for firing in firings)
    if as_json:
        launches = [firing.as_json() for firing in firings]
        show_json({**_about(definition, life), "launches": launches, "rules": totals})
        return
    rows = [(_when(each.at), *_told(each)) for each in _some(firings, limit)]
    table(("when", "rule", "asset", "because"), rows, "nothing would have been launched")
    _left_out(len(firings), limit)
    say("")
    table(("rule", "launches"), [(Text(rule, "magenta"), f"{n:,}") for rule, n in totals.items()])
    say("")
    say(f"{_came(life)}: {len(firings):,} {'launch' if len(firings) == 1 else 'launches'}")


def _show_comparison(
    definition: Definition,
    against: str,
    life: _Life,
    comparison: Comparison,
    limit: int,
    as_json: bool,
) -> None:
    totals = {word: len(comparison.only(word)) for word in ("appears", "disappears", "moves")}
    if as_json:
        listed = [
            {
                "word": each.word,
                "was": each.was.isoformat() if each.was else None,
                **each.firing.as_json(),
            }
            for each in comparison.differences
        ]
        about = {**_about(definition, life), "against": against, "same": comparison.same}
        show_json({**about, **totals, "differences": listed})
        return
    rows = [_differs(each) for each in _some(comparison.differences, limit)]
    table(("", "when", "rule", "asset", "because"), rows)
    _left_out(len(comparison.differences), limit)
    if rows:
        say("")
    told = ", ".join(_verb(word, number) for word, number in totals.items() if number)
    say(f"{_came(life)}, against {against}:")
    say(f"{told or 'nothing differs'}; ", _same(comparison.same))


def _about(definition: Definition, life: _Life) -> dict[str, Any]:
    return {
        "pipeline": definition.graph.name,
        "events": len(life.found.events),
        "since": life.start.isoformat(),
        "until": life.end.isoformat() if life.end else None,
    }


def _came(life: _Life) -> str:
    return f"{count(len(life.found.events), 'event')} since {_when(life.start)}"


def _verb(word: str, number: int) -> str:
    return f"{number:,} {word if number == 1 else word.removesuffix('s')}"


def _same(number: int) -> str:
    return "1 launch is the same" if number == 1 else f"{number:,} launches are the same"


def _some(items: Sequence[Any], limit: int) -> Sequence[Any]:
    return items[:limit] if limit else items


def _left_out(number: int, limit: int) -> None:
    if limit and number > limit:
        remark(f"and {number - limit:,} more (--limit 0 shows all)")


def _differs(each: Difference) -> tuple[Cell, ...]:
    when = _when(each.firing.at)
    if each.was is not None:
        day, _, time = when.partition(" ")
        when = f"{_when(each.was)} → {time if each.was.date().isoformat() == day else when}"
    return Text(each.word, _COLOURS[each.word]), when, *_told(each.firing)


def _told(firing: Firing) -> tuple[Cell, Cell, Cell]:
    """The rule, what it launches (the first, and how many follow), and why."""
    first, *more = firing.assets or ("",)
    assets = f"{first} +{len(more)}" if more else first
    place = firing.partition if firing.partition is not None else firing.key
    where = f"[{place}]" if place is not None else ""
    observed = " (only observes)" if firing.observed else ""
    return Text(firing.rule, "magenta"), f"{assets}{where}{observed}", firing.because


def _when(at: datetime) -> str:
    text = at.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{at.microsecond // 1000:03}" if at.microsecond else text
