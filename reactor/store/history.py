"""What a back-test reads: all that came in, all that fired, and how the rules of the time read.

Knows: which rows belong together, and pages of them in the order in which they were written.
Refuses to know: what would have fired otherwise.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from reactor.core.event import Event
from reactor.core.instant import instant, micros
from reactor.store import matches, schema
from reactor.store.encoding import from_text
from reactor.store.loading import CHUNK, to_event
from reactor.store.showing import Row, rows


def events(
    connection: sa.Connection, *, since: datetime | None, until: datetime | None, after: int = 0
) -> list[tuple[int, Event]]:
    """The next events received in a time, by number, from beyond `after`; none at the end."""
    event = schema.event
    query = sa.select(event).where(event.c.seq > after).order_by(event.c.seq).limit(CHUNK)
    if since is not None:
        query = query.where(event.c.received >= micros(since))
    if until is not None:
        query = query.where(event.c.received <= micros(until))
    return [(row[0], to_event(row)) for row in connection.execute(query)]


def end(connection: sa.Connection) -> datetime | None:
    """The last instant at which something came in or fired."""
    last = (sa.func.max(schema.event.c.received), sa.func.max(schema.firing.c.at))
    known = [at for each in last if (at := connection.scalar(sa.select(each))) is not None]
    return instant(max(known)) if known else None


def horizon(connection: sa.Connection) -> datetime | None:
    """From when on no event has been deleted; None if none ever was.

    Cost: O(events). They are numbered without a gap, and go one by one when they are old.
    """
    event, before = schema.event, schema.event.alias("before")
    missing = ~sa.exists().where(before.c.seq == event.c.seq - 1)
    newest = sa.select(event.c.seq, event.c.received).where(missing, event.c.seq > 1)
    found = connection.execute(newest.order_by(event.c.seq.desc()).limit(1)).first()
    return instant(found.received) if found else None


def firings(
    connection: sa.Connection, *, since: datetime | None, until: datetime | None, after: int = 0
) -> list[Row]:
    """The next firings of a time, by number: with their matches, and what they launched.

    `assets` and `because` are those of the run; nothing and "" if there is none (any more).
    """
    firing, run = schema.firing, schema.run
    query = sa.select(firing).where(firing.c.id > after).order_by(firing.c.id).limit(CHUNK)
    if since is not None:
        query = query.where(firing.c.at >= micros(since))
    if until is not None:
        query = query.where(firing.c.at <= micros(until))
    found = rows(connection, query)
    ids = {row["run"] for row in found if row["run"] is not None}
    launched = sa.select(run.c.id, run.c.because, run.c.works).where(run.c.id.in_(ids))
    runs = {id: (because, works) for id, because, works in connection.execute(launched)}
    for row in found:
        because, works = runs.get(row["run"], ("", "[]"))
        row["because"] = because
        row["assets"] = list(dict.fromkeys(work["asset"] for work in from_text(works)))
        row["matches"] = matches.read(row["matches"])
    return found


def versions(connection: sa.Connection) -> list[Row]:
    """How every rule has read, from when on, the oldest first; `gone` if it is no rule any more."""
    version = schema.rule_version
    current = set(connection.scalars(sa.select(schema.rule.c.rule)))
    found = rows(connection, sa.select(version).order_by(version.c.id))
    return [{**row, "gone": row["rule"] not in current} for row in found]
