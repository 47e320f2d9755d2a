"""What became of events: the firings and fates that name them, and the runs they caused.

Knows: which rows name an event. Refuses to know: what they mean for it (core/why.py).

Law: many events take about as many queries as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from reactor.core.instant import micros
from reactor.store import matches, schema
from reactor.store.loading import CHUNK
from reactor.store.showing import Row, rows, show

FIRING = ("id", "rule", "key", "partition", "at", "run", "timer", "observed")
FATE = ("rule", "word", "at", "why")
RUN = ("id", "rule", "status")


def aftermath(connection: sa.Connection, seqs: Iterable[int]) -> dict[int, Row]:
    """What became of each event: its `firings`, `fates` and `runs`, oldest first.

    Cost: O(log(newest)) looks into an index for each event, and what is found.
    """
    wanted = sorted(set(seqs))
    found: dict[int, Row] = {seq: {"firings": [], "fates": [], "runs": []} for seq in wanted}
    caused: dict[int, set[int]] = {seq: set() for seq in wanted}
    for row, ours in naming(connection, schema.firing, "matches", FIRING, wanted):
        for seq in ours:
            found[seq]["firings"].append(row)
            if row["run"] is not None:
                caused[seq].add(row["run"])
    for row, ours in naming(connection, schema.fate, "events", FATE, wanted):
        for seq in ours:
            found[seq]["fates"].append(row)
    for seq, run in _taken_over(connection, wanted):
        caused[seq].add(run)
    runs = run_briefs(connection, {run for some in caused.values() for run in some})
    for seq, ids in caused.items():
        found[seq]["runs"] = [runs[id] for id in sorted(ids) if id in runs]
    return found


def naming(
    connection: sa.Connection,
    table: sa.Table,
    text: str,
    columns: Sequence[str],
    wanted: Sequence[int],
) -> Iterator[tuple[Row, set[int]]]:
    """The rows of a table whose `text` names any of some sorted events, each with those it names,
    in the order of their ids.
    """
    if not wanted:
        return
    forks = sorted({fork for seq in wanted for fork in matches.forks(seq)})
    within = sa.and_(table.c.low <= wanted[-1], table.c.high >= wanted[0])
    shown = [table.c[name] for name in columns]
    found: list[tuple[int, Row, set[int]]] = []
    for start in range(0, len(forks), CHUNK):
        some = table.c.fork.in_(forks[start : start + CHUNK])
        query = sa.select(table.c.id.label("_id"), table.c[text].label("_text"), *shown)
        for values in connection.execute(query.where(some, within)).mappings():
            ours = matches.among(values["_text"], wanted)
            if ours:
                row = show(values)
                found.append((row.pop("_id"), row, ours))
                del row["_text"]
    for _, row, ours in sorted(found, key=lambda each: each[0]):
        yield row, ours


def _taken_over(connection: sa.Connection, wanted: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The runs that took events over from others, by event."""
    if not wanted:
        return
    cause = schema.cause.c
    query = sa.select(cause.run, cause.low, cause.high)
    query = query.where(cause.low <= wanted[-1], cause.high >= wanted[0])
    for run, low, high in connection.execute(query):
        yield from ((seq, run) for seq in wanted if low <= seq <= high)


def run_briefs(connection: sa.Connection, ids: Iterable[int]) -> dict[int, Row]:
    """Runs by their numbers: whose they are, and how they are."""
    ordered, run = sorted(set(ids)), schema.run.c
    found: dict[int, Row] = {}
    for start in range(0, len(ordered), CHUNK):
        query = sa.select(*(run[name] for name in RUN))
        for row in rows(connection, query.where(run.id.in_(ordered[start : start + CHUNK]))):
            found[row["id"]] = row
    return found


def fate_counts(connection: sa.Connection, since: datetime) -> list[Row]:
    """How many events met each fate since an instant, by rule and word, most first."""
    fate = schema.fate.c
    number = sa.func.sum(fate.count).label("count")
    query = sa.select(fate.rule, fate.word, number).where(fate.at >= micros(since))
    query = query.group_by(fate.rule, fate.word).order_by(number.desc(), fate.rule, fate.word)
    return rows(connection, query)
