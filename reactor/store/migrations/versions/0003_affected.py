"""What of an asset changed when; holds on breaking schema changes; backfills."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("run", sa.Column("forced", sa.Boolean, nullable=False, server_default="0"))
    for name in ("change", "whole"):
        op.add_column(
            "materialization", sa.Column(name, NUMBER, nullable=False, server_default="0")
        )
    # Until now the step named the data; changes are numbered on from there.
    op.execute('UPDATE materialization SET "change" = step, whole = step')
    op.execute(
        "INSERT INTO counter (name, value) SELECT 'change', value FROM counter WHERE name = 'step'"
    )
    op.create_table(
        "part",
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("partition", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("change", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("asset", "partition", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hold",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("sensor", sa.Text, nullable=False),
        sa.Column("table", sa.Text, nullable=False),
        sa.Column("readers", sa.Text, nullable=False),
        sa.Column("opened", NUMBER, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("closed", NUMBER, nullable=True),
        sa.Column("ended", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "backfill",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("assets", sa.Text, nullable=False),
        sa.Column("partitions", sa.Text, nullable=False),
        sa.Column("total", NUMBER, nullable=False),
        sa.Column("limit", NUMBER, nullable=False),
        sa.Column("downstream", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created", NUMBER, nullable=False),
        sa.Column("finished", NUMBER, nullable=True),
        sa.Column("next", NUMBER, nullable=False),
        sa.Column("done", NUMBER, nullable=False),
        sa.Column("failed", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("backfill_token", "backfill", ["token"])
