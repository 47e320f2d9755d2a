"""An event-driven reactive data orchestrator: it decides what runs, when, and why.

The names below are imported when they are first asked for, so that the pure core can be used
without loading anything above it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactor.core.asset import Retry as Retry
    from reactor.core.calendar import Calendar as Calendar
    from reactor.core.event import Event as Event
    from reactor.core.field import field as field
    from reactor.core.field import meta as meta
    from reactor.core.trigger.expression import at_least as at_least
    from reactor.pipeline import Output as Output
    from reactor.pipeline import Pipeline as Pipeline

_HOMES = {
    "Calendar": "reactor.core.calendar",
    "Event": "reactor.core.event",
    "Output": "reactor.pipeline",
    "Pipeline": "reactor.pipeline",
    "Retry": "reactor.core.asset",
    "at_least": "reactor.core.trigger.expression",
    "field": "reactor.core.field",
    "meta": "reactor.core.field",
}

__all__ = ["Calendar", "Event", "Output", "Pipeline", "Retry", "at_least", "field", "meta"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
