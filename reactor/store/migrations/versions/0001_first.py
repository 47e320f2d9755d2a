"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("opened", NUMBER, nullable=False),
        sa.Column("resolved", NUMBER, nullable=True),
        sa.Column("waiting", sa.Text, nullable=False),
        sa.Column("folded", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "attempt",
        sa.Column("step", NUMBER, autoincrement=False, nullable=False),
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("started", NUMBER, nullable=False),
        sa.Column("finished", NUMBER, nullable=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("step", "number"),
    )
    op.create_index("attempt_finished", "attempt", ["finished"])
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "cause",
        sa.Column("run", NUMBER, autoincrement=False, nullable=False),
        sa.Column("low", NUMBER, autoincrement=False, nullable=False),
        sa.Column("high", NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("run", "low", "high"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "dead_letter",
        sa.Column("seq", NUMBER, autoincrement=True, nullable=False),
        sa.Column("sensor", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.Text, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("sensor", "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("dead_letter_status", "dead_letter", ["status", "seq"])
    op.create_table(
        "event",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=True),
        sa.Column("time", NUMBER, nullable=False),
        sa.Column("received", NUMBER, nullable=False),
        sa.Column("headers", sa.Text, nullable=True),
        sa.Column("data", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("source", "id"),
    )
    op.create_index("event_source", "event", ["source", "seq"])
    op.create_table(
        "firing",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=True),
        sa.Column("partition", sa.Text, nullable=True),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("run", NUMBER, nullable=True),
        sa.Column("matches", sa.Text, nullable=False),
        sa.Column("low", NUMBER, nullable=True),
        sa.Column("high", NUMBER, nullable=True),
        sa.Column("fork", NUMBER, nullable=True),
        sa.Column("timer", sa.Boolean, nullable=False),
        sa.Column("observed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("firing_fork", "firing", ["fork"])
    op.create_index("firing_run", "firing", ["run"])
    op.create_table(
        "inbox",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("delivery", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sender", "delivery"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "log_line",
        sa.Column("step", NUMBER, autoincrement=False, nullable=False),
        sa.Column("attempt", NUMBER, autoincrement=False, nullable=False),
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("step", "attempt", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "materialization",
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("partition", sa.Text, nullable=False),
        sa.Column("step", NUMBER, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("handle", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=True),
        sa.Column("metadata", sa.Text, nullable=True),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("asset", "partition"),
    )
    op.create_index("materialization_at", "materialization", ["asset", "at"])
    op.create_table(
        "materialization_history",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("partition", sa.Text, nullable=True),
        sa.Column("step", NUMBER, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("handle", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=True),
        sa.Column("metadata", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("materialization_history_asset", "materialization_history", ["asset", "id"])
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "node",
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("node", NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("due", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("rule", "node", "key"),
    )
    op.create_table(
        "pause",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("since", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name"),
    )
    op.create_table(
        "position",
        sa.Column("sensor", sa.Text, nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sensor", "part"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "raised",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rule",
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("watermark", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("rule"),
    )
    op.create_table(
        "run",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created", NUMBER, nullable=False),
        sa.Column("works", sa.Text, nullable=False),
        sa.Column("partition", sa.Text, nullable=True),
        sa.Column("key", sa.Text, nullable=True),
        sa.Column("priority", NUMBER, nullable=False),
        sa.Column("finished", NUMBER, nullable=True),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("run_finished", "run", ["finished"])
    op.create_index("run_rule", "run", ["rule", "id"])
    op.create_index("run_status", "run", ["status", "id"])
    op.create_table(
        "run_asset",
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("run", NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("asset", "run"),
        sqlite_with_rowid=False,
    )
    op.create_index("run_asset_run", "run_asset", ["run"])
    op.create_table(
        "sensor_address",
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("pipeline", "kind", "name"),
    )
    op.create_table(
        "step",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("partition", sa.Text, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("order", NUMBER, nullable=False),
        sa.Column("runs", sa.Text, nullable=False),
        sa.Column("created", NUMBER, nullable=False),
        sa.Column("root", sa.Boolean, nullable=False),
        sa.Column("attempt", NUMBER, nullable=False),
        sa.Column("tries", NUMBER, nullable=False),
        sa.Column("lost", NUMBER, nullable=False),
        sa.Column("run_key", sa.Text, nullable=False),
        sa.Column("due", NUMBER, nullable=True),
        sa.Column("deadline", NUMBER, nullable=True),
        sa.Column("started", NUMBER, nullable=True),
        sa.Column("finished", NUMBER, nullable=True),
        sa.Column("stopping", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("step_asset", "step", ["asset", "id"])
    op.create_index("step_finished", "step", ["finished", "id"])
    op.create_table(
        "tally",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("count", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name"),
    )
