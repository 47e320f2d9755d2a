"""Who is told what: one message for each root cause, however much waits for it.

Knows: open alerts. Refuses to know: channels, and what failed why beyond a sentence.

Laws: a cause, which is an asset partition, that is already open is folded, not told again; when it
is over, its owner is told once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from reactor.core.decision import Notify
from reactor.core.run import Step
from reactor.core.state import Alert, State, Table


def failed(
    state: State, step: Step, owner: str, what: str, waiting: Sequence[str], now: datetime
) -> Notify | None:
    """A step failed for good and the assets `waiting` wait for it; None if that is known."""
    cause = _cause(step)
    known: Alert | None = state.get(Table.ALERT, cause)
    if known is not None:
        merged = tuple(dict.fromkeys((*known.waiting, *waiting)))
        state.put(Table.ALERT, (cause,), replace(known, waiting=merged, folded=known.folded + 1))
        return None
    text = f"{cause} {what}"
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


def _cause(step: Step) -> str:
    return step.asset if step.partition is None else f"{step.asset}[{step.partition}]"
