"""What the clocks of a time zone do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def zone_of(tz: str) -> ZoneInfo:
    """The time zone of that name.

    Raises: ValueError if there is none.
    """
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {tz!r}: write one such as Europe/Berlin") from None


def wall(zone: ZoneInfo, at: datetime) -> datetime:
    """What the clocks show at `at`, naive."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    """How far the clocks are ahead of UTC at `at`."""
    return at.astimezone(zone).utcoffset() or timedelta(0)


def showing(zone: ZoneInfo, face: datetime) -> datetime:
    """When the clocks show it (naive), the first time; if they never do, the end of the gap."""
    first, second = (face.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # Source: PEP 495. In a gap the two lie on both sides of it, in the reverse order.
    return first if first <= second else shift(zone, second, first) or first


def shift(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first instant in (start, end] from which the clocks go differently than at `start`.

    Clocks that change and change back within a day go unnoticed. Cost: O(days between).
    """
    before = offset(zone, start)
    low = start
    while low < end:
        high = min(low + _DAY, end)
        if offset(zone, high) != before:
            break
        low = high
    else:
        return None
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
    return high.replace(microsecond=0)
