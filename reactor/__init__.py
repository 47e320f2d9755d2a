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
    from reactor.core.mapping import All as All
    from reactor.core.mapping import Drilldown as Drilldown
    from reactor.core.mapping import Keys as Keys
    from reactor.core.mapping import Mapped as Mapped
    from reactor.core.mapping import Offset as Offset
    from reactor.core.mapping import Rollup as Rollup
    from reactor.core.mapping import Same as Same
    from reactor.core.partition import Dynamic as Dynamic
    from reactor.core.partition import Static as Static
    from reactor.core.trigger.expression import at_least as at_least
    from reactor.core.window import Daily as Daily
    from reactor.core.window import Hourly as Hourly
    from reactor.core.window import Monthly as Monthly
    from reactor.core.window import Weekly as Weekly
    from reactor.core.window import Windows as Windows
    from reactor.pipeline import Output as Output
    from reactor.pipeline import Pipeline as Pipeline
    from reactor.sql.version import table_version as table_version

_HOMES = {
    "All": "reactor.core.mapping",
    "Calendar": "reactor.core.calendar",
    "Daily": "reactor.core.window",
    "Drilldown": "reactor.core.mapping",
    "Dynamic": "reactor.core.partition",
    "Event": "reactor.core.event",
    "Hourly": "reactor.core.window",
    "Keys": "reactor.core.mapping",
    "Mapped": "reactor.core.mapping",
    "Monthly": "reactor.core.window",
    "Offset": "reactor.core.mapping",
    "Output": "reactor.pipeline",
    "Pipeline": "reactor.pipeline",
    "Retry": "reactor.core.asset",
    "Rollup": "reactor.core.mapping",
    "Same": "reactor.core.mapping",
    "Static": "reactor.core.partition",
    "Weekly": "reactor.core.window",
    "Windows": "reactor.core.window",
    "at_least": "reactor.core.trigger.expression",
    "field": "reactor.core.field",
    "meta": "reactor.core.field",
    "table_version": "reactor.sql.version",
}

__all__ = [
    "All",
    "Calendar",
    "Daily",
    "Drilldown",
    "Dynamic",
    "Event",
    "Hourly",
    "Keys",
    "Mapped",
    "Monthly",
    "Offset",
    "Output",
    "Pipeline",
    "Retry",
    "Rollup",
    "Same",
    "Static",
    "Weekly",
    "Windows",
    "at_least",
    "field",
    "meta",
    "table_version",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
