"""The migrations make the very tables that a new store gets at once."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from reactor.core.decision import Facts, Fate, Word
from reactor.core.state import Change, RuleState, Table
from reactor.ports import Turn
from reactor.store import migrate, open_store, upgrade
from reactor.store.schema import metadata
from tests.integration.store_child import SENSOR, whole

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def _tables(connection: sa.Connection) -> list[tuple[str, str]]:
    query = "SELECT name, sql FROM sqlite_master ORDER BY name"
    # A column that was added later stands in the text of its table without a line of its own.
    return [
        (name, " ".join((sql or "").split())) for name, sql in connection.exec_driver_sql(query)
    ]


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


def _filled_first(path: Path) -> None:
    """A store as the first revision left it, with something in every table that changed since."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade.upgrade(connection, "0001")
        for line in (
            "INSERT INTO event VALUES (1, 'orders', 'a', 't', 's', NULL, 5, 6, NULL, '{}')",
            "INSERT INTO firing VALUES (1, 'daily', NULL, NULL, 6, NULL, '1', 1, 1, 1, 0, 1)",
            "INSERT INTO node VALUES ('calm', 1, '', '{\"spans\":[1,1],\"count\":1}', 9)",
            "INSERT INTO rule VALUES ('daily', 'abc', 5), ('calm', 'def', NULL)",
            "INSERT INTO raised (rule, event, error, at) VALUES ('daily', 'a', 'no', 6)",
            "INSERT INTO tally VALUES ('filtered', 'orders', 3), ('expired', 'expired', 2)",
            "INSERT INTO counter VALUES ('event', 1), ('step', 7)",
            "INSERT INTO materialization VALUES ('raw', '', 6, 9, '\"a\"', NULL, NULL, '[]')",
        ):
            connection.exec_driver_sql(line)
    engine.dispose()


@pytest.mark.anyio
async def test_what_a_store_of_the_first_revision_held_is_still_there(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    _filled_first(path)

    async with open_store(f"sqlite:///{path}") as store:
        state = await store.load()
        found = await store.read.event(1)
        known = await store.read.rules()

        assert state.rows[Table.RULE] == {
            ("calm",): RuleState("calm", "def"),
            ("daily",): RuleState("daily", "abc"),
        }
        assert state.get(Table.NODE, "calm", 1, None).data == {"spans": (1, 1), "count": 1}
        made = state.get(Table.MATERIALIZATION, "raw", None)
        assert (made.handle, made.change, made.whole) == ("a", 6, 6)
        assert state.next("change") == 8
        assert found is not None
        assert [each["id"] for each in found["firings"]] == [1]
        assert [each["error"] for each in found["raised"]] == ["no"]
        assert found["fates"] == []
        assert await store.read.filtered() == {"orders": 3}
        assert [row["id"] for row in await store.read.firings("daily")] == [1]
        assert {name: row["since"] for name, row in known.items()} == {"daily": None, "calm": None}


@pytest.mark.anyio
async def test_a_store_of_the_first_revision_goes_on_with_turns(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    _filled_first(path)

    async with open_store(f"sqlite:///{path}") as store:
        before = (await store.load()).get(Table.RULE, "daily")
        after = RuleState("daily", "new", "orders")
        facts = Facts(
            changes=[Change(Table.RULE, ("daily",), before, after)],
            fates=[Fate("daily", Word.EXPIRED, ((1, 1),), "the rule was changed")],
        )
        await store.commit(Turn(NOW, facts))
        found = await store.read.event(1)

        assert found is not None
        assert [each["why"] for each in found["fates"]] == ["the rule was changed"]
        assert (await store.load()).get(Table.RULE, "daily") == after
        assert (await store.read.rules())["daily"]["changes"] == 1
