"""What people ask about runs and events: what happened, and why.

Knows: which rows belong together. Refuses to know: who asks, and by which protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from reactor.core.backfill import LAST
from reactor.core.ranges import count
from reactor.store import matches, schema
from reactor.store.aftermath import FATE, aftermath, naming
from reactor.store.encoding import shown
from reactor.store.loading import CHUNK, run_events
from reactor.store.showing import SHOWN_BYTES, WHOLE_BYTES, Row, page, rows, show, sized


def runs(
    connection: sa.Connection,
    *,
    status: str | None = None,
    asset: str | None = None,
    rule: str | None = None,
    fills: bool = True,
    limit: int = 50,
    before: int | None = None,
) -> list[Row]:
    """Runs, without their works: `assets` is how many they have. `fills`: also of backfills."""
    run, named = schema.run, schema.run_asset
    columns = [column for column in run.columns if column.name != "works"]
    query = sa.select(*columns)
    key = run.c.id
    if asset is not None:
        query = query.join(named, named.c.run == run.c.id).where(named.c.asset == asset)
        key = named.c.run
    if status is not None:
        query = query.where(run.c.status == status)
    if rule is not None:
        query = query.where(run.c.rule == rule)
    if not fills:
        # No rule launches with that priority.
        query = query.where(run.c.priority != LAST)
    found = rows(connection, page(query, key, limit, before))
    sizes = sa.select(named.c.run, sa.func.count()).where(
        named.c.run.in_([row["id"] for row in found])
    )
    number = dict(connection.execute(sizes.group_by(named.c.run)).all())
    return [{**row, "assets": number.get(row["id"], 0)} for row in found]


def run(connection: sa.Connection, id: int, *, events_limit: int = 100) -> Row | None:
    """A run: its works with their steps and attempts, its firings, and its first events."""
    found = rows(connection, sa.select(schema.run).where(schema.run.c.id == id))
    if not found:
        return None
    row = found[0]
    ids = [work["step"] for work in row["works"]]
    steps = {step["id"]: step for step in steps_by_id(connection, ids)}
    row["works"] = [
        {**{name: work[name] for name in work if name != "step"}, "step": steps.get(work["step"])}
        for work in row["works"]
    ]
    firing = schema.firing.c
    launched = sa.select(schema.firing).where(firing.run == id).order_by(firing.id).limit(CHUNK)
    row["firings"] = [_firing(values) for values in connection.execute(launched).mappings()]
    spans = run_events(connection, [id]).get(id, ())
    row["events_count"] = count(spans)
    row["events"] = _events_in(connection, spans, events_limit)
    return row


def steps_by_id(connection: sa.Connection, ids: Iterable[int]) -> list[Row]:
    """Steps by their numbers, each with its attempts."""
    step, attempt = schema.step.c, schema.attempt.c
    ordered = sorted(set(ids))
    found: list[Row] = []
    tries: dict[int, list[Row]] = {}
    for start in range(0, len(ordered), CHUNK):
        some = ordered[start : start + CHUNK]
        found.extend(rows(connection, sa.select(schema.step).where(step.id.in_(some))))
        made = sa.select(schema.attempt).where(attempt.step.in_(some))
        for row in rows(connection, made.order_by(attempt.step, attempt.number)):
            tries.setdefault(row["step"], []).append(row)
    return [{**row, "attempts": tries.get(row["id"], [])} for row in found]


def firings(
    connection: sa.Connection,
    rule: str,
    *,
    observed: bool | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Row]:
    """The firings of a rule, the newest first; only observed ones, or only others, or both."""
    firing = schema.firing
    query = sa.select(firing).where(firing.c.rule == rule)
    if observed is not None:
        query = query.where(firing.c.observed == sa.literal(observed))
    newest = page(query, firing.c.id, limit, before)
    return [_firing(values) for values in connection.execute(newest).mappings()]


def _firing(values: sa.RowMapping) -> Row:
    """A firing: how many matches and events it has, and the first of them."""
    return _counted(show(values))


def _counted(row: Row) -> Row:
    made = matches.read(row.pop("matches"))
    for name in ("low", "high", "fork"):
        del row[name]
    events = sum(len(match) for match in made)
    first = [list(match[:CHUNK]) for match in made[:CHUNK]]
    return {**row, "matches": first, "matches_count": len(made), "events_count": events}


def _events_in(
    connection: sa.Connection, spans: Iterable[tuple[int, int]], limit: int
) -> list[Row]:
    seq = schema.event.c.seq
    found: list[Row] = []
    for low, high in spans:
        if len(found) >= limit:
            break
        query = sa.select(*_event_columns(SHOWN_BYTES)).where(seq.between(low, high))
        query = query.order_by(seq).limit(limit - len(found))
        found.extend(_event(values) for values in connection.execute(query).mappings())
    return found


def _event_columns(longest: int) -> list[sa.ColumnElement[Any]]:
    data = schema.event.c.data
    columns = [column for column in schema.event.columns if column is not data]
    return [*columns, *sized(data, longest)]


def _event(values: sa.RowMapping) -> Row:
    return {**show(values), "data": shown(values["data"])}


def events(
    connection: sa.Connection,
    *,
    sensor: str | None = None,
    aftermaths: bool = False,
    limit: int = 50,
    before: int | None = None,
) -> list[Row]:
    """Accepted events, with their `aftermaths` if that is asked for; `data` is None where
    `size_bytes` is more than a list shows.
    """
    query = sa.select(*_event_columns(SHOWN_BYTES))
    if sensor is not None:
        query = query.where(schema.event.c.source == sensor)
    newest = page(query, schema.event.c.seq, limit, before)
    found = [_event(values) for values in connection.execute(newest).mappings()]
    if not aftermaths:
        return found
    became = aftermath(connection, [row["seq"] for row in found])
    wrong = _raised(connection, [row["id"] for row in found])
    return [{**row, **became[row["seq"]], "raised": wrong.get(row["id"], [])} for row in found]


def _raised(connection: sa.Connection, ids: Sequence[str]) -> dict[str, list[Row]]:
    """The errors that rules' own code raised for events, by the ids of these, oldest first."""
    raised = schema.raised
    found: dict[str, list[Row]] = {}
    for start in range(0, len(ids), CHUNK):
        query = sa.select(raised).where(raised.c.event.in_(ids[start : start + CHUNK]))
        for row in rows(connection, query.order_by(raised.c.id).limit(10 * CHUNK)):
            found.setdefault(row["event"], []).append(row)
    return found


def event(connection: sa.Connection, seq: int) -> Row | None:
    """An event with the firings and fates that name it, the errors that rules' own code raised for
    it, and the numbers of the runs it caused.
    """
    query = sa.select(*_event_columns(WHOLE_BYTES)).where(schema.event.c.seq == seq)
    values = connection.execute(query).mappings().first()
    if values is None:
        return None
    cause = schema.cause.c
    columns = [column.name for column in schema.firing.columns]
    named = naming(connection, schema.firing, "matches", columns, [seq])
    firings = [_counted(row) for row, _ in named]
    taken = sa.select(cause.run).where(cause.low <= seq, cause.high >= seq)
    runs = {each["run"] for each in firings if each["run"] is not None}
    runs.update(connection.scalars(taken))
    return {
        **_event(values),
        "firings": firings,
        "fates": [row for row, _ in naming(connection, schema.fate, "events", FATE, [seq])],
        "raised": _raised(connection, [values["id"]]).get(values["id"], []),
        "runs": sorted(runs),
    }
