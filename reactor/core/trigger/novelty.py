"""What is new: see `expression.Distinct` and `expression.Changed`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from reactor.core.decision import Word
from reactor.core.instant import MICROSECOND
from reactor.core.trigger.later import place
from reactor.core.trigger.operator import IDLE_LIMIT, KEY_LIFE, Arrivals, Match, Moment, Operator

TEXT_LIMIT = 100
"""How long a value is written out in the key of a row."""
TIMES_CAP = 100
"""How many times that a value passed are kept, for what comes late."""


class DistinctOf(Operator):
    """State: a row a value: (event times of those that passed, when the last of them came)."""

    def __init__(
        self, number: int, children: Sequence[Operator], probe: int, ttl: timedelta
    ) -> None:
        super().__init__(number, children)
        self.probe, self.ttl = probe, ttl // MICROSECOND

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            row = place(match.key, written(match.value(self.probe)))
            passed = moment.get(self.number, row)
            times: tuple[int, ...] = passed[0] if passed is not None else ()
            if any(abs(match.time - time) < self.ttl for time in times):
                moment.lost(Word.DEDUPLICATED, match.events, "its value had passed")
                continue
            fired.append(match)
            life = self.ttl + self.lateness
            times = tuple(sorted((*times, match.time)))[-TIMES_CAP:]
            before = self.read_by(times[-1], moment) - life
            times = tuple(time for time in times if time >= before)
            moment.put(self.number, row, (times, moment.now), moment.now + life + 1)
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None:
            return []
        times, came = data
        upto, life = moment.upto(self.sources), self.ttl + self.lateness
        silent = moment.now - came > life + IDLE_LIMIT
        if silent or (upto is not None and times[-1] + life < upto):
            moment.put(self.number, key, None)
        else:
            later = min(moment.now + max(life, moment.now - came), came + life + IDLE_LIMIT)
            moment.put(self.number, key, data, later + 1)
        return []


class ChangedOf(Operator):
    """State: (event time of the last one, its value)."""

    def __init__(self, number: int, children: Sequence[Operator], probe: int) -> None:
        super().__init__(number, children)
        self.probe = probe

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            last, value = moment.get(self.number, match.key), match.value(self.probe)
            if last is not None and match.time < last[0]:
                moment.lost(Word.SUPERSEDED, match.events, "a later one had come")
                continue
            due = None if match.key is None else moment.now + KEY_LIFE
            moment.put(self.number, match.key, (match.time, value), due)
            if last is None or last[1] != value:
                fired.append(match)
            else:
                moment.lost(Word.DEDUPLICATED, match.events, "its value is that of the last")
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        moment.put(self.number, key, None)
        return []


def written(value: Any) -> str:
    """A probe's value as text, equal for equal values only; of a long one its hash."""
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= TEXT_LIMIT else f"sha256:{sha256(text.encode()).hexdigest()}"
