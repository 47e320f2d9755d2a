"""Matches that go on later: see `expression.Delay` and `expression.During`.

State: a row for the matches that came at one instant, so that none is ever written again; its key
is the JSON list [whether they have a key, their key, that instant, when they go on].
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

from reactor.core.calendar import Calendar
from reactor.core.decision import Word
from reactor.core.instant import MICROSECOND, instant, micros
from reactor.core.trigger.operator import IDLE_LIMIT, Arrivals, Data, Match, Moment, Operator, Waits


def place(key: str | None, *more: str | int) -> str:
    """A row's key, of a match's key and what else tells rows apart; without a key it is first."""
    return json.dumps([key is not None, key, *more])


def key_of(place: str | None) -> str | None:
    """The match's key in a row's key."""
    return json.loads(place)[1] if place is not None else None


class LaterOf(Operator):
    """What both share."""

    text = "delayed"

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        moment.put(self.number, key, None)
        whose = key_of(key)
        return [
            Match(events, time, label, values, whose) for events, time, label, values in data or ()
        ]

    def overflow(self, key: str | None, moment: Moment) -> list[Match]:
        return self.ring(key, moment)

    def waiting(self, data: Data) -> Iterator[Waits]:
        for entry in data:
            yield entry[0], self.text, None

    def _keep(self, match: Match, due: int, moment: Moment) -> None:
        row = place(match.key, moment.now, due)
        before = moment.get(self.number, row) or ()
        moment.put(self.number, row, (*before, match[:4]), due)


class DelayOf(LaterOf):
    """See `expression.Delay`."""

    def __init__(self, number: int, children: Sequence[Operator], length: timedelta) -> None:
        super().__init__(number, children)
        self.length = length // MICROSECOND
        self.keeps_back(length)

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        for _, match in arrivals:
            self._keep(match, moment.now + self.length, moment)
        return []


class DuringOf(LaterOf):
    """See `expression.During`."""

    keeps = "held"

    def __init__(
        self, number: int, children: Sequence[Operator], calendar: Calendar, hold: bool
    ) -> None:
        super().__init__(number, children)
        self.calendar, self.hold = calendar, hold
        self.text = f"held outside {calendar}"
        if hold:
            # Nobody waits for what is held before concluding that something did not come.
            self.lateness += IDLE_LIMIT

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        now = instant(moment.now)
        if self.calendar.open_at(now):
            return [match for _, match in arrivals]
        opens = self.calendar.opens(now) if self.hold else None
        for _, match in arrivals:
            if opens is not None:
                self._keep(match, micros(opens), moment)
            else:
                moment.lost(Word.FILTERED, match.events, f"outside {self.calendar}")
        return []
