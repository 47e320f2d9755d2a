"""What the core and the host read back: the state, positions, and events by number.

Knows: which rows are live. Refuses to know: what people ask (queries.py).

Law: a row that the core forgot is not loaded; one that it holds is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from reactor.core.event import Event
from reactor.core.instant import instant
from reactor.core.ranges import Range, Ranges
from reactor.core.run import Run, Step
from reactor.core.state import Backfill, Key, State, Table
from reactor.store import matches, schema
from reactor.store.encoding import from_headers
from reactor.store.rows import SHAPES, to_run, to_step

CHUNK = 500
"""Keys asked for in one query."""

_LIVE: dict[Table, Callable[[], sa.ColumnElement[bool]]] = {
    Table.ATTEMPT: lambda: schema.attempt.c.finished.is_(None),
    Table.ALERT: lambda: schema.alert.c.resolved.is_(None),
    Table.HOLD: lambda: schema.hold.c.closed.is_(None),
    Table.BACKFILL: lambda: schema.backfill.c.finished.is_(None),
}


def load(connection: sa.Connection) -> State:
    """The live rows, as `Store.load` promises them."""
    return State.of(_live(connection))


def _live(connection: sa.Connection) -> Iterator[tuple[Table, Key, Any]]:
    for table, shape in SHAPES.items():
        if table in (Table.RUN, Table.STEP):
            continue
        query = sa.select(shape.table)
        if table in _LIVE:
            query = query.where(_LIVE[table]())
        # The order of the keys, so that equal stores load equal states.
        for values in connection.execute(query.order_by(*shape.table.primary_key)):
            yield (table, *shape.decode(values))
    runs = _runs(connection, schema.run.c.finished.is_(None))
    for run in runs:
        yield Table.RUN, (run.id,), run
    unfinished = sa.select(schema.step).where(schema.step.c.finished.is_(None))
    steps = {row[0]: to_step(row) for row in connection.execute(unfinished)}
    named = {work.step for run in runs for work in run.works}
    for row in _by_key(connection, schema.step.c.id, named - steps.keys()):
        steps[row[0]] = to_step(row)
    for id in sorted(steps):
        yield Table.STEP, (id,), steps[id]


def recall(connection: sa.Connection, run: int) -> tuple[Run, tuple[Step, ...]] | None:
    """One run, however it ended, with the steps that its works name."""
    found = _runs(connection, schema.run.c.id == run)
    if not found:
        return None
    named = {work.step for work in found[0].works}
    steps = [to_step(row) for row in _by_key(connection, schema.step.c.id, named)]
    return found[0], tuple(sorted(steps, key=lambda step: step.id))


def ended(connection: sa.Connection, places: Iterable[tuple[str, str | None]]) -> list[Step]:
    """The step of each asset partition that ended last. Cost: O(steps of these assets)."""
    wanted: dict[str, set[str | None]] = {}
    for asset, partition in places:
        wanted.setdefault(asset, set()).add(partition)
    held, last = schema.step.c, dict[tuple[str, str | None], int]()
    query = sa.select(held.id, held.partition).where(held.finished.is_not(None))
    for asset, keys in wanted.items():
        rows = query.where(held.asset == asset).order_by(held.finished, held.id)
        for id, partition in connection.execute(rows):
            if partition in keys:
                last[asset, partition] = id
    return [to_step(row) for row in _by_key(connection, held.id, last.values())]


def recall_backfill(connection: sa.Connection, id: int) -> Backfill | None:
    """One backfill, however it ended."""
    query = sa.select(schema.backfill).where(schema.backfill.c.id == id)
    values = connection.execute(query).first()
    return None if values is None else SHAPES[Table.BACKFILL].decode(values)[1]


def _runs(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Run]:
    rows = connection.execute(sa.select(schema.run).where(which).order_by(schema.run.c.id)).all()
    events = run_events(connection, [row[0] for row in rows])
    return [to_run(row, events.get(row[0], ())) for row in rows]


def run_events(connection: sa.Connection, runs: Iterable[int]) -> dict[int, Ranges]:
    """The causes of runs: what their firings name, and what they took over."""
    ids = set(runs)
    spans: dict[int, list[Range]] = {}
    firing, cause = schema.firing, schema.cause
    for run, text in _by_key(connection, firing.c.run, ids, firing.c.run, firing.c.matches):
        spans.setdefault(run, []).extend(matches.causes(text))
    for run, low, high in _by_key(connection, cause.c.run, ids):
        spans.setdefault(run, []).append((low, high))
    return {run: matches.merged(found) for run, found in spans.items()}


def _by_key(
    connection: sa.Connection, key: sa.Column[Any], values: Iterable[Any], *columns: sa.Column[Any]
) -> Iterator[Sequence[Any]]:
    """The rows whose `key` is among `values`, in chunks."""
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        query = sa.select(*(columns or key.table.columns))
        yield from connection.execute(query.where(key.in_(ordered[start : start + CHUNK])))


def positions(connection: sa.Connection, sensor: str) -> dict[str, str]:
    """The position of a sensor, by part."""
    held = schema.position.c
    query = sa.select(held.part, held.value).where(held.sensor == sensor).order_by(held.part)
    return dict(connection.execute(query).all())


def events(connection: sa.Connection, ranges: Sequence[Range]) -> list[tuple[int, Event]]:
    """Events by number, in order; those that are no more are left out."""
    seq = schema.event.c.seq
    low, high = sa.bindparam("low"), sa.bindparam("high")
    query = sa.select(schema.event).where(seq.between(low, high)).order_by(seq)
    found: list[tuple[int, Event]] = []
    for first, last in matches.merged(ranges):
        rows = connection.execute(query, {"low": first, "high": last})
        found.extend((row[0], to_event(row)) for row in rows)
    return found


def to_event(row: Sequence[Any]) -> Event:
    """The event that a row of its table is; `data` is None and `raw` is set."""
    _, source, id, type, subject, key, time, received, headers, data = row
    return Event(
        id,
        source,
        type,
        subject,
        instant(time),
        instant(received),
        None,
        key,
        from_headers(headers),
        data,
    )
