"""Who reads which tables by name, and the rules by which changes of these tables reach them.

Knows: the lineage of assets, names of tables, sensors that see tables change. Refuses to know: what
a change means for a reader (breach.py), what is held because of it (hold.py), and where a
database is.

A table that an asset reads is a name in its `Lineage.reads` that is no upstream of it. Each schema
sensor of a pipeline whose assets read tables has one rule of its own, which nobody wrote: it lets
in what happens to a table that is read, so that such an event is recorded and has a fate as any
other. An asset that says in which database it reads is in the rules of the sensors that watch this
one, and of those that do not say which they watch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from reactor.core.asset import Asset, Rule
from reactor.core.contract import TableChanged
from reactor.core.event import Event
from reactor.core.lineage import Lineage, same_table, table_key
from reactor.core.predicate import ALONE, Build, Predicate, Test
from reactor.core.trigger.expression import Source, Where, leaves

_SAYS = frozenset({"table", "changes", "before", "after"})
"""What the payload of a sensor that sees tables change has."""


class Readers:
    """The assets that read tables by name, in the order of declaration.

    `rules` tell which of them each of the `sensors` concerns; one that is gone concerns them all.
    """

    def __init__(
        self,
        assets: Mapping[str, Asset],
        rules: Iterable[Rule] = (),
        sensors: Iterable[Source] = (),
    ) -> None:
        seeing = (sensor.name for sensor in sensors if sees_tables(sensor))
        self._concerned: dict[str, frozenset[str]] = dict.fromkeys(seeing, frozenset())
        for rule in rules:
            for leaf in leaves(rule.trigger) if rule.schema else ():
                self._concerned[leaf.name] = frozenset(rule.assets)
        self._by_key: dict[str, dict[str, Lineage]] = {}
        self._lineages: dict[str, Lineage] = {}
        self.tables: dict[tuple[str, str], None] = {}
        """Each name that is read, with the schema that it may leave out."""
        self.names: tuple[str, ...] = tuple(self._found(assets))

    def _found(self, assets: Mapping[str, Asset]) -> Iterator[str]:
        for name, asset in assets.items():
            lineage = outside(asset)
            if lineage is None:
                continue
            self._lineages[name] = lineage
            for source in lineage.reads:
                self._by_key.setdefault(table_key(source), {})[name] = lineage
                self.tables.setdefault((source, lineage.schema))
            yield name

    def lineage(self, asset: str) -> Lineage | None:
        """What an asset reads of tables."""
        return self._lineages.get(asset)

    def of(self, table: str, sensor: str) -> Mapping[str, Lineage]:
        """Who may read a table that a sensor sees, by its name. Cost: O(found)."""
        found = self._by_key.get(table_key(table), {})
        some = self._concerned.get(sensor)
        return found if some is None else {name: found[name] for name in found if name in some}


def outside(asset: Asset) -> Lineage | None:
    """An asset's lineage as far as it is of tables that no asset makes; None if it is of none."""
    lineage = asset.lineage
    if lineage is None:
        return None
    above = {upstream.name for upstream in asset.upstream}
    reads = {name: columns for name, columns in lineage.reads.items() if name not in above}
    return replace(lineage, reads=reads) if reads else None


@dataclass(frozen=True, slots=True)
class IsRead(Predicate):
    """What happened to one of these tables, each with the schema that its name may leave out."""

    tables: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"table in {[name for name, _ in self.tables]}"

    def test(self, build: Build = ALONE) -> Test:
        names: dict[str, list[tuple[str, str]]] = {}
        for name, schema in self.tables:
            names.setdefault(table_key(name), []).append((name, schema))

        def test(event: Event) -> bool:
            table = _table(event)
            near = names.get(table_key(table), ())
            return any(same_table(name, table, schema) for name, schema in near)

        return test

    def _refusal(self, event: Event) -> str:
        return f"no asset reads {_table(event)}"


def schema_rules(
    assets: Sequence[Asset],
    rules: Iterable[Rule],
    sensors: Iterable[Source],
    databases: Mapping[str, str] = MappingProxyType({}),
) -> list[Rule]:
    """The rule of each schema sensor whose tables assets read: `schema: shop`.

    It names every asset that may read a table there. Which of them a change launches or holds is
    decided for each event. `databases` has those of the assets that say theirs, as
    `Source.database` has it.
    """
    if not Readers({asset.name: asset for asset in assets}).names:
        return []
    heard = (leaf for rule in rules for leaf in leaves(rule.trigger))
    seen = {sensor.name: sensor for sensor in (*sensors, *heard) if sees_tables(sensor)}
    found: list[Rule] = []
    for name, sensor in seen.items():
        watched = sensor.database
        there = [each for each in assets if _same(databases.get(each.name, ""), watched)]
        readers = Readers({asset.name: asset for asset in there})
        where = Where(sensor, IsRead(tuple(readers.tables)))
        if readers.names:
            found.append(Rule(f"schema: {name}", where, readers.names, schema=True))
    return found


def _same(said: str, watched: str) -> bool:
    """Whether two databases may be one: they are, or one of them is not known."""
    return not said or not watched or said == watched


def sees_tables(sensor: Source) -> bool:
    """Whether a sensor's events say how a table changed."""
    fields: Any = getattr(sensor.model, "model_fields", ())
    return _SAYS.issubset(fields)


def _table(event: Event) -> str:
    return event.data.table if isinstance(event.data, TableChanged) else event.subject
