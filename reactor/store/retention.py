"""Deleting what is old, in small batches, and nothing that is still needed.

Knows: what live runs, unfinished steps and operators' state refer to. Refuses to know: how long
things are to be kept.

Laws: candidates are looked for beside the writer, and looked at again in the transaction that
deletes them; each batch costs what it looks at, however large the store is. An event is needed by
the runs that have not ended and by partial matches; a step by its runs; a fate by its events. Dead
letters that wait are never deleted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from reactor.core.instant import micros
from reactor.core.ranges import Range, Ranges
from reactor.store import matches, schema
from reactor.store.encoding import from_text
from reactor.store.loading import run_events

_PARTS = 500


@dataclass(slots=True)
class Sweep:
    """Where the last batch ended, so that what is kept is not looked at again in each.

    Events are swept up to the `top` there was when the sweep began. What was `needed` then is kept
    to the end of it, and what `runs` that came to life since then need: a newer partial match
    holds newer events, or older ones that another held before.
    """

    event: int = 0
    top: int = 0
    needed: Ranges = ()
    runs: set[int] = field(default_factory=set[int])
    step: tuple[int, int] = (0, 0)
    fate: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows a batch deleted; `more` says that the next may find some at once."""

    events: int = 0
    runs: int = 0
    steps: int = 0
    others: int = 0
    more: bool = False


@dataclass(slots=True)
class Plan:
    """What one batch is to delete."""

    before_events: int
    before_runs: int
    limit: int
    events: list[int] = field(default_factory=lambda: [])
    runs: list[int] = field(default_factory=lambda: [])
    steps: list[int] = field(default_factory=lambda: [])
    fates: list[int] = field(default_factory=lambda: [])
    more: bool = False


def plan(
    connection: sa.Connection,
    sweep: Sweep,
    before_events: datetime,
    before_runs: datetime,
    limit: int,
) -> Plan:
    """Looks for the next batch, of at most `limit` rows of each kind."""
    found = Plan(micros(before_events), micros(before_runs), limit)
    live = _live_runs(connection)
    _plan_events(connection, sweep, found, live)
    _plan_runs(connection, found, live)
    _plan_steps(connection, sweep, found)
    _plan_fates(connection, sweep, found)
    return found


def carry_out(connection: sa.Connection, plan: Plan) -> Pruned:
    """Deletes what was planned and is still as it was."""
    event, run, step = schema.event.c, schema.run.c, schema.step.c
    events = sum(
        connection.execute(sa.delete(schema.event).where(event.seq.in_(some))).rowcount
        for some in _chunks(plan.events)
    )
    runs = steps = 0
    for some in _chunks(plan.runs):
        ended = sa.select(run.id).where(run.id.in_(some), run.finished < plan.before_runs)
        gone = list(connection.scalars(ended))
        runs += len(gone)
        connection.execute(sa.delete(schema.run).where(run.id.in_(gone)))
        for table in (schema.firing, schema.cause, schema.run_asset):
            connection.execute(sa.delete(table).where(table.c.run.in_(gone)))
    for some in _chunks(plan.steps):
        ended = sa.select(step.id).where(step.id.in_(some), step.finished < plan.before_runs)
        gone = list(connection.scalars(ended))
        steps += len(gone)
        connection.execute(sa.delete(schema.step).where(step.id.in_(gone)))
        for table in (schema.attempt, schema.log_line):
            connection.execute(sa.delete(table).where(table.c.step.in_(gone)))
    fate = schema.fate
    needed = sa.exists().where(event.seq.between(fate.c.low, fate.c.high))
    fates = sum(
        connection.execute(sa.delete(fate).where(fate.c.id.in_(some), ~needed)).rowcount
        for some in _chunks(plan.fates)
    )
    others, full = _others(connection, plan)
    return Pruned(events, runs, steps, others + fates, plan.more or full)


def _live_runs(connection: sa.Connection) -> set[int]:
    """Runs that have not ended, or one of whose steps has not."""
    run, step = schema.run.c, schema.step.c
    live = set(connection.scalars(sa.select(run.id).where(run.finished.is_(None))))
    for text in connection.scalars(sa.select(step.runs).where(step.finished.is_(None))):
        live.update(from_text(text))
    return live


def _plan_events(connection: sa.Connection, sweep: Sweep, found: Plan, live: set[int]) -> None:
    event = schema.event.c
    if not sweep.event:
        sweep.top = connection.scalar(sa.select(sa.func.max(event.seq))) or 0
        sweep.needed, sweep.runs = matches.merged(_in_nodes(connection, sweep.top)), set()
    if revived := live - sweep.runs:
        spans = (span for held in run_events(connection, revived).values() for span in held)
        sweep.needed = matches.merged((*sweep.needed, *spans))
        sweep.runs |= revived
    query = sa.select(event.seq, event.received).where(
        event.seq.between(sweep.event + 1, sweep.top)
    )
    rows = connection.execute(query.order_by(event.seq).limit(found.limit)).all()
    old = [seq for seq, received in rows if received < found.before_events]
    found.events = [seq for seq in old if not _within(sweep.needed, seq)]
    # Events are numbered as they are received, but for a little: a batch without an old one is
    # where the old ones end.
    found.more = bool(old) and len(rows) == found.limit
    sweep.event = rows[-1][0] if found.more else 0


def _in_nodes(connection: sa.Connection, top: int) -> Iterator[Range]:
    """The events that partial matches hold, and perhaps some more."""
    for text in connection.scalars(sa.select(schema.node.c.data)):
        yield from held(from_text(text), top)


def held(data: Any, top: int) -> Iterator[Range]:
    """Whatever in the state of an operator may be events, none of which is beyond `top`.

    Two whole numbers in a row that could be the ends of a range are one, with all between them;
    any other number that could be an event is. What is larger is an instant.
    """
    stack = [data]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            stack.extend(cast("dict[str, Any]", each).values())
        elif isinstance(each, list):
            parts = cast("list[Any]", each)
            if len(parts) == 2 and all(map(_whole, parts)) and 0 < parts[0] <= parts[1] <= top:
                yield (parts[0], parts[1])
            else:
                stack.extend(parts)
        elif _whole(each) and 0 < each <= top:
            yield (each, each)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(spans: Ranges, number: int) -> bool:
    at = bisect_right(spans, (number, float("inf"))) - 1
    return at >= 0 and spans[at][0] <= number <= spans[at][1]


def _plan_runs(connection: sa.Connection, found: Plan, live: set[int]) -> None:
    run = schema.run.c
    query = sa.select(run.id).where(run.finished < found.before_runs)
    # As many more as may have to be left out.
    rows = connection.scalars(query.order_by(run.finished).limit(found.limit + len(live)))
    found.runs = [id for id in rows if id not in live][: found.limit]
    found.more = found.more or len(found.runs) == found.limit


def _plan_steps(connection: sa.Connection, sweep: Sweep, found: Plan) -> None:
    """Steps none of whose runs remains, once those of this batch are gone."""
    step, run = schema.step.c, schema.run.c
    after = sa.tuple_(step.finished, step.id) > sweep.step
    query = sa.select(step.id, step.finished, step.runs).where(step.finished < found.before_runs)
    query = query.where(after).order_by(step.finished, step.id).limit(found.limit)
    rows = connection.execute(query).all()
    runs = {id: from_text(text) for id, _, text in rows}
    gone, remaining = set(found.runs), set[int]()
    for some in _chunks(sorted({run for wanted in runs.values() for run in wanted})):
        remaining.update(connection.scalars(sa.select(run.id).where(run.id.in_(some))))
    remaining -= gone
    found.steps = [id for id, wanted in runs.items() if remaining.isdisjoint(wanted)]
    full = len(rows) == found.limit
    sweep.step = (rows[-1].finished, rows[-1].id) if full else (0, 0)
    found.more = found.more or full


def _plan_fates(connection: sa.Connection, sweep: Sweep, found: Plan) -> None:
    """Fates of old events; those whose events are still there when it comes to it stay."""
    fate = schema.fate.c
    after = sa.tuple_(fate.at, fate.id) > sweep.fate
    query = sa.select(fate.id, fate.at).where(fate.at < found.before_events, after)
    rows = connection.execute(query.order_by(fate.at, fate.id).limit(found.limit)).all()
    found.fates = [row.id for row in rows]
    full = len(rows) == found.limit
    sweep.fate = (rows[-1].at, rows[-1].id) if full else (0, 0)
    found.more = found.more or full


def _others(connection: sa.Connection, plan: Plan) -> tuple[int, bool]:
    """Rows that nothing refers to, oldest first. Returns how many, and whether a kind was full."""
    history, raised, dead = schema.materialization_history, schema.raised, schema.dead_letter
    alert, firing, hold = schema.alert, schema.firing, schema.hold
    runless = firing.c.run.is_(None)
    settled = dead.c.status.in_(("replayed", "dropped"))
    counts = [
        _oldest(connection, raised.c.id, raised.c.at < plan.before_events, plan.limit),
        _oldest(connection, dead.c.seq, dead.c.at < plan.before_events, plan.limit, settled),
        _oldest(connection, history.c.id, history.c.at < plan.before_runs, plan.limit),
        _oldest(connection, firing.c.id, firing.c.at < plan.before_runs, plan.limit, runless),
        connection.execute(sa.delete(alert).where(alert.c.resolved < plan.before_runs)).rowcount,
        connection.execute(sa.delete(hold).where(hold.c.closed < plan.before_runs)).rowcount,
    ]
    return sum(counts), plan.limit in counts


def _oldest(
    connection: sa.Connection,
    key: sa.Column[Any],
    old: sa.ColumnElement[bool],
    limit: int,
    *which: sa.ColumnElement[bool],
) -> int:
    """Deletes the old ones among the first rows of a kind, which is numbered in order of time."""
    first = sa.select(key).where(*which).order_by(key).limit(limit)
    return connection.execute(sa.delete(key.table).where(key.in_(first), old)).rowcount


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _PARTS] for start in range(0, len(ids), _PARTS))
