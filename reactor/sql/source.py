"""What a FROM clause names: tables, subqueries, joins, functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp, parse_one

from reactor.sql.expression import Expressions
from reactor.sql.relation import NONE, Catalogue, Origins, Relation, Scope, Side, union

_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".gz", ".zst")


class Froms(Expressions):
    """Adds what a FROM clause names to a scope."""

    def __init__(self, catalogue: Catalogue, dialect: str) -> None:
        super().__init__(dialect)
        self._catalogue = catalogue
        self._views: list[str] = []

    def _derived(self, relation: Relation, names: Sequence[str]) -> Relation:
        """A query as a table of another one."""
        renamed = relation.called(names)
        return renamed.numbered() if self._dialect == "duckdb" else renamed

    def _join(self, join: exp.Join, scope: Scope) -> Origins:
        before, count = scope.visible(), len(scope.sides)
        shaping = self._add(join.this, scope)
        added = scope.sides[count:]
        using = [self._name(each) for each in join.args.get("using") or ()]
        natural = "NATURAL" in str(join.args.get("method") or "").upper()
        for name in using:
            origins = union(side.relation.possible(name) or NONE for side in [*before, *added])
            self._note(origins)
            shaping |= origins
        if natural:
            using, common = self._natural(before, added)
            shaping |= common
        for side in added:
            side.joined = frozenset(using)
        on = join.args.get("on")
        if on is not None:
            shaping |= self._of(on, scope)
        if join.args.get("match_condition") is not None:
            shaping |= self._of(join.args["match_condition"], scope)
        if str(join.args.get("kind") or "").upper() in ("SEMI", "ANTI"):
            for side in added:
                side.hidden = True
        return shaping

    def _natural(self, before: list[Side], added: list[Side]) -> tuple[list[str], Origins]:
        """The columns that two sides share, or all of them if that cannot be told."""
        if all(side.relation.closed for side in [*before, *added]):
            left = {name for side in before for name, _ in side.relation.columns}
            common = [n for side in added for n, _ in side.relation.columns if n in left]
            origins = union(
                side.relation.named(name) or NONE for side in [*before, *added] for name in common
            )
            self._note(origins)
            return common, origins
        return [], union(side.relation.everything() for side in [*before, *added])

    def _add(self, node: exp.Expr, scope: Scope) -> Origins:
        """Adds what a FROM clause names to the scope; answers what more decides which rows."""
        alias = self._alias(node)
        match node:
            case exp.Table() if isinstance(node.this, exp.Identifier):
                relation, path = self._table(node, scope)
                shaping: Origins = NONE
            case exp.Subquery() if isinstance(node.this, (exp.Table, exp.Join)):
                return self._bracketed(node, scope, alias)
            case exp.Subquery():
                around = scope if self._dialect == "duckdb" else _apart(scope)
                relation, path = self._query(node.unnest() if _bare(node) else node, around), ()
                shaping = NONE
            case exp.Lateral() if isinstance(node.this, exp.Subquery):
                relation, path, shaping = self._query(node.this, scope), (), NONE
            case exp.Values():
                relation, path, shaping = self._values(node, scope), (), NONE
            case exp.Lateral() | exp.Unnest() | exp.Table() | exp.UDTF():
                relation, shaping = self._function(node, scope)
                path = ()
            case _:
                relation, path, shaping = self._cannot_tell(node, scope), (), NONE
        names = self._alias_columns(node)
        relation = (
            self._derived(relation, names)
            if not isinstance(node, exp.Table)
            else (relation.called(names))
        )
        for pivot in node.args.get("pivots") or ():
            named = pivot.args.get("alias")
            relation = relation.blurred(self._tolerant(pivot, scope, relation))
            if named is not None and named.this is not None:
                alias = self._name(named.this)
        scope.sides.append(Side((alias,) if alias else path, relation))
        for join in node.args.get("joins") or ():
            shaping |= self._join(join, scope)
        for lateral in node.args.get("laterals") or ():
            shaping |= self._add(lateral, scope)
        return shaping

    def _bracketed(self, node: exp.Subquery, scope: Scope, alias: str) -> Origins:
        """`from (a join b on ...)`, which is one table of its own only if it has an alias."""
        if not alias:
            shaping = self._add(node.this, scope)
            for join in node.args.get("joins") or ():
                shaping |= self._join(join, scope)
            return shaping
        inner = Scope(scope.ctes, scope.parent)
        shaping = self._add(node.this, inner)
        star = self._star(exp.Star(), inner) or Relation()
        shaping |= union(side.relation.shaping for side in inner.sides)
        scope.sides.append(Side((alias,), star.called(self._alias_columns(node))))
        for join in node.args.get("joins") or ():
            shaping |= self._join(join, scope)
        return shaping

    def _table(self, node: exp.Table, scope: Scope) -> tuple[Relation, tuple[str, ...]]:
        name = node.this.name
        if node.this.args.get("quoted") and ("/" in name or name.lower().endswith(_SUFFIXES)):
            return self._source(name), (name,)
        path = tuple(
            self._name(part)
            for part in (node.args.get("catalog"), node.args.get("db"), node.this)
            if part is not None and part.name
        )
        if len(path) == 1 and path[0] in scope.ctes:
            return scope.ctes[path[0]](), path
        dotted = ".".join(path)
        view = self._catalogue.find(dotted)
        if view in self._catalogue.views and view not in self._views:
            return self._view(view), path
        return self._source(dotted), path

    def _source(self, name: str) -> Relation:
        table = self._catalogue.table(name)
        self._read.setdefault(table.source, set())
        return table.relation

    def _view(self, name: str) -> Relation:
        """The query behind a view, in a scope of its own."""
        tree = parse_one(self._catalogue.views[name], dialect=self._dialect or None)
        names: list[str] = []
        if isinstance(tree, exp.Create):
            if isinstance(tree.this, exp.Schema):
                names = [
                    self._name(each.this if isinstance(each, exp.ColumnDef) else each)
                    for each in tree.this.expressions
                ]
            tree = tree.expression
        self._views.append(name)
        try:
            return self._derived(self._query(tree, Scope({})), names)
        finally:
            self._views.pop()

    def _values(self, node: exp.Values, scope: Scope) -> Relation:
        given = union(self._of(each, scope) for each in node.expressions)
        first = node.expressions[0] if node.expressions else None
        width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
        names = self._alias_columns(node)
        own = [*names, *(f"column{n + 1}" for n in range(len(names), width))]
        vague = None if names else given
        return Relation(tuple((name, given) for name in own), vague=vague)

    def _function(self, node: exp.Expr, scope: Scope) -> tuple[Relation, Origins]:
        """A function in FROM: a file that is read, or rows made of what it is given."""
        call = node.this if isinstance(node, (exp.Table, exp.Lateral)) else node
        files = _files(call)
        if files:
            found = [self._source(file) for file in files]
            opened = {source: without for each in found for source, without in each.open.items()}
            columns = tuple(each for relation in found for each in relation.columns)
            return Relation(columns, opened), NONE
        if call is None:
            return self._cannot_tell(node, scope), NONE
        given = self._children(call, scope)
        names = self._alias_columns(node)
        # Named one by one, they are all there are.
        whole = names and isinstance(call, (exp.Unnest, exp.Explode, exp.GenerateSeries))
        columns = tuple((name, given) for name in names)
        return Relation(columns, vague=None if whole else given), given

    def _cannot_tell(self, node: exp.Expr, scope: Scope) -> Relation:
        """Something unknown: it may do anything with every table in it."""
        found: list[Origins] = []
        for table in node.find_all(exp.Table):
            if isinstance(table.this, exp.Identifier):
                found.append(self._table(table, scope)[0].everything())
        return Relation(vague=union(found), shaping=union(found))

    def _tolerant(self, node: exp.Expr, scope: Scope, relation: Relation) -> Origins:
        """The origins in a PIVOT, whose names may be of the columns that it makes itself."""
        inner = Scope(
            scope.ctes, scope.parent, [Side((), replace(relation, vague=relation.vague or NONE))]
        )
        return self._children(node, inner)


def _apart(scope: Scope) -> Scope:
    """What a subquery in FROM sees where it does not see its neighbours."""
    return Scope(scope.ctes, scope.parent)


def _bare(node: exp.Subquery) -> bool:
    return not any(node.args.get(part) for part in ("with_", "order", "limit", "offset"))


def _files(call: Any) -> list[str]:
    """The files that a table function reads, if that is what it does."""
    if isinstance(call, exp.Anonymous):
        named = str(call.this).lower()
        given: Iterator[Any] = iter(call.expressions[:1])
    elif isinstance(call, exp.Func):
        named = call.sql_name().lower()
        given = iter([call.this] if call.this is not None else call.expressions[:1])
    else:
        return []
    if not named.startswith(("read_", "parquet_scan", "sniff_csv")):
        return []
    first = next(given, None)
    if isinstance(first, exp.Literal):
        return [first.name]
    if isinstance(first, exp.Array):
        return [each.name for each in first.expressions if isinstance(each, exp.Literal)]
    return []
