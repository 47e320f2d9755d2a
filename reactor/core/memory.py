"""What the operators remember: their state as rows, and the timers that follow from it.

Knows: rows of state by (rule, operator, key), and when each wants to be rung. Refuses to know: what
the state means, and what happens when a timer rings.

Laws: state is replaced, never changed, and written as a row once a turn; a timer follows from its
row, whatever way led to it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from reactor.core.instant import instant, micros
from reactor.core.state import Key, Node, State, Table
from reactor.core.watermark import Place

KEY_CAP = 100_000
"""Keys for which one operator keeps state."""

_Timer = tuple[int, str, int, bool, str]
_New = tuple[tuple[Any, ...] | None, int | None]


class Memory:
    """The state of all operators. `new` is what this turn made of it, (data, due) by place, until
    `flush` writes it back; data None forgets a row.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows: dict[Key, Node] = state.rows[Table.NODE]
        self.new: dict[Place, _New] = {}
        self._timers: list[_Timer] = []
        self._armed: dict[Place, int] = {}
        self._keys: dict[tuple[str, int], int] = {}
        self.reload()

    def reload(self) -> None:
        """Derives everything from the state's rows."""
        self.new, self._timers, self._armed, self._keys = {}, [], {}, {}
        rows: dict[Key, Node] = self._state.rows[Table.NODE]
        for row in rows.values():
            self._count(row.rule, row.node, 1)
            if row.due is not None:
                self._arm((row.rule, row.node, row.key), micros(row.due))

    def get(self, place: Place) -> tuple[Any, ...] | None:
        """The state of an operator for a key."""
        new = self.new.get(place)
        if new is not None:
            return new[0]
        row: Node | None = self._rows.get(place)
        return row.data if row is not None else None

    def flush(self) -> list[tuple[str, int]]:
        """Writes back what was changed; answers the operators that now keep too many keys."""
        full: dict[tuple[str, int], None] = {}
        rows, known, when = self._rows, None, None
        for place, (data, due) in self.new.items():
            rule, node, key = place
            before = rows.get(place)
            if data is None:
                if before is not None:
                    self.drop(place)
                continue
            if before is None and self._count(rule, node, 1) > KEY_CAP:
                full[rule, node] = None
            if due != known:
                known, when = due, instant(due) if due is not None else None
            row = Node(rule, node, key, data, when)
            if row != before:
                self._state.put(Table.NODE, place, row)
            if due is not None:
                self._arm(place, due)
        self.new = {}
        return list(full)

    def drop(self, place: Place) -> None:
        """Forgets what an operator keeps for a key."""
        self._count(place[0], place[1], -1)
        self._state.drop(Table.NODE, *place)

    def of(self, rules: Iterable[str]) -> list[Place]:
        """Where any of these rules keeps something."""
        wanted = set(rules)
        return [place for place in self._state.rows[Table.NODE] if place[0] in wanted]

    def soonest(self, rule: str, node: int) -> list[str | None]:
        """A twentieth of the keys that an operator may keep: those that act first.

        Cost: O(everything kept), so once for many keys.
        """
        rows: dict[Key, Node] = self._state.rows[Table.NODE]
        ours = [row for row in rows.values() if row.rule == rule and row.node == node]
        first = heapq.nsmallest(
            max(1, KEY_CAP // 20), ours, key=lambda row: (str(row.due or ""), row.key or "")
        )
        return [row.key for row in first]

    def deadline(self) -> datetime | None:
        """When a timer next rings."""
        due = self._next()
        return None if due is None else instant(due)

    def ring(self, now: int) -> tuple[Place, int] | None:
        """Takes out the timer that rings next, with its time, if it does by `now`."""
        due = self._next()
        if due is None or due > now:
            return None
        place = _place(heapq.heappop(self._timers))
        del self._armed[place]
        return place, due

    def due(self, place: Place) -> int | None:
        """When the operator wants to be rung for a key."""
        row: Node | None = self._rows.get(place)
        return micros(row.due) if row is not None and row.due is not None else None

    def _next(self) -> int | None:
        while self._timers:
            due, place = self._timers[0][0], _place(self._timers[0])
            if self._armed.get(place) == due:
                really = self.due(place)
                if really == due:
                    return due
                del self._armed[place]
                if really is not None:
                    self._arm(place, really)
            heapq.heappop(self._timers)
        return None

    def _arm(self, place: Place, due: int) -> None:
        """Sees to it that a place is looked at by `due`.

        One that is put off is armed anew only when its old time comes, so that it has one timer
        however often that happens.
        """
        armed = self._armed.get(place)
        if armed is None or due < armed:
            self._armed[place] = due
            rule, node, key = place
            heapq.heappush(self._timers, (due, rule, node, key is not None, key or ""))

    def _count(self, rule: str, node: int, change: int) -> int:
        number = self._keys[rule, node] = self._keys.get((rule, node), 0) + change
        return number


def _place(timer: _Timer) -> Place:
    _, rule, node, keyed, shown = timer
    return (rule, node, shown if keyed else None)
