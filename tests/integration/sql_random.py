"""Random queries that DuckDB understands, over three small tables of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

TABLES = {
    "orders": ("id", "customer", "amount", "region"),
    "customers": ("id", "region", "score"),
    "items": ("item", "purchase", "amount"),
}
NAMES = ("id", "amount", "region", "total", "x", "customer")
Draw = st.DrawFn
Named = tuple[str, tuple[str, ...]]
"""An alias, or a text, with its columns."""


@dataclass
class Scope:
    """What can be named: aliases with their columns, and the queries named before."""

    sides: list[Named] = field(default_factory=lambda: [])
    ctes: dict[str, tuple[str, ...]] = field(default_factory=lambda: {})
    outer: Sequence[Named] = ()
    merged: frozenset[str] = frozenset()


class Writer:
    """Writes one query; every name it uses exists and is clear."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.count = 0

    def maybe(self, odds: int = 2) -> bool:
        return self.draw(st.integers(1, odds)) == 1

    def alias(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def query(
        self,
        depth: int,
        ctes: dict[str, tuple[str, ...]],
        outer: Sequence[Named] = (),
    ) -> Named:
        """A query and the names of its columns."""
        known, with_ = dict(ctes), ""
        if depth > 0 and self.maybe(3):
            parts: list[str] = []
            for _ in range(self.draw(st.integers(1, 2))):
                name = self.draw(st.sampled_from(["c1", "c2", "orders"]))
                if name in known:
                    continue
                text, columns = self.query(depth - 1, known)
                head = name
                if self.maybe(3):
                    columns = tuple(f"k{n}" for n in range(len(columns)))
                    head = f"{name}({', '.join(columns)})"
                parts.append(f"{head} as ({text})")
                known[name] = columns
            with_ = f"with {', '.join(parts)} " if parts else ""
        text, columns = self.select(depth, known, outer)
        if depth > 0 and self.maybe(4):
            other, others = self.select(depth - 1, known, outer)
            width = min(len(columns), len(others))
            kind = self.draw(st.sampled_from(["union", "union all", "except", "intersect"]))
            one, two = self.narrowed(text, columns, width), self.narrowed(other, others, width)
            text, columns = f"{one} {kind} {two}", columns[:width]
            if self.maybe(3):
                keys = ", ".join(map(str, range(width, 0, -1)))
                text = f"{text} order by {self.draw(st.sampled_from(['all', keys]))} limit 3"
        return with_ + text, columns

    def narrowed(self, text: str, columns: Sequence[str], width: int) -> str:
        alias = self.alias()
        listed = ", ".join(f"{alias}.{name}" for name in columns[:width])
        return f"select {listed} from ({text}) as {alias}"

    def select(
        self,
        depth: int,
        ctes: dict[str, tuple[str, ...]],
        outer: Sequence[Named],
    ) -> Named:
        scope = Scope(ctes=ctes, outer=outer)
        from_ = self.from_(scope, depth)
        where = f" where {self.condition(scope, depth)}" if self.maybe(3) else ""
        if self.maybe(4):
            return self.grouped(scope, from_, where, depth)
        listed, columns = self.listed(scope, depth)
        distinct = "distinct " if self.maybe(6) else ""
        tail = " order by all limit 4" if self.maybe(6) else ""
        return f"select {distinct}{listed} from {from_}{where}{tail}", columns

    def from_(self, scope: Scope, depth: int) -> str:
        text = self.side(scope, depth)
        for _ in range(self.draw(st.integers(0, 2)) if depth > 0 else 0):
            before = list(scope.sides)
            side = self.side(scope, depth - 1)
            _, columns = scope.sides[-1]
            here = [name for _, own in before for name in own]
            common = [
                name for name in columns if here.count(name) == 1 and columns.count(name) == 1
            ]
            kind = self.draw(st.sampled_from(["join", "left join", "full join"]))
            if common and len(before) == 1 and self.maybe(3):
                name = self.draw(st.sampled_from(common))
                text = f"{text} {kind} {side} using ({name})"
                scope.merged = frozenset({name})
            elif self.maybe(6):
                text = f"{text} semi join {side} on {self.column(scope)} = {self.column(scope)}"
                scope.sides.pop()
            else:
                left, right = self.column(scope), self.column(scope)
                text = f"{text} {kind} {side} on {left} = {right}"
        return text

    def side(self, scope: Scope, depth: int) -> str:
        alias = self.alias()
        named = [*TABLES, *scope.ctes]
        if depth > 0 and self.maybe(3):
            text, columns = self.query(depth - 1, scope.ctes)
            scope.sides.append((alias, columns))
            return f"({text}) as {alias}"
        name = self.draw(st.sampled_from(named))
        columns = scope.ctes.get(name) or TABLES[name]
        taken = {used for used, _ in scope.sides}
        if name not in taken and self.maybe():
            scope.sides.append((name, columns))
            return self.draw(st.sampled_from([name, name.upper()]))
        scope.sides.append((alias, columns))
        return f"{name} as {alias}"

    def column(self, scope: Scope) -> str:
        """A column that can be named clearly, by one of the ways to name it."""
        sides = list(scope.sides)
        if scope.outer and self.maybe(4):
            sides = [
                side for side in scope.outer if side[0] not in {name for name, _ in sides}
            ] or sides
        alias, columns = self.draw(st.sampled_from(sides))
        name = self.draw(st.sampled_from(columns))
        everywhere = [own for _, listed in [*scope.sides, *scope.outer] for own in listed]
        if everywhere.count(name) == 1 and self.maybe():
            return self.draw(st.sampled_from([name, name.upper(), f'"{name}"']))
        return f"{alias}.{name}"

    def expression(self, scope: Scope, depth: int) -> str:
        kind = self.draw(st.integers(0, 9))
        if kind < 5:
            return self.column(scope)
        if kind == 5:
            return f"{self.column(scope)} + {self.column(scope)}"
        if kind == 6:
            return f"case when {self.column(scope)} > 1 then {self.column(scope)} else 0 end"
        if kind == 7:
            over = f"partition by {self.column(scope)} order by {self.column(scope)}"
            return f"sum({self.column(scope)}) over ({over})"
        if kind == 8 and depth > 0:
            inner = Scope(ctes=scope.ctes, outer=scope.sides)
            side = self.side(inner, 0)
            what = self.column(inner)
            where = f" where {self.column(inner)} = {self.column(inner)}" if self.maybe() else ""
            return f"(select max({what}) from {side}{where})"
        return "7"

    def condition(self, scope: Scope, depth: int) -> str:
        kind = self.draw(st.integers(0, 3)) if depth > 0 else 0
        if kind < 2:
            return f"{self.column(scope)} > {self.draw(st.integers(0, 2))}"
        inner = Scope(ctes=scope.ctes, outer=scope.sides)
        side = self.side(inner, 0)
        if kind == 2:
            return f"{self.column(scope)} in (select {self.column(inner)} from {side})"
        shown = self.draw(st.sampled_from(["*", "1", self.column(inner)]))
        where = f"{self.column(inner)} = {self.column(inner)}"
        return f"exists (select {shown} from {side} where {where})"

    def grouped(self, scope: Scope, from_: str, where: str, depth: int) -> Named:
        key = self.column(scope)
        aggregate = self.draw(st.sampled_from(["sum", "max", "count"]))
        listed = f"{key} as g, {aggregate}({self.column(scope)}) as total, count(*) as n"
        how = self.draw(st.sampled_from([key, "1", "all"]))
        having = f" having {aggregate}({self.column(scope)}) > 1" if self.maybe(3) else ""
        return f"select {listed} from {from_}{where} group by {how}{having}", ("g", "total", "n")

    def listed(self, scope: Scope, depth: int) -> Named:
        if self.maybe(3):
            return self.star(scope)
        count = self.draw(st.integers(1, 3))
        names = self.draw(st.permutations(NAMES))[:count]
        parts: list[str] = []
        for name in names:
            parts.append(f"{self.expression(scope, depth)} as {name}")
        return ", ".join(parts), tuple(names)

    def star(self, scope: Scope) -> Named:
        alias, columns = self.draw(st.sampled_from(scope.sides))
        how = self.draw(st.integers(0, 3))
        if how == 0 or len(set(columns)) < 2:
            return f"{alias}.*", columns
        if how == 1 and len(scope.sides) == 1:
            return "*", columns
        if how == 2:
            out = self.draw(st.sampled_from(columns))
            return f"{alias}.* exclude ({out})", tuple(name for name in columns if name != out)
        if how == 3:
            new = self.draw(st.sampled_from(columns))
            return f"{alias}.* replace ({alias}.{new} + 1 as {new})", columns
        every: list[str] = []
        for _, own in scope.sides:
            for name in own:
                if name not in every:
                    every.append(name)
                elif name not in scope.merged:
                    number = sum(each.startswith(f"{name}_") for each in every) + 1
                    every.append(f"{name}_{number}")
        return "*", tuple(every)


@st.composite
def queries(draw: Draw) -> str:
    """A query as text."""
    return Writer(draw).query(draw(st.integers(0, 3)), {})[0]
