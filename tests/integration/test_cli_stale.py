"""`reactor materialize --stale` and `--missing`; `assets` and `doctor`, against a service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import Command, command
from tests.integration.cli_service import Served, served
from tests.integration.processes import until

PIPELINE = """
from reactor import Pipeline, Static

shop = Pipeline("shop")

@shop.asset
async def raw(): ...

@shop.asset
async def clean(raw): ...

@shop.asset
async def report(clean): ...

@shop.asset(partitions=Static("eu", "us"))
async def region(): ...
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("stale")
    (folder / "pipeline.py").write_text(PIPELINE)
    with served(folder) as running:
        yield running


@pytest.fixture
def run(
    service: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("REACTOR_PORT", str(service.port))
    return command(capsys)


def _quiet(run: Command) -> None:
    until(lambda: all(each["finished"] for each in run("runs", "list", "--json").data))


def test_what_is_out_of_date_is_told_and_brought_up_to_date(run: Command) -> None:
    assert run("materialize", "raw").code == 0
    _quiet(run)
    nothing = run("materialize", "--stale")
    assert (nothing.code, nothing.out) == (0, "nothing is out of date\n")
    assert run("materialize", "raw", "--only").code == 0
    _quiet(run)
    until(lambda: "out of date" in run("assets").out)
    listed = {line.split()[0]: line for line in run("assets").out.splitlines()}
    assert "out of date" in listed["clean"]
    assert "materialized" in listed["raw"]
    shown = run("assets", "show", "clean").out
    assert "raw changed after it (step " in shown
    assert "asset report  is out of date: clean is out of date" in run("doctor").out
    assert run("materialize", "--stale", "--json").data["root_count"] == 1
    _quiet(run)
    until(lambda: "out of date" not in run("assets").out)


def test_a_run_tells_of_every_asset_if_it_is_asked_to(run: Command) -> None:
    for asset in ("raw", "clean"):
        assert run("materialize", asset).code == 0
        _quiet(run)
    _quiet(run)
    number = str(run("runs", "list", "--json").data[0]["id"])
    shown = run("runs", "show", number, "--all").out
    assert "region  does not run  it is not downstream of clean" in shown
    assert "region" not in run("runs", "show", number).out.replace("other asset", "")


def test_partitions_are_named_or_those_taken_that_are_missing(run: Command) -> None:
    unnamed = run("materialize", "region")
    assert unnamed.code == 2
    assert "region is materialized by partition (say --partition eu" in unnamed.err
    assert "reactor backfill" in unnamed.err
    assert run("materialize", "region", "--partition", "us").code == 0
    _quiet(run)
    assert run("materialize", "region", "--missing").out == "launched region[eu]\n"
    _quiet(run)
    assert run("materialize", "region", "--missing").out == "nothing of region is missing\n"
    assert run("materialize").code == 2


def test_a_start_catches_up_unless_it_is_told_not_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tmp_path / "pipeline.py"
    pipeline.write_text(PIPELINE)
    run = command(capsys)
    with served(tmp_path) as first:
        monkeypatch.setenv("REACTOR_PORT", str(first.port))
        run("materialize", "raw")
        run("materialize", "region", "--partition", "eu")
        _quiet(run)
        assert first.stop() == 0
    pipeline.write_text(PIPELINE.replace("report(clean)", "report(clean, raw)"))
    with served(tmp_path, env={"REACTOR_CATCH_UP": "false"}) as second:
        monkeypatch.setenv("REACTOR_PORT", str(second.port))
        assert len(run("runs", "list", "--json").data) == 2
        assert "it reads raw now" in run("assets", "show", "report").out
        assert second.stop() == 0
    with served(tmp_path) as third:
        monkeypatch.setenv("REACTOR_PORT", str(third.port))
        _quiet(run)
        newest, *others = run("runs", "list", "--json").data
        assert (newest["rule"], newest["roots"], len(others)) == ("catch up", ["report"], 2)
        assert "out of date" not in run("assets").out
        assert third.stop() == 0
