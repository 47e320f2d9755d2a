"""`reactor sensors install`: PostgreSQL is taught to tell what changes, or somebody else is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psycopg
import pytest

from sensors.schema.event_trigger import INSTALL, UNINSTALL, State, uninstall
from tests.integration.cli import Command, command
from tests.servers.postgres import Postgres

SHOP = """
from reactor import Pipeline
from sensors import FileArrivals, SchemaChanges

shop = Pipeline("shop", owner="data@shop.example")

@shop.asset(on=SchemaChanges("{url}", name="tables") | FileArrivals("inbox/*.csv"))
def orders(events): ...
"""


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def run(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command in a folder with a pipeline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    _serve(url)
    return command(capsys)


def _serve(url: str) -> None:
    Path("shop.py").write_text(SHOP.format(url=url))


def test_it_is_installed_and_removed_and_both_may_be_said_twice(run: Command, url: str) -> None:
    said = "the event trigger is in postgresql://"
    assert run("sensors", "install", "shop.py", "tables").out.startswith(said)
    assert run("sensors", "install", "shop.py", "tables").code == 0
    answer = json.loads(run("sensors", "uninstall", "shop.py", "tables", "--json").out)
    assert answer["before"] == "current"
    assert answer["done"].startswith("the event trigger is gone from postgresql://")
    assert run("sensors", "uninstall", "shop.py", "tables").code == 0
    assert uninstall(url) is State.ABSENT


def test_what_it_prints_is_run_by_somebody_else(run: Command, url: str) -> None:
    printed = run("sensors", "install", "shop.py", "tables", "--print").out
    assert printed == INSTALL
    assert run("sensors", "uninstall", "shop.py", "tables", "--print").out == UNINSTALL
    assert uninstall(url) is State.ABSENT
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(printed.encode())
    assert uninstall(url) is State.CURRENT


def test_a_role_that_may_not_is_told_so_in_one_line(run: Command, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE clerk LOGIN")
    _serve(url.replace("//reactor@", "//clerk:c4n4ry@"))
    ran = run("sensors", "install", "shop.py", "tables")
    assert ran.code == 1
    assert ran.err.startswith("error: role clerk may not do this: permission denied for database")
    assert "--print shows the SQL for a superuser to run" in ran.err
    assert "c4n4ry" not in ran.err


@pytest.mark.parametrize(
    ("sensor", "said"),
    [
        ("inbox", "sensor inbox does not watch the schema of a PostgreSQL database"),
        ("table", "shop has no sensor table (did you mean tables?)"),
    ],
)
def test_only_the_schema_of_a_postgresql_database_can_be_told(
    run: Command, sensor: str, said: str
) -> None:
    ran = run("sensors", "install", "shop.py", sensor)
    assert (ran.code, ran.err) == (2, f"error: {said}\n")
