"""What became of events, and since when a rule reads as it does; watermarks are not kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "fate",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("word", sa.Text, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("low", NUMBER, nullable=False),
        sa.Column("high", NUMBER, nullable=False),
        sa.Column("fork", NUMBER, nullable=False),
        sa.Column("count", NUMBER, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("fate_fork", "fate", ["fork"])
    op.create_index("fate_at", "fate", ["at", "id"])
    op.create_table(
        "rule_version",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("rule_version_rule", "rule_version", ["rule", "id"])
    # Since when the rules of today are what they are was not kept: they count as always there.
    op.execute(
        'INSERT INTO rule_version (rule, fingerprint, "trigger", at) '
        "SELECT rule, fingerprint, '', 0 FROM rule ORDER BY rule"
    )
    op.create_index("firing_rule", "firing", ["rule", "id"])
    op.create_index("raised_event", "raised", ["event"])
    op.drop_column("rule", "watermark")
    op.add_column("rule", sa.Column("trigger", sa.Text, nullable=False, server_default=""))
    op.execute("DELETE FROM tally WHERE kind = 'expired'")
