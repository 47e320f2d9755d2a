"""From a firing to a plan: which asset partitions would run, in which order, and why each.

Knows: the graph, its mappings and lineage. Refuses to know: what is pending or running (demand.py
joins plans with that).

Laws: an upstream stands before what it leads to; what a change cannot concern, by its partitions or
its columns, is not planned. Where only the end of an asset can tell which partitions below it are
concerned, the plan says so (`Work.later`), and they are planned then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from reactor.core.asset import Asset
from reactor.core.graph import Graph
from reactor.core.lineage import ALL, NOTHING, Columns, either
from reactor.core.lineage import touched as own_touched
from reactor.core.link import link
from reactor.core.run import Work
from reactor.core.sentence import listed

Root = tuple[str, str | None]
"""An asset partition that is asked for."""

UNTOUCHED = "reads none of the changed columns"
"""Why something does not run that follows from what a change of columns touches."""

Known = Callable[[str], Iterable[str]]
"""The partitions of an asset that are there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would run and why, before it runs: `works` in topological order, their steps unset (0).

    `pruned` are assets next to the affected ones that do not run, each with the reason.
    """

    rule: str
    partition: str | None
    works: tuple[Work, ...]
    pruned: tuple[tuple[str, str], ...] = ()


def roots_at(graph: Graph, names: Iterable[str], partition: str | None) -> list[Root]:
    """Assets that are asked for with one key: what each of them makes of it.

    One that has no partition of that key is left out. One that declares no partitions takes the
    key as it is, unless it is asked for together with one that does: then it is one whole.
    """
    assets = [graph.assets[name] for name in names]
    whole = any(asset.partitions is not None for asset in assets)
    found: list[Root] = []
    for asset in assets:
        if asset.partitions is None:
            found.append((asset.name, None if whole else partition))
        elif partition is not None and not asset.partitions.problem(partition):
            found.append((asset.name, partition))
    return found


def wholly(asset: Asset, known: Known) -> list[Root]:
    """All of an asset: each of its partitions that is there."""
    return (
        [(asset.name, key) for key in there(asset, known)]
        if asset.partitions
        else [(asset.name, None)]
    )


def untouched(graph: Graph, made: Plan, ran: Collection[str]) -> tuple[str, ...]:
    """Of a plan for a schema change that was made whole: who is left out for its columns."""
    rule = graph.rules.get(made.rule)
    if rule is None or not rule.schema:
        return ()
    names = dict.fromkeys((*(work.asset for work in made.works), *rule.assets))
    return tuple(name for name in names if name not in ran)


def plan(
    graph: Graph,
    rule: str,
    roots: Iterable[Root],
    because: str,
    *,
    partition: str | None = None,
    downstream: bool = True,
    known: Known = lambda asset: (),
    touched: Mapping[str, Columns] | None = None,
) -> Plan:
    """The affected subgraph of `roots`: they and what follows from them.

    Args:
        because: the rest of a sentence that begins with a root's name.
        partition: the key of the firing, for the record.
        downstream: whether what follows is wanted too.
        known: the partitions of an asset that are there.
        touched: for a change of columns, those of each root that change; what reads none of the
            columns that change is not planned.

    Cost: O(affected asset partitions and their edges).
    """
    drawing = _Drawing(graph, because, downstream, known, touched)
    asked = dict.fromkeys(roots)
    for name, key in asked:
        drawing.wanted.setdefault(name, {})[key] = []
    for name in graph.affected(drawing.wanted):
        if name in drawing.wanted:
            drawing.draw(graph.assets[name], asked)
        if drawing.spreads:
            drawing.pass_on(name)
    planned = {work.asset for work in drawing.works}
    planned.update(name for work in drawing.works for name in work.later)
    pruned = [each for each in drawing.pruned.items() if each[0] not in planned]
    return Plan(rule, partition, tuple(drawing.works), tuple(pruned))


class _Drawing:
    """A plan while it is made: asset by asset, upstreams first."""

    def __init__(
        self,
        graph: Graph,
        because: str,
        downstream: bool,
        known: Known,
        touched: Mapping[str, Columns] | None,
    ) -> None:
        self._graph, self._because = graph, because
        self._downstream, self._known, self._touched = downstream, known, touched
        self._columns: dict[str, Columns] = {}
        self.wanted: dict[str, dict[str | None, list[int]]] = {}
        """Of each asset the partitions to make, and the places in `works` that lead to each."""
        self._spread: dict[str, dict[int, None]] = {}
        """Of each asset the places that lead to partitions of it, or of what is above it, which
        only their end tells."""
        self.works: list[Work] = []
        self.pruned: dict[str, str] = {}

    @property
    def spreads(self) -> bool:
        """Whether only the end of anything planned so far tells what follows from it."""
        return bool(self._spread)

    def draw(self, asset: Asset, asked: Mapping[Root, None]) -> None:
        """Plans what is wanted of an asset, and wants what follows from it."""
        name, works = asset.name, self.works
        keys = self.wanted[name]
        if self._touched is not None and not self._moves(asset, keys):
            self.pruned[name] = UNTOUCHED
            del self.wanted[name]
            return
        first = len(works)
        later = self._lead_on(asset, keys, first)
        spread = self._spread.get(name, ())
        for key, above in keys.items():
            root = (name, key) in asked
            because = self._because if root else self._changed(above)
            upstream = tuple(dict.fromkeys((*above, *spread))) if spread else tuple(above)
            works.append(Work(name, key, 0, upstream, because, root, later))

    def pass_on(self, name: str) -> None:
        """Has what is below wait, too, for what tells which partitions of an asset follow."""
        spread = self._spread.get(name)
        for child in self._graph.downstream[name] if spread else ():
            if self._graph.assets[child].follow or child in self.wanted:
                self._spread.setdefault(child, {}).update(spread or {})

    def _changed(self, above: Sequence[int]) -> str:
        """Why something runs that others lead to."""
        if len(above) == 1:
            return f"because {self.works[above[0]].asset} changes"
        names = list(dict.fromkeys([self.works[at].asset for at in above]))
        if len(names) == 2:
            return f"because {names[0]} and {names[1]} change"
        return f"because {listed(names, len(names))} {'change' if len(names) > 1 else 'changes'}"

    def _lead_on(self, asset: Asset, keys: Collection[str | None], first: int) -> tuple[str, ...]:
        """Wants what follows from an asset's works, the first of which stands at `first`.

        Returns: the assets of which only the end of this one tells which partitions follow.
        """
        later: list[str] = []
        for name in self._graph.downstream[asset.name]:
            below = self._graph.assets[name]
            known = self.wanted.get(name, _NOTHING)
            onward = self._downstream and below.follow
            if not onward:
                self.pruned.setdefault(name, f"{asset.name} changes, but {self._unwanted()}")
                if not known:
                    continue
            if asset.partitions is None and below.partitions is None:
                # The usual case, and by far: each key leads to the same one.
                for at, key in enumerate(keys, first):
                    self._lead(name, key, at, onward)
                continue
            reached, spreads = self._mapped(asset, below, keys, first)
            if spreads and self._concerns(asset.name, below):
                places = range(first, first + len(keys))
                self._spread.setdefault(name, {}).update(dict.fromkeys(places))
                later += [name] if onward else []
            for at, found in reached:
                for key in found:
                    self._lead(name, key, at, onward)
        return tuple(later)

    def _lead(self, name: str, key: str | None, at: int, onward: bool) -> None:
        """The work at `at` leads to an asset partition: one wanted anyway, or else `onward`."""
        keys = self.wanted.get(name)
        if keys is not None and key in keys:
            keys[key].append(at)
        elif onward:
            self.wanted.setdefault(name, {})[key] = [at]

    def _unwanted(self) -> str:
        if self._downstream:
            return "follow=False: only its own trigger launches it"
        return "not asked for"

    def _mapped(
        self, asset: Asset, below: Asset, keys: Collection[str | None], first: int
    ) -> tuple[list[tuple[int, tuple[str | None, ...]]], bool]:
        """The partitions below that each partition of an asset leads to, and whether more come."""
        edge = link(asset, below)
        if edge is None:
            return [], False
        found: list[tuple[int, tuple[str | None, ...]]] = []
        for at, key in enumerate(keys, first):
            try:
                found.append((at, edge.down(key, partial(there, below, self._known))))
            except Exception as error:  # noqa: BLE001 - a user's mapping
                why = f"its mapping raised {type(error).__name__}: {error}"
                self.pruned[below.name] = f"{asset.name} changes, but {why}"
        if not edge.spreads and not any(reached for _, reached in found):
            why = f"{asset.name} changes, but none of its partitions follows from that"
            self.pruned.setdefault(below.name, why)
        return found, edge.spreads

    def _moves(self, asset: Asset, keys: Mapping[str | None, Sequence[int]]) -> bool:
        """Whether columns of an asset change, and notes which."""
        given = (self._touched or {}).get(asset.name)
        above = {self.works[at].asset for places in keys.values() for at in places}
        if asset.lineage is None or not above:
            own: Columns = ALL if above or given is None else given
        else:
            own = own_touched(asset.lineage, {name: self._columns[name] for name in above})
            own = either(own, given or NOTHING)
        self._columns[asset.name] = own
        return bool(own)

    def _concerns(self, name: str, below: Asset) -> bool:
        """Whether what changes of an asset concerns another one by its columns."""
        if self._touched is None or below.lineage is None:
            return True
        if own_touched(below.lineage, {name: self._columns[name]}):
            return True
        self.pruned[below.name] = UNTOUCHED
        return False


_NOTHING: dict[str | None, list[int]] = {}


def there(asset: Asset, known: Known) -> tuple[str, ...]:
    """The partitions of an asset that are there: those made, and those that need no making."""
    listed = getattr(asset.partitions, "names", ())
    return tuple(dict.fromkeys((*listed, *known(asset.name))))
