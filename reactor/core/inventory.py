"""What there is of each asset: its current materializations, and what of it changed when.

Knows: the rows, the partitions that were made, the order of changes. Refuses to know: who reads
them (inputs.py), what is being made.

Laws: every change of any asset has a number of its own, larger than all before; a reader that keeps
the largest number it has seen of some data learns of each later change of it. Everything here
beside the rows is derived from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reactor.core.run import Materialization
from reactor.core.state import Key, State, Table

Recent = dict[str, int]
"""The change of each key, in the order of the changes."""


class Inventory:
    """The materializations of a state. Only this writes them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows: Mapping[tuple[str, str | None], Materialization] = state.rows[
            Table.MATERIALIZATION
        ]  # type: ignore[assignment]
        self._made: dict[str, Recent] = {}
        self._parts: dict[tuple[str, str | None], Recent] = {}
        made = [row for row in self._rows.values() if row.partition is not None]
        for row in sorted(made, key=lambda row: row.change):
            self._made.setdefault(row.asset, {})[row.partition or ""] = row.change
        parts: dict[Key, int] = state.rows[Table.PART]
        for place, change in sorted(parts.items(), key=lambda part: part[1]):
            asset, partition, key = place
            self._parts.setdefault((asset, partition), {})[key] = change

    def last(self, asset: str, partition: str | None) -> Materialization | None:
        """The current materialization of exactly this."""
        return self._rows.get((asset, partition))

    def made(self, asset: str) -> Recent:
        """The partitions that an asset was made for, in the order of their last changes."""
        return self._made.get(asset, {})

    def assets(self) -> Iterable[str]:
        """The assets of which there is anything, each once."""
        return dict.fromkeys(asset for asset, _ in self._rows)

    def parts(self, asset: str, partition: str | None) -> Recent:
        """The keys of an asset partition that ever changed alone, in the order of these changes."""
        return self._parts.get((asset, partition), {})

    def put(self, row: Materialization, parts: Iterable[str] | None = None) -> None:
        """An asset partition was made; `parts` are the keys of it that changed, None: all of it."""
        self._state.put(Table.MATERIALIZATION, (row.asset, row.partition), row)
        if row.partition is not None:
            _renew(self._made.setdefault(row.asset, {}), row.partition, row.change)
        place = (row.asset, row.partition)
        for key in parts or ():
            self._state.put(Table.PART, (*place, key), row.change)
            _renew(self._parts.setdefault(place, {}), key, row.change)

    def drop(self, asset: str, partition: str | None) -> None:
        """What was made is no good any more."""
        self._state.drop(Table.MATERIALIZATION, asset, partition)
        if partition is not None:
            self._made.get(asset, {}).pop(partition, None)

    def next_change(self) -> int:
        """The number of a change that happens now."""
        return self._state.next("change")


def since(recent: Recent, change: int) -> tuple[str, ...]:
    """The keys that changed after a change, oldest first. Cost: O(those)."""
    found: list[str] = []
    for key in reversed(recent):
        if recent[key] <= change:
            break
        found.append(key)
    return tuple(reversed(found))


def _renew(recent: Recent, key: str, change: int) -> None:
    if recent.get(key) != change:
        recent.pop(key, None)
        recent[key] = change
