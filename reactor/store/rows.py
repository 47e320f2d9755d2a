"""The rows of `State` as rows of tables: one shape a kind, written and read.

Knows: which field stands in which column. Refuses to know: SQL, connections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from reactor.core.breach import Fact
from reactor.core.instant import instant, micros
from reactor.core.ranges import Ranges
from reactor.core.run import (
    Attempt,
    Materialization,
    Run,
    RunStatus,
    Step,
    StepStatus,
    Work,
)
from reactor.core.state import (
    Alert,
    Backfill,
    BackfillStatus,
    Held,
    Hold,
    Key,
    Node,
    Pause,
    RuleState,
    Table,
    frozen,
)
from reactor.store import schema
from reactor.store.encoding import from_text, keyed, maybe_instant, maybe_micros, to_text, unkeyed

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of row. `encode` gives the values in the order of the table's columns, `key` those
    of its primary key from a `State` key, and `decode` the key and the row from the values.
    """

    table: sa.Table
    encode: Callable[[Any], Values]
    key: Callable[[Key], Values]
    decode: Callable[[Sequence[Any]], tuple[Key, Any]]


def _same(key: Key) -> Values:
    return key


def _step(row: Step) -> Values:
    return (
        row.id,
        row.asset,
        row.partition,
        row.status.value,
        row.order,
        to_text(row.runs),
        micros(row.created),
        row.root,
        row.attempt,
        row.tries,
        row.lost,
        row.run_key,
        maybe_micros(row.due),
        maybe_micros(row.deadline),
        maybe_micros(row.started),
        maybe_micros(row.finished),
        row.stopping,
        row.note,
        to_text(row.inputs) if row.inputs else "[]",
    )


def to_step(values: Sequence[Any]) -> Step:
    """The step that a row of its table is."""
    (id, asset, partition, status, order, runs, created, root, attempt, tries, lost) = values[:11]
    (run_key, due, deadline, started, finished, stopping, note, inputs) = values[11:]
    return Step(
        id,
        asset,
        partition,
        StepStatus(status),
        order,
        tuple(from_text(runs)),
        instant(created),
        bool(root),
        attempt,
        tries,
        lost,
        run_key,
        maybe_instant(due),
        maybe_instant(deadline),
        maybe_instant(started),
        maybe_instant(finished),
        stopping,
        note,
        _inputs(inputs),
    )


def _inputs(text: str) -> tuple[tuple[str, str | None, int], ...]:
    return tuple((asset, partition, step) for asset, partition, step in from_text(text))


def _run(row: Run) -> Values:
    return run_values(row, to_text(row.works))


def run_values(row: Run, works: str) -> Values:
    """The columns of a run, with its works as given."""
    return (
        row.id,
        row.rule,
        row.status.value,
        micros(row.created),
        works,
        row.partition,
        row.key,
        row.priority,
        maybe_micros(row.finished),
        row.because,
        row.fingerprint,
        row.forced,
    )


def to_run(values: Sequence[Any], events: Ranges) -> Run:
    """The run that a row of its table is, with the events that its firings name."""
    (id, rule, status, created, works, partition, key, priority, finished) = values[:9]
    (because, mark, forced) = values[9:]
    return Run(
        id,
        rule,
        RunStatus(status),
        instant(created),
        to_works(works),
        partition,
        key,
        priority,
        maybe_instant(finished),
        because,
        mark,
        events,
        bool(forced),
    )


def to_works(text: str) -> tuple[Work, ...]:
    """The works of a run, from JSON."""
    return tuple(
        Work(
            work["asset"],
            work["partition"],
            work["step"],
            tuple(work["upstream"]),
            work["because"],
            work["root"],
            tuple(work.get("later", ())),
        )
        for work in from_text(text)
    )


def _decode_step(values: Sequence[Any]) -> tuple[Key, Any]:
    return (values[0],), to_step(values)


def _decode_run(values: Sequence[Any]) -> tuple[Key, Any]:
    return (values[0],), to_run(values, ())


def _attempt(row: Attempt) -> Values:
    finished = maybe_micros(row.finished)
    return (row.step, row.number, micros(row.started), finished, row.outcome, row.error)


def _decode_attempt(values: Sequence[Any]) -> tuple[Key, Any]:
    step, number, started, finished, outcome, error = values
    row = Attempt(step, number, instant(started), maybe_instant(finished), outcome, error)
    return (step, number), row


def _materialization(row: Materialization) -> Values:
    return (
        row.asset,
        keyed(row.partition),
        row.step,
        micros(row.at),
        to_text(row.handle),
        row.version,
        None if row.metadata is None else to_text(row.metadata),
        to_text(row.inputs),
        row.change,
        row.whole,
    )


def history_values(row: Materialization) -> Values:
    """The same as a row of the history."""
    asset, _, *rest = _materialization(row)
    return (asset, row.partition, *rest[:-3])


def _decode_materialization(values: Sequence[Any]) -> tuple[Key, Any]:
    asset, partition, step, at, handle, version, metadata, inputs, change, whole = values
    row = Materialization(
        asset,
        unkeyed(partition),
        step,
        instant(at),
        from_text(handle),
        version,
        None if metadata is None else from_text(metadata),
        _inputs(inputs),
        change,
        whole,
    )
    return (asset, row.partition), row


def _part_key(key: Key) -> Values:
    asset, partition, name = key
    return (asset, keyed(partition), name)


def _decode_part(values: Sequence[Any]) -> tuple[Key, Any]:
    asset, partition, name, change = values
    return (asset, unkeyed(partition), name), change


def _hold(row: Hold) -> Values:
    readers = [
        [
            reader.asset,
            reader.since,
            [[fact.name, fact.was, fact.number, fact.columns, fact.said] for fact in reader.facts],
        ]
        for reader in row.readers
    ]
    return (
        row.id,
        row.sensor,
        row.table,
        to_text(readers),
        micros(row.opened),
        to_text(row.events),
        maybe_micros(row.closed),
        row.ended,
    )


def to_hold(values: Sequence[Any]) -> Hold:
    """The hold that a row of its table is."""
    id, sensor, table, readers, opened, events, closed, ended = values
    held = tuple(
        Held(asset, since, tuple(map(_fact, facts))) for asset, since, facts in from_text(readers)
    )
    ranges = tuple((low, high) for low, high in from_text(events))
    return Hold(id, sensor, table, held, instant(opened), ranges, maybe_instant(closed), ended)


def _fact(values: Sequence[Any]) -> Fact:
    name, was, number, columns, said = values
    return Fact(name, was, number, tuple(columns), said)


def _decode_hold(values: Sequence[Any]) -> tuple[Key, Any]:
    row = to_hold(values)
    return (row.id,), row


def backfill_values(row: Backfill, partitions: str) -> Values:
    """The values of a backfill, whose partitions are given as text."""
    return (
        row.id,
        to_text(row.assets),
        partitions,
        len(row.partitions),
        row.limit,
        row.downstream,
        row.status.value,
        row.reason,
        micros(row.created),
        maybe_micros(row.finished),
        row.next,
        row.done,
        to_text(row.failed),
        row.token,
    )


def _decode_backfill(values: Sequence[Any]) -> tuple[Key, Any]:
    id, assets, partitions, _, limit, downstream, status, reason, created = values[:9]
    finished, following, done, failed, token = values[9:]
    row = Backfill(
        id,
        tuple(from_text(assets)),
        tuple(from_text(partitions)),
        limit,
        bool(downstream),
        BackfillStatus(status),
        instant(created),
        reason,
        maybe_instant(finished),
        following,
        done,
        tuple(from_text(failed)),
        token,
    )
    return (id,), row


def _node(row: Node) -> Values:
    return (row.rule, row.node, keyed(row.key), to_text(row.data), maybe_micros(row.due))


def _node_key(key: Key) -> Values:
    rule, node, name = key
    return (rule, node, keyed(name))


def _decode_node(values: Sequence[Any]) -> tuple[Key, Any]:
    rule, node, name, data, due = values
    row = Node(rule, node, unkeyed(name), frozen(from_text(data)), maybe_instant(due))
    return (rule, node, row.key), row


def _rule(row: RuleState) -> Values:
    return (row.rule, row.fingerprint, row.trigger)


def _decode_rule(values: Sequence[Any]) -> tuple[Key, Any]:
    rule, fingerprint, trigger = values
    return (rule,), RuleState(rule, fingerprint, trigger)


def _alert(row: Alert) -> Values:
    return (
        row.key,
        row.asset,
        row.owner,
        row.text,
        micros(row.opened),
        maybe_micros(row.resolved),
        to_text(row.waiting),
        row.folded,
    )


def _decode_alert(values: Sequence[Any]) -> tuple[Key, Any]:
    key, asset, owner, text, opened, resolved, waiting, folded = values
    row = Alert(
        key,
        asset,
        owner,
        text,
        instant(opened),
        maybe_instant(resolved),
        tuple(from_text(waiting)),
        folded,
    )
    return (key,), row


def _pause(row: Pause) -> Values:
    return (row.kind, row.name, micros(row.since))


def _decode_pause(values: Sequence[Any]) -> tuple[Key, Any]:
    kind, name, since = values
    return (kind, name), Pause(kind, name, instant(since))


def _decode_counter(values: Sequence[Any]) -> tuple[Key, Any]:
    name, value = values
    return (name,), value


def _partition_key(key: Key) -> Values:
    asset, partition = key
    return (asset, keyed(partition))


SHAPES: Mapping[Table, Shape] = {
    Table.RUN: Shape(schema.run, _run, _same, _decode_run),
    Table.STEP: Shape(schema.step, _step, _same, _decode_step),
    Table.ATTEMPT: Shape(schema.attempt, _attempt, _same, _decode_attempt),
    Table.MATERIALIZATION: Shape(
        schema.materialization, _materialization, _partition_key, _decode_materialization
    ),
    # A bare number does not know its key: writes.py adds it.
    Table.PART: Shape(schema.part, lambda row: (row,), _part_key, _decode_part),
    Table.HOLD: Shape(schema.hold, _hold, _same, _decode_hold),
    Table.BACKFILL: Shape(
        schema.backfill,
        lambda row: backfill_values(row, to_text(row.partitions)),
        _same,
        _decode_backfill,
    ),
    Table.NODE: Shape(schema.node, _node, _node_key, _decode_node),
    Table.RULE: Shape(schema.rule, _rule, _same, _decode_rule),
    Table.ALERT: Shape(schema.alert, _alert, _same, _decode_alert),
    Table.PAUSE: Shape(schema.pause, _pause, _same, _decode_pause),
    # A bare number does not know its name: writes.py adds it.
    Table.COUNTER: Shape(schema.counter, lambda row: (row,), _same, _decode_counter),
}
