"""The migrations make the very tables that a new store gets at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from reactor.store import migrate, open_store, upgrade
from reactor.store.schema import metadata
from tests.integration.store_child import SENSOR, whole


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def _tables(connection: sa.Connection) -> list[tuple[str, str]]:
    query = "SELECT name, sql FROM sqlite_master ORDER BY name"
    return [(name, sql) for name, sql in connection.exec_driver_sql(query)]


def test_the_migrations_make_what_a_new_store_has(connection: sa.Connection) -> None:
    fresh = sa.create_engine("sqlite://")
    with fresh.begin() as other:
        migrate.prepare(other, "fresh")
        expected = _tables(other)
    fresh.dispose()

    upgrade.upgrade(connection, "head")

    assert _tables(connection) == expected
    assert migrate.revision(connection) == migrate.HEAD


def test_the_schema_has_no_change_without_a_migration(connection: sa.Connection) -> None:
    upgrade.upgrade(connection, "head")

    context = MigrationContext.configure(connection)

    assert compare_metadata(context, metadata) == []


def test_the_revisions_known_are_the_revisions_there_are() -> None:
    scripts = ScriptDirectory.from_config(upgrade.config())

    found = [script.revision for script in scripts.walk_revisions()]

    assert tuple(reversed(found)) == migrate.REVISIONS


@pytest.mark.anyio
async def test_a_migrated_store_takes_turns(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade.upgrade(connection, migrate.HEAD)
    engine.dispose()

    async with open_store(f"sqlite:///{path}") as store:
        await store.commit(whole(1))
        assert await store.positions(SENSOR) == {"orders/0": "1"}


def test_the_usual_start_does_not_import_the_migrations() -> None:
    code = """
import sys, tempfile, anyio
from reactor.store import open_store

async def main():
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            async with open_store(f"sqlite:///{folder}/store.db") as store:
                await store.load()

anyio.run(main)
print([name for name in sys.modules if name.startswith("alembic")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )

    assert (done.stdout.strip(), done.stderr) == ("[]", "")
