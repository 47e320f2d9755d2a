"""What a step reads: which asset partitions, what is missing of them, and what is new in them.

Knows: edges, and what there is of each asset. Refuses to know: steps, time, how work is done.

Laws: a step sees of each upstream what is there at its first instant, and the number of its newest
change; a step that would see the same numbers as its last success has nothing new to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reactor.core.asset import Asset, Upstream
from reactor.core.graph import Graph
from reactor.core.inventory import Inventory, Recent, since
from reactor.core.link import EVERY, Link, Place, link
from reactor.core.mapping import Keys, Rollup
from reactor.core.run import Materialization

Input = tuple[str, str | None, int]
"""What was read of an asset: its name, what of it (a key, a range, `*`), the newest change."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step sees of its upstreams.

    `handles` has a handle for each upstream that is there; of several partitions a mapping of
    handles by key. `changed` has, for each of these, the keys that changed since the last success,
    None if that cannot be told or all of it may have.
    """

    inputs: tuple[Input, ...]
    handles: Mapping[str, Any]
    changed: Mapping[str, tuple[str, ...] | None]


class Inputs:
    """Reads the graph and the inventory; remembers nothing but the edges it was asked for."""

    def __init__(self, graph: Graph, inventory: Inventory) -> None:
        self._graph, self._inventory = graph, inventory
        self._links: dict[str, tuple[tuple[Upstream, Link | None], ...]] = {}

    def links(self, asset: Asset) -> tuple[tuple[Upstream, Link | None], ...]:
        """The edges that lead to an asset."""
        found = self._links.get(asset.name)
        if found is None:
            above = ((self._graph.assets[up.name], up) for up in asset.upstream)
            found = tuple((up, link(each, asset)) for each, up in above)
            self._links[asset.name] = found
        return found

    def places(self, name: str, partition: str | None) -> tuple[Place, ...]:
        """The asset partitions that a step reads."""
        asset = self._graph.assets.get(name)
        if asset is None:
            return ()
        found: list[Place] = []
        for up, edge in self.links(asset):
            if edge is not None:
                found += edge.places(partition)
            elif partition is None:
                found.append((up.name, None))
            else:
                found += ((up.name, partition), (up.name, None))
        return tuple(found)

    def absent(self, name: str, partition: str | None) -> list[Place]:
        """What a step cannot do without and nobody ever made."""
        asset = self._graph.assets.get(name)
        found: list[Place] = []
        for up, edge in self.links(asset) if asset is not None else ():
            if not up.optional:
                found += self._missing(up.name, edge, partition)
        return found

    def _missing(self, above: str, edge: Link | None, partition: str | None) -> Iterable[Place]:
        if edge is None or edge.parts is None:
            if self._whole(above, partition) is not None:
                return ()
            return ((above, partition), (above, None)) if partition else ((above, None),)
        made, keys = self._inventory.made(above), edge.up(partition)
        if keys is None:
            return () if self._known(edge, partition) else ((above, EVERY),)
        lacking = [key for key in keys if key not in made]
        whole = isinstance(edge.mapping, Rollup) and edge.mapping.complete
        if not lacking or (len(lacking) < len(keys) and not whole):
            return ()
        return [(above, key) for key in lacking]

    def seen(self, asset: Asset, partition: str | None, last: Materialization | None) -> Seen:
        """What a step sees that starts now, after its last success."""
        known = {(name, part): change for name, part, change in last.inputs} if last else {}
        inputs: list[Input] = []
        handles: dict[str, Any] = {}
        changed: dict[str, tuple[str, ...] | None] = {}
        for up, edge in self.links(asset):
            if edge is None or edge.parts is None:
                found = self._of_whole(up.name, edge, partition, known)
            elif edge.single:
                found = self._of_one(edge, partition, known)
            else:
                found = self._of_many(edge, partition, known)
            if found is not None:
                read, handles[up.name], changed[up.name] = found
                inputs.append(read)
            elif edge is not None and edge.parts is not None and not up.optional:
                # There is nothing to read by the nature of the mapping, before the first window.
                handles[up.name], changed[up.name] = None if edge.single else {}, ()
        return Seen(tuple(inputs), handles, changed)

    def _whole(self, above: str, partition: str | None) -> Materialization | None:
        """What is there for a key that flows along, or else of the whole."""
        row = self._inventory.last(above, partition)
        if row is None and partition is not None:
            row = self._inventory.last(above, None)
        return row

    def _of_whole(
        self,
        above: str,
        edge: Link | None,
        partition: str | None,
        known: Mapping[tuple[str, str | None], int],
    ) -> _Found:
        row = self._whole(above, partition)
        if row is None:
            return None
        then = known.get((row.asset, row.partition))
        parts = self._inventory.parts(row.asset, row.partition)
        if edge is None or not parts or row.partition is not None:
            return (row.asset, row.partition, row.change), row.handle, _news(row, parts, then)
        ours = {key: parts[key] for key in self._concerning(edge, partition or "", parts)}
        change = max([row.whole, *ours.values()])
        return (row.asset, None, change), row.handle, _news(row, ours, then)

    def _concerning(self, edge: Link, partition: str, parts: Iterable[str]) -> Iterable[str]:
        """The keys above that concern a partition below. Cost: O(keys), unless Keys()."""
        if edge.mapping == Keys():
            return (partition,) if partition in parts else ()
        return [key for key in parts if edge.concerns(key, partition)]

    def _of_one(
        self, edge: Link, partition: str | None, known: Mapping[tuple[str, str | None], int]
    ) -> _Found:
        row = next(
            (
                row
                for key in edge.up(partition) or ()
                if (row := self._inventory.last(edge.above, key)) is not None
            ),
            None,
        )
        if row is None:
            return None
        parts = self._inventory.parts(row.asset, row.partition)
        then = known.get((row.asset, row.partition))
        return (row.asset, row.partition, row.change), row.handle, _news(row, parts, then)

    def _of_many(
        self, edge: Link, partition: str | None, known: Mapping[tuple[str, str | None], int]
    ) -> _Found:
        made, keys = self._inventory.made(edge.above), edge.up(partition)
        label = "*" if keys is None else "..".join(dict.fromkeys((*keys[:1], *keys[-1:])))
        there = self._known(edge, partition) if keys is None else [k for k in keys if k in made]
        if not there:
            return None
        rows = [self._inventory.last(edge.above, key) for key in there]
        handles = {row.partition: row.handle for row in rows if row is not None}
        then = known.get((edge.above, label))
        if then is None:
            news = None
        elif keys is None and len(there) == len(made):
            news = since(made, then)
        else:
            news = tuple(key for key in there if made[key] > then)
        return (edge.above, label, max(made[key] for key in there)), handles, news

    def _known(self, edge: Link, partition: str | None) -> list[str]:
        """The partitions above that are there and concern one below, in their order."""
        made = sorted(self._inventory.made(edge.above))
        return [key for key in made if edge.concerns(key, partition)]


_Found = tuple[Input, Any, tuple[str, ...] | None] | None


def _news(row: Materialization, parts: Recent, then: int | None) -> tuple[str, ...] | None:
    """The keys that changed after a change was seen; None if that was not of some keys alone."""
    if then is None or row.whole > then:
        return None
    return since(parts, then) if row.change > then else ()
