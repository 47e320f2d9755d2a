"""Tables that change, and the obvious way to tell what that means for a reader.

It looks at the whole history: a reader compares the table as it was when it last saw it with the
table as it is now. Types do not widen and columns have no numbers here, so that equal is unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from reactor.core.contract import Change, Column, TableSchema, diff
from reactor.core.lineage import Lineage, declared, reads_any

T = "public.orders"
EVERYTHING = declared({"orders": "*"})


@dataclass(frozen=True)
class Seen:
    """What a schema sensor says."""

    table: str
    changes: tuple[Change, ...]
    before: TableSchema | None = None
    after: TableSchema | None = None


def shape(text: str, key: str = "", identity: str | None = None) -> TableSchema:
    """`a:integer b:text!3` is a column a, and b, which is not null and has the number 3.

    Where columns have numbers, the table is table 1 unless another identity is given.
    """
    columns: list[Column] = []
    for part in text.split():
        name, _, rest = part.partition(":")
        rest, _, number = rest.partition("#")
        type = rest.removesuffix("!")
        columns.append(Column(name, type, type == rest, int(number) if number else None))
    known = identity or ("1" if "#" in text else None)
    return TableSchema(tuple(columns), tuple(key.split()), known)


def seen(before: TableSchema | None, after: TableSchema | None) -> Seen:
    return Seen(T, diff(before, after).changes, before, after)


readers = st.one_of(
    st.just(EVERYTHING),
    st.sets(st.sampled_from("abc"), min_size=1).map(lambda names: declared({"orders": names})),
)
_columns = st.dictionaries(
    st.sampled_from("abc"), st.sampled_from(["integer", "text", "text!"]), max_size=3
)
_tables = _columns.map(lambda columns: shape(" ".join(f"{n}:{t}" for n, t in columns.items())))
shapes = st.one_of(st.none(), _tables, _tables)


@dataclass(frozen=True)
class Told:
    """What of a table is broken for a reader; else, whether it has something new to read now."""

    broken: frozenset[str]
    sees_other: bool


def told_by_history(reader: Lineage, history: Sequence[TableSchema | None]) -> Told:
    """How it is after the last of all shapes that the table ever had."""
    broken: set[str] = set()
    seen_last = history[0]
    moved: set[str] = set()
    came = False
    for before, after in pairwise(history):
        if not broken:
            seen_last, came = before, False
        for change in diff(before, after).changes:
            if change.breaking:
                whole = {"", *_parts(reader, before)}
                broken |= {change.column} & whole if change.column else whole
        saw, sees = _parts(reader, seen_last), _parts(reader, after)
        moved = {name for name in {*saw, *sees} if saw.get(name) != sees.get(name)}
        broken &= moved
        came |= before is None and after is not None
    return Told(frozenset(broken), bool(moved) or came)


def _parts(reader: Lineage, table: TableSchema | None) -> dict[str, str]:
    """All that a reader sees of a table, and that there is one."""
    if table is None:
        return {}
    columns = {
        column.name: f"{column.type} {column.nullable}"
        for column in table.columns
        if reads_any(reader, T, frozenset({column.name}))
    }
    return {"": "table", **columns}
