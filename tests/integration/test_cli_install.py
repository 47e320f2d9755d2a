"""`reactor sensors install`: PostgreSQL is taught to tell what changes, or somebody else is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psycopg
import pytest

from sensors.schema.event_trigger import INSTALL, UNINSTALL, State, uninstall
from tests.integration.cli import Command, command
from tests.integration.cli_service import served
from tests.integration.processes import until
from tests.servers.postgres import Postgres

SHOP = """
from reactor import Pipeline
from sensors import FileArrivals, SchemaChanges

shop = Pipeline("shop", owner="data@shop.example")

@shop.asset(on=SchemaChanges("{url}", name="tables") | FileArrivals("inbox/*.csv"))
def orders(events): ...
"""

POLLS = "only polls: there is no event trigger (reactor sensors install)"


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


LIVE = """
from pathlib import Path
from reactor import Pipeline
from sensors import SchemaChanges

shop = Pipeline("shop", owner="data@shop.example")
tables = SchemaChanges("{url}", every="50ms", name="tables")

@shop.asset(on=tables)
async def orders(events):
    with Path("seen.txt").open("a") as seen:
        seen.writelines(f"{{event.data}}\\n" for event in events)
"""


def test_a_running_service_says_that_it_only_polls_until_it_is_told(
    run: Command, url: str, tmp_path: Path
) -> None:
    (tmp_path / "pipeline.py").write_text(LIVE.format(url=url))
    with served(tmp_path) as service:
        port = f"--port={service.port}"

        def sensor() -> dict[str, object]:
            [found] = json.loads(run("sensors", port, "--json").out)
            return found

        until(lambda: sensor()["why"] == POLLS)
        assert "up, only polls" in run("sensors", port).out
        doctor = run("doctor", port)
        assert doctor.code == 0
        assert f"sensor tables  {POLLS}" in doctor.out
        assert run("sensors", "install", "pipeline.py", "tables").code == 0
        until(lambda: sensor()["why"] == "")
        assert sensor()["up"] is True
        assert POLLS not in run("doctor", port).out
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE orders (id int)")
        seen = tmp_path / "seen.txt"
        until(lambda: seen.exists() and seen.read_text() == "public.orders: table created\n")
        assert service.stop() == 0
