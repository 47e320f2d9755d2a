"""Sets that fill up: see `expression.Complete`, and `Incomplete` for it.

State: (when touched, what is expected or None, ((member, its match), ...) in order of member).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from reactor.core.decision import Word
from reactor.core.ranges import Ranges
from reactor.core.trigger.operator import (
    IDLE_LIMIT,
    MICROSECOND,
    SPAN_CAP,
    Arrivals,
    Data,
    Entry,
    Match,
    Moment,
    Operator,
    events_of,
    labels,
    merged,
    order,
    together,
)

Expected = tuple[str, ...] | int | None


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
        incomplete: bool,
    ) -> None:
        super().__init__(number, children)
        self.name, self.expected = name, expected
        self.window, self.member, self.manifest = window // MICROSECOND, member, manifest
        self.incomplete = incomplete
        self.concludes = incomplete  # pyright: ignore[reportAttributeAccessIssue]
        self._hold = self.window + self.lateness

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            data = moment.get(self.number, match.key)
            expected: Expected = data[1] if data else self.expected
            members: dict[str, Entry] = dict(data[2]) if data else {}
            if self.manifest is not None:
                expected = match.value(self.manifest) or expected
            self._add(members, expected, match, moment)
            self._prune(members, expected, moment)
            chosen = self._covered(members, expected)
            if chosen:
                if not self.incomplete:
                    fired.append(merged(match.key, chosen, self._label(chosen)))
                members, expected = {}, self.expected
            self._rest(match.key, moment.now, expected, members, moment)
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.get(self.number, key)
        if data is None:
            return []
        touched, expected, members = data[0], data[1], dict(data[2])
        if self.incomplete and members:
            first = min(entry[1] for entry in members.values())
            came = [entry for entry in members.values() if entry[1] <= first + self.window]
            label = f"{self._label(came)} but not {self._missing(members, expected)}"
            moment.put(self.number, key, None)
            return [merged(key, came, label)._replace(time=first + self.window)]
        upto = moment.upto(self.sources)
        if moment.now - touched > self.window + IDLE_LIMIT:
            self._expire(members, expected, moment.now - self._hold, moment)
        elif upto is not None:
            self._expire(members, expected, upto - self._hold, moment)
        self._rest(key, touched, expected, members, moment)
        return []

    def waiting(self, data: Data) -> Iterator[tuple[Ranges, str]]:
        text = f"waits for {self._missing(dict(data[2]), data[1])}"
        for _, entry in data[2]:
            yield entry[0], text

    def _add(
        self, members: dict[str, Entry], expected: Expected, match: Match, moment: Moment
    ) -> None:
        name, entry = match.value(self.member), match[:4]
        if name is None:
            return
        if self.manifest is None and isinstance(expected, tuple) and name not in expected:
            moment.lost(Word.FILTERED, match.events, f"{name} is not expected")
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

    def _prune(self, members: dict[str, Entry], expected: Expected, moment: Moment) -> None:
        if members and not self.incomplete:
            newest = max(entry[1] for entry in members.values())
            self._expire(members, expected, newest - self._hold, moment)

    def _expire(
        self, members: dict[str, Entry], expected: Expected, before: int, moment: Moment
    ) -> None:
        gone = [name for name, entry in members.items() if entry[1] < before]
        if gone:
            why = f"{self._missing(members, expected)} did not come in time"
            moment.lost(Word.EXPIRED, events_of(members.pop(name) for name in gone), why)

    def _covered(self, members: dict[str, Entry], expected: Expected) -> list[Entry]:
        """The members' matches if all that is expected is there, within the window."""
        if expected is None or not members:
            return []
        newest = max(entry[1] for entry in members.values())
        inside = {n: e for n, e in members.items() if e[1] >= newest - self.window}
        if isinstance(expected, int):
            return list(inside.values()) if len(inside) >= expected else []
        if any(name not in inside for name in expected):
            return []
        return [inside[name] for name in expected]

    def _label(self, chosen: Sequence[Entry]) -> str:
        return labels(sorted(chosen, key=order))

    def _missing(self, members: dict[str, Any], expected: Expected) -> str:
        if expected is None:
            return "what says what is expected"
        if isinstance(expected, int):
            return f"{expected - len(members):,} more of {self.name}"
        missing = [name for name in expected if name not in members]
        if len(missing) > 6:
            missing = [*missing[:5], f"{len(missing) - 5:,} more"]
        return together(missing or ["all in time"])

    def _rest(
        self,
        key: str | None,
        touched: int,
        expected: Expected,
        members: dict[str, Entry],
        moment: Moment,
    ) -> None:
        if not members and expected == self.expected:
            moment.put(self.number, key, None)
            return
        if self.incomplete and members:
            due = min(entry[1] for entry in members.values()) + self.window
        else:
            last = touched + self.window + IDLE_LIMIT + 1
            due = min(moment.now + max(self._hold, moment.now - touched) + 1, last)
        if not members and moment.now > touched + self._hold:
            moment.put(self.number, key, None)
            return
        data = (touched, expected, tuple(sorted(members.items())))
        moment.put(self.number, key, data, due)
