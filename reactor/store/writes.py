"""What a turn writes, as statements with their rows; in which order, and which must all hit.

Knows: turns, and the shapes of rows. Refuses to know: databases, connections, transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reactor.core.decision import Fate, Fired
from reactor.core.errors import StoreConflict
from reactor.core.event import Event
from reactor.core.instant import EPOCH, MICROSECOND, micros
from reactor.core.ranges import Range, count, union
from reactor.core.run import Run
from reactor.core.state import Backfill, Change, RuleState, Table
from reactor.ports import DeadLetter, Move, Turn
from reactor.store import matches as written
from reactor.store import statements
from reactor.store.encoding import headers, payload, to_text
from reactor.store.rows import SHAPES, Values, backfill_values, history_values, run_values
from reactor.store.statements import Statement


class Write(NamedTuple):
    """Rows for one statement. If `exact`, each must change a row: else another writer was first."""

    statement: Statement
    rows: Sequence[Values]
    exact: bool = False


Named = dict[int, list[Range]]
"""The events that the firings of a turn name, by run."""

_BARE = frozenset({Table.COUNTER, Table.PART})
"""The tables whose row is a bare number, which does not know its key."""

UPSERTS = {table: statements.upsert(shape.table) for table, shape in SHAPES.items()}
DELETES = {table: statements.delete(shape.table) for table, shape in SHAPES.items()}

ALL: tuple[Statement, ...] = (
    *UPSERTS.values(),
    *DELETES.values(),
    statements.MOVE_NEW,
    statements.MOVE_ON,
    statements.MOVE_OFF,
    statements.UPDATE_RUN,
    statements.UPDATE_BACKFILL,
    statements.ADD_TALLY,
    statements.ADD_EVENTS,
    statements.ADD_FIRINGS,
    statements.ADD_FATES,
    statements.ADD_VERSIONS,
    statements.ADD_CAUSES,
    statements.ADD_RUN_ASSETS,
    statements.CLEAR_RUN_ASSETS,
    statements.ADD_HISTORY,
    statements.ADD_RAISED,
    statements.PUT_DEAD,
    statements.TAKE_INBOX,
)


def writes(turn: Turn) -> list[Write]:
    """All that a turn records; positions first, so that a batch recorded before is refused early.

    Raises: StoreConflict if the turn's own moves contradict each other.
    """
    facts, at = turn.facts, micros(turn.at)
    found = [*_moves(turn.moves)]
    found.append(Write(statements.TAKE_INBOX, [(id,) for id in turn.inbox], exact=True))
    found.append(Write(statements.ADD_EVENTS, _events(facts.accepted)))
    named: Named = {}
    found.append(Write(statements.ADD_FIRINGS, [_firing(each, named) for each in facts.fired]))
    fates = [_fate(each, at) for each in facts.fates if each.events]
    found.append(Write(statements.ADD_FATES, fates))
    found.extend(_changes(facts.changes, named))
    found.append(Write(statements.ADD_VERSIONS, _versions(facts.changes, at)))
    found.append(Write(statements.PUT_DEAD, [_dead(letter) for letter in turn.dead]))
    raised = [(each.rule, each.event, each.error, at) for each in facts.raised]
    found.append(Write(statements.ADD_RAISED, raised))
    missed = [("filtered", sensor, number) for sensor, number in facts.filtered.items() if number]
    found.append(Write(statements.ADD_TALLY, missed))
    return [write for write in found if write.rows]


def _events(accepted: Iterable[tuple[int, Event]]) -> list[Values]:
    """The hot loop: most of what a turn writes, when there is much."""
    rows: list[Values] = []
    then, at = None, 0
    for seq, event in accepted:
        # The events of a batch were received at one instant.
        if event.received is not then:
            then = event.received
            at = (then - EPOCH) // MICROSECOND
        raw = event.raw
        rows.append(
            (
                seq,
                event.source,
                event.id,
                event.type,
                event.subject,
                event.key,
                (event.time - EPOCH) // MICROSECOND,
                at,
                headers(event.headers) if event.headers else None,
                payload(event) if raw is None else raw,
            )
        )
    return rows


def _firing(fired: Fired, named: Named) -> Values:
    text = written.written(fired.matches)
    spans = written.causes(text)
    low = high = fork = None
    if spans:
        low, high = min(span[0] for span in spans), max(span[1] for span in spans)
        fork = written.fork(low, high)
        if fired.run is not None:
            named.setdefault(fired.run, []).extend(spans)
    return (
        fired.id,
        fired.rule,
        fired.key,
        fired.partition,
        micros(fired.at),
        fired.run,
        text,
        low,
        high,
        fork,
        fired.timer,
        fired.observed,
    )


def _dead(letter: DeadLetter) -> Values:
    return (
        letter.sensor,
        letter.id,
        letter.subject,
        letter.error,
        micros(letter.at),
        bytes(letter.raw),
        headers(letter.headers),
        "waiting",
    )


def _fate(fate: Fate, at: int) -> Values:
    low, high = fate.events[0][0], fate.events[-1][1]
    return (
        fate.rule,
        fate.word.value,
        at,
        written.spanned(fate.events),
        low,
        high,
        written.fork(low, high),
        count(fate.events),
        fate.why,
    )


def _versions(changes: Iterable[Change], at: int) -> list[Values]:
    """The rules that begin with this turn, or start afresh."""
    rows: list[Values] = []
    for change in changes:
        if change.table is Table.RULE and change.after is not None:
            before: RuleState | None = change.before
            after: RuleState = change.after
            if before is None or before.fingerprint != after.fingerprint:
                rows.append((after.rule, after.fingerprint, after.trigger, at))
    return rows


def _moves(moves: Sequence[tuple[str, Move]]) -> Iterator[Write]:
    folded = {(sensor, move.part): move for sensor, move in moves}
    if len(folded) < len(moves):
        folded = _folded(moves)
    new: list[Values] = []
    on: list[Values] = []
    off: list[Values] = []
    for (sensor, part), move in folded.items():
        before, after = move.before, move.after
        if before is None:
            new.append((sensor, part, after or ""))
            if after is None:
                # That there is none is checked like any other position: put there, taken away.
                off.append((sensor, part, ""))
        elif after is None:
            off.append((sensor, part, before))
        else:
            on.append((after, sensor, part, before))
    yield Write(statements.MOVE_NEW, new)
    yield Write(statements.MOVE_ON, on, exact=True)
    yield Write(statements.MOVE_OFF, off, exact=True)


def _folded(moves: Iterable[tuple[str, Move]]) -> dict[tuple[str, str], Move]:
    """Several moves of one part as one, if each begins where the last one ended."""
    folded: dict[tuple[str, str], Move] = {}
    for sensor, move in moves:
        known = folded.get((sensor, move.part))
        if known is None:
            folded[sensor, move.part] = move
        elif known.after == move.before:
            folded[sensor, move.part] = Move(move.part, known.before, move.after)
        else:
            raise StoreConflict(
                f"{move.part} moves from {move.before!r} where it stands at {known.after!r}",
                where=sensor,
            )
    return folded


def _changes(changes: Iterable[Change], named: Named) -> Iterator[Write]:
    """The rows of the state: those that are different, and those that are no more."""
    upserted: dict[Table, list[Values]] = {}
    deleted: dict[Table, list[Values]] = {}
    runs: list[Change] = []
    history: list[Values] = []
    moved: list[Values] = []
    for change in changes:
        table, before, after = change.table, change.before, change.after
        if before is after or before == after:
            continue
        shape = SHAPES[table]
        if after is None:
            deleted.setdefault(table, []).append(shape.key(change.key))
        elif table is Table.RUN:
            runs.append(change)
        elif table in _BARE:
            upserted.setdefault(table, []).append((*shape.key(change.key), after))
        elif table is Table.BACKFILL and _same_partitions(before, after):
            values = backfill_values(after, "")
            moved.append((values[1], *values[3:], after.id))
        else:
            upserted.setdefault(table, []).append(shape.encode(after))
            if table is Table.MATERIALIZATION and (before is None or before.at != after.at):
                history.append(history_values(after))
    for table, rows in deleted.items():
        yield Write(DELETES[table], rows)
    if Table.RUN in deleted:
        yield Write(statements.CLEAR_RUN_ASSETS, deleted[Table.RUN])
    yield from _runs(runs, named)
    for table, rows in upserted.items():
        yield Write(UPSERTS[table], rows)
    yield Write(statements.UPDATE_BACKFILL, moved, exact=True)
    yield Write(statements.ADD_HISTORY, history)


def _same_partitions(before: Backfill | None, after: Backfill) -> bool:
    """Whether the partitions, which may be many, need not be written again."""
    if before is None:
        return False
    return before.partitions is after.partitions or before.partitions == after.partitions


def _runs(changes: Sequence[Change], named: Named) -> Iterator[Write]:
    """Runs: the works, which may be long, are written only when they are different."""
    whole: list[Values] = []
    part: list[Values] = []
    assets: list[Values] = []
    replanned: list[Values] = []
    for change in changes:
        before: Run | None = change.before
        after: Run = change.after
        if before is None or before.works != after.works:
            whole.append(run_values(after, to_text(after.works)))
            names = dict.fromkeys(work.asset for work in after.works)
            assets.extend((name, after.id) for name in names)
            if before is not None:
                replanned.append((after.id,))
        elif (values := run_values(after, "")) != run_values(before, ""):
            part.append((*values[1:4], *values[5:], after.id))
    yield Write(UPSERTS[Table.RUN], whole)
    yield Write(statements.UPDATE_RUN, part, exact=True)
    yield Write(statements.CLEAR_RUN_ASSETS, replanned)
    yield Write(statements.ADD_RUN_ASSETS, assets)
    yield Write(statements.ADD_CAUSES, _taken_over(changes, named))


def _taken_over(changes: Sequence[Change], named: Named) -> list[Values]:
    """Events that runs have from elsewhere than their own firings."""
    rows: list[Values] = []
    for change in changes:
        before: Run | None = change.before
        after: Run = change.after
        held = before.events if before is not None else ()
        if after.events == held:
            continue
        known = union(held, written.merged(named.get(after.id, ())))
        if after.events != known:
            rest = written.without(after.events, known)
            rows.extend((after.id, low, high) for low, high in rest)
    return rows
