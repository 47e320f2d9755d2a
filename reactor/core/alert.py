"""Who is told what: one message for each root cause, however much waits for it.

Knows: open alerts. Refuses to know: channels, and what failed why beyond a sentence.

Laws: a cause that is already open is folded, not told again; when it is over, its owner is told
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from reactor.core.decision import Notify
from reactor.core.state import Alert, State, Table


def failed(
    state: State, asset: str, owner: str, what: str, waiting: Sequence[str], now: datetime
) -> Notify | None:
    """An asset failed for good and `waiting` wait for it; None if that is already known."""
    known: Alert | None = state.get(Table.ALERT, asset)
    if known is not None:
        merged = tuple(dict.fromkeys((*known.waiting, *waiting)))
        state.put(Table.ALERT, (asset,), replace(known, waiting=merged, folded=known.folded + 1))
        return None
    text = f"{asset} {what}"
    if waiting:
        noun = "asset waits" if len(waiting) == 1 else "assets wait"
        text += f"; {len(waiting)} {noun} for it"
    alert = Alert(asset, asset, owner, text, now, waiting=tuple(waiting))
    state.put(Table.ALERT, (asset,), alert)
    return Notify(alert)


def recovered(state: State, asset: str, now: datetime) -> Notify | None:
    """An asset is well again; None if nobody was told that it was not."""
    known: Alert | None = state.get(Table.ALERT, asset)
    if known is None:
        return None
    resolved = replace(known, resolved=now, text=f"{asset} is well again")
    state.put(Table.ALERT, (asset,), resolved)
    state.forget(Table.ALERT, asset)
    return Notify(resolved)
