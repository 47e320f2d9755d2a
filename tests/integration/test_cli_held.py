"""Commands about what a breaking schema change holds, against a service that runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import Command, command
from tests.integration.cli_service import Served, served
from tests.integration.processes import until

PIPELINE = """
from reactor import Pipeline
from sensors import SchemaChanges

shop = Pipeline("shop", owner="me@shop.example", sensors=[SchemaChanges("sqlite:///shop.db")])

@shop.asset(reads={"orders": ["amount"]})
async def revenue(): ...

@shop.asset
async def report(revenue): ...

@shop.asset(reads={"orders": ["id"]})
async def count(): ...
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, amount INTEGER)")
    with served(tmp_path) as running:
        yield running


@pytest.fixture
def run(
    service: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command that asks the service, once that has looked at the table."""
    monkeypatch.setenv("REACTOR_PORT", str(service.port))
    run = command(capsys)
    until(lambda: run("sensors", "list", "--json").data[0]["up"])
    return run


def drop(service: Served) -> None:
    with sqlite3.connect(service.log.parent / "shop.db") as database:
        database.execute("ALTER TABLE orders DROP COLUMN amount")


def test_what_is_held_is_listed_and_let_go(run: Command, service: Served) -> None:
    assert "nothing is held" in run("ack").err
    drop(service)
    until(lambda: run("ack", "--json").data)
    head, row = run("ack").out.splitlines()
    assert head.split() == ["hold", "table", "since", "what", "held"]
    assert row.split()[:2] == ["1", "orders"]
    assert "column amount removed" in row
    assert "revenue and report" in row

    states = {line.split()[0]: line.split()[1] for line in run("assets").out.splitlines()}
    assert (states["revenue"], states["report"], states["count"]) == ("held", "held", "never")
    shown = run("assets", "show", "report").out
    assert "hold 1: orders: column amount removed" in shown
    doctor = run("doctor")
    assert doctor.code == 0
    assert "revenue and report held until reactor ack 1" in doctor.out

    refused = run("ack", "customers")
    assert (refused.code, refused.out) == (2, "")
    assert "there is no hold on customers" in refused.err
    assert "there are holds on orders" in refused.err

    done = run("ack", "orders", "--note", "it reads the total now")
    assert (done.code, done.err) == (0, "")
    assert done.out == "hold 1 on orders is acknowledged: revenue and report may go on\n"
    until(lambda: run("assets", "show", "report", "--json").data["last"])
    assert "nothing is held" in run("ack").err
    again = run("ack", "1")
    assert (again.code, again.out) == (2, "")
    assert "there is no open hold 1" in again.err


def test_a_held_asset_runs_when_it_is_forced(run: Command, service: Served) -> None:
    drop(service)
    until(lambda: run("ack", "--json").data)
    assert run("materialize", "revenue", "--only").code == 0
    assert run("materialize", "revenue", "--only", "--force").code == 0
    until(lambda: run("assets", "show", "revenue", "--json").data["last"])
    runs = run("runs", "list", "--asset", "revenue", "--json").data
    assert [each["status"] for each in runs] == ["succeeded", "held", "held"]


def test_a_reader_that_was_never_made_is_not_said_to_read_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipeline.py").write_text(
        PIPELINE.replace("import Pipeline", "import Daily, Pipeline")
        + """
@shop.asset(reads={"orders": ["amount"]}, partitions=Daily("2026-01-01"))
async def daily(partition): ...

@shop.asset(reads={"orders": ["id", "note"]}, partitions=Daily("2026-01-01"))
async def notes(partition): ...
"""
    )
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, amount INTEGER)")
    run = command(capsys)
    pipeline = str(tmp_path / "pipeline.py")
    gone = '{"table": "orders", "removed": "amount"}'
    planned = run("plan", pipeline, "shop", gone, "--all")
    assert "none of its partitions was made; hold 1: orders: column amount removed" in planned.out
    assert "0 assets would run, 5 assets would not, 3 of them held" in planned.out
    told = {
        each["asset"]: each
        for each in run("plan", pipeline, "shop", gone, "--all", "--json").data["assets"]
    }
    assert told["daily"]["because"] == "it is held: hold 1: orders: column amount removed"
    assert told["notes"]["because"] == "it reads none of the changed columns"
    come = (
        '{"table": "orders", "changes": [{"kind": "column_retyped", "column": "id",'
        ' "breaking": false, "before": "integer", "after": "bigint"}]}'
    )
    pruned = run("plan", pipeline, "shop", come, "--json").data["pruned"]
    assert {each["name"]: each["because"] for each in pruned} == {
        "revenue": "it reads none of the changed columns",
        "daily": "it reads none of the changed columns",
        "notes": "none of its partitions was made",
    }

    with served(tmp_path) as running:
        monkeypatch.setenv("REACTOR_PORT", str(running.port))
        until(lambda: run("sensors", "list", "--json").data[0]["up"])
        drop(running)
        until(lambda: run("ack", "--json").data)
        shown = run("runs", "show", "1", "--all").out
        assert "none of its partitions was made" in shown
        assert shown.count("reads none of the changed columns") == 4


def test_reactor_plan_foresees_what_is_held(run: Command, service: Served) -> None:
    event = '{"table": "orders", "removed": "amount"}'
    planned = run("plan", str(service.log.parent / "pipeline.py"), "shop", event)
    assert planned.code == 0
    assert "hold 1: orders: column amount removed" in planned.out
    assert "reads none of the changed columns" in planned.out
    assert "0 assets would run, 3 assets would not, 2 of them held" in planned.out


def test_a_backfill_says_by_which_hold_its_runs_are_held(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipeline.py").write_text(
        PIPELINE.replace("import Pipeline", "import Daily, Pipeline")
        + """
@shop.asset(reads={"orders": ["amount"]}, partitions=Daily("2026-01-01"))
async def daily(partition): ...
"""
    )
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, amount INTEGER)")
    run = command(capsys)
    with served(tmp_path) as running:
        monkeypatch.setenv("REACTOR_PORT", str(running.port))
        until(lambda: run("sensors", "list", "--json").data[0]["up"])
        drop(running)
        until(lambda: run("ack", "--json").data)
        days = "2026-01-01..2026-01-05"
        begun = run(
            "backfill", str(tmp_path / "pipeline.py"), "daily", "-p", days, "--limit=3", "--detach"
        )
        assert begun.code == 0, begun.err
        until(lambda: run("backfills", "show", "1", "--json").data["held"] == 3)
        shown = run("backfills", "show", "1").out
        assert "3 of at most 3, 3 of them held" in shown
        assert "held  2026-01-01  daily: hold 1: orders: column amount removed" in shown
        run("ack", "1")
        until(lambda: run("backfills", "show", "1", "--json").data["status"] == "succeeded")
        assert "held" not in run("backfills", "show", "1").out
