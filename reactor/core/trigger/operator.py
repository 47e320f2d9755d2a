"""What each operator does with matches: small state machines, one class an operator.

Knows: matches and the JSON state of one operator and key. Refuses to know: rules, indexes, assets.

Laws: `take` gets everything that one event gave the operands, at once, so that an event fills every
side it satisfies before anything completes; state lives in `Moment.data`, never in the operator;
instants in state are whole microseconds since 1970, UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from reactor.core.ranges import Ranges, count, numbers, union
from reactor.core.trigger.expression import Pair

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PARTIAL_CAP = 1_000
"""Unconsumed matches that one side of a join keeps for one key."""
SPAN_CAP = 10_000
"""Stretches of events that a collecting operator keeps for one key."""
LATENESS = 60_000_000
"""How far behind the newest event time a join still expects events, in microseconds."""
IDLE_LIMIT = 86_400_000_000
"""How long a join whose sources fell silent keeps a partial match beyond its window."""


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def instant(at: int) -> datetime:
    """The instant of `micros`."""
    return EPOCH + at * MICROSECOND


class Match(NamedTuple):
    """Events (sequence numbers, in order) that satisfy an expression, for a key.

    `time` is the event time of the latest, in microseconds; `label` says in words what came.
    """

    events: tuple[int, ...]
    time: int
    key: str | None
    label: str


class Moment(Protocol):
    """One event or timer passing through one rule."""

    @property
    def now(self) -> int:
        """Processing time, in microseconds."""
        ...

    @property
    def watermark(self) -> int | None:
        """Event time up to which all sources of the rule were read; None if one said nothing."""
        ...

    def data(self, node: int, key: str | None) -> dict[str, Any]:
        """The state of an operator for a key, to be changed in place; empty means none. `due`, in
        microseconds, is when the operator wants to be rung.
        """
        ...

    def lost(self, fate: str, count: int) -> None:
        """Counts matches that will never fire: `expired`, `throttled` or `superseded`."""
        ...


Arrivals = Sequence[tuple[int, Match]]


class Operator:
    """One node of a compiled expression. `number` is its place, the same for equal expressions."""

    def __init__(self, number: int, children: Sequence[Operator]) -> None:
        self.number = number
        self.children = tuple(children)
        self.parent: Operator | None = None
        self.side = 0
        for side, child in enumerate(children):
            child.parent, child.side = self, side

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        """Takes the operands' matches, each with its side, and answers its own."""
        raise TypeError("a leaf takes nothing")

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        """The time asked for in `due` has come."""
        return []

    def overflow(self, key: str | None, moment: Moment) -> list[Match]:
        """There are too many keys: fires what can fire, and forgets the rest of this one."""
        fired = self.ring(key, moment)
        moment.data(self.number, key).clear()
        return fired


class Leaf(Operator):
    """Where events come in; the engine decides which."""


class EitherOf(Operator):
    """Passes matches on; what one event gave several operands is one match."""

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        seen: dict[tuple[tuple[int, ...], str | None], Match] = {}
        for _, match in arrivals:
            seen.setdefault((match.events, match.key), match)
        return list(seen.values())


def _by_key(arrivals: Arrivals) -> dict[str | None, list[tuple[int, Match]]]:
    grouped: dict[str | None, list[tuple[int, Match]]] = {}
    for arrival in arrivals:
        grouped.setdefault(arrival[1].key, []).append(arrival)
    return grouped


def _merged(key: str | None, entries: Iterable[Sequence[Any]], label: str) -> Match:
    """One match of several state entries (events, time, label)."""
    chosen = list(entries)
    events = sorted({seq for entry in chosen for seq in entry[0]})
    return Match(tuple(events), max(entry[1] for entry in chosen), key, label)


class JoinOf(Operator):
    """See `expression.Join`. State: `sides`, by operand, entries [events, time, label]."""

    def __init__(
        self, number: int, children: Sequence[Operator], window: timedelta, n: int, pair: Pair
    ) -> None:
        super().__init__(number, children)
        self.window, self.n, self.pair = window // MICROSECOND, n, pair

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for key, group in _by_key(arrivals).items():
            data = moment.data(self.number, key)
            sides: dict[str, list[list[Any]]] = data.setdefault("sides", {})
            for side, match in group:
                self._fill(sides.setdefault(str(side), []), match, moment)
            self._expire(sides, moment.watermark, moment)
            fresh = [match.time for _, match in group]
            while chosen := self._complete(sides, min(fresh), max(fresh) + self.window):
                fired.append(_merged(key, chosen, _together(entry[2] for entry in chosen)))
            self._rest(data, moment)
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.data(self.number, key)
        if data:
            silent = moment.now - data["touched"] > self.window + IDLE_LIMIT
            self._expire(data["sides"], moment.now if silent else moment.watermark, moment)
            self._rest(data, moment, touched=data["touched"])
        return []

    def overflow(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.data(self.number, key)
        moment.lost("expired", sum(map(len, data.get("sides", {}).values())))
        data.clear()
        return []

    def _fill(self, side: list[list[Any]], match: Match, moment: Moment) -> None:
        entry = [list(match.events), match.time, match.label]
        if self.pair == "latest":
            if side and side[0][1] > match.time:
                moment.lost("superseded", 1)
                return
            moment.lost("superseded", len(side))
            side[:] = [entry]
            return
        insort(side, entry, key=_time)
        if len(side) > PARTIAL_CAP:
            del side[0]
            moment.lost("expired", 1)

    def _expire(self, sides: dict[str, list[list[Any]]], until: int | None, moment: Moment) -> None:
        if until is None:
            return
        oldest = until - LATENESS - self.window
        for side in sides.values():
            keep = [entry for entry in side if entry[1] >= oldest]
            if len(keep) < len(side):
                moment.lost("expired", len(side) - len(keep))
                side[:] = keep

    def _complete(self, sides: dict[str, list[list[Any]]], low: int, high: int) -> list[list[Any]]:
        """The entries of one completed match, taken out of `sides`; empty if there is none.

        Anchors the window at each unconsumed match between `low` and `high` (what has just come
        must be in it), newest first (oldest first for `oldest`).
        """
        if sum(1 for side in sides.values() if side) < self.n:
            return []
        ends = sorted(
            {
                entry[1]
                for side in sides.values()
                for entry in side[bisect_left(side, low, key=_time) :]
                if entry[1] <= high
            }
        )
        for end in ends if self.pair == "oldest" else reversed(ends):
            fitting = {
                name: entries
                for name, side in sides.items()
                if (entries := _between(side, end - self.window, end))
            }
            if len(fitting) >= self.n:
                return self._consume(sides, fitting)
        return []

    def _consume(
        self, sides: dict[str, list[list[Any]]], fitting: dict[str, list[list[Any]]]
    ) -> list[list[Any]]:
        chosen: list[list[Any]] = []
        for name, entries in sorted(fitting.items(), key=lambda item: int(item[0])):
            taken = entries if self.pair == "collect" else entries[:1]
            chosen.extend(taken)
            for entry in taken:
                sides[name].remove(entry)
        return chosen

    def _rest(self, data: dict[str, Any], moment: Moment, touched: int | None = None) -> None:
        data["sides"] = {name: side for name, side in data["sides"].items() if side}
        if not data["sides"]:
            data.clear()
            return
        data["touched"] = moment.now if touched is None else touched
        # Looked at ever more seldom: nothing hurries, as a match out of its window never fires.
        quiet = moment.now - data["touched"]
        last = data["touched"] + self.window + IDLE_LIMIT + 1
        data["due"] = min(moment.now + max(self.window + LATENESS, quiet), last)


def _time(entry: Sequence[Any]) -> int:
    return entry[1]


def _between(side: list[list[Any]], low: int, high: int) -> list[list[Any]]:
    return side[bisect_left(side, low, key=_time) : bisect_right(side, high, key=_time)]


class Collecting(Operator):
    """What Batch and Debounce share: `spans`, `time`, `first`, `label` collected per key.

    `spans` are the events, as sorted stretches (low, high, low, high, ...), so that a burst of any
    length is small.
    """

    def _collect(self, data: dict[str, Any], match: Match, now: int) -> None:
        data.setdefault("first", now)
        _keep(data, match)

    def _emit(self, key: str | None, data: dict[str, Any], why: str) -> Match:
        match = _kept(key, data, lambda more: f"{more} ({why})" if more else "")
        data.clear()
        return match

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            data = moment.data(self.number, match.key)
            self._collect(data, match, moment.now)
            if self._full(data, moment.now) or len(data["spans"]) > 2 * SPAN_CAP:
                fired.append(self._emit(match.key, data, "full"))
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.data(self.number, key)
        return [self._emit(key, data, "waited long enough")] if data else []

    def _full(self, data: dict[str, Any], now: int) -> bool:
        raise TypeError("says when to fire, and sets `due`")


class BatchOf(Collecting):
    """See `expression.Batch`."""

    def __init__(self, number: int, children: Sequence[Operator], n: int, wait: timedelta) -> None:
        super().__init__(number, children)
        self.n, self.wait = n, wait // MICROSECOND

    def _full(self, data: dict[str, Any], now: int) -> bool:
        data["due"] = data["first"] + self.wait
        return data["count"] >= self.n


class DebounceOf(Collecting):
    """See `expression.Debounce`."""

    def __init__(
        self, number: int, children: Sequence[Operator], quiet: timedelta, wait: timedelta
    ) -> None:
        super().__init__(number, children)
        self.quiet, self.wait = quiet // MICROSECOND, wait // MICROSECOND

    def _full(self, data: dict[str, Any], now: int) -> bool:
        data["due"] = min(now + self.quiet, data["first"] + self.wait)
        return data["due"] <= now


class ThrottleOf(Operator):
    """See `expression.Throttle`. State: `until`, and the kept `spans`, `time`, `label`."""

    def __init__(
        self, number: int, children: Sequence[Operator], every: timedelta, trailing: bool
    ) -> None:
        super().__init__(number, children)
        self.every, self.trailing = every // MICROSECOND, trailing

    def take(self, arrivals: Arrivals, moment: Moment) -> list[Match]:
        fired: list[Match] = []
        for _, match in arrivals:
            data = moment.data(self.number, match.key)
            if data.get("until", 0) <= moment.now:
                data["until"] = data["due"] = moment.now + self.every
                fired.append(match)
            elif self.trailing:
                _keep(data, match)
                if len(data["spans"]) > 2 * SPAN_CAP:
                    low, high, *data["spans"] = data["spans"]
                    data["count"] -= high - low + 1
                    moment.lost("expired", high - low + 1)
            else:
                moment.lost("throttled", 1)
        return fired

    def ring(self, key: str | None, moment: Moment) -> list[Match]:
        data = moment.data(self.number, key)
        if not data.get("spans"):
            data.clear()
            return []
        match = _kept(key, data, lambda more: f"{more} (throttled)")
        data.clear()
        data["until"] = data["due"] = moment.now + self.every
        return [match]


def _keep(data: dict[str, Any], match: Match) -> None:
    """Adds the events of a match to those that are kept."""
    spans: list[int] = data.setdefault("spans", [])
    for seq in match.events:
        if spans and seq == spans[-1] + 1:
            spans[-1] = seq
        elif not spans or seq > spans[-1]:
            spans += (seq, seq)
        else:
            merged = union(_ranges(spans), ((seq, seq),))
            spans[:] = [end for span in merged for end in span]
            data["count"] = count(merged)
            continue
        data["count"] = data.get("count", 0) + 1
    data["time"] = max(match.time, data.get("time", match.time))
    data["label"] = match.label


def _ranges(spans: list[int]) -> Ranges:
    return tuple(zip(spans[::2], spans[1::2], strict=True))


def _kept(key: str | None, data: dict[str, Any], tail: Callable[[str], str]) -> Match:
    """One match of all events that were kept; its label ends as `tail` makes of how many more."""
    events = tuple(numbers(_ranges(data["spans"])))
    more = f" and {len(events) - 1} more" if len(events) > 1 else ""
    return Match(events, data["time"], key, f"{data['label']}{tail(more)}")


def _together(labels: Iterable[str]) -> str:
    named = list(dict.fromkeys(labels))
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
