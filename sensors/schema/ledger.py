"""What a schema sensor has recorded of each table, and what a new look at them means.

Pure: a look goes in, batches come out; nothing is opened here.

The position of a sensor has one part a table (or path): its revision and its schema as last
recorded, which stays when the table is dropped so that revisions go on. One more part, `ALL`, is
written with the end of the first look: only from then on is an unknown table a new one.

A table is known by its name, since that is what it is read by. One that is gone while its identity
is found under another name was renamed: the old name says so, and the new one is a table created.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from reactor.core.contract import Column, TableSchema, diff, renamed
from reactor.core.errors import SensorRefused
from reactor.core.event import Event
from reactor.ports import Batch, Move
from sensors.schema.payload import SchemaChanged, changed

Baseline = Literal["record", "announce"]
Look = Mapping[str, TableSchema | None]
"""Tables by name, in full; None for one that is there and cannot be read now."""

ALL = "*"
UNKNOWN = "unknown"
"""The type of a column of which no value was seen: it is whatever it was before."""
BATCH = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """How often a table changed, and its schema; None while there is no such table."""

    revision: int
    table: TableSchema | None


_MARK = TypeAdapter(Mark)


class Ledger:
    """The recorded schemas of one sensor.

    Args:
        pattern: what is watched, as text; tables that an earlier pattern did not match are not new.
        matches: whether the pattern matches a table.
    """

    def __init__(
        self,
        sensor: str,
        pattern: str,
        matches: Callable[[str], bool],
        baseline: Baseline,
        positions: Mapping[str, str],
    ) -> None:
        self._sensor = sensor
        self._pattern = pattern
        self._matches = matches
        self._baseline = baseline
        self._texts = dict(positions)
        self._marks = {part: _read(part, text) for part, text in positions.items() if part != ALL}

    def compare(self, look: Look, now: datetime) -> Iterator[Batch]:
        """The batches that bring what is recorded up to `look`, tables in order of their names.

        A batch counts as recorded once it was taken from the iterator.
        """
        events: list[Event] = []
        moves: list[Move] = []
        renames = self._renames(look)
        for table in sorted({*look, *filter(self._matches, self._marks)}):
            mark = self._step(table, look, renames, events, now)
            if mark is not None:
                moves.append(self._move(table, _MARK.dump_json(mark).decode()))
                self._marks[table] = mark
            if len(moves) >= BATCH:
                yield Batch(self._sensor, tuple(events), tuple(moves))
                events, moves = [], []
        if self._texts.get(ALL) != self._pattern:
            moves.append(self._move(ALL, self._pattern))
        if moves:
            yield Batch(self._sensor, tuple(events), tuple(moves))

    def _step(
        self,
        table: str,
        look: Look,
        renames: Mapping[str, tuple[str, str]],
        events: list[Event],
        now: datetime,
    ) -> Mark | None:
        """The table's new mark, its event appended; None if there is nothing to record."""
        after = look.get(table)
        mark = self._marks.get(table)
        if after is None and (table in look or mark is None):
            return None
        if mark is None and self._texts.get(ALL) != self._pattern and self._baseline == "record":
            return Mark(0, after)
        mark = mark or Mark(0, None)
        before, after = _settled(mark.table, after)
        change = diff(before, after)
        if not change:
            new = Mark(mark.revision, after)
            return new if _MARK.dump_python(new) != _MARK.dump_python(mark) else None
        if table in renames:
            change = renamed(change, *renames[table])
        revision = mark.revision + 1
        payload = SchemaChanged.of(table, revision, change, before, after)
        events.append(changed(self._sensor, payload, now))
        return Mark(revision, after)

    def _renames(self, look: Look) -> dict[str, tuple[str, str]]:
        """Old and new name of each table that was renamed since it was recorded, by both names."""
        lost = {
            mark.table.identity: name
            for name, mark in self._marks.items()
            if mark.table is not None and name not in look and self._matches(name)
        }
        found: dict[str, tuple[str, str]] = {}
        for name, table in look.items():
            old = lost.get(table.identity) if table and table.identity is not None else None
            if old is not None:
                found[old] = found[name] = (old, name)
        return found

    def _move(self, part: str, after: str) -> Move:
        move = Move(part, self._texts.get(part), after)
        self._texts[part] = after
        return move


def _read(part: str, text: str) -> Mark:
    try:
        return _MARK.validate_json(text)
    except ValidationError as error:
        raise SensorRefused(
            f"the position of {part} is not one that a schema sensor writes",
            hint="it may stem from a newer version",
        ) from error


def _settled(
    before: TableSchema | None, after: TableSchema | None
) -> tuple[TableSchema | None, TableSchema | None]:
    """Both with each unknown type replaced by the other side's, which it does not contradict."""
    if before is None or after is None:
        return before, after
    old = {column.name: column.type for column in before.columns}
    new = {column.name: column.type for column in after.columns}
    return _known(before, new), _known(after, old)


def _known(table: TableSchema, other: Mapping[str, str]) -> TableSchema:
    def told(column: Column) -> Column:
        if column.type != UNKNOWN:
            return column
        return replace(column, type=other.get(column.name, UNKNOWN))

    columns: Sequence[Column] = [told(column) for column in table.columns]
    return replace(table, columns=tuple(columns))
