"""What operators look at in an event, found when it comes in, since later only its number is known.

A probe's value is plain JSON data: it may have to wait in an operator's state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from reactor.core.event import Event
from reactor.core.place import MISSING, Get, Path

Probe = Callable[[Event], Any]
_EXACT = 2**53
"""Up to here a float is as exact as a whole number; sums of longer ones have no bound."""


def getter(value: Path | Get) -> Get:
    """A function from an event to the value at a place, or MISSING."""
    return value.getter() if isinstance(value, Path) else value


def plain(value: Path | Get) -> Probe:
    """The value as JSON data; what is missing is None."""
    get = getter(value)
    return lambda event: _plain(get(event))


def member(value: Path | Get | None) -> Probe:
    """The value as text, by default the event's key, or its subject; None if it is missing."""
    if value is None:
        return lambda event: event.key if event.key is not None else event.subject
    get = getter(value)

    def found(event: Event) -> str | None:
        value = _plain(get(event))
        return None if value is None else str(value)

    return found


def manifest(value: Path | Get) -> Probe:
    """What a set consists of: a list as members, a number as how many; None if it is neither."""
    get = getter(value)

    def found(event: Event) -> tuple[str, ...] | int | None:
        value = get(event)
        if isinstance(value, int) and not isinstance(value, bool):
            return value if value > 0 else None
        if isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping)):
            return tuple(sorted({str(_plain(each)) for each in cast("Collection[Any]", value)}))
        return None

    return found


def number(value: Path | Get) -> Probe:
    """A finite number, or None."""
    get = getter(value)

    def found(event: Event) -> float | None:
        value = get(event)
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            return None
        if isinstance(value, Decimal) or abs(value) > _EXACT:
            value = float(value)
        return value if math.isfinite(value) else None

    return found


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number.
    if value is MISSING or value is None or isinstance(value, (bool, int, float, str)):
        return None if value is MISSING else value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        rows = cast("Mapping[Any, Any]", value)
        return tuple(sorted((str(name), _plain(each)) for name, each in rows.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each) for each in cast("list[Any]", value))
    return str(value)
