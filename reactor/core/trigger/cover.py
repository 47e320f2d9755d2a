"""Sets that fill up: see `expression.Complete`, and `expression.Incomplete` for it.

State: (when touched, the manifest or None, ((member, its match), ...) in order of member). A
manifest is (its event time, what it says).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from reactor.core.decision import Word
from reactor.core.instant import MICROSECOND
from reactor.core.sentence import listed
from reactor.core.trigger.operator import (
    IDLE_LIMIT,
    SPAN_CAP,
    Arrivals,
    Data,
    Entry,
    Match,
    Moment,
    Operator,
    Waits,
    events_of,
    labels,
    merged,
    order,
)

Expected = tuple[str, ...] | int | None
Said = tuple[int, tuple[str, ...] | int] | None
Rows = list[tuple[str, Entry]]


class CompleteOf(Operator):
    """See `expression.Complete`. `manifest` is the probe that says what is expected, if any."""

    def __init__(
        self,
        number: int,
        children: Sequence[Operator],
        name: str,
        expected: Expected,
        window: timedelta,
        member: int,
        manifest: int | None,
    ) -> None:
        super().__init__(number, children)
        self.name, self.expected = name, expected
        self.window, self.member, self.manifest = window // MICROSECOND, member, manifest
        self._hold = self.window + self.lateness

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            data = moment.get(self.number, match.key)
            members: dict[str, Entry] = dict(data[2]) if data else {}
            said = self._asked(match, data)
            expected = self._expects(said)
            self._add(members, expected, match, moment)
            said = self._prune(members, said, moment)
            chosen = self._covered(members, self._expects(said), said)
            if chosen:
                fired.append(merged(match.key, list(chosen.values()), self._label(chosen)))
                rest = events_of(entry for name, entry in members.items() if name not in chosen)
                moment.lost(Word.FILTERED, rest, "it was complete without it")
                members, said = {}, None
            self._rest(match.key, moment.now, said, members, moment)
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None:
            return []
        touched, said, members = data[0], data[1], dict(data[2])
        upto = moment.upto(self.sources)
        if moment.now - touched > self.window + IDLE_LIMIT:
            said = self._expire(members, said, moment.now - self._hold, moment)
        elif upto is not None:
            said = self._expire(members, said, upto - self._hold, moment)
        self._rest(key, touched, said, members, moment)
        return []

    def waiting(self, data: Data) -> Iterator[Waits]:
        text = f"waits for {self._missing(dict(data[2]), self._expects(data[1]))}"
        for _, entry in data[2]:
            yield entry[0], text, entry[1] + self.window

    def _add(
        self, members: dict[str, Entry], expected: Expected, match: Match, moment: Moment
    ) -> None:
        name, entry = self._named(match, expected, moment), match[:4]
        if name is None:
            return
        before = members.get(name)
        if before is not None and order(before) > order(entry):
            moment.lost(Word.SUPERSEDED, match.events, f"a later {name} had come")
            return
        if before is not None:
            moment.lost(Word.SUPERSEDED, before[0], f"a later {name} came")
        members[name] = entry
        if len(members) > SPAN_CAP:
            oldest = min(members, key=lambda each: order(members[each]))
            moment.lost(Word.EXPIRED, members.pop(oldest)[0], f"more than {SPAN_CAP:,} members")

    def _asked(self, match: Match, data: Data | None) -> Said:
        """The manifest: what a match says, if it is not older than what was said before."""
        before: Said = data[1] if data else None
        said = None if self.manifest is None else match.value(self.manifest)
        if not said or (before is not None and before[0] > match.time):
            return before
        return (match.time, said)

    def _expects(self, said: Said) -> Expected:
        return self.expected if said is None else said[1]

    def _named(self, match: Match, expected: Expected, moment: Moment) -> str | None:
        """Which member a match is, if it is one."""
        name: str | None = match.value(self.member)
        if name is None:
            said = self.manifest is not None and match.value(self.manifest)
            why = "it only says what is expected" if said else "it is no member"
        elif self.manifest is None and isinstance(expected, tuple) and name not in expected:
            name, why = None, f"{name} is not expected"
        else:
            return name
        moment.lost(Word.FILTERED, match.events, why)
        return None

    def _prune(self, members: dict[str, Entry], said: Said, moment: Moment) -> Said:
        newest = self._newest(members, said)
        return said if newest is None else self._expire(members, said, newest - self._hold, moment)

    def _newest(self, members: dict[str, Entry], said: Said) -> int | None:
        times = [entry[1] for entry in members.values()]
        return max(times if said is None else [*times, said[0]], default=None)

    def _expire(self, members: dict[str, Entry], said: Said, before: int, moment: Moment) -> Said:
        gone = [name for name, entry in members.items() if entry[1] < before]
        if gone:
            left = {name: members.pop(name) for name in gone}
            why = f"{self._missing(left, self._expects(said))} did not come in time"
            moment.lost(Word.EXPIRED, events_of(left.values()), why)
        return None if said is not None and said[0] < before else said

    def _covered(
        self, members: dict[str, Entry], expected: Expected, said: Said
    ) -> dict[str, Entry]:
        """The members' matches if all that is expected, and the manifest, is in the window."""
        newest = self._newest(members, said)
        if expected is None or newest is None or not members:
            return {}
        if said is not None and said[0] < newest - self.window:
            return {}
        inside = {n: e for n, e in members.items() if e[1] >= newest - self.window}
        if isinstance(expected, int):
            return inside if len(inside) >= expected else {}
        if any(name not in inside for name in expected):
            return {}
        return {name: inside[name] for name in expected}

    def _label(self, chosen: dict[str, Entry]) -> str:
        return labels(sorted(chosen.values(), key=order))

    def _missing(self, members: dict[str, Any], expected: Expected) -> str:
        if expected is None:
            return "what says what is expected"
        if isinstance(expected, int):
            return f"{expected - len(members):,} more of {self.name}"
        missing = [name for name in expected if name not in members]
        return listed(missing, 5) or "all in time"

    def _rest(
        self,
        key: str | None,
        touched: int,
        said: Said,
        members: dict[str, Entry],
        moment: Moment,
    ) -> None:
        if not members and said is None:
            moment.put(self.number, key, None)
            return
        last = touched + self.window + IDLE_LIMIT + 1
        due = min(moment.now + max(self._hold, moment.now - touched) + 1, last)
        data = (touched, said, tuple(sorted(members.items())))
        moment.put(self.number, key, data, due)


class UncoveredOf(CompleteOf):
    """See `expression.Incomplete`, of a set.

    State: (when touched, the manifest or None, ((member, its match), ...) in order of matches).
    """

    concludes = True

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        for _, match in arrivals:
            data = moment.get(self.number, match.key)
            rows: Rows = list(data[2]) if data else []
            said = self._asked(match, data)
            name = self._named(match, self._expects(said), moment)
            if name is not None:
                insort(rows, (name, match[:4]), key=_when)
                if len(rows) > SPAN_CAP:
                    moment.lost(Word.EXPIRED, rows.pop(0)[1][0], f"more than {SPAN_CAP:,} wait")
            # What is expected may just have been said: all that waits is looked at then.
            self._settle(rows, self._expects(said), moment)
            self._keep(match.key, said, rows, moment)
        return []

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None or not data[2]:
            moment.put(self.number, key, None)
            return []
        said: Said = data[1]
        expected = self._expects(said)
        end: int = data[2][0][1][1] + self.window
        came = {name: entry for name, entry in data[2] if entry[1] <= end}
        entries = [entry for _, entry in data[2] if entry[1] <= end]
        rows = [row for row in data[2] if row[1][1] > end]
        self._settle(rows, expected, moment)
        self._keep(key, said if rows else None, rows, moment)
        label = f"{self._label(came)}, but {self._missing(came, expected)} did not come"
        return [merged(key, entries, label)._replace(time=end)]

    def _settle(self, rows: Rows, expected: Expected, moment: Moment) -> None:
        """Takes out what was complete within the window of what came first.

        What lies beyond that window is looked at once it is over, in the order of event time.
        """
        while at := self._complete_at(rows, expected):
            used = [row[1] for row in rows if row[1][1] <= at]
            moment.lost(Word.FILTERED, events_of(used), "it was complete in time")
            del rows[: len(used)]

    def _complete_at(self, rows: Rows, expected: Expected) -> int | None:
        came: dict[str, Entry] = {}
        for at, (name, entry) in enumerate(rows):
            if entry[1] > rows[0][1][1] + self.window:
                return None
            came[name] = entry
            ends = at + 1 == len(rows) or rows[at + 1][1][1] > entry[1]
            if ends and self._covered(came, expected, None):
                return entry[1]
        return None

    def _keep(self, key: str | None, said: Said, rows: Rows, moment: Moment) -> None:
        if not rows and said is None:
            moment.put(self.number, key, None)
            return
        due = rows[0][1][1] + self.window + self.lag if rows else moment.now + self._hold
        moment.put(self.number, key, (moment.now, said, tuple(rows)), due)


def _when(row: tuple[str, Entry]) -> tuple[int, int]:
    return order(row[1])
