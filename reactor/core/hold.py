"""Breaking schema changes: whom they hold, whom they launch, and when a hold is over.

Knows: open holds, who reads which tables, what follows from whom. Refuses to know: steps and runs
(scheduler.py asks `why` of each asset), and how a change is judged (breach.py).

Laws. A table has at most one open hold for each sensor: further changes widen it, what is undone
narrows it, and it is over when nobody is held by it. It holds its readers and all that follows from
them; an asset with `follow=False` goes on with the last good data of what it reads. Each owner is
told once of a hold. Who is held follows from the open rows and the graph alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reactor.core import alert
from reactor.core.breach import judge, met, moves, renews, still
from reactor.core.contract import TableChanged
from reactor.core.decision import Notify
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.lineage import ALL, NOTHING, Columns, either
from reactor.core.ranges import Ranges, union
from reactor.core.reader import Readers
from reactor.core.sentence import listed
from reactor.core.state import Held, Hold, State, Table

UNDONE = "the change was undone"
UNREAD = "the pipeline no longer reads what changed"


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom one schema event reaches.

    `roots` are the assets to launch, held ones too, each with its own columns that change. `undone`
    are those that a hold let go because all is as it was, each with what had held it: what only
    these events asked of it need not be done. `what` says what changed, `why` why there are no
    roots.
    """

    roots: Mapping[str, Columns]
    what: str = ""
    why: str = ""
    undone: Mapping[str, Ranges] = field(default_factory=lambda: {})
    held: bool = False
    """Whether a hold began, changed or ended."""


class Holds:
    """The open holds; `notices` and asset `events` of the turn wait to be collected."""

    def __init__(self, graph: Graph, state: State) -> None:
        self._graph, self._state = graph, state
        self._readers = Readers(graph.assets, graph.rules.values(), graph.sensors.values())
        self._heard = graph.heard()
        self.begin()
        self.reload()

    def begin(self) -> None:
        """Starts a turn: nothing to tell."""
        self.notices: list[Notify] = []
        self.events: list[Event] = []

    def happened(self) -> list[Event]:
        """The events of assets since it was asked last."""
        events, self.events = self.events, []
        return events

    def reload(self) -> None:
        """Derives everything from the state's rows."""
        self._held: dict[str, int] = {}
        for hold in self.open:
            for name in follow(self._graph, hold):
                self._held.setdefault(name, hold.id)

    @property
    def open(self) -> list[Hold]:
        """The open holds, oldest first."""
        rows: Iterable[Hold] = self._state.rows[Table.HOLD].values()
        return sorted((row for row in rows if row.closed is None), key=lambda row: row.id)

    @property
    def held(self) -> Mapping[str, int]:
        """The assets that are held, each with the oldest hold that holds it."""
        return self._held

    def why(self, asset: str) -> str:
        """Why an asset is held, in words; empty if it is not."""
        id = self._held.get(asset)
        if id is None:
            return ""
        hold: Hold = self._state.rows[Table.HOLD][(id,)]
        return f"hold {id}: {hold.table}: {hold.text}"

    def take(self, event: Event, seq: int, now: datetime, *, observe: bool = False) -> Reach:
        """Judges one schema event for all who read its table; to `observe` holds nobody.

        Cost: O(readers of the table × its changed columns); if a hold opens, changes or ends, also
        all that is held.
        """
        changed = event.data
        if not isinstance(changed, TableChanged):
            return Reach({}, why="it does not say what changed")
        known = None if observe else self._of(event.source, changed.table)
        hold = known or Hold(0, event.source, changed.table, (), now)
        before = {reader.asset: reader for reader in hold.readers}
        happened = moves(changed)
        after: list[Held] = []
        roots: dict[str, Columns] = {}
        undone: dict[str, Ranges] = {}
        for name, lineage in self._readers.of(changed.table, event.source).items():
            held = before.get(name, Held(name, seq, ()))
            judged = judge(lineage, changed.table, happened, held.facts)
            if judged.facts:
                after.append(replace(held, facts=judged.facts))
            if judged.touched:
                roots[name] = judged.touched
            elif held.facts and not judged.facts:
                undone[name] = _since(hold.events, held.since)
        if (before or after) and not observe:
            hold = replace(hold, id=hold.id or self._state.next("hold"))
            hold = replace(hold, events=union(hold.events, ((seq, seq),)))
            self._replace(hold, after, UNDONE, now)
        why = UNDONE if undone else "no asset reads what changed"
        what = listed([str(change) for change in changed.changes])
        moved = bool(before or after) and not observe
        return Reach(roots, what, "" if roots else why, undone, moved)

    def renews(self, asset: str) -> Columns:
        """The own columns of an asset that change with what it is held by; all if it is not."""
        found: Columns = NOTHING
        lineage = self._readers.lineage(asset)
        for hold in self.open:
            for reader in hold.readers:
                if reader.asset == asset and lineage is not None:
                    found = either(found, renews(lineage, hold.table, reader.facts))
        return found or ALL

    def acknowledge(self, id: int, reason: str, now: datetime) -> None:
        """An operator lets the assets of a hold go on. A hold that is over stays so."""
        hold: Hold | None = self._state.get(Table.HOLD, id)
        if hold is not None and hold.closed is None:
            self._close(hold, reason, now)
            self._changed(now)

    def adopt(self, now: datetime) -> None:
        """Looks at every hold with the eyes of a pipeline that may have been changed.

        Who no longer reads what broke goes on; who reads it now is held.
        """
        nothing = self._state.get(Table.COUNTER, "event") or 0
        for hold in self.open:
            known = {reader.asset: reader for reader in hold.readers}
            broken = [fact for reader in hold.readers for fact in reader.facts if fact.said]
            new = Held("", nothing + 1, tuple({fact.name: fact for fact in broken}.values()))
            after: list[Held] = []
            for name, lineage in self._readers.of(hold.table, hold.sensor).items():
                held = known.get(name, replace(new, asset=name))
                look = still if name in known else met
                facts = look(lineage, hold.table, held.facts)
                if facts:
                    after.append(replace(held, facts=facts))
            if after != list(hold.readers):
                self._replace(hold, after, UNREAD, now)

    def _of(self, sensor: str, table: str) -> Hold | None:
        return next(
            (hold for hold in self.open if (hold.sensor, hold.table) == (sensor, table)), None
        )

    def _replace(self, hold: Hold, readers: list[Held], ended: str, now: datetime) -> None:
        """Gives a hold its readers, in the order of declaration; one without readers is over."""
        if not readers:
            self._close(hold, ended, now)
        else:
            hold = replace(hold, readers=tuple(readers))
            self._state.put(Table.HOLD, (hold.id,), hold)
            held = follow(self._graph, hold)
            owners = (self._graph.assets[name].owner for name in held)
            self.notices += alert.held(self._state, hold, held, owners, now)
        self._changed(now)

    def _close(self, hold: Hold, ended: str, now: datetime) -> None:
        closed = replace(hold, closed=now, ended=ended)
        self._state.put(Table.HOLD, (hold.id,), closed)
        self._state.forget(Table.HOLD, hold.id)
        self.notices += alert.released(self._state, closed, now)

    def _changed(self, now: datetime) -> None:
        before = self._held
        self.reload()
        self.events += self._told((name for name in self._held if name not in before), now)

    def _told(self, names: Iterable[str], now: datetime) -> Iterator[Event]:
        """The events of assets that are held from now on, for those who listen to them."""
        for name in names:
            if name in self._heard:
                id = self._held[name]
                about = {"asset": name, "hold": id, "because": self.why(name)}
                number = f"hold {id}/{now.isoformat()}"
                yield Event(number, f"asset:{name}", "held", name, now, now, about)


def follow(graph: Graph, hold: Hold) -> tuple[str, ...]:
    """The assets that a hold holds: its readers, and all that follows from them."""
    return graph.affected(name for name in hold.assets if name in graph.assets)


def _since(events: Ranges, first: int) -> Ranges:
    """The events from `first` on."""
    return tuple((max(low, first), high) for low, high in events if high >= first)
