"""What the operators remember: their state as rows, and the timers that follow from it.

Knows: rows of state by (rule, operator, key), and when each wants to be rung. Refuses to know: what
the state means, and what happens when a timer rings.

Laws: state is changed in a copy, and written back as a row once a turn; a timer follows from its
row, whatever way led to it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from reactor.core.state import Key, Node, State, Table
from reactor.core.trigger.operator import instant, micros

KEY_CAP = 100_000
"""Keys for which one operator keeps state."""

Place = tuple[str, int, str | None]
"""A rule, the number of an operator in it, and a key."""

_PLAIN = frozenset({int, str, float, bool, type(None)})
_Timer = tuple[int, str, int, bool, str]


class Memory:
    """The state of all operators. `data` is changed in place until `flush` writes it back."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._scratch: dict[Place, dict[str, Any]] = {}
        self._timers: list[_Timer] = []
        self._armed: dict[Place, int] = {}
        self._keys: dict[tuple[str, int], int] = {}
        self.reload()

    def reload(self) -> None:
        """Derives everything from the state's rows."""
        self._scratch, self._timers, self._armed, self._keys = {}, [], {}, {}
        rows: dict[Key, Node] = self._state.rows[Table.NODE]
        for row in rows.values():
            self._count(row.rule, row.node, 1)
            if row.due is not None:
                self._arm((row.rule, row.node, row.key), micros(row.due))

    def data(self, rule: str, node: int, key: str | None) -> dict[str, Any]:
        """The state of an operator for a key, copied once a turn; empty means none."""
        place = (rule, node, key)
        data = self._scratch.get(place)
        if data is None:
            row: Node | None = self._state.get(Table.NODE, *place)
            data = dict[str, Any](_copied(row.data)) if row is not None else {}
            if row is not None and row.due is not None:
                data["due"] = micros(row.due)
            self._scratch[place] = data
        return data

    def look(self, rule: str, node: int) -> Mapping[str, Any]:
        """The same for no key, only to be looked at."""
        place = (rule, node, None)
        if place in self._scratch:
            return self._scratch[place]
        row: Node | None = self._state.get(Table.NODE, *place)
        return row.data if row is not None else {}

    def flush(self) -> list[tuple[str, int]]:
        """Writes back what was changed; answers the operators that now keep too many keys."""
        full: dict[tuple[str, int], None] = {}
        for place, data in self._scratch.items():
            rule, node, key = place
            before: Node | None = self._state.get(Table.NODE, *place)
            if not data:
                if before is not None:
                    self.drop(place)
                continue
            due = data.pop("due", None)
            if before is None and self._count(rule, node, 1) > KEY_CAP:
                full[rule, node] = None
            row = Node(rule, node, key, data, instant(due) if due is not None else None)
            if row != before:
                self._state.put(Table.NODE, place, row)
            if due is not None:
                self._arm(place, due)
        self._scratch = {}
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
        """A hundredth of the keys that an operator may keep: those that act first.

        Cost: O(everything kept), so once for many keys.
        """
        rows: dict[Key, Node] = self._state.rows[Table.NODE]
        ours = [row for row in rows.values() if row.rule == rule and row.node == node]
        first = heapq.nsmallest(
            max(1, KEY_CAP // 100), ours, key=lambda row: (str(row.due or ""), row.key or "")
        )
        return [row.key for row in first]

    def deadline(self) -> datetime | None:
        """When a timer next rings."""
        while self._timers:
            due, place = self._timers[0][0], _place(self._timers[0])
            if self._armed.get(place) == due:
                really = self._due(place)
                if really == due:
                    return instant(due)
                del self._armed[place]
                if really is not None:
                    self._arm(place, really)
            heapq.heappop(self._timers)
        return None

    def ring(self, now: datetime) -> Place | None:
        """Takes out the timer that rings next, if it does by `now`."""
        due = self.deadline()
        if due is None or due > now:
            return None
        place = _place(heapq.heappop(self._timers))
        del self._armed[place]
        self.data(*place).pop("due", None)
        return place

    def _due(self, place: Place) -> int | None:
        row: Node | None = self._state.get(Table.NODE, *place)
        return micros(row.due) if row is not None and row.due is not None else None

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


def _copied(data: Any) -> Any:
    if type(data) is dict:
        rows = cast("dict[str, Any]", data)
        return {k: v if type(v) in _PLAIN else _copied(v) for k, v in rows.items()}
    return [v if type(v) in _PLAIN else _copied(v) for v in cast("list[Any]", data)]
