"""`reactor demo`, as a stranger runs it."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

from tests.integration.cli_service import started
from tests.integration.processes import until

DEMO = (sys.executable, "-m", "reactor.cli", "demo")
PATIENCE_S = 120


def test_one_round_does_what_it_claims(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--exit", "--port=0"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    told = done.stdout
    assert "\x1b" not in told
    assert not [line for line in told.splitlines() if line != line.rstrip()]
    for line in (
        "fired        days: inbox saw .reactor/demo/inbox/2012-01.csv",
        "did not run  prices, returns, volatility, movers, employment, sectors, totals, headline",
        "retried      movers, after FileNotFoundError",
        "unchanged    totals, headline, jobs_and_prices",
        "dead letter  Invalid JSON",
    ):
        assert line in told
    assert told.count("✓") == 8
    assert "✗" not in told


def test_its_summary_as_data_and_its_tables_can_be_looked_at(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--exit", "--json", "--port=0"],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    summary = json.loads(done.stdout)
    assert summary["ok"] is True
    assert [claim["against"] for claim in summary["claims"]] == [""] * 8
    launched = {act["kind"]: set(act["launched"]) for act in summary["acts"]}
    assert launched["file"] == {"days", "monthly", "extremes", "spells"}
    with closing(sqlite3.connect(tmp_path / ".reactor/demo/results.db")) as results:
        (days,) = results.execute("SELECT count(*) FROM days").fetchone()
        (text,) = results.execute("SELECT text FROM headline").fetchone()
    assert days == 31 + 29
    assert text == "8.4 million jobs lost from 2008-02 to 2009-10"


def test_it_goes_on_serves_its_page_and_ends_when_told(tmp_path: Path) -> None:
    with started(tmp_path, ["demo", "--port=0"]) as demo:
        until(lambda: "What it claims" in demo.log.read_text(), within=PATIENCE_S)
        told = demo.log.read_text()
        url = next(line.split()[1] for line in told.splitlines() if line.startswith("    page"))
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
            metrics = response.read().decode()
        assert 'reactor_dead_letters_total{sensor="quotes"} 1.0' in metrics
        with urllib.request.urlopen(url, timeout=10) as response:
            assert b"<html" in response.read()

        other = subprocess.run(
            [*DEMO, "--exit"], check=False, cwd=tmp_path, capture_output=True, text=True
        )
        assert other.returncode == 1
        assert "another demo is at work" in other.stderr

        (tmp_path / "mine.csv").write_text(
            "date,precipitation,temp_max,temp_min,wind,weather\n2020/02/30,1.0,2.0,3.0,4.0,rain\n"
        )
        (tmp_path / "mine.csv").rename(tmp_path / ".reactor/demo/inbox/mine.csv")
        until(lambda: "you  inbox saw .reactor/demo/inbox/mine.csv" in demo.log.read_text())
        assert demo.stop(signal.SIGINT) == 0
        assert "Look at it yourself" in demo.log.read_text()


def test_a_port_in_use_is_said_and_another_is_taken(tmp_path: Path) -> None:
    env = {**os.environ, "REACTOR_PORT": ""}
    taken = (
        "import socket, subprocess, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen();"
        " port = s.getsockname()[1]; import os; os.environ['REACTOR_PORT'] = str(port);"
        f" sys.exit(subprocess.call({[*DEMO, '--exit']!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", taken],
        check=False,
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is in use, so another is taken" in done.stdout


def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path: Path) -> None:
    hidden = (
        "import importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if 'vega' in name else real(name, *rest)\n"
        "from reactor.cli import main\n"
        "main(['demo', '--exit'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: the demo needs the package vega_datasets, for its data"
        " (pip install 'reactor-orchestrator[demo]')\n"
    )


def test_its_broker_does_not_outlive_it(tmp_path: Path) -> None:
    with started(tmp_path, ["demo", "--port=0"]) as demo:
        until(lambda: "fired" in demo.log.read_text(), within=PATIENCE_S)
        found = re.search(r"stocks at 127\.0\.0\.1:(\d+)", demo.log.read_text())
        assert found is not None
        assert _answers(int(found[1]))
        demo.process.kill()
        until(lambda: not _answers(int(found[1])))


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
