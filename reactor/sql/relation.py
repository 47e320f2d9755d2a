"""Rows with columns, as far as they are known: a table, a subquery, one side of a join.

Knows: which origins a column of a name may have. Refuses to know: SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reactor.core.lineage import ALL, DEFAULT_SCHEMAS, Origin, same_table, table_key

_COUNTED = re.compile(r"(.+)_\d+")
Origins = frozenset[Origin]
NONE: Origins = frozenset()


@dataclass(frozen=True, slots=True)
class Relation:
    """Named columns in order, and what is known of further ones.

    `columns` may have a name twice, as a join has, and ones without a name (""). `open` has tables
    whose columns are not known: each may bring columns of any name but those in its set. `vague`:
    there may be more columns, of unknown names, and this is what any of them derives from.
    `shaping` decides which rows there are; `starred` is what came by a star: without one of its
    columns the others stand at other places. `mixed` counts the stars of unknown columns in it;
    `is_numbered`: names that stand twice, which they may where stars are mixed, were numbered.
    """

    columns: tuple[tuple[str, Origins], ...] = ()
    open: Mapping[str, frozenset[str]] = field(default_factory=lambda: {})
    vague: Origins | None = None
    shaping: Origins = NONE
    starred: Origins = NONE
    mixed: int = 0
    is_numbered: bool = False

    @property
    def closed(self) -> bool:
        """Whether all columns are known, in their order."""
        return not self.open and self.vague is None

    def named(self, name: str) -> Origins | None:
        """The origins of the column that is known to have this name."""
        found = [origins for own, origins in self.columns if own == name]
        return union(found) if found else None

    def possible(self, name: str) -> Origins | None:
        """All origins that a column of this name may have; None if there can be none."""
        found = self.named(name)
        if found is not None:
            return found
        unnamed = self.named("")
        names = {name}
        if self.is_numbered and (counted := _COUNTED.fullmatch(name)):
            names.add(counted[1])
        brought = {
            (source, each)
            for source, without in self.open.items()
            for each in names
            if each not in without
        }
        if not brought and self.vague is None and unnamed is None:
            return None
        return frozenset(brought) | (self.vague or NONE) | (unnamed or NONE)

    def everything(self) -> Origins:
        """The origins of the whole row."""
        own = union(origins for _, origins in self.columns)
        return own | {(source, ALL) for source in self.open} | (self.vague or NONE)

    def blurred(self, more: Origins = NONE) -> Relation:
        """The same rows, turned into columns of which nothing is known."""
        all_ = self.everything() | more
        return Relation(vague=all_, shaping=self.shaping | all_)

    def called(self, names: Sequence[str]) -> Relation:
        """The same rows with their first columns renamed: `as t(a, b)`."""
        if not names:
            return self
        if not self.closed:
            # What stands after a star is not at the place it seems to be at.
            all_ = self.everything()
            return replace(self.blurred(), columns=tuple((name, all_) for name in names))
        renamed = [(name, origins) for name, (_, origins) in zip(names, self.columns, strict=False)]
        columns = (*renamed, *self.columns[len(names) :])
        return replace(self, columns=columns, shaping=self.shaping | self.starred)

    def numbered(self) -> Relation:
        """The same rows with columns that share a name numbered, as DuckDB does.

        A column with a number is there because of those before it.
        """
        seen: dict[str, list[Origins]] = {}
        found: list[tuple[str, Origins]] = []
        for name, origins in self.columns:
            same = seen.setdefault(name, [])
            same.append(origins)
            again = len(same) > 1 and name
            found.append((f"{name}_{len(same) - 1}", union(same)) if again else (name, origins))
        twice = self.mixed > 1 or bool(self.mixed and self.columns)
        return replace(self, columns=tuple(found), is_numbered=self.is_numbered or twice)


def union(all_: Iterable[Origins]) -> Origins:
    """Every origin of these."""
    return NONE.union(*all_)


def stacked(top: Relation, bottom: Relation, *, by_name: bool, distinct: bool) -> Relation:
    """What a UNION, INTERSECT or EXCEPT of two relations is."""
    shaping = top.shaping | bottom.shaping
    if not by_name:
        shaping |= top.starred | bottom.starred
    if distinct:
        shaping |= top.everything() | bottom.everything()
    if by_name:
        names = dict.fromkeys(name for name, _ in (*top.columns, *bottom.columns))
        columns = tuple(
            (name, (top.possible(name) or NONE) | (bottom.possible(name) or NONE)) for name in names
        )
        open_ = _both(top.open, bottom.open)
        vague = None
        if top.vague is not None or bottom.vague is not None:
            vague = (top.vague or NONE) | (bottom.vague or NONE)
        return Relation(columns, open_, vague, shaping)
    if top.closed and bottom.closed and len(top.columns) == len(bottom.columns):
        columns = tuple(
            (name, one | other)
            for (name, one), (_, other) in zip(top.columns, bottom.columns, strict=True)
        )
        return Relation(columns, shaping=shaping)
    # Columns meet by their places, and some place is not known: each may meet each.
    return replace(top, shaping=shaping | bottom.everything())


def _both(
    one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    return {
        source: one[source] & other[source]
        if source in one and source in other
        else one.get(source, other.get(source, frozenset()))
        for source in {**one, **other}
    }


@dataclass(frozen=True, slots=True)
class Table:
    """A table that queries may name. `closed`: it has the columns of `columns` and no others."""

    source: str
    columns: tuple[str, ...] = ()
    closed: bool = False

    @property
    def relation(self) -> Relation:
        own = tuple((name, frozenset({(self.source, name)})) for name in self.columns)
        return Relation(own, {} if self.closed else {self.source: frozenset(self.columns)})


class Catalogue:
    """Tables and views by the names that queries use for them.

    `views` are the queries behind names; `schema` is where names without a schema are.
    """

    def __init__(
        self,
        tables: Mapping[str, Table],
        views: Mapping[str, str] | None = None,
        schema: str = "",
    ) -> None:
        self.schema = schema
        self.tables = tables
        self.views = dict(views or {})
        self._keys: dict[str, list[str]] = {}
        for name in [*tables, *self.views]:
            self._keys.setdefault(table_key(name), []).append(name)

    def find(self, name: str) -> str | None:
        """The name that is listed here for what a query calls `name`."""
        listed = self._keys.get(table_key(name), ())
        if name in listed:
            return name
        return next((each for each in listed if same_table(name, each, self.schema)), None)

    def table(self, name: str) -> Table:
        """What is known of a table; of one that nobody listed, its name."""
        return self.tables.get(self.find(name) or "", Table(name))


Late = Callable[[], Relation]
"""A CTE: not every database looks at one before something names it."""


@dataclass(slots=True)
class Side:
    """One thing that a FROM clause names. `path` are the names that it can be called by."""

    path: tuple[str, ...]
    relation: Relation
    joined: frozenset[str] = frozenset()
    """Columns of the sides before that a USING or NATURAL made one with those of this side."""
    hidden: bool = False
    """Whether only the join's condition sees it, as of a semi join."""

    def answers(self, qualifier: Sequence[str]) -> bool:
        """Whether `qualifier.column` may mean a column of this side."""
        size = min(len(qualifier), len(self.path))
        if size == 0 or tuple(qualifier[-size:]) != self.path[-size:]:
            return False
        beyond = qualifier[: len(qualifier) - size]
        return not beyond or len(self.path) > 1 or beyond[-1] in DEFAULT_SCHEMAS


@dataclass(slots=True)
class Scope:
    """The names that an expression sees."""

    ctes: Mapping[str, Late]
    parent: Scope | None = None
    sides: list[Side] = field(default_factory=lambda: [])
    aliases: dict[str, Origins] = field(default_factory=lambda: {})
    """What the select list has named so far, where expressions see that."""
    windows: dict[str, Origins] = field(default_factory=lambda: {})
    local: frozenset[str] = frozenset()
    """Parameters of lambdas: no columns."""
    lookup: bool = False
    """Whether `aliases` are seen by expressions."""

    def visible(self) -> list[Side]:
        """The sides that can be named."""
        return [side for side in self.sides if not side.hidden]

    def called(self, qualifier: Sequence[str]) -> list[Side]:
        """The sides of this scope that `qualifier.column` may mean."""
        return [side for side in self.sides if side.answers(qualifier)]

    def outward(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def unqualified(self, name: str) -> Origins | None:
        """All origins that a bare name may have here; None if no column can be meant."""
        found: list[Origins] = []
        for scope in self.outward():
            if name in scope.local:
                return union(found)
            sure = [
                each for side in scope.visible() if (each := side.relation.named(name)) is not None
            ]
            if sure:
                return union([*found, *sure])
            maybe = [
                each
                for side in scope.visible()
                if (each := side.relation.possible(name)) is not None
            ]
            if scope.lookup and name in scope.aliases:
                maybe.append(scope.aliases[name])
                if len(maybe) == 1:
                    return union([*found, *maybe])
            whole = [side.relation for side in scope.visible() if side.path[-1:] == (name,)]
            found += [*maybe, *(relation.everything() for relation in whole)]
            if whole and not maybe:
                return union(found)
        return union(found) if found else None
