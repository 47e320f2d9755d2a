"""Why each asset of a pipeline runs in a run, or does not: a sentence for each, on demand.

Knows: what a run holds, planned or recorded, and the graph that it was planned on. Refuses to know:
events and what led to the run (why.py).

Law: an asset that the run holds is told by its own record; any other by the edge, partition, column
or order that kept the change away from it. Cost: as said, for nothing of it is kept anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reactor.core.asset import Asset
from reactor.core.breach import judge, moves
from reactor.core.contract import TableChanged
from reactor.core.graph import Graph
from reactor.core.plan import UNTOUCHED, Known, plan, there, untouched
from reactor.core.reader import outside
from reactor.core.run import ENDED, StepStatus
from reactor.core.sentence import listed

UNMADE = "none of its partitions was made"
"""Why a change that an asset reads launches none of it."""


class Word(StrEnum):
    """Whether an asset runs."""

    RUNS = "runs"
    LATER = "later"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Explained:
    """One asset: `because` is the rest of a sentence that begins with its name and the word."""

    asset: str
    word: Word
    because: str

    @property
    def text(self) -> str:
        """The sentence: `clean runs because raw changes`."""
        if self.word is Word.LATER:
            return f"{self.asset} is decided {self.because}"
        return f"{self.asset} {self.word} because {self.because}"


@dataclass(frozen=True, slots=True)
class Part:
    """One asset partition of a run: its work, and how its step is, if it has one.

    `upstream` are places among the parts of the run; `tried` says whether an attempt was begun.
    """

    asset: str
    partition: str | None
    because: str
    root: bool
    upstream: tuple[int, ...] = ()
    later: tuple[str, ...] = ()
    status: StepStatus | None = None
    note: str = ""
    tried: bool = False


def beside(
    graph: Graph,
    rule: str,
    parts: Sequence[Part],
    changed: object = None,
    known: Known = lambda asset: (),
) -> dict[str, str]:
    """The assets next to those of a run that are not part of it, each with the reason.

    Of a schema change, `changed` is what the event says; of other runs it is ignored. `known` has
    the partitions of an asset that are there. Cost: O(affected assets and their edges).
    """
    ran = {part.asset for part in parts}
    roots = [(part.asset, part.partition) for part in parts if part.root]
    whole = rule in graph.rules or not all(part.root for part in parts)
    made = plan(graph, rule, roots, "", downstream=whole)
    columns = {
        name: left_out(graph.assets[name], changed, known) for name in untouched(graph, made, ran)
    }
    return {name: why for name, why in {**dict(made.pruned), **columns}.items() if name not in ran}


def left_out(asset: Asset, changed: object, known: Known = lambda asset: ()) -> str:
    """Why a schema change has no part of an asset in a run of those that it reaches."""
    concerned = None
    lineage = outside(asset)
    if isinstance(changed, TableChanged):
        judged = judge(lineage, changed.table, moves(changed)) if lineage is not None else None
        if judged is None or not (judged.facts or judged.touched):
            return f"it {UNTOUCHED}"
        concerned = judged
    if lineage is not None and asset.partitions is not None and not there(asset, known):
        return UNMADE
    if concerned is None:
        return f"it {UNTOUCHED}"
    return "it is held, apart from this" if concerned.facts else "what it reads is as it was"


def explain(
    graph: Graph,
    rule: str,
    parts: Sequence[Part],
    changed: object = None,
    known: Known = lambda asset: (),
) -> tuple[Explained, ...]:
    """Every asset of the graph, in the order of declaration. The run was planned on this graph.

    `changed` and `known` are as in `beside`. Cost: O(assets and edges of the graph).
    """
    own: dict[str, list[Part]] = {}
    later: dict[str, list[Part]] = {}
    for part in parts:
        own.setdefault(part.asset, []).append(part)
        for name in part.later:
            later.setdefault(name, []).append(part)
    pruned = beside(graph, rule, parts, changed, known)
    roots = dict.fromkeys(part.asset for part in parts if part.root)
    below = _below(graph, roots)
    found: list[Explained] = []
    for name, asset in graph.assets.items():
        if name in own:
            found.append(_told(own[name], parts))
        elif name in later:
            found.append(_decided(name, later[name]))
        elif name in pruned:
            found.append(Explained(name, Word.PRUNED, pruned[name]))
        elif name in below:
            above = [up.name for up in asset.upstream if up.name in below or up.name in own]
            idle = [each for each in above if each not in own]
            why = (
                f"it follows from {listed(idle)}, which {'do' if len(idle) > 1 else 'does'} not run"
            )
            none = "none of its partitions follows from what changes"
            found.append(Explained(name, Word.PRUNED, why if idle else none))
        else:
            why = (
                f"it is not downstream of {listed(list(roots))}" if roots else "nothing is launched"
            )
            found.append(Explained(name, Word.PRUNED, why))
    return tuple(found)


def together(runs: Iterable[Sequence[Explained]]) -> tuple[Explained, ...]:
    """Of several runs on one graph, what each asset does in the one that concerns it most."""
    best: dict[str, Explained] = {}
    for run in runs:
        for each in run:
            known = best.get(each.asset)
            if known is None or _telling(each) < _telling(known):
                best[each.asset] = each
    return tuple(best.values())


_ORDER = list(Word)
_FAR = "it is not downstream of"


def _telling(each: Explained) -> tuple[int, bool]:
    return _ORDER.index(each.word), each.because.startswith(_FAR)


def _below(graph: Graph, roots: Iterable[str]) -> set[str]:
    """All that is downstream of assets, whether or not it follows."""
    found: set[str] = set()
    stack = [name for name in roots if name in graph.assets]
    while stack:
        for name in graph.downstream[stack.pop()]:
            if name not in found:
                found.add(name)
                stack.append(name)
    return found


def _told(mine: Sequence[Part], parts: Sequence[Part]) -> Explained:
    """What the record says of an asset: that it runs, if any partition of it does."""
    runs = [part for part in mine if not _idle(part)]
    first, *rest = runs or mine
    more = f" (and {len(rest)} more of its partitions)" if rest else ""
    if not runs:
        return Explained(first.asset, Word.PRUNED, f"{_why_not(first, parts)}{more}")
    note = f"; {first.note}" if first.note else ""
    because = first.because.removeprefix("because ")
    return Explained(first.asset, Word.RUNS, f"{because}{note}{more}")


def _idle(part: Part) -> bool:
    match part.status:
        case StepStatus.UNCHANGED:
            return not part.tried
        case StepStatus.BLOCKED | StepStatus.HELD | StepStatus.SKIPPED | StepStatus.CANCELLED:
            return True
        case _:
            return False


def _why_not(part: Part, parts: Sequence[Part]) -> str:
    if part.status is StepStatus.UNCHANGED:
        above = [parts[at] for at in part.upstream]
        same = [each.asset for each in above if each.status is StepStatus.UNCHANGED]
        if same:
            return f"{listed(list(dict.fromkeys(same)))} did not change"
        return part.note
    return f"it is {part.status}{f': {part.note}' if part.note else ''}"


def _decided(name: str, by: Sequence[Part]) -> Explained:
    """An asset whose partitions are told by the end of others."""
    open = [part.asset for part in by if part.status is None or part.status not in ENDED]
    if open:
        return Explained(name, Word.LATER, f"when {listed(list(dict.fromkeys(open)))} ends")
    names = listed(list(dict.fromkeys(part.asset for part in by)))
    return Explained(name, Word.PRUNED, f"none of its partitions follows from what {names} changed")
