"""The plainest sensor there is, for tests of the core: a name, and events as they are said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from reactor.core.event import Event
from reactor.core.trigger.expression import Source

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """That many seconds after the start of time."""
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Tap(Source):
    """A sensor that is nothing but its name."""

    name: str
    kind: ClassVar[str] = "tap"

    def event(self, subject: str = "x", seconds: float = 0, **data: Any) -> Event:
        """An event about `subject`, that happened that many seconds after the start."""
        when = at(seconds)
        return Event(
            subject, self.name, "tap", subject, when, when, data or None, key=data.get("key")
        )
