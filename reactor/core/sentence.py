"""Parts of the sentences that say what happened and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reactor.core.event import Event

TOLD = 3
"""How many of many things one sentence names."""


def listed(names: Sequence[str], most: int = TOLD) -> str:
    """`a, b and c`; of many, the first few (`most`) and how many more."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def instant_text(at: datetime) -> str:
    """An instant as a sentence has it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def describe(event: Event) -> str:
    """What came, in words: `inbox saw inbox/monday.csv`."""
    if event.source.startswith("asset:"):
        return f"{event.subject} {'' if event.type == 'failed' else 'was '}{event.type}"
    return f"{event.source} saw {event.subject}"
