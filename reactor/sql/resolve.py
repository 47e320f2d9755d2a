"""From the tree of a query to what it reads and what its columns derive from.

One walk, innermost first: each part of a query becomes a `Relation`. What this module does not know
of becomes `ALL` of every table in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from sqlglot import exp

from reactor.core.lineage import ALL, Columns, Lineage
from reactor.sql.names import EXACT
from reactor.sql.relation import (
    NONE,
    Catalogue,
    Late,
    Origins,
    Relation,
    Scope,
    Side,
    stacked,
    union,
)
from reactor.sql.source import Froms

_LATE_ALIASES = frozenset(
    {"postgres", "materialize", "risingwave", "tsql", "oracle", "trino", "presto"}
)
"""The dialects in which a select list does not see the names it has given itself."""
_USING_IN_PLACE = frozenset({"duckdb", "sqlite"})
"""The dialects in which `select *` leaves the columns of USING where they are."""
_SELF_REFERENCE = frozenset({"tsql", "oracle", "sqlite"})
"""The dialects in which a CTE may read itself without the word RECURSIVE."""
_ONLY_USED = frozenset({"duckdb"})
"""The dialects that do not look at a CTE which nothing names."""


class Resolver(Froms):
    """Walks one query; afterwards `lineage` says what it found, `unknown` what is not there."""

    def __init__(self, catalogue: Catalogue, dialect: str = "") -> None:
        super().__init__(catalogue, dialect)

    def lineage(self, query: exp.Expr) -> Lineage:
        """What the query reads, and what its columns derive from."""
        found = self._query(query, Scope({}))
        derives: dict[str, Origins] | None = {}
        if self._dialect == "duckdb":
            derives = _collided(found) if found.open else derives
            found = found.numbered()
        for name, origins in found.columns:
            derives[name] = derives.get(name, NONE) | origins
        blurred = found.vague is not None or "" in derives
        blurred = blurred or (found.is_numbered and found.mixed > 1)
        reads: dict[str, Columns] = {name: frozenset(names) for name, names in self._read.items()}
        passes = {source: frozenset(without) for source, without in found.open.items()}
        for source, column in found.everything() | found.shaping:
            before = reads.get(source, frozenset())
            reads[source] = ALL if column is ALL or before is ALL else before | {column}
        if blurred:
            derives, passes = None, {}
        exact = self._dialect in EXACT
        return Lineage(reads, derives, found.shaping, passes, exact, self._catalogue.schema)

    def _query(self, node: exp.Expr, outer: Scope) -> Relation:
        """A select, a set operation, values, or any of them in brackets."""
        scope = Scope(self._ctes(node, outer), outer)
        match node:
            case exp.Select():
                return self._select(node, scope)
            case exp.SetOperation():
                inner = Scope(scope.ctes, outer)
                top, bottom = self._query(node.this, inner), self._query(node.expression, inner)
                found = stacked(
                    top,
                    bottom,
                    by_name=bool(node.args.get("by_name")),
                    distinct=bool(node.args.get("distinct")) or not isinstance(node, exp.Union),
                )
                return self._modified(node, found, scope)
            case exp.Subquery():
                found = self._query(node.this, Scope(scope.ctes, outer))
                return self._modified(node, found, scope)
            case exp.Values():
                return self._values(node, scope)
            case _:
                return self._cannot_tell(node, scope)

    def _modified(self, node: exp.Expr, found: Relation, scope: Scope) -> Relation:
        """ORDER BY and LIMIT of a set operation or of brackets see the names of its columns."""
        scope.sides.append(Side((), found))
        shaping = self._ordering(node, found, scope)
        return replace(found, shaping=found.shaping | shaping)

    def _ctes(self, node: exp.Expr, outer: Scope) -> Mapping[str, Late]:
        with_ = node.args.get("with_")
        if with_ is None:
            return outer.ctes
        known = dict(outer.ctes)
        recursive = bool(with_.args.get("recursive")) or self._dialect in _SELF_REFERENCE
        for cte in with_.expressions:
            # It sees those before it.
            scope = Scope(dict(known), outer.parent if outer.sides else outer)
            late = cache(partial(self._cte, cte, scope, recursive))
            known[self._name(cte.args["alias"].this)] = late
            if self._dialect not in _ONLY_USED:
                late()
        return known

    def _cte(self, cte: exp.CTE, scope: Scope, recursive: bool) -> Relation:
        name, names = self._name(cte.args["alias"].this), self._alias_columns(cte)
        if recursive and self._names_itself(cte.this, name):
            return self._recursive(cte.this, name, names, scope)
        return self._derived(self._query(cte.this, scope), names)

    def _names_itself(self, query: exp.Expr, name: str) -> bool:
        return any(
            not table.args.get("db") and self._name(table.this) == name
            for table in query.find_all(exp.Table)
            if isinstance(table.this, exp.Identifier)
        )

    def _recursive(
        self, query: exp.Expr, name: str, names: Sequence[str], scope: Scope
    ) -> Relation:
        """Goes round until nothing new is found: origins only grow, and there are so many."""
        anchor: Any = query
        while isinstance(anchor, (exp.SetOperation, exp.Subquery)):
            anchor = anchor.this
        if anchor is query:
            return self._cannot_tell(query, scope)
        with_ctes = Scope(self._ctes(query, scope), scope.parent)
        found = self._derived(self._query(anchor, with_ctes), names)
        while True:
            inner = Scope({**scope.ctes, name: partial(_same, found)}, scope.parent)
            again = self._derived(self._query(query, inner), names)
            if again == found:
                return found
            found = again

    def _select(self, node: exp.Select, scope: Scope) -> Relation:
        shaping: Origins = NONE
        from_ = node.args.get("from_")
        if from_ is not None:
            shaping |= self._add(from_.this, scope)
        for join in node.args.get("joins") or ():
            shaping |= self._join(join, scope)
        for lateral in node.args.get("laterals") or ():
            shaping |= self._add(lateral, scope)
        for window in node.args.get("windows") or ():
            scope.windows[self._name(window.this)] = self._children(window, scope)
        scope.lookup = self._dialect not in _LATE_ALIASES
        found = self._projections(node, scope)
        shaping |= self._rows_made(node, scope)
        for part in ("where", "prewhere"):
            if node.args.get(part) is not None:
                shaping |= self._of(node.args[part].this, scope)
        scope.lookup = True
        shaping |= self._grouping(node, found, scope)
        shaping |= self._distinct(node, found, scope)
        shaping |= self._ordering(node, found, scope)
        shaping |= union(side.relation.shaping for side in scope.sides)
        return replace(found, shaping=shaping)

    def _projections(self, node: exp.Select, scope: Scope) -> Relation:
        """The columns of the select list."""
        columns: list[tuple[str, Origins]] = []
        opened: dict[str, frozenset[str]] = {}
        vague: Origins | None = None
        starred: Origins = NONE
        mixed = 0
        for each in node.expressions:
            star = self._star(each, scope)
            if star is not None:
                columns += star.columns
                for source, without in star.open.items():
                    opened[source] = without & opened.get(source, without)
                if star.vague is not None:
                    vague = (vague or NONE) | star.vague
                starred |= star.everything()
                mixed += star.mixed
                continue
            origins = self._of(each, scope)
            if each.find(exp.Columns) is not None or isinstance(each, (exp.Unnest, exp.Dot)):
                # One expression, and who knows how many columns.
                vague = (vague or NONE) | origins
                continue
            for name in self._output_names(each):
                columns.append((name, origins))
                if isinstance(each, exp.Alias):
                    scope.aliases[name] = scope.aliases.get(name, NONE) | origins
        return Relation(tuple(columns), opened, vague, starred=starred, mixed=mixed)

    def _output_names(self, node: exp.Expr) -> list[str]:
        match node:
            case exp.Alias():
                return [self._name(node.args["alias"])]
            case exp.Aliases():
                return [self._name(each) for each in node.aliases]
            case exp.Column() if isinstance(node.this, exp.Identifier):
                return [self._name(node.this)]
            case _:
                return [""]

    def _star(self, node: exp.Expr, scope: Scope) -> Relation | None:
        """The columns of `*` or `t.*`; None if this is something else."""
        if isinstance(node, exp.Star):
            star, sides = node, scope.visible()
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            star = node.this
            qualifier = self._qualifier(node)
            sides = next((f for each in scope.outward() if (f := each.called(qualifier))), [])
            if not sides:
                return Relation(vague=self._whole_of(qualifier, scope))
        else:
            return None
        columns: list[tuple[str, Origins]] = []
        opened: dict[str, frozenset[str]] = {}
        vague: Origins | None = None
        mixed = 0
        first: list[tuple[str, Origins]] = []
        for side in sides:
            for name, origins in side.relation.columns:
                if name not in side.joined or len(sides) == 1:
                    columns.append((name, origins))
                    continue
                at = next((n for n, (own, _) in enumerate(columns) if own == name), None)
                if at is not None:
                    merged = (name, columns[at][1] | origins)
                    if self._dialect in _USING_IN_PLACE:
                        columns[at] = merged
                    else:
                        del columns[at]
                        first.append(merged)
                else:
                    columns.append((name, origins))
            for source, without in side.relation.open.items():
                opened[source] = without & opened.get(source, without)
            mixed += max(side.relation.mixed, bool(side.relation.open))
            if side.relation.vague is not None:
                vague = (vague or NONE) | side.relation.vague
        found = Relation((*first, *columns), opened, vague, mixed=mixed)
        return self._excepted(star, found, scope)

    def _excepted(self, star: exp.Star, found: Relation, scope: Scope) -> Relation:
        """`* exclude (...) replace (...) rename (...)`."""
        columns, left_out = list(found.columns), set[str]()
        for each in star.args.get("except_") or ():
            left_out.add(self._name(each.this if isinstance(each, exp.Column) else each))
        for name in left_out:
            self._named_once(name, found)
        columns = [(name, origins) for name, origins in columns if name not in left_out]
        for alias in star.args.get("replace") or ():
            name, origins = self._name(alias.args["alias"]), self._of(alias.this, scope)
            place = [own for own, _ in columns]
            if name in place:
                columns[place.index(name)] = (name, origins)
            else:
                columns.append((name, origins))
            left_out.add(name)
        for alias in star.args.get("rename") or ():
            old = self._name(alias.this.this if isinstance(alias.this, exp.Column) else alias.this)
            new = self._name(alias.args["alias"])
            origins = found.possible(old) or NONE
            self._note(origins)
            columns = [(new, its) if own == old else (own, its) for own, its in columns]
            if new not in dict(columns):
                columns.append((new, origins))
            left_out.add(old)
        opened = {source: without | left_out for source, without in found.open.items()}
        return replace(found, columns=tuple(columns), open=opened)

    def _named_once(self, name: str, found: Relation) -> None:
        self._note(found.possible(name) or NONE)

    def _rows_made(self, node: exp.Select, scope: Scope) -> Origins:
        """What functions in the select list, that may answer several rows, are given."""
        made: list[Origins] = []
        for each in node.expressions:
            for call in each.find_all(exp.Anonymous, exp.UDTF, exp.Explode, exp.GenerateSeries):
                if self._own(call, node):
                    made.append(self._of(call, scope))
        return union(made)

    def _own(self, node: exp.Expr, select: exp.Select) -> bool:
        return node.find_ancestor(exp.Select) is select

    def _grouping(self, node: exp.Select, columns: Relation, scope: Scope) -> Origins:
        found: Origins = NONE
        group = node.args.get("group")
        if group is not None:
            if group.args.get("all"):
                found |= columns.everything()
            for each in group.expressions:
                found |= self._ordinal(each, columns) or self._of(each, scope)
            for kind in ("cube", "rollup", "grouping_sets"):
                for each in group.args.get(kind) or ():
                    found |= self._of(each, scope) if isinstance(each, exp.Expr) else NONE
        for part in ("having", "qualify", "connect", "sample", "match", "cluster", "sort"):
            clause = node.args.get(part)
            if isinstance(clause, exp.Expr):
                found |= self._children(clause, scope)
        if node.args.get("distribute") is not None:
            found |= self._children(node.args["distribute"], scope)
        return found

    def _distinct(self, node: exp.Select, found: Relation, scope: Scope) -> Origins:
        distinct = node.args.get("distinct")
        if distinct is None:
            return NONE
        on = distinct.args.get("on")
        return self._of(on, scope) if on is not None else found.everything()

    def _ordering(self, node: exp.Expr, found: Relation, scope: Scope) -> Origins:
        order, shaping = node.args.get("order"), NONE
        for each in order.expressions if order is not None else ():
            key = each.this
            if isinstance(key, exp.Var) and key.name.upper() == "ALL":
                shaping |= found.everything()
                continue
            own = None
            if isinstance(key, exp.Column) and not key.args.get("table"):
                own = scope.aliases.get(self._name(key.this))
            shaping |= self._ordinal(key, found) or own or self._of(key, scope)
        for part in ("limit", "offset"):
            clause = node.args.get(part)
            if clause is not None:
                shaping |= self._children(clause, scope)
        return shaping

    def _ordinal(self, node: exp.Expr, found: Relation) -> Origins | None:
        """`group by 1` means the first column."""
        if not isinstance(node, exp.Literal) or node.is_string or not node.name.isdigit():
            return None
        at = int(node.name) - 1
        if found.closed and 0 <= at < len(found.columns):
            return found.columns[at][1]
        return found.everything()


def _collided(found: Relation) -> dict[str, Origins]:
    """The columns of which a star may bring another of the same name: one of them gets a number."""
    names = [name for name, _ in found.columns if name]
    derives: dict[str, Origins] = {}
    for name in dict.fromkeys(names):
        brought = {(source, name) for source, out in found.open.items() if name not in out}
        if brought:
            both = (found.named(name) or NONE) | brought
            numbered = [f"{name}_{number}" for number in range(1, names.count(name) + 1)]
            derives |= dict.fromkeys([name, *numbered], both)
    return derives


def _same(found: Relation) -> Relation:
    return found
