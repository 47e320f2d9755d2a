"""Who is told what: one message for each root cause, however much waits for it.

Knows: open alerts. Refuses to know: channels, and what failed why beyond a sentence.

Laws: a cause, which is an asset partition, that is already open is folded, not told again; when it
is over, its owner is told once. What fails for a backfill alone has the backfill as its cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from reactor.core.decision import Notify
from reactor.core.run import Step
from reactor.core.sentence import listed
from reactor.core.state import Alert, Backfill, Hold, State, Table


def failed(
    state: State,
    step: Step,
    owner: str,
    what: str,
    waiting: Sequence[str],
    now: datetime,
    backfill: str = "",
) -> Notify | None:
    """A step failed for good and the assets `waiting` wait for it; None if that is known.

    `backfill` is the one that alone wanted it, if so.
    """
    place = cause = _cause(step)
    known: Alert | None = state.get(Table.ALERT, cause)
    if known is None and backfill:
        cause = backfill
        known = state.get(Table.ALERT, cause)
    if known is not None:
        merged = tuple(dict.fromkeys((*known.waiting, *waiting)))
        state.put(Table.ALERT, (cause,), replace(known, waiting=merged, folded=known.folded + 1))
        return None
    text = f"{backfill}: {place} {what}" if backfill else f"{place} {what}"
    if waiting:
        noun = "asset waits" if len(waiting) == 1 else "assets wait"
        text += f"; {len(waiting)} {noun} for it"
    alert = Alert(cause, step.asset, owner, text, now, waiting=tuple(waiting))
    state.put(Table.ALERT, (cause,), alert)
    return Notify(alert)


def recovered(state: State, step: Step, now: datetime) -> Notify | None:
    """An asset partition is well again; None if nobody was told that it was not."""
    cause = _cause(step)
    known: Alert | None = state.get(Table.ALERT, cause)
    if known is None:
        return None
    resolved = replace(known, resolved=now, text=f"{cause} is well again")
    state.put(Table.ALERT, (cause,), resolved)
    state.forget(Table.ALERT, cause)
    return Notify(resolved)


def over(state: State, name: str, row: Backfill, now: datetime) -> Notify | None:
    """A backfill ended; None if nobody was told that something of it failed."""
    known: Alert | None = state.get(Table.ALERT, name)
    if known is None:
        return None
    failed = f"{len(row.failed):,} of {len(row.partitions):,} partitions failed: "
    text = f"{name} is over: {failed}{listed(row.failed)}" if row.failed else f"{name} is over"
    resolved = replace(known, resolved=now, text=text)
    state.put(Table.ALERT, (name,), resolved)
    state.forget(Table.ALERT, name)
    return Notify(resolved)


def held(
    state: State, hold: Hold, waiting: Sequence[str], owners: Iterable[str], now: datetime
) -> list[Notify]:
    """A hold opened, widened or narrowed. Whoever owns what waits for it is told once of it."""
    cause = f"hold {hold.id}"
    names = list(dict.fromkeys(filter(None, owners)))
    text = f"{hold.table}: {hold.text}; {listed(waiting)} held until `reactor ack {hold.id}`"
    known: Alert | None = state.get(Table.ALERT, cause)
    if known is None:
        row = Alert(cause, hold.table, ", ".join(names), text, now, waiting=tuple(waiting))
        state.put(Table.ALERT, (cause,), row)
        return [Notify(row)]
    told = known.owner.split(", ")
    new = [name for name in names if name not in told]
    everyone = ", ".join(filter(None, (*told, *new)))
    row = replace(known, text=text, waiting=tuple(waiting), owner=everyone, folded=known.folded + 1)
    state.put(Table.ALERT, (cause,), row)
    return [Notify(replace(row, owner=", ".join(new)))] if new else []


def released(state: State, hold: Hold, now: datetime) -> list[Notify]:
    """A hold is over."""
    cause = f"hold {hold.id}"
    known: Alert | None = state.get(Table.ALERT, cause)
    if known is None:
        return []
    text = f"{hold.table}: hold {hold.id} is over: {hold.ended}"
    resolved = replace(known, resolved=now, text=text)
    state.put(Table.ALERT, (cause,), resolved)
    state.forget(Table.ALERT, cause)
    return [Notify(resolved)]


def _cause(step: Step) -> str:
    return step.asset if step.partition is None else f"{step.asset}[{step.partition}]"
