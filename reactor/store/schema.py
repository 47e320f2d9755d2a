"""The tables: one schema for every database, named as the code names things.

Laws: instants are whole microseconds since 1970, UTC; what is JSON is text; a payload is kept as
the bytes that came. `partition` and `key` columns that take part in a primary key cannot be null:
rows.py says how None is written there. What refers to what is kept whole by the one writer, so
there are no foreign keys to pay for.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# SQLite makes only an INTEGER primary key the row's own number.
Number = BigInteger().with_variant(Integer(), "sqlite")


def _number(name: str, **options: Any) -> Column[Any]:
    return Column(name, Number, nullable=options.pop("nullable", False), **options)


def _id(name: str = "id", *, given: bool = True) -> Column[Any]:
    """A primary key; `given` by us, else by the database."""
    return Column(name, Number, primary_key=True, autoincrement=not given)


def _text(name: str, **options: Any) -> Column[Any]:
    return Column(name, Text, nullable=options.pop("nullable", False), **options)


def _key(name: str) -> Column[Any]:
    return Column(name, Text, primary_key=True)


def _instant(name: str, **options: Any) -> Column[Any]:
    return _number(name, **options)


event = Table(
    "event",
    metadata,
    _id("seq"),
    _text("source"),
    _text("id"),
    _text("type"),
    _text("subject"),
    _text("key", nullable=True),
    _instant("time"),
    _instant("received"),
    _text("headers", nullable=True),
    Column("data", LargeBinary),
    UniqueConstraint("source", "id"),
    Index("event_source", "source", "seq"),
)
"""Accepted events. `headers` is JSON, null when there are none; `data` is `Event.raw`."""

firing = Table(
    "firing",
    metadata,
    _id(),
    _text("rule"),
    _text("key", nullable=True),
    _text("partition", nullable=True),
    _instant("at"),
    _number("run", nullable=True),
    _text("matches"),
    _number("low", nullable=True),
    _number("high", nullable=True),
    _number("fork", nullable=True),
    Column("timer", Boolean, nullable=False),
    Column("observed", Boolean, nullable=False),
    Index("firing_run", "run"),
    Index("firing_fork", "fork"),
    Index("firing_rule", "rule", "id"),
)
"""Why a run was launched. matches.py says how `matches` is written, and what `fork` finds."""

fate = Table(
    "fate",
    metadata,
    _id(given=False),
    _text("rule"),
    _text("word"),
    _instant("at"),
    _text("events"),
    _number("low"),
    _number("high"),
    _number("fork"),
    _number("count"),
    _text("why"),
    Index("fate_fork", "fork"),
    Index("fate_at", "at", "id"),
)
"""What became of `count` events that a rule let in and will not fire for. `events` are ranges in
the grammar of matches.py.
"""

cause = Table(
    "cause",
    metadata,
    Column("run", Number, primary_key=True, autoincrement=False),
    Column("low", Number, primary_key=True, autoincrement=False),
    Column("high", Number, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Events of a run that its own firings do not name: it took them over from a run it replaced."""

run = Table(
    "run",
    metadata,
    _id(),
    _text("rule"),
    _text("status"),
    _instant("created"),
    _text("works"),
    _text("partition", nullable=True),
    _text("key", nullable=True),
    _number("priority"),
    _instant("finished", nullable=True),
    _text("because"),
    _text("fingerprint"),
    Column("forced", Boolean, nullable=False, server_default="0"),
    Index("run_finished", "finished"),
    Index("run_status", "status", "id"),
    Index("run_rule", "rule", "id"),
)

run_asset = Table(
    "run_asset",
    metadata,
    _key("asset"),
    Column("run", Number, primary_key=True, autoincrement=False),
    Index("run_asset_run", "run"),
    sqlite_with_rowid=False,
)
"""Which assets a run's `works` name, so that the runs of an asset are found."""

step = Table(
    "step",
    metadata,
    _id(),
    _text("asset"),
    _text("partition", nullable=True),
    _text("status"),
    _number("order"),
    _text("runs"),
    _instant("created"),
    Column("root", Boolean, nullable=False),
    _number("attempt"),
    _number("tries"),
    _number("lost"),
    _text("run_key"),
    _instant("due", nullable=True),
    _instant("deadline", nullable=True),
    _instant("started", nullable=True),
    _instant("finished", nullable=True),
    _text("stopping"),
    _text("note"),
    _text("inputs"),
    Index("step_asset", "asset", "id"),
    Index("step_finished", "finished", "id"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("step", Number, primary_key=True, autoincrement=False),
    Column("number", Number, primary_key=True, autoincrement=False),
    _instant("started"),
    _instant("finished", nullable=True),
    _text("outcome"),
    _text("error"),
    Index("attempt_finished", "finished"),
)

materialization = Table(
    "materialization",
    metadata,
    _key("asset"),
    _key("partition"),
    _number("step"),
    _instant("at"),
    _text("handle"),
    _text("version", nullable=True),
    _text("metadata", nullable=True),
    _text("inputs"),
    _number("change", server_default="0"),
    _number("whole", server_default="0"),
    Index("materialization_at", "asset", "at"),
)
"""The current one of each asset partition."""

part = Table(
    "part",
    metadata,
    _key("asset"),
    _key("partition"),
    _key("key"),
    _number("change"),
    sqlite_with_rowid=False,
)
"""When a key of an asset partition changed last, by itself."""

hold = Table(
    "hold",
    metadata,
    _id(),
    _text("sensor"),
    _text("table"),
    _text("readers"),
    _instant("opened"),
    _text("events"),
    _instant("closed", nullable=True),
    _text("ended"),
)
"""Breaking changes of a table, and who waits for them to be acknowledged or undone."""

backfill = Table(
    "backfill",
    metadata,
    _id(),
    _text("assets"),
    _text("partitions"),
    _number("total"),
    _number("limit"),
    Column("downstream", Boolean, nullable=False),
    _text("status"),
    _text("reason"),
    _instant("created"),
    _instant("finished", nullable=True),
    _number("next"),
    _number("done"),
    _text("failed"),
    _text("token"),
    Index("backfill_token", "token"),
)
"""A range of partitions that is brought up to date as one thing, a few at a time."""

materialization_history = Table(
    "materialization_history",
    metadata,
    _id(given=False),
    _text("asset"),
    _text("partition", nullable=True),
    _number("step"),
    _instant("at"),
    _text("handle"),
    _text("version", nullable=True),
    _text("metadata", nullable=True),
    Index("materialization_history_asset", "asset", "id"),
)

node = Table(
    "node",
    metadata,
    _key("rule"),
    Column("node", Number, primary_key=True, autoincrement=False),
    _key("key"),
    _text("data"),
    _instant("due", nullable=True),
)

rule = Table(
    "rule",
    metadata,
    _key("rule"),
    _text("fingerprint"),
    _text("trigger", server_default=""),
)

rule_version = Table(
    "rule_version",
    metadata,
    _id(given=False),
    _text("rule"),
    _text("fingerprint"),
    _text("trigger"),
    _instant("at"),
    Index("rule_version_rule", "rule", "id"),
)
"""Since when a rule reads as it does: a row for each time that it started afresh."""

alert = Table(
    "alert",
    metadata,
    _key("key"),
    _text("asset"),
    _text("owner"),
    _text("text"),
    _instant("opened"),
    _instant("resolved", nullable=True),
    _text("waiting"),
    _number("folded"),
)

pause = Table("pause", metadata, _key("kind"), _key("name"), _instant("since"))

counter = Table("counter", metadata, _key("name"), _number("value"))

position = Table(
    "position",
    metadata,
    _key("sensor"),
    _key("part"),
    _text("value"),
    sqlite_with_rowid=False,
)
"""How far a sensor (`kind/name`) was read, part by part."""

sensor_address = Table(
    "sensor_address",
    metadata,
    _key("pipeline"),
    _key("kind"),
    _key("name"),
    _text("address"),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    _id("seq", given=False),
    _text("sensor"),
    _text("id"),
    _text("subject"),
    _text("error"),
    _instant("at"),
    Column("raw", LargeBinary, nullable=False),
    _text("headers", nullable=True),
    _text("status"),
    UniqueConstraint("sensor", "id"),
    Index("dead_letter_status", "status", "seq"),
    sqlite_autoincrement=True,
)
"""`status` is waiting, taken (for a replay under way), replayed or dropped."""

raised = Table(
    "raised",
    metadata,
    _id(given=False),
    _text("rule"),
    _text("event"),
    _text("error"),
    _instant("at"),
    Index("raised_event", "event"),
)

tally = Table("tally", metadata, _key("kind"), _key("name"), _number("count"))
"""How many events ended without a row: `kind` is filtered, by the name of the sensor."""

log_line = Table(
    "log_line",
    metadata,
    Column("step", Number, primary_key=True, autoincrement=False),
    Column("attempt", Number, primary_key=True, autoincrement=False),
    Column("seq", Number, primary_key=True, autoincrement=False),
    _instant("at"),
    _text("stream"),
    _text("text"),
    sqlite_with_rowid=False,
)

inbox = Table(
    "inbox",
    metadata,
    _id(given=False),
    _text("sender"),
    _text("delivery"),
    Column("body", LargeBinary, nullable=False),
    _instant("at"),
    UniqueConstraint("sender", "delivery"),
    # The number of a request that was handled is never given out again.
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    _id(given=False),
    _instant("at"),
    _text("actor"),
    _text("action"),
    _text("target"),
    _text("detail"),
)

meta = Table("meta", metadata, _key("name"), _text("value"))
