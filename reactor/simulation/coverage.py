"""Whether a store has kept all that a pipeline would have read.

An event is kept only if some rule's leaf let it in. A rule that reads a sensor, or more of one,
than the rules of the time did cannot be told what it would have done: its events are not there.

Knows: how rules read, and since when; triggers as text. Law: where it is not sure, it says no.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reactor.core.graph import Graph
from reactor.core.trigger.expression import Source, leaves


@dataclass(frozen=True, slots=True)
class Read:
    """How a rule read, from when until when (None: it still does)."""

    trigger: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A sensor of which not all was kept that a rule reads, and why that is so."""

    sensor: str
    rule: str
    why: str


def gaps(
    graph: Graph,
    reads: Sequence[Read],
    filtered: Mapping[str, int],
    start: datetime,
    end: datetime,
) -> list[Gap]:
    """The first gap of each sensor, in the order of the rules.

    Args: `reads` are how the rules of the time read; `filtered` counts, by sensor, events that no
    rule let in and that are gone.
    """
    found: dict[str, Gap] = {}
    for rule in graph.rules.values():
        for source in leaves(rule.trigger):
            if source.name in found or next(source.ticks(start), None) is not None:
                continue
            wanted = _occurrences(str(source), str(rule.trigger))
            why = _missing(source, wanted, reads, bool(filtered.get(source.name)), start, end)
            if why:
                found[source.name] = Gap(source.name, rule.name, why)
    return list(found.values())


def _missing(
    source: Source,
    wanted: Sequence[frozenset[str]],
    reads: Sequence[Read],
    lost: bool,
    start: datetime,
    end: datetime,
) -> str:
    """Why not all of what a rule reads of a source was kept, or an empty text."""
    there = {each: _occurrences(str(source), each.trigger) for each in reads}
    readers = [each for each, found in there.items() if found]
    if not readers:
        return "no rule of the time read it"
    # Where every event was let in by some rule, all of them were kept.
    wide = [
        each
        for each in readers
        if not lost
        or (
            not _narrows_several(each.trigger)
            and all(any(one <= new for one in there[each]) for new in wanted)
        )
    ]
    if not wide:
        return "the rules of the time let in less of it"
    covered = start
    for each in sorted(wide, key=lambda read: read.since):
        if each.since > covered:
            break
        covered = max(covered, each.until or end)
    if covered >= end:
        return ""
    first = min(each.since for each in wide)
    if first > start:
        return f"it is read like this only since {first:%Y-%m-%d %H:%M:%S}"
    return f"nothing read it like this after {covered:%Y-%m-%d %H:%M:%S}"


def _occurrences(source: str, trigger: str) -> list[frozenset[str]]:
    """Where a trigger names a source: by which conditions each place is narrowed."""
    text = _without(trigger, ".by(")
    # What follows the name is a method or nothing, else it is the name of another.
    pattern = rf"(?<![\w.:]){re.escape(source)}(?![\w:/-])(?!\.\w+\b(?!\())"
    return [_conditions(text[found.end() :]) for found in re.finditer(pattern, text)]


def _conditions(text: str) -> frozenset[str]:
    """The conditions of the `.where(...)` that directly follow."""
    found: set[str] = set()
    while text.startswith(".where("):
        end = _closing(text, len(".where("))
        found.add(text[:end])
        text = text[end:]
    return frozenset(found)


def _without(text: str, opening: str) -> str:
    """The text without the calls that begin so."""
    while (at := text.find(opening)) >= 0:
        text = text[:at] + text[_closing(text, at + len(opening)) :]
    return text


def _closing(text: str, at: int) -> int:
    """Where the parenthesis that is open at a place has been closed."""
    depth = 1
    while at < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def _narrows_several(trigger: str) -> bool:
    """Whether a condition may stand around more than one source."""
    text = _without(trigger, ".by(")
    while found := re.search(r"[^)](\.where\()", text):
        text = text[: found.start(1)] + text[_closing(text, found.end(1)) :]
    return ".where(" in text
