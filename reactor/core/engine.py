"""Matching: from events and time to firings.

Knows: the rules' compiled triggers, an index over their leaves (index.py), what their operators
remember (memory.py). Refuses to know: assets, runs, what a firing leads to.

Laws: an event costs what its matching rules cost, not what all rules cost; the same events and
instants give the same firings; state is read and written through `State` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reactor.core.decision import PredicateRaised
from reactor.core.event import Event
from reactor.core.field import MISSING
from reactor.core.graph import Graph
from reactor.core.index import Hit, Index
from reactor.core.listener import Listener
from reactor.core.memory import Memory
from reactor.core.state import RuleState, State, Table
from reactor.core.trigger.compile import describe
from reactor.core.trigger.operator import Leaf, Match, Operator, instant, micros

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
        self._fingerprints = {rule.name: rule.fingerprint for rule in graph.rules.values()}
        self._memory = Memory(state)
        self.begin()

    def begin(self) -> None:
        """Starts a turn: nothing accepted, nothing fired."""
        self.accepted: list[tuple[int, Event]] = []
        self.groups: dict[tuple[str, str | None, str | None], Group] = {}
        self.raised: list[PredicateRaised] = []
        self.filtered: dict[str, int] = {}
        self.fates: dict[str, int] = {}
        self._moved: dict[Listener, None] = {}

    def reload(self) -> None:
        """Derives everything from the state: after a load, or after a turn was undone."""
        self._memory.reload()

    def adopt(self) -> tuple[str, ...]:
        """Compares the state's rules with the graph's; answers those that start afresh.

        A changed or removed rule loses its partial matches, counted as expired.
        """
        rows: dict[Any, RuleState] = self._state.rows[Table.RULE]
        known = {row.rule: row.fingerprint for row in rows.values()}
        changed = {name for name, text in known.items() if self._fingerprints.get(name) != text}
        for place in self._memory.of(changed):
            self._memory.drop(place)
            self.fates["expired"] = self.fates.get("expired", 0) + 1
        for name in known:
            if name in changed:
                self._state.drop(Table.RULE, name)
        for name, fingerprint in self._fingerprints.items():
            if known.get(name) != fingerprint:
                self._state.put(Table.RULE, (name,), RuleState(name, fingerprint))
        return tuple(name for name in self._fingerprints if name in changed)

    def deadline(self) -> datetime | None:
        """When the engine next acts by itself."""
        return self._memory.deadline()

    def tick(self, now: datetime) -> None:
        """Rings every timer that is due, in the order they are due."""
        at = micros(now)
        while (place := self._memory.ring(now)) is not None:
            name, number, key = place
            rule = self._rules.get(name)
            if rule is not None:
                moment = _Passage(self, rule, at)
                node: Operator = rule.program.nodes[number]
                self._climb(node, node.ring(key, moment), moment)
            self._flush(at)

    def arrive(self, sensor: str, events: Iterable[Event], now: datetime) -> None:
        """Matches events, in their order, against the rules that listen to their sensor."""
        index = self._index.get(sensor)
        events = list(events)
        if index is None:
            self.filtered[sensor] = self.filtered.get(sensor, 0) + len(events)
            return
        hits = [(event, found) for event in events if (found := self._hits(index, event))]
        if len(hits) < len(events):
            self.filtered[sensor] = self.filtered.get(sensor, 0) + len(events) - len(hits)
        if not hits:
            return
        seq, at = self._state.take("event", len(hits)), micros(now)
        for event, found in hits:
            self.accepted.append((seq, event))
            self._feed(found, seq, event, now, at)
            seq += 1
        self._flush(at)

    def _hits(self, index: Index, event: Event) -> list[Hit]:
        found, failed = index.find(event)
        for hit, error in failed:
            self._raise(hit.rule, event, error)
        return found

    def _feed(self, hits: list[Hit], seq: int, event: Event, now: datetime, at: int) -> None:
        if len(hits) == 1 and hits[0].rule.program.stateless and hits[0].entry.key is None:
            rule = hits[0].rule
            group = self.groups.get((rule.name, None, None)) if rule.partition is None else None
            if group is not None:
                group.matches.append((seq,))
                return
        by_rule: dict[Listener, dict[Leaf, Match]] = {}
        time = micros(min(event.time, now))
        label = describe(event)
        for hit in hits:
            try:
                key = _text(hit.entry.key(event)) if hit.entry.key else None
            except Exception as error:  # noqa: BLE001 - a user's key function
                self._raise(hit.rule, event, error)
                continue
            by_rule.setdefault(hit.rule, {})[hit.entry.leaf] = Match((seq,), time, key, label)
        for rule in sorted(by_rule, key=lambda rule: rule.number):
            moment = _Passage(self, rule, at)
            if rule.program.joins:
                self._see(rule, event.source, time)
            for match in _rise(rule.program.root, by_rule[rule], moment):
                self._fire(rule, match, event)

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
        if group is None:
            self.groups[place] = Group(
                rule.name, match.key, partition, [match.events], match.label, timer
            )
        else:
            group.matches.append(match.events)

    def _raise(self, rule: Listener, event: Event, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        self.raised.append(PredicateRaised(rule.name, event.id, text))

    def _flush(self, at: int) -> None:
        """Writes back what the operators remember; those that keep too much let go of some."""
        full = self._memory.flush()
        while full:
            for name, number in full:
                moment = _Passage(self, self._rules[name], at)
                node: Operator = moment.rule.program.nodes[number]
                for key in self._memory.soonest(name, number):
                    self._climb(node, node.overflow(key, moment), moment)
            full = self._memory.flush()

    def _see(self, rule: Listener, source: str, time: int) -> None:
        """Notes the newest event time of a source, beside the leaf that stands for it."""
        data = self._memory.data(rule.name, rule.leaves[source], None)
        if time > data.get("seen", time - 1):
            data["seen"] = time
            self._moved[rule] = None

    def watermark(self, rule: Listener) -> int | None:
        """The event time that every source of the rule has reached, or None."""
        lowest: int | None = None
        for leaf in rule.leaves.values():
            seen: int | None = self._memory.look(rule.name, leaf).get("seen")
            if seen is None:
                return None
            lowest = seen if lowest is None else min(seen, lowest)
        return lowest

    def data(self, rule: Listener, node: int, key: str | None) -> dict[str, Any]:
        """What an operator of a rule remembers for a key."""
        return self._memory.data(rule.name, node, key)

    def mark(self) -> None:
        """Shows the watermarks that moved this turn beside their rules."""
        for rule in self._moved:
            row: RuleState | None = self._state.get(Table.RULE, rule.name)
            reached = self.watermark(rule)
            if row is not None and reached is not None and row.watermark != instant(reached):
                row = replace(row, watermark=instant(reached))
                self._state.put(Table.RULE, (rule.name,), row)


class _Passage:
    """A `Moment` of one rule."""

    __slots__ = ("_engine", "now", "rule")

    def __init__(self, engine: Engine, rule: Listener, now: int) -> None:
        self._engine, self.rule, self.now = engine, rule, now

    @property
    def watermark(self) -> int | None:
        return self._engine.watermark(self.rule)

    def data(self, node: int, key: str | None) -> dict[str, Any]:
        return self._engine.data(self.rule, node, key)

    def lost(self, fate: str, count: int) -> None:
        if count:
            self._engine.fates[fate] = self._engine.fates.get(fate, 0) + count


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
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    if len(text) > KEY_LIMIT:
        raise ValueError(f"a key of {len(text):,} characters: at most {KEY_LIMIT:,}")
    if "\0" in text:
        raise ValueError("a key with a NUL in it")
    return text
