"""What the reactor remembers: tables of immutable rows, with a journal of the turn.

Knows: rows, keys, and how to take a turn back. Refuses to know: what the rows mean.

Laws: a row is replaced, never changed; every replacement is journalled, so that the delta which
undoes a turn in memory is the very one that a store writes. A row that no decision needs any more
is *forgotten* here and stays in the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

from reactor.core.breach import Fact


class Table(StrEnum):
    """The kinds of row. In brackets: the key."""

    # An enum's own hash is written in Python, and every row is looked up by it.
    __hash__ = str.__hash__

    RUN = "run"
    """`Run` by (id,)"""
    STEP = "step"
    """`Step` by (id,)"""
    ATTEMPT = "attempt"
    """`Attempt` by (step, number)"""
    MATERIALIZATION = "materialization"
    """`Materialization` by (asset, partition)"""
    PART = "part"
    """int by (asset, partition, key): the change that was the key's last by itself"""
    HOLD = "hold"
    """`Hold` by (id,)"""
    BACKFILL = "backfill"
    """`Backfill` by (id,)"""
    NODE = "node"
    """`Node` by (rule, node, key)"""
    RULE = "rule"
    """`RuleState` by (rule,)"""
    ALERT = "alert"
    """`Alert` by (key,)"""
    PAUSE = "pause"
    """`Pause` by (kind, name)"""
    COUNTER = "counter"
    """int by (name,): the last number given out"""


Key = tuple[Any, ...]


def frozen(data: Any) -> Any:
    """JSON data as rows hold it: its lists are tuples."""
    if isinstance(data, list):
        return tuple(map(frozen, cast("list[Any]", data)))
    if isinstance(data, dict):
        return {name: frozen(value) for name, value in cast("dict[str, Any]", data).items()}
    return data


class Node(NamedTuple):
    """The state of one operator of one rule for one key, and when it next acts.

    `data` is JSON data in tuples; two whole numbers (low, high) of events are a range.
    """

    rule: str
    node: int
    key: str | None
    data: Any
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleState:
    """What is known of a rule: what its state was made under, as a fingerprint and as text."""

    rule: str
    fingerprint: str
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """An open or resolved message about one root cause.

    `waiting` are the assets that wait for it; `folded` counts repeats of the same cause.
    """

    key: str
    asset: str
    owner: str
    text: str
    opened: datetime
    resolved: datetime | None = None
    waiting: tuple[str, ...] = ()
    folded: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Something an operator stopped: kind is `rule`, `asset` or `sensor`."""

    kind: str
    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A reader of what broke: since which event it is held, and what it has not seen changed."""

    asset: str
    since: int
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Breaking changes of a table, until acknowledged, undone or read by nobody any more.

    `readers` are the assets that read what broke. `events` are the sequence numbers of the
    changes. `ended` says, once `closed`, why.
    """

    id: int
    sensor: str
    table: str
    readers: tuple[Held, ...]
    opened: datetime
    events: tuple[tuple[int, int], ...] = ()
    closed: datetime | None = None
    ended: str = ""

    @property
    def assets(self) -> tuple[str, ...]:
        """The names of the readers."""
        return tuple(reader.asset for reader in self.readers)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that broke, each once."""
        columns = (name for fact in self._broken() for name in fact.columns)
        return tuple(dict.fromkeys(columns))

    @property
    def text(self) -> str:
        """How they broke, in words."""
        return "; ".join(dict.fromkeys(fact.said for fact in self._broken()))

    def _broken(self) -> list[Fact]:
        facts = (fact for reader in self.readers for fact in reader.facts if fact.said)
        return list(dict.fromkeys(facts))


class BackfillStatus(StrEnum):
    """What a backfill is doing, or what became of it."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Backfill:
    """A range of partitions that is brought up to date as one thing, `limit` at a time.

    `next` is the place, in `partitions`, of the first that was not launched yet; `done` counts
    those that ended, `failed` names those of them that did not end well. `token` is what whoever
    asked for it called it.
    """

    id: int
    assets: tuple[str, ...]
    partitions: tuple[str, ...]
    limit: int
    downstream: bool
    status: BackfillStatus
    created: datetime
    reason: str = ""
    finished: datetime | None = None
    next: int = 0
    done: int = 0
    failed: tuple[str, ...] = ()
    token: str = ""

    @property
    def running(self) -> int:
        """How many partitions are launched and have not ended."""
        return self.next - self.done


class Change(NamedTuple):
    """One row before and after a turn; `after` is None when the row is no more."""

    table: Table
    key: Key
    before: Any
    after: Any


@dataclass(slots=True)
class State:
    """The live rows. `put` and `drop` journal; `forget` lets go of a row without deleting it."""

    rows: dict[Table, dict[Key, Any]] = field(
        default_factory=lambda: {table: {} for table in Table}
    )
    _before: dict[Table, dict[Key, Any]] = field(
        default_factory=lambda: {table: {} for table in Table}
    )
    _forgotten: dict[Table, dict[Key, Any]] = field(
        default_factory=lambda: {table: {} for table in Table}
    )

    @classmethod
    def of(cls, rows: Iterable[tuple[Table, Key, Any]]) -> State:
        """The state made of loaded rows."""
        state = cls()
        for table, key, row in rows:
            state.rows[table][key] = row
        return state

    def get(self, table: Table, *key: Any) -> Any:
        """The row, or None."""
        return self.rows[table].get(key)

    def put(self, table: Table, key: Key, row: Any) -> None:
        """Sets a row, to be written at the end of the turn."""
        rows, before = self.rows[table], self._before[table]
        if key not in before:
            before[key] = rows.get(key)
        rows[key] = row
        if self._forgotten[table]:
            self._forgotten[table].pop(key, None)

    def drop(self, table: Table, *key: Any) -> None:
        """Deletes a row, here and in the store."""
        row, before = self.rows[table].pop(key, None), self._before[table]
        if key not in before and row is not None:
            before[key] = row
        self._forgotten[table].pop(key, None)

    def forget(self, table: Table, *key: Any) -> None:
        """Lets go of a row that no decision needs any more; the store keeps its last value."""
        row = self.rows[table].pop(key, None)
        if row is not None:
            self._before[table].setdefault(key, row)
            self._forgotten[table][key] = row

    def forgotten(self, table: Table) -> list[Any]:
        """The rows that were let go of this turn, as the store keeps them."""
        return list(self._forgotten[table].values())

    def changed(self, table: Table) -> list[Any]:
        """The rows that were set this turn and are held."""
        rows = self.rows[table]
        return [rows[key] for key in self._before[table] if key in rows]

    def next(self, counter: str) -> int:
        """The next number of a counter, from 1."""
        key = (counter,)
        number = self.rows[Table.COUNTER].get(key, 0) + 1
        self.put(Table.COUNTER, key, number)
        return number

    def take(self, counter: str, count: int) -> int:
        """Reserves `count` numbers at once and answers the first of them."""
        key = (counter,)
        first = self.rows[Table.COUNTER].get(key, 0) + 1
        self.put(Table.COUNTER, key, first + count - 1)
        return first

    def end_turn(self) -> tuple[Change, ...]:
        """The changes since the last turn, by table in the order first made; the journal starts
        anew.
        """
        changes: list[Change] = []
        for table, before in self._before.items():
            if before:
                rows, forgotten = self.rows[table], self._forgotten[table]
                for key, row in before.items():
                    after = rows.get(key) if key not in forgotten else forgotten[key]
                    changes.append(Change(table, key, row, after))
                self._before[table], self._forgotten[table] = {}, {}
        return tuple(changes)

    def undo(self, changes: Iterable[Change]) -> None:
        """Puts back every row of a turn that could not be recorded."""
        for change in changes:
            if change.before is None:
                self.rows[change.table].pop(change.key, None)
            else:
                self.rows[change.table][change.key] = change.before
