"""What is out of date: asset partitions whose inputs are not those that their last success read.

Knows: what was made, from what, and what would be read now. Refuses to know: what is being made,
and whether anything is to be done about it beyond `due`.

Laws. What was never made is missing, not out of date; an asset that reads nothing is never out of
date. Something is out of date *itself* if what would lead a change to it changed after it, or if
the pipeline lets it read something else; or only because an upstream of it is. What would have been
launched in time is never out of date, so nothing here is more or less than what plan.py leads to:
a change of a whole does not concern a partition that declares none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from reactor.core.asset import Asset
from reactor.core.graph import Graph
from reactor.core.inputs import Input, Inputs, Seen
from reactor.core.inventory import Inventory
from reactor.core.link import EVERY, Link, Place, link
from reactor.core.plan import Root
from reactor.core.run import Materialization, Step, StepStatus
from reactor.core.sentence import listed
from reactor.core.state import State

CATCH_UP = "catch up"
"""The rule name of a run that brings up to date, after a restart, what was out of date."""
REMOVED = "removed from the pipeline"
AGAIN = "planned again on a changed pipeline"
"""Why a step is cancelled if nobody wanted that."""

_GIVEN_UP = frozenset({StepStatus.FAILED, StepStatus.BLOCKED, StepStatus.CANCELLED})
_Places = dict[str, dict[str | None, "Stale"]]


@dataclass(frozen=True, slots=True)
class Stale:
    """An asset partition that is out of date, and why, in words that stand by themselves.

    `root`: it is so itself, and can be brought up to date; otherwise an upstream has to be first.
    """

    asset: str
    partition: str | None
    why: str
    root: bool

    @property
    def place(self) -> Root:
        """Which asset partition it is."""
        return self.asset, self.partition

    @property
    def called(self) -> str:
        """What it is called: `orders[2026-01-05]`."""
        return _named(self.asset, self.partition)


def stale(graph: Graph, state: State) -> tuple[Stale, ...]:
    """All that is out of date, upstreams before what they lead to.

    Cost: O(what was made, and what each of it reads). Changes nothing.
    """
    return tuple(_Looking(graph, Inventory(state)).all())


def given_up(steps: Iterable[Step]) -> frozenset[Root]:
    """The asset partitions that an operator cancelled, or that wait for a failed run's resume: the
    last step of each, among these, that ended says so.
    """
    last: dict[Root, Step] = {}
    for step in steps:
        place = (step.asset, step.partition)
        if step.finished is not None and _after(step, last.get(place)):
            last[place] = step
    return frozenset(
        place
        for place, step in last.items()
        if step.status in _GIVEN_UP and step.note not in (REMOVED, AGAIN)
    )


def due(
    graph: Graph,
    found: Iterable[Stale],
    live: Collection[Root],
    left: Collection[Root],
) -> list[Stale]:
    """What of all that is out of date is to be brought up to date without being asked.

    Not what is `live` (a step that has not ended will do it), nor what does not follow its
    upstreams, nor what was given up (`left`) or reads something that was: the old and the new would
    be read side by side.
    """
    stuck: _Places = {}
    roots: list[Stale] = []
    for each in found:
        if each.place in live:
            continue
        above = _among(graph, *each.place, stuck)
        if each.place in left or next(above, None) is not None:
            stuck.setdefault(each.asset, {})[each.partition] = each
        elif each.root and graph.assets[each.asset].follow:
            roots.append(each)
    return roots


def missing(graph: Graph, state: State, names: Iterable[str], until: datetime) -> list[Root]:
    """The partitions of assets that were never made, of those that are known: not dynamic ones.

    Cost: O(partitions that exist by then).
    """
    inventory = Inventory(state)
    found: list[Root] = []
    for name in names:
        partitions = graph.assets[name].partitions
        keys = (None,) if partitions is None else partitions.listed(until) or ()
        found += ((name, key) for key in keys if inventory.last(name, key) is None)
    return found


class _Looking:
    """One look at everything that was made."""

    def __init__(self, graph: Graph, inventory: Inventory) -> None:
        self._graph, self._inventory = graph, inventory
        self._inputs = Inputs(graph, inventory)
        self._found: _Places = {}

    def all(self) -> Iterator[Stale]:
        """Asset by asset, upstreams first; its partitions in their order."""
        assets = self._graph.assets
        made = [name for name in self._inventory.assets() if name in assets]
        for name in self._graph.affected(made):
            asset = assets[name]
            for partition in self._partitions(asset) if asset.upstream else ():
                row = self._inventory.last(name, partition)
                found = self._judged(asset, row) if row is not None else None
                if found is not None:
                    self._found.setdefault(name, {})[partition] = found
                    yield found

    def _partitions(self, asset: Asset) -> list[str | None]:
        """What was made of an asset and is still a partition of it."""
        whole = asset.partitions is None
        keys: list[str | None] = [None] if whole else []
        for key in sorted(self._inventory.made(asset.name)):
            if asset.partitions is None or not asset.partitions.problem(key):
                keys.append(key)
        return keys

    def _judged(self, asset: Asset, row: Materialization) -> Stale | None:
        seen = self._inputs.seen(asset, row.partition, row)
        moved = seen.inputs != row.inputs
        news = [*self._news(asset, row, seen)] if moved else []
        gone = [*self._gone(asset, row)] if moved else []
        absent = self._inputs.absent(asset.name, row.partition) if news or gone else []
        if absent:
            names = listed(list(dict.fromkeys(name for name, _ in absent)))
            waits = f"{names} {'is' if len(absent) == 1 else 'are'} not there"
            return Stale(asset.name, row.partition, "; ".join([*news, waits]), False)
        if news:
            return Stale(asset.name, row.partition, "; ".join(news), True)
        above = _among(self._graph, asset.name, row.partition, self._found)
        first = next(above, None)
        if first is not None:
            return Stale(asset.name, row.partition, f"{_named(*first.place)} is out of date", False)
        return None

    def _news(self, asset: Asset, row: Materialization, seen: Seen) -> Iterator[str]:
        """What changed of what an asset partition reads."""
        then = {name: (name, what, change) for name, what, change in row.inputs}
        now = {read[0]: read for read in seen.inputs}
        for up, edge in self._inputs.links(asset):
            before, read = then.pop(up.name, None), now.get(up.name)
            if read is not None and _leads(edge, row.partition, read):
                yield from self._moved(row, before, read, edge, seen.changed.get(up.name))
        yield from (f"it does not read {name} any more" for name in then)

    def _gone(self, asset: Asset, row: Materialization) -> Iterator[str]:
        """The upstreams that were read, must be there, and are not."""
        read = {name for name, _, _ in row.inputs}
        needed = {up.name for up in asset.upstream if not up.optional}
        yield from (
            name
            for name, _ in self._inputs.absent(asset.name, row.partition)
            if name in read & needed
        )

    def _moved(
        self,
        row: Materialization,
        before: Input | None,
        read: Input,
        edge: Link | None,
        changed: tuple[str, ...] | None,
    ) -> Iterator[str]:
        """Why what is read of one upstream now is not what was read then; nothing if it is."""
        name, what, change = read
        maker = self._inventory.last(name, what)
        step = f" (step {maker.step})" if maker is not None else ""
        if before is None:
            made = maker is not None and maker.at > row.at
            yield (
                f"{_named(name, what)} was made after it{step}" if made else f"it reads {name} now"
            )
        elif before[1] != what:
            if edge is None or edge.parts is None:
                if change > before[2]:
                    yield f"{_named(name, what)} was made after it{step}"
            else:
                yield f"it reads {_named(name, what)} now, and read {_named(name, before[1])}"
        elif change > before[2]:
            if changed and maker is not None:
                yield f"{listed(changed)} of {_named(name, what)} changed after it{step}"
            elif changed:
                yield f"{listed([_named(name, key) for key in changed])} changed after it"
            else:
                yield f"{_named(name, what)} changed after it{step}"


def _leads(edge: Link | None, partition: str | None, read: Input) -> bool:
    """Whether a change of what is read leads to a partition: see plan.py."""
    if partition is None or (edge is not None and edge.below is not None):
        return True
    return edge is None and read[1] == partition


def _among(graph: Graph, name: str, partition: str | None, places: _Places) -> Iterator[Stale]:
    """What of `places` an asset partition reads, so far as a change of it would lead there."""
    asset = graph.assets[name]
    for up in asset.upstream:
        known = places.get(up.name)
        if known:
            edge = link(graph.assets[up.name], asset)
            yield from _read(up.name, edge, partition, known)


def _read(
    above: str, edge: Link | None, partition: str | None, known: Mapping[str | None, Stale]
) -> Iterator[Stale]:
    if edge is None:
        reads: tuple[Place, ...] = ((above, partition),)
    elif partition is not None and edge.below is None:
        return
    else:
        reads = edge.places(partition)
    for _, what in reads:
        if what is EVERY:
            yield from (
                found
                for key, found in known.items()
                if key is None or edge is None or edge.concerns(key, partition)
            )
        elif what in known:
            yield known[what]


def _after(step: Step, other: Step | None) -> bool:
    """Whether a step that ended is the later one of two."""
    if other is None or other.finished is None or step.finished is None:
        return True
    return (step.finished, step.id) > (other.finished, other.id)


def _named(name: str, what: str | None) -> str:
    return name if what is None else f"{name}[{what}]"
