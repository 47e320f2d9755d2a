"""What the value of an expression derives from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from reactor.core.lineage import ALL
from reactor.sql.names import Names
from reactor.sql.relation import NONE, Origins, Relation, Scope, Side, union

_NO_COLUMNS = frozenset(
    {
        "rowid", "_rowid_", "oid", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "rownum",
        "level", "sysdate", "systimestamp", "user", "current_user", "session_user", "current_date",
        "current_time", "current_timestamp", "localtime", "localtimestamp", "filename",
        "file_row_number", "_partitiontime", "_partitiondate", "_table_suffix",
    }
)  # fmt: skip
"""Names without a table that databases understand."""


_WORDS = frozenset(
    f"{word}{end}"
    for word in (
        "nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week",
        "month", "quarter", "year", "decade", "century", "millennium", "epoch", "dow", "doy",
        "isodow", "isoyear", "dayofweek", "dayofyear", "weekday", "yearday", "all", "input", "key",
        "value", "both", "leading", "trailing", "timezone", "julian", "era", "date", "time",
    )
    for end in ("", "s")
)  # fmt: skip
"""Words that stand among expressions and are no columns."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A column that no table here has: its name, what was asked for it, and what there is."""

    column: str
    table: str
    known: tuple[str, ...]
    line: int = 0
    place: int = 0


class Expressions(Names):
    """Walks expressions. `unknown` has the columns that are not there, by (table, column)."""

    def __init__(self, dialect: str) -> None:
        super().__init__(dialect)
        self._read: dict[str, set[str]] = {}
        self.unknown: dict[tuple[str, str], Unknown] = {}

    @abstractmethod
    def _query(self, node: exp.Expr, outer: Scope) -> Relation:
        """A query inside of an expression."""

    @abstractmethod
    def _star(self, node: exp.Expr, scope: Scope) -> Relation | None:
        """The columns of `*` or `t.*`; None if this is something else."""

    def _of(self, node: exp.Expr, scope: Scope) -> Origins:
        """All that the value of an expression derives from."""
        found: set[Any] = set()
        stack: list[tuple[exp.Expr, Scope]] = [(node, scope)]
        while stack:
            each, seen = stack.pop()
            match each:
                case exp.Column():
                    found |= self._column(each, seen)
                case exp.Exists():
                    found |= self._exists(each, seen)
                case exp.Query() | exp.Subquery() | exp.Values():
                    inner = self._query(each, seen)
                    found |= inner.everything() | inner.shaping
                case exp.Star() if not isinstance(each.parent, exp.Count):
                    found |= union(side.relation.everything() for side in seen.visible())
                case exp.Var():
                    found |= self._word(each.name, seen)
                case exp.Columns():
                    found |= union(side.relation.everything() for side in seen.visible())
                case exp.Lambda():
                    names = frozenset(self._name(one) for one in each.expressions)
                    stack.append((each.this, _within(seen, names)))
                case exp.Comprehension():
                    names = frozenset(
                        self._name(i) for i in each.expression.find_all(exp.Identifier)
                    )
                    inner_scope = _within(seen, names)
                    stack.append((each.this, inner_scope))
                    stack.append((each.args["iterator"], seen))
                    if each.args.get("condition") is not None:
                        stack.append((each.args["condition"], inner_scope))
                case _:
                    found |= self._besides(each, seen)
                    stack.extend((child, seen) for child in each.iter_expressions())
        return frozenset(found)

    def _besides(self, node: exp.Expr, scope: Scope) -> Origins:
        """What is no part of an expression and that it derives from all the same."""
        found: Origins = NONE
        if isinstance(node, exp.Window) and node.args.get("alias") is not None:
            found |= self._window(self._name(node.args["alias"]), scope)
        if isinstance(node.args.get("unit"), exp.Literal):
            found |= self._word(node.args["unit"].name, scope)
        return found

    def _word(self, word: str, scope: Scope) -> Origins:
        """What this dialect has as a word may be a column in the database's own."""
        if word.lower() in _WORDS:
            return NONE
        found = scope.unqualified(self._name(word)) or NONE
        self._note(found)
        return found

    def _children(self, node: exp.Expr, scope: Scope) -> Origins:
        return union(self._of(child, scope) for child in node.iter_expressions())

    def _exists(self, node: exp.Exists, scope: Scope) -> Origins:
        """Which rows there are is asked, and not what is in them."""
        query = node.this
        if not isinstance(query, (exp.Query, exp.Subquery)):
            return self._children(node, scope)
        return self._query(query, scope).shaping

    def _window(self, name: str, scope: Scope) -> Origins:
        return next((s.windows[name] for s in scope.outward() if name in s.windows), NONE)

    def _column(self, node: exp.Column, scope: Scope) -> Origins:
        if isinstance(node.this, exp.Star):
            star = self._star(node, scope)
            return star.everything() if star is not None else NONE
        name, qualifier = self._name(node.this), self._qualifier(node)
        found = self._qualified(name, qualifier, node, scope)
        if found is None:
            found = scope.unqualified(name)
        if found is None:
            self._missing(name, "", node, scope)
            return NONE
        self._note(found)
        return found

    def _qualified(
        self, name: str, qualifier: Sequence[str], node: exp.Column, scope: Scope
    ) -> Origins | None:
        """`t.column`, `schema.t.column`, or a field of a column; None if it has no qualifier."""
        if not qualifier:
            return None
        for outer in scope.outward():
            if qualifier[0] in outer.local:
                return NONE
            sides = outer.called(qualifier)
            if sides:
                found = [
                    each for side in sides if (each := side.relation.possible(name)) is not None
                ]
                if not found:
                    self._missing(name, ".".join(qualifier), node, outer, sides)
                return union(found)
            column = [side.relation.named(qualifier[0]) for side in outer.visible()]
            if any(each is not None for each in column):
                return union(each or NONE for each in column)
        # A field of a column: `t.column.field`, or `column.field`.
        for size in range(len(qualifier) - 1, -1, -1):
            head, column = qualifier[:size], qualifier[size]
            if not head:
                found = scope.unqualified(column)
                return found if found is not None else self._whole_of(qualifier, scope)
            for outer in scope.outward():
                sides = outer.called(head)
                if sides:
                    return union(side.relation.possible(column) or NONE for side in sides)
        return NONE

    def _whole_of(self, qualifier: Sequence[str], scope: Scope) -> Origins:
        """A name that nothing here has: it may be anything."""
        found = scope.unqualified(qualifier[-1])
        if found is not None:
            return found
        return union(
            side.relation.everything() for outer in scope.outward() for side in outer.visible()
        )

    def _missing(
        self,
        name: str,
        table: str,
        node: exp.Column,
        scope: Scope,
        sides: Sequence[Side] | None = None,
    ) -> None:
        if name in _NO_COLUMNS:
            return
        quoted = isinstance(node.this, exp.Identifier) and node.this.args.get("quoted")
        if quoted and self._dialect in ("sqlite", "mysql", ""):
            return
        if sides is None:
            sides = [side for outer in scope.outward() for side in outer.visible()]
        known = dict.fromkeys(own for side in sides for own, _ in side.relation.columns)
        meta = node.this.meta if isinstance(node.this, exp.Identifier) else {}
        place = meta.get("line", 0), max(0, meta.get("col", 0) - len(name) + 1)
        self.unknown.setdefault((table, name), Unknown(name, table, tuple(known), *place))

    def _note(self, origins: Origins) -> None:
        """The query names these columns: it fails without them."""
        for source, column in origins:
            if column is not ALL:
                self._read.setdefault(source, set()).add(column)


def _within(scope: Scope, names: frozenset[str]) -> Scope:
    return Scope(scope.ctes, scope, local=names)
