"""`reactor backfill` and `reactor backfills`, against a service that runs."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import Command, command
from tests.integration.cli_service import Served, served
from tests.integration.processes import until

PIPELINE = """
import time
from pathlib import Path
from reactor import Pipeline
from reactor.core.window import Daily

shop = Pipeline("shop", owner="me@shop.example")

@shop.asset(partitions=Daily("2026-01-01"))
def raw(partition):
    return f"lake/{partition}"

@shop.asset(partitions=Daily("2026-01-01"))
def clean(raw, partition): ...

@shop.asset(partitions=Daily("2026-01-01"))
def odd(partition):
    if int(partition[-2:]) % 2:
        raise ValueError(f"{partition} is odd")

@shop.asset(partitions=Daily("2026-01-01"))
async def slow(partition):
    import anyio
    while not Path("go").exists():
        await anyio.sleep(0.02)

@shop.asset
def whole(): ...
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "pipeline.py").write_text(PIPELINE)
    with served(folder) as running:
        yield running


@pytest.fixture
def target(service: Served) -> str:
    return str(service.log.parent / "pipeline.py")


@pytest.fixture
def run(
    service: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command that asks the service."""
    monkeypatch.setenv("REACTOR_PORT", str(service.port))
    return command(capsys)


def test_a_range_is_followed_to_its_end(run: Command, target: str) -> None:
    ran = run("backfill", target, "raw", "--partitions", "2026-01-01..2026-01-05")
    assert (ran.code, ran.err) == (0, "")
    first, last = ran.out.splitlines()
    assert first.endswith("of 5 partitions")
    assert "succeeded: 5 of 5 partitions in " in last
    made = run("assets", "show", "clean", "--json").data["materializations"]
    assert len({each["partition"] for each in made}) == 5


def test_what_fails_is_named_and_the_command_fails(run: Command, target: str) -> None:
    ran = run("backfill", target, "odd", "-p", "2026-01-01..2026-01-04", "--json")
    assert ran.code == 1
    assert [part["partition"] for part in ran.data["failures"]] == ["2026-01-01", "2026-01-03"]
    id = str(ran.data["id"])
    shown = run("backfills", "show", id).out
    assert f"backfill {id} failed" in shown
    assert "4, from 2026-01-01 to 2026-01-04" in shown
    assert "2026-01-01 is odd" in shown
    assert run("backfills", "retry", id).out == f"backfill {id} goes on with what is left\n"
    again = run("backfills", "show", id, "--follow")
    assert again.code == 1
    assert "failed: 2 of 4 partitions in" in again.out
    assert again.err == f"reactor backfills retry {id} goes on with what is left\n"


def test_it_is_paused_resumed_and_cancelled(run: Command, target: str) -> None:
    go = Path(target).parent / "go"
    go.unlink(missing_ok=True)
    ran = run("backfill", target, "slow", "-p", "2026-01-01..", "--limit=2", "--detach", "--only")
    assert ran.code == 0
    id = ran.out.split()[1]
    assert f"reactor backfills show {id} --follow" in ran.err
    until(lambda: run("backfills", "show", id, "--json").data["running"] == 2)
    assert "run " in run("backfills", "show", id).out
    assert run("backfills", "pause", id).out == f"backfill {id} is paused\n"
    listed = run("backfills").out.splitlines()
    assert listed[0].split() == ["backfill", "status", "done", "failed", "left", "when", "assets"]
    assert listed[1].split()[:2] == [id, "paused"]
    assert run("backfills", "resume", id, "--json").data == {"done": f"backfill {id} goes on"}
    assert run("backfills", "cancel", id).code == 0
    until(lambda: run("backfills", "show", id, "--json").data["finished"])
    assert run("backfills", "show", id, "--json").data["status"] == "cancelled"
    refused = run("backfills", "pause", id)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"error: backfill {id} has ended: cancelled")


@pytest.mark.parametrize(
    ("asset", "partitions", "said"),
    [
        ("raw", "2026-01-05..2026-01-01", "write 2026-01-01..2026-01-05"),
        ("raw", "january", "january"),
        ("raw", "2026-01-01..2099-01-01", "has not begun yet"),
        ("whole", "all", "whole has no partitions (materialize it whole; those with partitions: "),
        ("rwa", "all", "there is no asset rwa (did you mean raw?)"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    run: Command, target: str, asset: str, partitions: str, said: str
) -> None:
    ran = run("backfill", target, asset, "--partitions", partitions)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


def test_the_service_has_to_serve_that_pipeline(run: Command, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(PIPELINE.replace('"shop"', '"mart"'))
    ran = run("backfill", str(other), "raw", "-p", "all")
    assert ran.code == 2
    assert "serves shop, not mart" in ran.err
    assert run("backfill", str(other), "raw").code == 2


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_ctrl_c_leaves_it_running(
    run: Command, service: Served, target: str
) -> None:
    go = Path(target).parent / "go"
    go.unlink(missing_ok=True)
    ours, theirs = pty.openpty()
    words = ["backfill", target, "slow", "-p", "2026-01-01..2026-01-03", "--limit=2"]
    watching = subprocess.Popen(
        [sys.executable, "-m", "reactor.cli", *words],
        env={**os.environ, "REACTOR_PORT": str(service.port), "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = _read(ours, "0/3 2 running")
    watching.send_signal(signal.SIGINT)
    seen += _read(ours, "--follow")
    assert watching.wait(30) == 130
    os.close(ours)
    id = run("backfills", "list", "--json").data[0]["id"]
    assert f"backfill {id} goes on: reactor backfills show {id} --follow" in seen
    assert run("backfills", "show", str(id), "--json").data["status"] == "running"
    go.touch()
    assert run("backfills", "show", str(id), "--follow").code == 0


def _read(terminal: int, wanted: str) -> str:
    """What a terminal shows, until it shows that."""
    seen, deadline = "", time.monotonic() + 30
    while wanted not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # how the end of a terminal is told
                raise AssertionError(seen) from None
    return seen
