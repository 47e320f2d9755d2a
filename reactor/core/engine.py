"""Matching: from events and time to firings.

Knows: the rules' compiled triggers, an index over their leaves, operator state and timers. Refuses
to know: assets, runs, what a firing leads to.

Laws: an event costs what its matching rules cost, not what all rules cost; the same events and
instants give the same firings; state is read and written through `State` only.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from reactor.core.decision import PredicateRaised
from reactor.core.event import Event
from reactor.core.field import MISSING, All, Compare, Get, Path, Predicate, Test
from reactor.core.graph import Graph
from reactor.core.state import Node, RuleState, State, Table
from reactor.core.trigger.compile import Entry, Program, compile_trigger, describe
from reactor.core.trigger.operator import Leaf, Match, Operator, instant, micros


@dataclass(slots=True)
class Group:
    """The firings of one rule, key and partition in one turn: launched together."""

    rule: str
    key: str | None
    partition: str | None
    matches: list[tuple[int, ...]]
    label: str
    timer: bool = False


class _Rule:
    """A rule as the engine uses it."""

    __slots__ = ("name", "number", "partition", "program", "sources")

    def __init__(self, name: str, number: int, program: Program, partition: Get | None) -> None:
        self.name, self.number, self.program, self.partition = name, number, program, partition
        self.sources = tuple({entry.source.name for entry in program.entries})


@dataclass(frozen=True, slots=True)
class _Hit:
    """One leaf in the index, with what the index has not tested yet."""

    rule: _Rule
    entry: Entry
    test: Test | None
    types: frozenset[str] | None


class _Index:
    """The leaves of one source: by equality on a field, and the rest."""

    def __init__(self) -> None:
        self.always: list[_Hit] = []
        self.equal: dict[Path, tuple[Get, dict[Any, list[_Hit]]]] = {}

    def add(self, rule: _Rule, entry: Entry) -> None:
        types = entry.source.types
        for number, condition in enumerate(entry.conditions):
            values = _indexable(condition)
            if values is not None and isinstance(condition, Compare):
                rest = entry.conditions[:number] + entry.conditions[number + 1 :]
                hit = _Hit(rule, entry, _test(rest), types)
                _, table = self.equal.setdefault(condition.path, (condition.path.getter(), {}))
                for value in values:
                    table.setdefault(value, []).append(hit)
                return
        self.always.append(_Hit(rule, entry, _test(entry.conditions), types))

    def candidates(self, event: Event) -> list[_Hit]:
        """The leaves that may let the event in, in the order of their rules."""
        if not self.equal:
            return self.always
        found = list(self.always)
        for getter, table in self.equal.values():
            value = getter(event)
            if value is not MISSING:
                try:
                    found.extend(table.get(value, ()))
                except TypeError:
                    continue
        return found


def _indexable(condition: Predicate) -> tuple[Any, ...] | None:
    if not isinstance(condition, Compare) or condition.op not in ("==", "in"):
        return None
    values = (condition.value,) if condition.op == "==" else condition.value
    try:
        return tuple(dict.fromkeys(values))
    except TypeError:
        return None


def _test(conditions: Sequence[Predicate]) -> Test | None:
    if not conditions:
        return None
    return conditions[0].test() if len(conditions) == 1 else All(tuple(conditions)).test()


class Engine:
    """Feeds events and time to the rules' triggers; its firings wait in `groups`."""

    def __init__(self, graph: Graph, state: State) -> None:
        self._state = state
        self._rules: dict[str, _Rule] = {}
        self._index: dict[str, _Index] = {}
        for number, rule in enumerate(graph.rules.values()):
            partition = (
                rule.partition.getter() if isinstance(rule.partition, Path) else rule.partition
            )
            ours = _Rule(rule.name, number, compile_trigger(rule.trigger), partition)
            self._rules[rule.name] = ours
            for entry in ours.program.entries:
                self._index.setdefault(entry.source.name, _Index()).add(ours, entry)
        self._fingerprints = {rule.name: rule.fingerprint for rule in graph.rules.values()}
        self._timers: list[tuple[int, str, int, bool, str]] = []
        self._scratch: dict[tuple[str, int, str | None], dict[str, Any]] = {}
        self._seen: dict[str, dict[str, int]] = {}
        self.begin()
        self.reload()

    def begin(self) -> None:
        """Starts a turn: nothing accepted, nothing fired."""
        self.accepted: list[tuple[int, Event]] = []
        self.groups: dict[tuple[str, str | None, str | None], Group] = {}
        self.raised: list[PredicateRaised] = []
        self.filtered: dict[str, int] = {}
        self.fates: dict[str, int] = {}
        self._scratch.clear()

    def reload(self) -> None:
        """Derives the timers from the state: after a load, or after a turn was undone."""
        self._scratch.clear()
        self._timers = [
            _timer(micros(node.due), node.rule, node.node, node.key)
            for node in self._state.rows[Table.NODE].values()
            if node.due is not None
        ]
        heapq.heapify(self._timers)

    def adopt(self) -> tuple[str, ...]:
        """Compares the state's rules with the graph's; answers those that start afresh.

        A changed or removed rule loses its partial matches, counted as expired.
        """
        afresh: list[str] = []
        rows = self._state.rows
        known = {row.rule: row.fingerprint for row in rows[Table.RULE].values()}
        for name, fingerprint in known.items():
            if self._fingerprints.get(name) != fingerprint:
                afresh.append(name)
                for key in [key for key in rows[Table.NODE] if key[0] == name]:
                    self._state.drop(Table.NODE, *key)
                    self.fates["expired"] = self.fates.get("expired", 0) + 1
                self._state.drop(Table.RULE, name)
        for name, fingerprint in self._fingerprints.items():
            if known.get(name) != fingerprint:
                self._state.put(Table.RULE, (name,), RuleState(name, fingerprint))
        return tuple(name for name in afresh if name in self._fingerprints)

    def listens(self, source: str) -> bool:
        """Whether any rule has a leaf on this source."""
        return source in self._index

    def deadline(self) -> datetime | None:
        """When the engine next acts by itself."""
        return instant(self._timers[0][0]) if self._timers else None

    def tick(self, now: datetime) -> None:
        """Rings every timer that is due, in the order they are due."""
        at = micros(now)
        while self._timers and self._timers[0][0] <= at:
            due, name, number, keyed, shown = heapq.heappop(self._timers)
            key = shown if keyed else None
            rule, row = self._rules.get(name), self._state.get(Table.NODE, name, number, key)
            if rule is None or row is None or row.due is None or micros(row.due) != due:
                continue
            moment = _Passage(self, rule, at)
            moment.data(number, key).pop("due", None)
            node: Operator = rule.program.nodes[number]
            matches = node.ring(key, moment)
            while matches and (parent := node.parent) is not None:
                matches = parent.take([(node.side, match) for match in matches], moment)
                node = parent
            for match in matches:
                self._fire(rule, match, None, timer=True)
            self.flush()

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
        self.flush()

    def _hits(self, index: _Index, event: Event) -> list[_Hit]:
        found: list[_Hit] = []
        for hit in index.candidates(event):
            if hit.types is not None and event.type not in hit.types:
                continue
            if hit.test is None:
                found.append(hit)
                continue
            try:
                if hit.test(event):
                    found.append(hit)
            except Exception as error:  # noqa: BLE001 - a user's predicate stops nothing else
                self._raise(hit.rule, event, error)
        return found

    def _feed(self, hits: list[_Hit], seq: int, event: Event, now: datetime, at: int) -> None:
        if len(hits) == 1 and hits[0].rule.program.stateless and hits[0].entry.key is None:
            rule = hits[0].rule
            group = self.groups.get((rule.name, None, None)) if rule.partition is None else None
            if group is not None:
                group.matches.append((seq,))
                return
        by_rule: dict[_Rule, dict[Leaf, Match]] = {}
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

    def _fire(self, rule: _Rule, match: Match, event: Event | None, timer: bool = False) -> None:
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

    def _raise(self, rule: _Rule, event: Event, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        self.raised.append(PredicateRaised(rule.name, event.id, text))

    def _see(self, rule: _Rule, source: str, time: int) -> None:
        seen = self._seen.setdefault(rule.name, {})
        if time > seen.get(source, -1):
            seen[source] = time

    def watermark(self, rule: _Rule) -> int | None:
        """The event time that every source of the rule has reached, or None."""
        seen = self._seen.get(rule.name, {})
        if len(seen) == len(rule.sources):
            return min(seen.values())
        row: RuleState | None = self._state.get(Table.RULE, rule.name)
        return micros(row.watermark) if row is not None and row.watermark else None

    def scratch(self, rule: str, node: int, key: str | None) -> dict[str, Any]:
        """The operator's state, copied once a turn so that the stored row stays as it was."""
        place = (rule, node, key)
        data = self._scratch.get(place)
        if data is None:
            row: Node | None = self._state.get(Table.NODE, *place)
            data = dict[str, Any](_copied(row.data)) if row is not None else {}
            if row is not None and row.due is not None:
                data["due"] = micros(row.due)
            self._scratch[place] = data
        return data

    def flush(self) -> None:
        """Writes the touched operator state back as rows, and arms its timers."""
        for place, data in self._scratch.items():
            rule, node, key = place
            if not data:
                self._state.drop(Table.NODE, *place)
                continue
            due = data.pop("due", None)
            row = Node(rule, node, key, data, instant(due) if due is not None else None)
            self._state.put(Table.NODE, place, row)
            if due is not None:
                heapq.heappush(self._timers, _timer(due, rule, node, key))
        self._scratch.clear()

    def mark(self) -> None:
        """Writes the joins' watermarks that moved this turn."""
        for name, seen in self._seen.items():
            rule = self._rules[name]
            row: RuleState | None = self._state.get(Table.RULE, name)
            if row is not None and len(seen) == len(rule.sources):
                at = instant(min(seen.values()))
                if row.watermark is None or at > row.watermark:
                    self._state.put(Table.RULE, (name,), replace(row, watermark=at))


class _Passage:
    """A `Moment` of one rule."""

    __slots__ = ("_engine", "_rule", "now")

    def __init__(self, engine: Engine, rule: _Rule, now: int) -> None:
        self._engine, self._rule, self.now = engine, rule, now

    @property
    def watermark(self) -> int | None:
        return self._engine.watermark(self._rule)

    def data(self, node: int, key: str | None) -> dict[str, Any]:
        return self._engine.scratch(self._rule.name, node, key)

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


def _timer(due: int, rule: str, node: int, key: str | None) -> tuple[int, str, int, bool, str]:
    return (due, rule, node, key is not None, key or "")


def _copied(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _copied(value) for name, value in cast("dict[str, Any]", data).items()}
    if isinstance(data, list):
        return [_copied(value) for value in cast("list[Any]", data)]
    return data


def _text(value: Any) -> str | None:
    if value is None or value is MISSING:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)
