"""What people ask about assets and sensors, and the smaller lists: alerts, dead letters, audit.

Knows: which rows belong together. Refuses to know: who asks, and by which protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from reactor.core.instant import instant
from reactor.core.run import ENDED, StepStatus
from reactor.store import schema
from reactor.store.encoding import iso, unkeyed
from reactor.store.queries import steps_by_id
from reactor.store.showing import Query, Row, page, rows


def assets(connection: sa.Connection, names: Sequence[str] | None = None) -> dict[str, Row]:
    """What is known of each asset: its latest materialization, how many partitions have one, and
    its last step. Without `names`, of all that ever had a step.
    """
    made, step = schema.materialization, schema.step
    named = sa.bindparam("name")
    latest = sa.select(made).where(made.c.asset == named).order_by(made.c.at.desc()).limit(1)
    partitions = sa.select(sa.func.count()).select_from(made).where(made.c.asset == named)
    last = sa.select(step).where(step.c.asset == named).order_by(step.c.id.desc()).limit(1)
    found: dict[str, Row] = {}
    for name in _step_assets(connection) if names is None else names:
        current = rows(connection, latest, name=name)
        for row in current:
            row["partition"] = unkeyed(row["partition"])
        found[name] = {
            "asset": name,
            "materialization": next(iter(current), None),
            "partitions": connection.scalar(partitions, {"name": name}),
            "step": next(iter(rows(connection, last, name=name)), None),
        }
    return found


def _step_assets(connection: sa.Connection) -> list[str]:
    """The assets that have steps: one look into the index for each, not one for each step."""
    asset, names = schema.step.c.asset, list[str]()
    after = sa.bindparam("after")
    query = sa.select(asset).where(asset > after).order_by(asset).limit(1)
    while (name := connection.scalar(query, {"after": names[-1] if names else ""})) is not None:
        names.append(name)
    return names


def steps(
    connection: sa.Connection, asset: str, *, limit: int = 50, before: int | None = None
) -> list[Row]:
    """The steps of an asset, with their attempts."""
    step = schema.step.c
    newest = page(sa.select(step.id).where(step.asset == asset), step.id, limit, before)
    found = steps_by_id(connection, connection.scalars(newest).all())
    return sorted(found, key=lambda row: row["id"], reverse=True)


def materializations(
    connection: sa.Connection, asset: str, *, limit: int = 50, before: int | None = None
) -> list[Row]:
    """How an asset was brought up to date, time after time."""
    made = schema.materialization_history
    query = sa.select(made).where(made.c.asset == asset)
    return rows(connection, page(query, made.c.id, limit, before))


def log(
    connection: sa.Connection,
    step: int,
    *,
    attempt: int | None = None,
    after: tuple[int, int] = (0, 0),
    limit: int = 1_000,
) -> list[Row]:
    """The output of a step in the order it came, of one attempt or of all: what follows the
    line (attempt, seq) `after`.
    """
    line = schema.log_line.c
    beyond = sa.or_(line.attempt > after[0], sa.and_(line.attempt == after[0], line.seq > after[1]))
    query = sa.select(schema.log_line).where(line.step == step, beyond)
    if attempt is not None:
        query = query.where(line.attempt == attempt)
    return rows(connection, query.order_by(line.attempt, line.seq).limit(limit))


def dead_letters(
    connection: sa.Connection,
    *,
    sensor: str | None = None,
    status: str | None = "waiting",
    limit: int = 50,
    before: int | None = None,
) -> list[Row]:
    """Dead letters of one status, or of all for None, without their bytes: `size_bytes`."""
    dead = schema.dead_letter
    columns = [column for column in dead.columns if column is not dead.c.raw]
    query = sa.select(*columns, sa.func.length(dead.c.raw).label("size_bytes"))
    if sensor is not None:
        query = query.where(dead.c.sensor == sensor)
    if status is not None:
        query = query.where(dead.c.status == status)
    return rows(connection, page(query, dead.c.seq, limit, before))


def dead_letter(connection: sa.Connection, seq: int) -> Row | None:
    """One dead letter: `raw` is its bytes."""
    query = sa.select(schema.dead_letter).where(schema.dead_letter.c.seq == seq)
    return next(iter(rows(connection, query)), None)


def alerts(connection: sa.Connection, *, is_open: bool | None = None, limit: int = 50) -> list[Row]:
    """Alerts, the newest first; open ones, resolved ones, or (None) both."""
    alert = schema.alert
    query = sa.select(alert).order_by(alert.c.opened.desc(), alert.c.key).limit(limit)
    if is_open is not None:
        query = query.where(alert.c.resolved.is_(None) == sa.literal(is_open))
    return rows(connection, query)


def backfills(
    connection: sa.Connection, *, limit: int = 50, before: int | None = None
) -> list[Row]:
    """Backfills in brief: of their partitions only how many there are."""
    fill = schema.backfill
    columns = [column for column in fill.columns if column is not fill.c.partitions]
    return rows(connection, page(sa.select(*columns), fill.c.id, limit, before))


def backfill(
    connection: sa.Connection, *, id: int | None = None, token: str | None = None
) -> Row | None:
    """One backfill by its number or its token, with its partitions."""
    fill = schema.backfill.c
    which = fill.id == id if id is not None else fill.token == token
    return next(iter(rows(connection, sa.select(schema.backfill).where(which))), None)


def pauses(connection: sa.Connection) -> list[Row]:
    """What operators have paused."""
    return rows(connection, sa.select(schema.pause).order_by(*schema.pause.primary_key))


def sensors(connection: sa.Connection, *, parts: int = 100) -> dict[str, Row]:
    """The positions of all sensors, by `kind/name`: how many `parts`, and the first of them."""
    held = schema.position.c
    sizes = sa.select(held.sensor, sa.func.count()).group_by(held.sensor).order_by(held.sensor)
    found: dict[str, Row] = {}
    for sensor, size in connection.execute(sizes).all():
        query = sa.select(held.part, held.value).where(held.sensor == sensor)
        first = connection.execute(query.order_by(held.part).limit(parts))
        found[sensor] = {"parts": size, "positions": dict(first.all())}
    return found


def raised(
    connection: sa.Connection,
    *,
    rule: str | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Row]:
    """Errors that callables of rules raised."""
    query = sa.select(schema.raised)
    if rule is not None:
        query = query.where(schema.raised.c.rule == rule)
    return rows(connection, page(query, schema.raised.c.id, limit, before))


def audit(connection: sa.Connection, *, limit: int = 50, before: int | None = None) -> list[Row]:
    """What operators did."""
    return rows(connection, page(sa.select(schema.audit), schema.audit.c.id, limit, before))


def counts(connection: sa.Connection) -> Row:
    """Totals for metrics: runs by status, live steps by status, what waits, what was counted."""
    run, step, dead = schema.run.c, schema.step.c, schema.dead_letter.c
    live = [status.value for status in StepStatus if status not in ENDED]
    open_alerts = sa.select(sa.func.count()).where(schema.alert.c.resolved.is_(None))
    return {
        "runs": _by(connection, sa.select(run.status, sa.func.count()).group_by(run.status)),
        "steps": _by(
            connection,
            sa.select(step.status, sa.func.count())
            .where(step.finished.is_(None), step.status.in_(live))
            .group_by(step.status),
        ),
        "dead_letters": _by(
            connection,
            sa.select(dead.sensor, sa.func.count())
            .where(dead.status == "waiting")
            .group_by(dead.sensor),
        ),
        "alerts": connection.scalar(open_alerts),
        "inbox": connection.scalar(sa.select(sa.func.count()).select_from(schema.inbox)),
        "filtered": filtered(connection),
    }


def _by(connection: sa.Connection, query: Query) -> dict[str, int]:
    return dict(sorted((name, number) for name, number in connection.execute(query)))


def filtered(connection: sa.Connection) -> dict[str, int]:
    """How many events no rule let in, by sensor."""
    counted = schema.tally.c
    query = sa.select(counted.name, counted.count).where(counted.kind == "filtered")
    return _by(connection, query)


def rules(connection: sa.Connection) -> dict[str, Row]:
    """What is known of each rule: its newest firing (`fired`, `run`), since when it reads as it
    does (`since`, None if nobody knows any more) and how often it has started afresh (`changes`).
    """
    rule, firing, version = schema.rule, schema.firing, schema.rule_version
    last = sa.select(firing.c.id).where(firing.c.rule == rule.c.rule).correlate(rule)
    newest = last.order_by(firing.c.id.desc()).limit(1).scalar_subquery()
    fired = sa.select(rule.c.rule, firing.c.at, firing.c.run, firing.c.observed)
    known = {row.rule: row for row in connection.execute(fired.join(firing, firing.c.id == newest))}
    versions = sa.select(version.c.rule, sa.func.max(version.c.at), sa.func.count())
    found: dict[str, Row] = {}
    for name, since, number in connection.execute(versions.group_by(version.c.rule)):
        row = known.get(name)
        found[name] = {
            "fired": iso(row.at) if row else None,
            "run": row.run if row else None,
            "observed": bool(row.observed) if row else False,
            "since": iso(since) if since else None,
            "changes": number - 1,
        }
    return found


def began(connection: sa.Connection) -> dict[str, datetime]:
    """Since when each rule reads as it does, where that is known."""
    version = schema.rule_version.c
    query = sa.select(version.rule, sa.func.max(version.at)).group_by(version.rule)
    return {name: instant(at) for name, at in connection.execute(query) if at}


def rule_versions(connection: sa.Connection, name: str, *, limit: int = 50) -> list[Row]:
    """How a rule read, from when on: the newest first."""
    version = schema.rule_version
    query = sa.select(version).where(version.c.rule == name)
    return rows(connection, page(query, version.c.id, limit, None))
