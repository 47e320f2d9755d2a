"""Whether a change of a table breaks a reader, touches it, or leaves it alone.

Knows: one reader's lineage, one change, and how what the reader reads was before it was held.
Refuses to know: who else reads the table, the graph, and what is done about it.

Laws. A reader is judged by itself: it is held from the first change that breaks something it reads,
until all that broke is as it was. What it is judged by is remembered column by column, so that the
order of the changes does not matter, nor what happened to columns that it does not read. A change
that is undone touches nobody, unless the data came anew: a column or a table that was dropped and
made again holds other values. A file that is read as one of a pattern's may come and go: that
breaks nothing, and ends what was broken of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reactor.core.contract import Change, Column, TableChanged, TableSchema
from reactor.core.lineage import ALL, NOTHING, Columns, Lineage, by_pattern, reads_any, touched

TABLE: Final = "*"
"""The name of what is a matter of the whole table: whether it is there."""
KEY: Final = "()"
"""The name of what its key is."""

_SOME = "a table"
"""What is there, where its source cannot tell one table from a later one of its name."""


@dataclass(frozen=True, slots=True)
class Fact:
    """How a column, the key or the table was before the first change that its reader has not seen.

    `was` is text, None if it was not there; `number` the source's own number of a column. `columns`
    are those whose readers it concerns, none for the whole table. `said` tells what broke it, in
    words, and is empty while nothing did.
    """

    name: str
    was: str | None
    number: int | None = None
    columns: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """What one event did to a column, to the key, or to the table as a whole."""

    before: Fact
    now: str | None
    number: int | None = None
    said: str = ""

    @property
    def name(self) -> str:
        return self.before.name


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a reader: by what it is held, if it is, and which own columns to renew."""

    facts: tuple[Fact, ...] = ()
    touched: Columns = NOTHING


def moves(changed: TableChanged) -> tuple[Move, ...]:
    """What an event did, by name, each once. Cost: O(columns)."""
    found: dict[str, Move] = {}
    for change in changed.changes:
        for move in _moves(change, changed.before, changed.after):
            known = found.get(move.name)
            found[move.name] = move if known is None else _joined(known, move)
    return tuple(found.values())


def judge(
    reader: Lineage, table: str, happened: Iterable[Move], facts: tuple[Fact, ...] = ()
) -> Judgement:
    """What `happened` to a table means for one reader, who is held by `facts` (none: not held).

    Cost: O(moves × sources read).
    """
    known = {fact.name: fact for fact in facts}
    renewed: list[Fact] = []
    happened = list(happened)
    whole = [move for move in happened if move.name == TABLE]
    if whole and by_pattern(reader, table):
        return Judgement((), renews(reader, table, [move.before for move in whole]))
    for move in happened:
        if not reads_any(reader, table, _concerned(move.before)):
            continue
        fact = known.get(move.name)
        if fact is None:
            known[move.name] = replace(move.before, said=move.said)
        elif not _undoes(move, fact):
            known[move.name] = replace(fact, said=move.said or fact.said)
        elif _anew(move, fact):
            known[move.name] = replace(fact, said="")
        else:
            del known[move.name]
            continue
        renewed.append(move.before)
    if any(fact.said for fact in known.values()):
        return Judgement(tuple(known.values()), renews(reader, table, renewed))
    # Nothing of it is broken: what it has not seen yet is what came before and stayed.
    return Judgement((), renews(reader, table, [*known.values(), *renewed]))


def still(reader: Lineage, table: str, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Those of the facts that concern a reader; none if nothing broke of what it reads."""
    left = tuple(fact for fact in facts if reads_any(reader, table, _concerned(fact)))
    return left if any(fact.said for fact in left) else ()


def met(reader: Lineage, table: str, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Those of the facts that concern a reader who comes to a table as it is now.

    Whoever takes all columns takes those that are there, and lacks none of them.
    """
    by_name = {source: read for source, read in reader.reads.items() if read is not ALL}
    naming = replace(reader, reads=by_name, derives=None, shaping=frozenset(), passes={})
    gone = [fact for fact in facts if fact.name == TABLE]
    return still(reader, table, gone) or still(naming, table, facts)


def renews(reader: Lineage, table: str, facts: Sequence[Fact]) -> Columns:
    """The reader's own columns that change with what the facts are of."""
    if any(fact.name == TABLE for fact in facts):
        return touched(reader, {table: ALL})
    return touched(reader, {table: frozenset(name for fact in facts for name in fact.columns)})


def _concerned(fact: Fact) -> Columns:
    return ALL if fact.name == TABLE else frozenset(fact.columns)


def _undoes(move: Move, fact: Fact) -> bool:
    """Whether all is as it was; another column of the same name is so only if it came anew."""
    if move.name == TABLE:
        return move.now is not None
    if move.now != fact.was:
        return False
    return move.number == fact.number or move.before.was is None


def _anew(move: Move, fact: Fact) -> bool:
    """Whether what is as it was holds other data: it is another one of the same name."""
    if move.name == TABLE:
        return move.now != fact.was or move.now == _SOME
    return move.number != fact.number


def _moves(change: Change, before: TableSchema | None, after: TableSchema | None) -> Iterator[Move]:
    said = str(change) if change.breaking else ""
    match change.kind:
        case "table_dropped" | "table_renamed":
            yield Move(Fact(TABLE, _identity(before)), None, said=said)
            for column in before.columns if before else ():
                yield _of(column.name, before, None, said)
        case "table_created":
            yield Move(Fact(TABLE, None), _identity(after))
            for column in after.columns if after else ():
                yield _of(column.name, None, after, said)
        case "key_changed":
            columns = _named(change.before) or _named(change.after)
            yield Move(Fact(KEY, change.before, None, columns), change.after, said=said)
        case "columns_reordered":
            return
        case "column_removed":
            yield _of(change.column, before, after, said, change.before)
        case "column_added":
            yield _of(change.column, before, after, said, now=change.after)
        case "column_renamed":
            yield _of(change.before, before, after, said, "")
            yield _of(change.after, before, after, "", now="")
        case "column_retyped" | "nullability_changed":
            # Without words for the two, at least they are not the same.
            now = change.after if change.after != change.before else f"not {change.before}"
            yield _of(change.column, before, after, said, change.before, now)


def _identity(table: TableSchema | None) -> str:
    return table.identity if table is not None and table.identity else _SOME


def _named(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(", ")))


def _of(
    name: str,
    before: TableSchema | None,
    after: TableSchema | None,
    said: str,
    was: str | None = None,
    now: str | None = None,
) -> Move:
    """What became of a column: as the shapes have it, or else as the change says."""
    if before is None and after is None:
        return Move(Fact(name, was, None, (name,)), now, None, said)
    old, new = _column(before, name), _column(after, name)
    fact = Fact(name, _described(old), old.number if old else None, (name,))
    return Move(fact, _described(new), new.number if new else None, said)


def _column(shape: TableSchema | None, name: str) -> Column | None:
    columns = shape.columns if shape is not None else ()
    return next((column for column in columns if column.name == name), None)


def _described(column: Column | None) -> str | None:
    if column is None:
        return None
    return column.type if column.nullable else f"{column.type} not null"


def _joined(one: Move, other: Move) -> Move:
    """Two changes of the same thing in one event."""
    if (one.before, one.now) == (other.before, other.now):
        said = "; ".join(dict.fromkeys(filter(None, (one.said, other.said))))
        return replace(one, said=said)
    was, now = _both(one.before.was, other.before.was), _both(one.now, other.now)
    said = "; ".join(filter(None, (one.said, other.said)))
    return Move(replace(one.before, was=was), now, one.number or other.number, said)


def _both(one: str | None, other: str | None) -> str | None:
    parts = [part for part in (one, other) if part is not None]
    return " ".join(parts) if parts else None
