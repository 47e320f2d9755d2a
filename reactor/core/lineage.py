"""Which columns an asset reads, and which of its own columns follow from them.

Knows: sources, columns, and how a change of some touches others. Refuses to know: SQL, databases,
what a change was, or who is told.

A *source* is an upstream asset, by its name, or a table that no asset makes, by the name that its
readers use: `public.orders`, `orders`, a path. Laws:

- what cannot be told is `ALL`: more may be touched than had to be, never less;
- `touched` grows with what changed, and with what is read;
- an asset without lineage says nothing of columns: it is never pruned by them, and never held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, cast


class _All(Enum):
    ALL = "ALL"

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = _All.ALL
"""Every column of a source, also those that it does not have yet, and which rows there are."""

All = Literal[_All.ALL]
Columns = frozenset[str] | All
Reads = Mapping[str, Columns]
Origin = tuple[str, str | All]
"""A column of a source, or all of that source."""

NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class Lineage:
    """What an asset reads, and what its own columns derive from.

    Args: `reads` has every column that the asset names: without it the asset's work would fail,
    even if nothing comes of it. An empty set reads only which rows there are.
    `derives` has the origins of each own column; None if the own columns are not known, and then
    each of them derives from all that is read. `shaping` has what decides which rows there are, or
    their order where that matters (where, join keys, group by, distinct): a change of it touches
    all own columns. `passes` has sources whose columns become own columns under their own names
    (`select *`), each with the names that do not; whoever passes a source on reads `ALL` of it.
    `exact`: whether upper and lower case are different; else `Amount` is `amount`. `schema` is the
    one that names without a schema are in, beside those of `DEFAULT_SCHEMAS`.
    """

    reads: Reads
    derives: Mapping[str, frozenset[Origin]] | None = None
    shaping: frozenset[Origin] = frozenset()
    passes: Mapping[str, frozenset[str]] = field(default_factory=lambda: {})
    exact: bool = False
    schema: str = ""

    @property
    def columns(self) -> frozenset[str] | None:
        """The asset's own columns; None if they cannot be told."""
        return None if self.derives is None or self.passes else frozenset(self.derives)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        """The same text for equal lineages, in any process."""
        parts = [f"reads={_sorted(self.reads)}"]
        if self.derives is not None:
            parts.append(f"derives={_sorted(self.derives)}")
        if self.shaping:
            parts.append(f"shaping={_listed(self.shaping)}")
        if self.passes:
            parts.append(f"passes={_sorted(self.passes)}")
        if self.exact:
            parts.append("exact=True")
        if self.schema:
            parts.append(f"schema={self.schema!r}")
        return f"Lineage({', '.join(parts)})"


def either(one: Columns, other: Columns) -> Columns:
    """The columns of both."""
    return ALL if one is ALL or other is ALL else one | other


def touched(lineage: Lineage, changed: Mapping[str, Columns]) -> Columns:
    """The asset's own columns that change when `changed` does, by source.

    A new column is a changed one: it touches only what takes all columns of its source. `ALL` of a
    source also says that its rows may be others, or that the table came or went.

    Returns: the empty set if the asset is not affected, `ALL` if all its columns may be or they are
    not known.
    Cost: O(changed sources × sources read, and the origins of own columns).
    """
    found: set[str] = set()
    for table, columns in changed.items():
        for source, read in lineage.reads.items():
            if columns and same_table(source, table, lineage.schema):
                moved = _moved(lineage, source, read, columns)
                if moved is ALL:
                    return ALL
                found |= moved
    return frozenset(found)


def reads_any(lineage: Lineage, source: str, columns: Columns) -> bool:
    """Whether the asset's work names one of these columns of a source.

    It does so if it takes all of them (`select *`). With `ALL` it is asked whether it reads the
    source at all: a table that is dropped breaks also who only counts its rows.
    """
    fold = _fold(lineage)
    for name, read in lineage.reads.items():
        if same_table(name, source, lineage.schema):
            if columns is ALL or (read is ALL and columns):
                return True
            if read is not ALL and not {fold(each) for each in read}.isdisjoint(map(fold, columns)):
                return True
    return False


def by_pattern(lineage: Lineage, table: str) -> bool:
    """Whether the asset reads a file only as one of many, so that it can do without this one."""
    names = (name for name in lineage.reads if same_table(name, table, lineage.schema))
    return all(name != table and _GLOB.search(name) for name in names)


DEFAULT_SCHEMAS: Final = frozenset({"public", "main", "dbo"})
"""The schemas of names that say none: of PostgreSQL, of SQLite and DuckDB, of SQL Server."""


def same_table(read: str, table: str, schema: str = "") -> bool:
    """Whether a reader's name for a table, `read`, is the one that an event calls `table`.

    Either may leave out the schema if that is the default one (`schema`, or one of
    `DEFAULT_SCHEMAS`), and the database before the schema. Upper and lower case are the same here:
    tables that differ in that alone are taken for one. Of files, `read` may be a pattern: `*` and
    `?` stay within a folder, `**` is any number of folders.
    """
    if read == table:
        return True
    if _GLOB.search(read):
        return _pattern(read).fullmatch(table) is not None
    if "/" in read or "/" in table:
        return False
    long, short = read.casefold().split("."), table.casefold().split(".")
    if len(long) < len(short):
        long, short = short, long
    missing = len(long) - len(short)
    if long[missing:] != short:
        return False
    return missing == 0 or len(short) > 1 or long[-2] in DEFAULT_SCHEMAS | {schema.casefold()}


def table_key(name: str) -> str:
    """The same for all names of one table: index readers by it, then ask `same_table`."""
    return "/" if "/" in name else name.casefold().rpartition(".")[2]


_GLOB = re.compile(r"[*?\[]")
_PARTS = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=1_024)
def _pattern(glob: str) -> re.Pattern[str]:
    """What a pattern of files matches."""
    parts: list[str] = []
    at = 0
    for found in _PARTS.finditer(glob):
        special = _MEANING.get(found[0])
        if special is None:
            special = _class(found[0][1:-1])
        parts += [re.escape(glob[at : found.start()]), special]
        at = found.end()
    try:
        return re.compile("".join([*parts, re.escape(glob[at:])]))
    except re.error:
        # A range the wrong way round, `[z-a]`: a name with brackets in it.
        return re.compile(re.escape(glob))


def _class(inside: str) -> str:
    """One of these characters: `[ab]`, or none of them: `[!ab]`."""
    negated = inside.startswith("!") and len(inside) > 1
    listed = re.escape(inside[negated:]).replace(r"\-", "-")
    return f"[{'^' if negated else ''}{listed}]"


def declared(
    reads: Mapping[str, Iterable[str] | All],
    columns: Mapping[str, Iterable[str]] | None = None,
) -> Lineage:
    """Lineage as an author writes it down.

    Args: `reads` has the columns by source; `*` or `ALL` for all. `columns` has the origins of own
    columns as `source.column`; what is read and is no origin of any decides which rows there are.
    Without `columns` every own column derives from all that is read.

    Raises: ValueError if a column derives from something that is not read.
    """
    taken = {source: _columns(source, names) for source, names in reads.items()}
    if columns is None:
        return Lineage(taken)
    derives = {
        own: frozenset(_origin(own, text, taken) for text in _texts(own, origins))
        for own, origins in columns.items()
    }
    used = {origin for origins in derives.values() for origin in origins}
    shaping = {
        origin
        for source, names in taken.items()
        for origin in ([(source, ALL)] if names is ALL else [(source, name) for name in names])
        if origin not in used
    }
    return Lineage(taken, derives, frozenset(shaping))


def _moved(lineage: Lineage, source: str, read: Columns, columns: Columns) -> Columns:
    """The own columns that change with `columns` of one source that the asset reads."""
    if columns is ALL:
        return ALL
    fold = _fold(lineage)
    changed = {fold(name) for name in columns}

    def hit(origins: Iterable[Origin]) -> bool:
        return any(
            name == source and (column is ALL or fold(column) in changed)
            for name, column in origins
        )

    if lineage.derives is None:
        own = read is ALL or any(fold(name) in changed for name in read)
        return ALL if own else NOTHING
    if hit(lineage.shaping):
        return ALL
    found = {own for own, origins in lineage.derives.items() if hit(origins)}
    left_out = lineage.passes.get(source)
    if left_out is not None:
        kept = {fold(name) for name in left_out}
        found |= {name for name in columns if fold(name) not in kept}
    return frozenset(found)


def _fold(lineage: Lineage) -> Callable[[str], str]:
    return str if lineage.exact else str.casefold


def _columns(source: str, names: Iterable[str] | All) -> Columns:
    if names is ALL or names == "*":
        return ALL
    found = frozenset(_texts(source, names))
    return ALL if "*" in found else found


def _texts(about: str, names: Any) -> list[str]:
    if isinstance(names, Iterable) and not isinstance(names, str):
        listed = list(cast("Iterable[object]", names))
        texts = [each for each in listed if isinstance(each, str)]
        if texts == listed:
            return texts
    raise ValueError(f'{about}: {names!r} is no list of column names such as ["id", "amount"]')


def _origin(own: str, text: str, reads: Reads) -> Origin:
    source, _, column = text.rpartition(".")
    if source not in reads:
        raise ValueError(f"column {own} derives from {text}, and {source or text} is not read")
    read = reads[source]
    if column == "*":
        return source, ALL
    if read is not ALL and column not in read:
        raise ValueError(f"column {own} derives from {text}, which is not among what is read")
    return source, column


def _sorted(mapping: Mapping[str, Iterable[object] | All]) -> str:
    inside = ", ".join(
        f"{name!r}: {'ALL' if value is ALL else _listed(value)}"
        for name, value in sorted(mapping.items())
    )
    return f"{{{inside}}}"


def _listed(values: Iterable[object]) -> str:
    return f"[{', '.join(sorted(map(repr, values)))}]"
