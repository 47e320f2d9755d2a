"""Durations as people write them: `"10m"`, `"1h30m"`, seconds, or a timedelta."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_FORMS = "a duration is text such as '10m' or '1h30m', a number of seconds, or a timedelta"
_LONGEST = timedelta(days=36_500)

Duration = str | int | float | timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def duration(value: Duration) -> timedelta:
    """The timedelta that `value` means.

    Raises: ValueError if it is not a duration, is negative, or longer than a hundred years.
    """
    try:
        result = _read(value)
    except OverflowError:
        result = _LONGEST * 2
    if result < timedelta(0):
        raise ValueError(f"{value!r}: a duration is not negative")
    if result > _LONGEST:
        raise ValueError(f"{value!r}: a duration is at most a hundred years")
    return result


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if not isinstance(value, str):
        raise ValueError(f"{value!r}: {_FORMS}")
    text = value.strip().replace(" ", "")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{value!r}: {_FORMS}")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def spoken(value: timedelta) -> str:
    """The shortest way to write a duration: `1h30m`, `250ms`, `0s`."""
    left = round(value.total_seconds() * 1000)
    words: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"
