"""Matching: from events and time to firings.

Knows: the rules' compiled triggers, an index over their leaves (index.py), what their operators
remember (memory.py), how far the sensors have been read (watermark.py). Refuses to know: assets,
runs, what a firing leads to.

Laws: an event costs what its matching rules cost, not what all rules cost; the same events and
instants give the same firings; state is read and written through `State` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from reactor.core.decision import Fate, PredicateRaised, Word
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.index import Hit, Index
from reactor.core.instant import instant, micros
from reactor.core.listener import Listener
from reactor.core.memory import Memory
from reactor.core.place import MISSING
from reactor.core.ranges import Ranges, union
from reactor.core.sentence import describe
from reactor.core.state import Node, RuleState, State, Table
from reactor.core.trigger.operator import Data, Leaf, Match, Operator
from reactor.core.watermark import Place, Watermarks

_NEVER_A_NUMBER = 1_000_000_000_000_000
"""Instants in microseconds lie above, sequence numbers below."""
KEY_LIMIT = 1_000
"""How many characters a key or a partition may have."""


@dataclass(slots=True)
class Group:
    """The firings of one rule, key and partition in one turn: launched together."""

    rule: str
    key: str | None
    partition: str | None
    matches: list[tuple[int, ...]]
    label: str
    timer: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an event still waits for in a rule, in words, and until when (None: no time is set).

    `word` is what it is called: see `Operator.keeps`.
    """

    rule: str
    text: str
    until: datetime | None
    word: str = "waiting"


class Engine:
    """Feeds events and time to the rules' triggers; its firings wait in `groups`."""

    def __init__(self, graph: Graph, state: State) -> None:
        self._state = state
        self._rules: dict[str, Listener] = {}
        self._index: dict[str, Index] = {}
        for number, rule in enumerate(graph.rules.values()):
            ours = self._rules[rule.name] = Listener(rule, number)
            for entry in ours.program.entries:
                self._index.setdefault(entry.source.name, Index()).add(ours, entry)
        for index in self._index.values():
            index.build()
        self._fingerprints = {rule.name: rule.fingerprint for rule in graph.rules.values()}
        self._triggers = {rule.name: str(rule.trigger) for rule in graph.rules.values()}
        self._memory = Memory(state)
        self._read = Watermarks()
        self._moments: dict[Listener, _Passage] = {}
        self.begin()

    def begin(self) -> None:
        """Starts a turn: nothing accepted, nothing fired."""
        self.accepted: list[tuple[int, Event]] = []
        self.groups: dict[tuple[str, str | None, str | None], Group] = {}
        self.raised: list[PredicateRaised] = []
        self.filtered: dict[str, int] = {}
        self._lost: dict[tuple[str, Word, str], list[Ranges]] = {}
        self._read.begin()

    def reload(self) -> None:
        """Derives everything from the state: after a load, or after a turn was undone."""
        self._memory.reload()
        self._read.undo()

    def adopt(self, now: datetime) -> tuple[str, ...]:
        """Compares the state's rules with the graph's; answers those that start afresh.

        A changed or removed rule loses its partial matches, which expire. A new or changed one
        begins now.
        """
        rows: dict[Any, RuleState] = self._state.rows[Table.RULE]
        known = {row.rule: row.fingerprint for row in rows.values()}
        changed = {name for name, text in known.items() if self._fingerprints.get(name) != text}
        for place in self._memory.of(changed):
            self.lost(place[0], Word.EXPIRED, self._held(place), "the rule changed")
            self._memory.drop(place)
        for name in known:
            if name in changed:
                self._state.drop(Table.RULE, name)
        at = micros(now)
        for name, fingerprint in self._fingerprints.items():
            if known.get(name) != fingerprint:
                row = RuleState(name, fingerprint, self._triggers[name])
                self._state.put(Table.RULE, (name,), row)
                self._begin(self._rules[name], at)
        self._flush(at)
        return tuple(name for name in self._fingerprints if name in changed)

    def _begin(self, rule: Listener, at: int) -> None:
        moment = self._moment(rule, at)
        for node in rule.program.nodes:
            if not node.keyed:
                node.begin(moment)

    def _held(self, place: Place) -> Ranges:
        """The events in a row, as far as ranges can be told from other pairs of numbers."""
        row: Node | None = self._state.get(Table.NODE, *place)
        return union(*_ranges_in(row.data)) if row is not None else ()

    def deadline(self) -> datetime | None:
        """When the engine next acts by itself."""
        return self._memory.deadline()

    @property
    def awaits(self) -> frozenset[str]:
        """The sensors without whose word timers of absence that are due cannot ring."""
        return self._read.awaits

    def tick(self, now: datetime) -> None:
        """Rings every timer that is due, and whose sensors were read so far, the earliest first."""
        at = micros(now)
        while (found := self._next(at)) is not None:
            place, due = found
            if self._memory.due(place) == due:
                rule = self._rules[place[0]]
                self._ring(rule, rule.program.nodes[place[1]], place[2], at, due)

    def _next(self, at: int) -> tuple[Place, int] | None:
        """Takes out the timer that rings next; what absence waits for may ring before others."""
        while (found := self._memory.ring(at)) is not None:
            place, due = found
            rule = self._rules.get(place[0])
            if rule is not None:
                node: Operator = rule.program.nodes[place[1]]
                self._read.park(place, due, node.sources if node.concludes else ())
        return self._read.ready(at)

    def _ring(self, rule: Listener, node: Operator, key: str | None, at: int, due: int) -> None:
        # Sensors may have been read far beyond what rings now: what is concluded for a time must
        # still find what is of that time.
        moment = _Passage(self, self._memory, rule, at, due)
        for match in node.ring(key, moment):
            self._climb(node, [match], moment)
        self._flush(at)

    def reach(self, sensor: str, upto: datetime, now: datetime) -> None:
        """All that happened until `upto` was handed in: what waited for that may conclude."""
        if self._read.reach(sensor, min(micros(upto), micros(now))):
            self.tick(now)

    def arrive(self, sensor: str, events: Iterable[Event], now: datetime) -> None:
        """Matches events, in their order, against the rules that listen to their sensor."""
        index = self._index.get(sensor)
        events = list(events)
        if index is None:
            self.filtered[sensor] = self.filtered.get(sensor, 0) + len(events)
            return
        find = index.find
        hits: list[tuple[Event, list[Hit]]] = []
        for event in events:
            found, failed = find(event)
            if found:
                hits.append((event, found))
            for hit, error in failed:
                self._raise(hit.rule, event, error)
        if len(hits) < len(events):
            self.filtered[sensor] = self.filtered.get(sensor, 0) + len(events) - len(hits)
        if not hits:
            return
        seq, at = self._state.take("event", len(hits)), micros(now)
        accept, feed = self.accepted.append, self._feed
        for event, found in hits:
            accept((seq, event))
            feed(found, seq, event, at)
            seq += 1
        self._flush(at)

    def _feed(self, hits: list[Hit], seq: int, event: Event, at: int) -> None:
        if len(hits) == 1:
            hit = hits[0]
            rule = hit.rule
            if rule.direct:
                group = self.groups.get(rule.place)
                if group is not None:
                    group.matches.append((seq,))
                else:
                    self.groups[rule.place] = Group(*rule.place, [(seq,)], describe(event))
                return
            match = self._match(hit, seq, event, _time(event, at), describe(event))
            if match is not None:
                self._pass(rule, hit.entry.leaf, match, event, at)
            return
        by_rule: dict[Listener, dict[Leaf, Match]] = {}
        time, label = _time(event, at), describe(event)
        for hit in hits:
            match = self._match(hit, seq, event, time, label)
            if match is not None:
                by_rule.setdefault(hit.rule, {})[hit.entry.leaf] = match
        for rule in sorted(by_rule, key=_number):
            found = by_rule[rule]
            if len(found) == 1:
                [(leaf, match)] = found.items()
                self._pass(rule, leaf, match, event, at)
                continue
            moment = self._moment(rule, at)
            for match in _rise(rule.program.root, found, moment):
                self._fire(rule, match, event)

    def _match(self, hit: Hit, seq: int, event: Event, time: int, label: str) -> Match | None:
        """The match of a leaf; None if a user's function raised."""
        entry = hit.entry
        try:
            key = _text(entry.key(event)) if entry.key else None
            values = _probed(entry.probes, event) if entry.probes else ()
        except Exception as error:  # noqa: BLE001 - a user's function
            self._raise(hit.rule, event, error)
            return None
        return Match(((seq, seq),), time, label, values, key)

    def _pass(self, rule: Listener, node: Operator, match: Match, event: Event, at: int) -> None:
        """What one event makes of a rule in which it satisfies one leaf."""
        parent = node.parent
        if parent is None:
            self._fire(rule, match, event)
            return
        moment = self._moment(rule, at)
        matches = parent.take([(node.side, match)], moment)
        while matches and (above := parent.parent) is not None:
            side, parent = parent.side, above
            matches = parent.take([(side, match) for match in matches], moment)
        for match in matches:
            self._fire(rule, match, event)

    def _moment(self, rule: Listener, at: int) -> _Passage:
        moment = self._moments.get(rule)
        if moment is None or moment.now != at:
            moment = self._moments[rule] = _Passage(self, self._memory, rule, at)
        return moment

    def _climb(self, node: Operator, matches: Sequence[Match], moment: _Passage) -> None:
        """Hands matches of an operator to those above it, and fires what comes out on top."""
        while matches and (parent := node.parent) is not None:
            matches = parent.take([(node.side, match) for match in matches], moment)
            node = parent
        for match in matches:
            self._fire(moment.rule, match, None, timer=True)

    def _fire(self, rule: Listener, match: Match, event: Event | None, timer: bool = False) -> None:
        partition = None
        if rule.partition is not None and not rule.program.stateless:
            partition = match.key
        elif rule.partition is not None and event is not None:
            try:
                partition = _text(rule.partition(event))
            except Exception as error:  # noqa: BLE001 - a user's partition function
                self._raise(rule, event, error)
                return
        place = (rule.name, match.key, partition)
        group = self.groups.get(place)
        events = tuple([seq for low, high in match.events for seq in range(low, high + 1)])
        if group is None:
            self.groups[place] = Group(
                rule.name, match.key, partition, [events], match.label, timer
            )
        else:
            group.matches.append(events)

    def _raise(self, rule: Listener, event: Event, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        self.raised.append(PredicateRaised(rule.name, event.id, text))

    def _flush(self, at: int) -> None:
        """Writes back what the operators remember; those that keep too much let go of some."""
        full = self._memory.flush()
        while full:
            for name, number in full:
                moment = self._moment(self._rules[name], at)
                node: Operator = moment.rule.program.nodes[number]
                for key in self._memory.soonest(name, number):
                    self._climb(node, node.overflow(key, moment), moment)
            full = self._memory.flush()

    def lost(self, rule: str, word: Word, events: Ranges, why: str) -> None:
        """Notes events that a rule will not fire for."""
        if events:
            self._lost.setdefault((rule, word, why), []).append(events)

    @property
    def fates(self) -> list[Fate]:
        """What became, this turn, of events that rules will not fire for."""
        return [
            Fate(rule, word, union(*several), why)
            for (rule, word, why), several in self._lost.items()
        ]

    def waiting(self, seq: int) -> tuple[Waiting, ...]:
        """What an event still waits for, by rule.

        Cost: O(everything that operators keep): for a question, not for a turn.
        """
        rows: dict[Any, Node] = self._state.rows[Table.NODE]
        found: dict[Waiting, None] = {}
        # A list, so that another thread may ask.
        for row in list(rows.values()):
            rule = self._rules.get(row.rule)
            if rule is not None:
                node: Operator = rule.program.nodes[row.node]
                for events, text, until in node.waiting(row.data):
                    if any(low <= seq <= high for low, high in events):
                        at = row.due if until is None else instant(until)
                        found[Waiting(row.rule, text, at, node.keeps)] = None
        return tuple(found)

    def upto(self, sources: tuple[str, ...], at: int) -> int | None:
        """How far all of these sensors have been read."""
        return self._read.upto(sources, at)


class _Passage:
    """A `Moment` of one rule."""

    __slots__ = ("_engine", "_memory", "_name", "_until", "now", "rule")

    def __init__(
        self, engine: Engine, memory: Memory, rule: Listener, now: int, until: int | None = None
    ) -> None:
        self._engine, self._memory, self.rule, self.now = engine, memory, rule, now
        self._name, self._until = rule.name, now if until is None else until

    def upto(self, sources: tuple[str, ...]) -> int | None:
        return self._engine.upto(sources, self._until)

    def get(self, node: int, key: str | None) -> Data | None:
        return self._memory.get((self._name, node, key))

    def put(self, node: int, key: str | None, data: Data | None, due: int | None = None) -> None:
        self._memory.new[self._name, node, key] = (data, due)

    def lost(self, word: Word, events: Ranges, why: str) -> None:
        self._engine.lost(self._name, word, events, why)


def _time(event: Event, at: int) -> int:
    """Event time, no later than now. What a producer dates before 1970 has no date, really."""
    return max(0, min(micros(event.time), at))


def _number(rule: Listener) -> int:
    return rule.number


def _probed(probes: Sequence[tuple[int, Any]], event: Event) -> tuple[Any, ...]:
    """What the operators above look at, each at its place."""
    values: list[Any] = [None] * (max(place for place, _ in probes) + 1)
    for place, probe in probes:
        values[place] = probe(event)
    return tuple(values)


def _ranges_in(data: Any) -> list[Ranges]:
    if not isinstance(data, tuple):
        return []
    parts = cast("tuple[Any, ...]", data)
    if len(parts) == 2 and all(type(part) is int for part in parts):
        low, high = parts
        return [((low, high),)] if low <= high < _NEVER_A_NUMBER else []
    return [found for part in parts for found in _ranges_in(part)]


def _rise(node: Operator, hits: dict[Leaf, Match], moment: _Passage) -> list[Match]:
    """What one event makes of an operator: its operands first, then itself."""
    if isinstance(node, Leaf):
        match = hits.get(node)
        return [match] if match is not None else []
    arrivals = [
        (side, match)
        for side, child in enumerate(node.children)
        for match in _rise(child, hits, moment)
    ]
    return node.take(arrivals, moment) if arrivals else []


def _text(value: Any) -> str | None:
    """A key or partition as text that can be stored.

    Raises: ValueError if it is too long, or is no text that a database takes.
    """
    if value is None or value is MISSING:
        return None
    if type(value) is str:
        text = value
    else:
        text = value.isoformat() if isinstance(value, datetime) else str(value)
    if len(text) > KEY_LIMIT:
        raise ValueError(f"a key of {len(text):,} characters: at most {KEY_LIMIT:,}")
    if "\0" in text:
        raise ValueError("a key with a NUL in it")
    if not text.isascii():
        text.encode()  # Half a surrogate pair, which JSON may hold, is no text to a store.
    return text
