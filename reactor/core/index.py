"""Which rules an event may concern, without asking each of them.

Knows: the leaves of compiled rules, by source and by equality on one field. Refuses to know: state,
time, what a match leads to.

Law: the index lets in exactly what asking every leaf would let in; it only asks fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reactor.core.event import Event
from reactor.core.field import MISSING, All, Compare, Get, Path, Predicate, Test
from reactor.core.listener import Listener
from reactor.core.trigger.compile import Entry


@dataclass(frozen=True, slots=True)
class Hit:
    """One leaf in the index, with what the index has not tested yet."""

    rule: Listener
    entry: Entry
    test: Test | None
    types: frozenset[str] | None


class Index:
    """The leaves of one source: by equality on a field, and the rest."""

    def __init__(self) -> None:
        self._always: list[Hit] = []
        self._asks = False
        self._equal: dict[Path, tuple[Get, dict[Any, list[Hit]]]] = {}

    def add(self, rule: Listener, entry: Entry) -> None:
        """Takes in a leaf of a rule."""
        types = entry.source.types
        for number, condition in enumerate(entry.conditions):
            values = _indexable(condition)
            if values is not None and isinstance(condition, Compare):
                rest = entry.conditions[:number] + entry.conditions[number + 1 :]
                hit = Hit(rule, entry, _test(rest), types)
                _, table = self._equal.setdefault(condition.path, (condition.path.getter(), {}))
                for value in values:
                    table.setdefault(value, []).append(hit)
                return
        hit = Hit(rule, entry, _test(entry.conditions), types)
        self._always.append(hit)
        self._asks = self._asks or hit.test is not None or hit.types is not None

    def find(self, event: Event) -> tuple[list[Hit], list[tuple[Hit, Exception]]]:
        """The leaves that let an event in, and those whose predicate raised, each with its error.

        Cost: O(leaves without an equality, and those whose equality holds).
        """
        if not self._equal:
            if not self._asks:
                return self._always, []
            candidates, failed = self._always, []
        else:
            candidates, failed = self._candidates(event)
        found: list[Hit] = []
        for hit in candidates:
            if hit.types is not None and event.type not in hit.types:
                continue
            if hit.test is None:
                found.append(hit)
                continue
            try:
                if hit.test(event):
                    found.append(hit)
            except Exception as error:  # noqa: BLE001 - a user's predicate stops nothing else
                failed.append((hit, error))
        return found, failed

    def _candidates(self, event: Event) -> tuple[list[Hit], list[tuple[Hit, Exception]]]:
        found = list(self._always)
        failed: list[tuple[Hit, Exception]] = []
        for getter, table in self._equal.values():
            try:
                value = getter(event)
                if value is not MISSING:
                    found.extend(_equal(table, value))
            except Exception as error:  # noqa: BLE001 - nor does a property of a user's model
                failed.extend((hit, error) for hits in table.values() for hit in hits)
        return found, failed


def _equal(table: dict[Any, list[Hit]], value: Any) -> Sequence[Hit]:
    try:
        return table.get(value, ())
    except TypeError:
        # What cannot be hashed may still equal something that can: a set, for one.
        return [hit for constant, hits in table.items() if value == constant for hit in hits]


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
