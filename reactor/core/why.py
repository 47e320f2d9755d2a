"""Why an event did not launch more, in a sentence: for any rule, for any asset.

Knows: the graph, and what became of the event (verdict.py). Refuses to know: where rows are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from reactor.core.asset import Rule
from reactor.core.explain import left_out
from reactor.core.graph import Graph
from reactor.core.plan import UNTOUCHED
from reactor.core.run import StepStatus
from reactor.core.sentence import TOLD, instant_text, listed
from reactor.core.trigger.expression import AssetEvents, leaves
from reactor.core.verdict import Launched, Part, Record, concluded, heard_by, hears, later, told


def why_not_rule(graph: Graph, record: Record, name: str) -> str:
    """Why a rule did not fire for an event, or that it did."""
    rule = graph.rules[name]
    verdict = next((each for each in told(graph, record) if each.rule == name), None)
    if verdict is not None:
        return _sentence(record, f"{name} {verdict.text}")
    if not hears(rule, record.event):
        return f"{name} does not listen to {record.event.source}: it listens to {heard_by(rule)}."
    if later(rule, record):
        since = instant_text(record.began[name])
        return f"{name} reads as it does since {since}: this event came before."
    return _sentence(record, f"{name} {concluded(rule, record).text}")


def why_not_asset(graph: Graph, record: Record, name: str) -> str:
    """Why an event did not bring an asset up to date, or that it did.

    Looks at every rule that launches the asset or something that it follows, and at what the event
    launched above it.
    """
    parts = [(run, part) for run in record.runs for part in run.parts if part.asset == name]
    if parts:
        return _sentence(record, "; ".join(_part(run, part) for run, part in parts[:TOLD]))
    leading, stops = _leading(graph, name)
    rules = [rule for rule in graph.rules.values() if leading.intersection(rule.assets)]
    said = [
        *_rules(graph, record, rules, name),
        *_cut(graph, record, stops),
        *_chained(record, rules),
    ]
    if said:
        return _sentence(record, f"{name} was not launched: {'; '.join(said)}")
    if rules:
        heard = listed([f"{rule.name} listens to {heard_by(rule)}" for rule in rules])
        return f"no rule that leads to {name} listens to {record.event.source}: {heard}."
    return f"no rule leads to {name}: it is launched by hand alone."


def _rules(graph: Graph, record: Record, rules: Iterable[Rule], name: str) -> list[str]:
    """What became of the event for each of these rules that listen to its sensor, the most telling
    first; of many, for the first few. `name` is the asset that was not launched.
    """
    asset, changed = graph.assets[name], record.event.data
    known = dict.fromkeys(verdict.rule for verdict in told(graph, record))
    place = {name: number for number, name in enumerate(known)}
    hearing = [rule for rule in rules if hears(rule, record.event)]
    hearing.sort(key=lambda rule: place.get(rule.name, len(place)))
    shown = hearing if len(hearing) <= TOLD + 1 else hearing[:TOLD]
    said: list[str] = []
    for rule in shown:
        text = why_not_rule(graph, record, rule.name).removesuffix(".").removeprefix(_RECOMPUTED)
        fired = any(each.rule == rule.name for each in record.fired)
        own = left_out(asset, changed) if name in rule.assets else f"it {UNTOUCHED}"
        said.append(f"{own}, and {text}" if rule.schema and fired else text)
    rest = len(hearing) - len(shown)
    return [*said, f"and {rest:,} more rules did not launch it either"] if rest else said


_RECOMPUTED = "recomputed: "


def _sentence(record: Record, text: str) -> str:
    return f"{'' if record.seq is not None else _RECOMPUTED}{text}."


def _leading(graph: Graph, name: str) -> tuple[set[str], list[str]]:
    """The assets whose launch launches this one: itself, and what it follows; and, of these, those
    that do not follow what they read.
    """
    found, stack, stops = {name}, [name], list[str]()
    while stack:
        asset = graph.assets[stack.pop()]
        if not asset.follow:
            stops.append(asset.name)
            continue
        above = [each.name for each in asset.upstream if each.name not in found]
        found.update(above)
        stack.extend(above)
    return found, stops


def _cut(graph: Graph, record: Record, stops: Iterable[str]) -> list[str]:
    """Where the change that an event made above an asset stops before it."""
    found: list[str] = []
    for stop in stops:
        above = set(graph.ancestors(stop))
        for verdict in told(graph, record):
            rule = graph.rules.get(verdict.rule)
            if verdict.run is not None and rule is not None and above.intersection(rule.assets):
                stopped = f"that stops at {stop}, which has follow=False"
                found.append(f"{rule.name} {verdict.text}, but {stopped}")
    return found


_PARTS = {
    StepStatus.PENDING: "waits",
    StepStatus.RUNNING: "is running",
    StepStatus.RETRYING: "failed and is tried again",
    StepStatus.MATERIALIZED: "was materialized",
    StepStatus.UNCHANGED: "was unchanged",
    StepStatus.FAILED: "failed",
    StepStatus.BLOCKED: "is blocked",
    StepStatus.HELD: "is held",
    StepStatus.SKIPPED: "was skipped",
    StepStatus.CANCELLED: "was cancelled",
    None: "is in it, and how it ended is not kept any more",
}


def _part(run: Launched, part: Part) -> str:
    note = f": {part.note}" if part.note else ""
    return f"{part.name} {_PARTS[part.status]} in run {run.id}, which {run.rule} launched{note}"


def _chained(record: Record, rules: Iterable[Rule]) -> list[str]:
    """What the event did to assets whose own events would launch the asset asked for."""
    found: list[str] = []
    for rule in rules:
        heard = [leaf for leaf in leaves(rule.trigger) if isinstance(leaf, AssetEvents)]
        for leaf in heard:
            found.extend(
                f"{rule.name} listens to {leaf}, and {_part(run, part)}"
                for run in record.runs
                for part in run.parts
                if part.asset == leaf.asset
            )
    return found
