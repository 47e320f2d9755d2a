"""Runs migrations with Alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

FOLDER = Path(__file__).with_name("migrations")


def upgrade(connection: sa.Connection, revision: str) -> None:
    """Brings the tables to a revision, inside the connection's transaction."""
    command.upgrade(config(connection), revision)


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration for the migrations of this package."""
    made = Config(attributes={"connection": connection})
    # A percent sign would begin an interpolation.
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made
