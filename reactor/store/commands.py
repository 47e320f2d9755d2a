"""What is written beside the turns: requests from outside, logs, operators' commands."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from reactor.core.instant import instant, micros
from reactor.ports import DeadLetter, LogLine
from reactor.store import schema
from reactor.store.encoding import from_headers, to_text

LINE_BYTES = 16 << 10
"""What is kept of one line of output."""
LOG_BYTES = 1 << 20
"""What is kept of the output of one attempt."""
CUT = f"(what follows the first {LOG_BYTES >> 10} KiB is not kept)"
_ATTEMPTS = 1_000


class Logs:
    """Keeps lines of output, up to `LOG_BYTES` an attempt, and says where it stopped.

    Remembers the last number and the size of the attempts that wrote lately; the rest it looks up.
    """

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[int, int], tuple[int, int]] = OrderedDict()

    def append(self, connection: sa.Connection, lines: Sequence[LogLine]) -> None:
        """Writes lines in their order. A failed transaction must forget: see `forget`."""
        rows: list[Mapping[str, Any]] = []
        for line in lines:
            place = (line.step, line.attempt)
            seq, size = self._written.get(place) or self._stored(connection, place)
            if size > LOG_BYTES:
                continue
            text = _cut(line.text)
            stream, size = line.stream, size + len(text) + 1
            if size > LOG_BYTES:
                stream, text = "log", CUT
            seq += 1
            row = {"step": line.step, "attempt": line.attempt, "seq": seq}
            rows.append({**row, "at": micros(line.at), "stream": stream, "text": text})
            self._written[place] = (seq, size)
            self._written.move_to_end(place)
        while len(self._written) > _ATTEMPTS:
            self._written.popitem(last=False)
        if rows:
            connection.execute(sa.insert(schema.log_line), rows)

    def forget(self) -> None:
        """Looks everything up anew: the last lines were not kept after all."""
        self._written.clear()

    def _stored(self, connection: sa.Connection, place: tuple[int, int]) -> tuple[int, int]:
        line = schema.log_line.c
        total = sa.func.coalesce(sa.func.sum(sa.func.length(line.text) + 1), 0)
        last = sa.func.coalesce(sa.func.max(line.seq), 0)
        cut = sa.func.coalesce(sa.func.max(sa.case((line.text == CUT, LOG_BYTES + 1))), 0)
        query = sa.select(last, total, cut)
        seq, size, over = connection.execute(
            query.where(line.step == place[0], line.attempt == place[1])
        ).one()
        return seq, max(size, over)


def _cut(text: str) -> str:
    clean = text.encode(errors="backslashreplace")
    if len(clean) <= LINE_BYTES:
        return clean.decode()
    return f"{clean[:LINE_BYTES].decode(errors='ignore')} (cut off at {LINE_BYTES >> 10} KiB)"


def put_inbox(
    connection: sa.Connection, sender: str, delivery: str, body: bytes, at: datetime
) -> int | None:
    """Adds a request; None if the same delivery is there."""
    held = schema.inbox.c
    known = sa.select(held.id).where(held.sender == sender, held.delivery == delivery)
    if connection.execute(known).first():
        return None
    values = {"sender": sender, "delivery": delivery, "body": body, "at": micros(at)}
    key = connection.execute(sa.insert(schema.inbox).values(values)).inserted_primary_key
    return None if key is None else key[0]


def read_inbox(connection: sa.Connection, limit: int) -> list[dict[str, Any]]:
    """The oldest requests: id, sender, delivery, body, at."""
    query = sa.select(schema.inbox).order_by(schema.inbox.c.id).limit(limit)
    rows = connection.execute(query).mappings()
    return [{**row, "at": instant(row["at"])} for row in rows]


def audit(
    connection: sa.Connection, at: datetime, actor: str, action: str, target: str, detail: Any
) -> None:
    values = {"at": micros(at), "actor": actor, "action": action, "target": target}
    connection.execute(sa.insert(schema.audit).values(**values, detail=to_text(detail)))


def addresses(connection: sa.Connection, pipeline: str) -> dict[tuple[str, str], str]:
    held = schema.sensor_address.c
    query = sa.select(held.kind, held.name, held.address).where(held.pipeline == pipeline)
    rows = connection.execute(query.order_by(held.kind, held.name))
    return {(kind, name): address for kind, name, address in rows}


def set_address(
    connection: sa.Connection, pipeline: str, kind: str, name: str, address: str
) -> None:
    key = {"pipeline": pipeline, "kind": kind, "name": name}
    known = [schema.sensor_address.c[name] == value for name, value in key.items()]
    connection.execute(sa.delete(schema.sensor_address).where(*known))
    connection.execute(sa.insert(schema.sensor_address).values(**key, address=address))


def take_dead(connection: sa.Connection, seqs: Sequence[int]) -> list[DeadLetter]:
    """The waiting ones among these, in order; they are taken now."""
    held = schema.dead_letter.c
    waiting = (held.seq.in_(list(seqs)), held.status == "waiting")
    query = sa.select(schema.dead_letter).where(*waiting).order_by(held.seq)
    rows = connection.execute(query).all()
    connection.execute(sa.update(schema.dead_letter).where(*waiting).values(status="taken"))
    return [
        DeadLetter(
            row.id,
            row.sensor,
            row.subject,
            row.error,
            instant(row.at),
            row.raw,
            from_headers(row.headers),
        )
        for row in rows
    ]


def settle_dead(connection: sa.Connection, seqs: Sequence[int]) -> None:
    """Taken ones are replayed."""
    held = schema.dead_letter.c
    taken = (held.seq.in_(list(seqs)), held.status == "taken")
    connection.execute(sa.update(schema.dead_letter).where(*taken).values(status="replayed"))


def untake_dead(connection: sa.Connection) -> None:
    """The process that had taken them is no more: they wait again."""
    taken = schema.dead_letter.c.status == "taken"
    connection.execute(sa.update(schema.dead_letter).where(taken).values(status="waiting"))


def drop_dead(connection: sa.Connection, seqs: Sequence[int]) -> int:
    """Gives waiting ones up; their identity stays, so that they do not come in again."""
    held = schema.dead_letter.c
    waiting = (held.seq.in_(list(seqs)), held.status == "waiting")
    update = sa.update(schema.dead_letter).where(*waiting).values(status="dropped", raw=b"")
    return connection.execute(update).rowcount


def next_epoch(connection: sa.Connection) -> str:
    """Marks the store as ours: whoever wrote before can see that they no longer may."""
    held = schema.meta.c
    ours = held.name == "epoch"
    last = connection.execute(sa.select(held.value).where(ours)).scalar()
    epoch = str(int(last or 0) + 1)
    connection.execute(sa.delete(schema.meta).where(ours))
    connection.execute(sa.insert(schema.meta).values(name="epoch", value=epoch))
    return epoch
