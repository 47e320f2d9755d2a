"""The envelope that everything arrives in.

Knows: the CloudEvents 1.0 attributes, and when an event was received. Refuses to know: where events
come from, what rules make of them, or what the time is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, once: (`source`, `id`) names it for ever.

    `time` is when it happened (event time), `received` when it reached us; both aware UTC.
    `source` is the name of the sensor, `subject` what it is about (a path, `topic/partition`, a
    table), `key` the message key where there is one. `data` is the payload: an instance of the
    sensor's model where it names one, else JSON data or bytes. `raw` is the payload as it came; a
    store keeps that rather than encode `data` again, and the sensor decodes it after a restart.
    Source: CloudEvents 1.0, section 3.1.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    received: datetime
    data: Any = None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    raw: bytes | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.time.tzinfo is None or self.received.tzinfo is None:
            raise ValueError(f"event {self.id} of {self.source}: an instant without a time zone")
