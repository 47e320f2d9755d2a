"""The installed command serving: starts, stops, and what it says when something is wrong."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli_service import served, started
from tests.integration.processes import alive, until

REACTOR = str(Path(sys.executable).with_name("reactor"))
PIPELINE = '''
from datetime import datetime
from pydantic import BaseModel
from names import NAME
from reactor import Pipeline
from sensors import FileArrivals, Webhook

class Payment(BaseModel):
    amount: float
    at: datetime

shop = Pipeline(NAME)
inbox = FileArrivals("inbox/*.csv")
payments = Webhook("payments", model=Payment)

@shop.asset(on=inbox)
def raw(events):
    return [event.subject for event in events]

@shop.asset(on=payments, timeout="30s")
def booked(events):
    """Runs in a process: it has a timeout."""
    assert all(type(event.data) is Payment for event in events)
    return sum(event.data.amount for event in events)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "names.py").write_text("NAME = 'shop'\n")
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    return tmp_path


def _reactor(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REACTOR, *arguments], check=False, cwd=folder, capture_output=True, text=True, timeout=60
    )


def _one_line(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert all(each in done.stderr for each in said), done.stderr


def test_the_console_script_is_there() -> None:
    assert shutil.which(REACTOR)
    done = subprocess.run([REACTOR, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("reactor ")


def test_a_file_that_arrives_runs_its_asset_and_a_second_start_goes_on(folder: Path) -> None:
    (folder / "a.csv").touch()
    with served(folder) as service:
        (folder / "a.csv").rename(folder / "inbox" / "a.csv")
        runs = ["runs", "list", f"--port={service.port}"]
        until(lambda: "succeeded" in _reactor(folder, *runs).stdout)
        assert service.stop() == 0
        assert service.lines[-1]["message"] == "stopped"
    with served(folder) as service:
        runs = ["runs", "list", f"--port={service.port}"]
        listed = _reactor(folder, *runs).stdout
        assert listed.count("raw because inbox saw inbox/a.csv") == 1


def test_an_asset_in_a_process_gets_events_of_the_pipelines_own_models(folder: Path) -> None:
    with served(folder) as service:
        request = urllib.request.Request(
            f"{service.url}/hooks/payments",
            b'{"amount": 2.5, "at": "2026-01-01T00:00:00Z"}',
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        shown = ["assets", "show", "booked", f"--port={service.port}"]
        until(lambda: "2.5" in _reactor(folder, *shown).stdout, within=60)


def test_ctrl_c_stops_it_in_an_orderly_way(folder: Path) -> None:
    with served(folder) as service:
        assert service.stop(signal.SIGINT) == 0
        assert [line["message"] for line in service.lines[-2:]] == ["stopping", "stopped"]


def test_a_port_in_use_is_named(folder: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        _one_line(
            _reactor(folder, "serve", "pipeline.py", f"--port={port}"), 2, f"port {port}", "--port"
        )


def test_a_second_service_on_the_same_store_says_who_has_it(folder: Path) -> None:
    with served(folder) as service:
        done = _reactor(folder, "serve", "pipeline.py", "--port=0")
        _one_line(done, 1, str(service.process.pid))


def test_a_store_of_a_newer_version_is_refused(folder: Path) -> None:
    with served(folder) as service:
        assert service.stop() == 0
    with closing(sqlite3.connect(folder / ".reactor/reactor.db")) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
        store.commit()
    _one_line(_reactor(folder, "serve", "pipeline.py", "--port=0"), 1, "9999")


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["serve", "pipeline.py"], {"REACTOR_PROT": "1"}, ["REACTOR_PROT", "REACTOR_PORT?"]),
        (["serve", "pipeline.py"], {"REACTOR_STORE": "mysql://x/y"}, ["REACTOR_STORE", "mysql"]),
        (["serve", "pipeline.py", "--host=0.0.0.0"], {}, ["REACTOR_TOKEN"]),
        (["serve", "nowhere.py"], {}, ["there is no file nowhere.py"]),
        (["serve", "pipeline.py", "--grace=soon"], {}, ["--grace", "a duration is text"]),
        (["dev", "pipeline.py", "--log=loud"], {}, ["--log"]),
    ],
)
def test_wrong_settings_end_with_2_and_one_line(
    arguments: list[str],
    env: dict[str, str],
    said: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    _one_line(_reactor(folder, *arguments), 2, *said)


def test_a_topic_without_servers_is_refused_at_the_start(folder: Path) -> None:
    (folder / "kafka.py").write_text("""
from reactor import Pipeline
from sensors import KafkaTopic
p = Pipeline("p")
@p.asset(on=KafkaTopic("orders"))
def a(): ...
""")
    _one_line(_reactor(folder, "serve", "kafka.py", "--port=0"), 2, "orders", "REACTOR_KAFKA")


def test_a_reader_that_has_had_enough_is_no_error(folder: Path) -> None:
    lines = "\n".join(f"@shop.asset\ndef a{number}(): ..." for number in range(3_000))
    (folder / "many.py").write_text(
        f"from reactor import Pipeline\nshop = Pipeline('x')\n{lines}\n"
    )
    with subprocess.Popen(
        [REACTOR, "graph", "many.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_dev_loads_anew_on_a_save_and_keeps_what_it_had_when_there_is_a_mistake(
    folder: Path,
) -> None:
    pipeline = folder / "pipeline.py"
    with started(folder, ["dev", "pipeline.py", "--port=0", "--json"]) as dev:

        def said(text: str, times: int = 1) -> None:
            until(lambda: dev.log.read_text().count(text) >= times, within=60)

        said('"message": "listening"')
        first = dev.url
        pipeline.write_text(f"{PIPELINE}\n1 / 0\n")
        said("the service goes on as it was; save again to try again")
        assert "error: pipeline.py:" in dev.log.read_text()
        urllib.request.urlopen(f"{first}/healthz", timeout=10).close()

        pipeline.write_text(f"{PIPELINE}\n@shop.asset\ndef fresh(raw): ...\n")
        said('"message": "listening"', 2)
        until(lambda: '"assets": 3' in dev.log.read_text())
        assert dev.log.read_text().count('"message": "stopped"') == 1
        assert dev.stop(signal.SIGINT) == 0
        assert dev.log.read_text().count('"message": "stopped"') == 2


def test_dev_takes_its_service_along_when_it_is_killed(folder: Path) -> None:
    with started(folder, ["dev", "pipeline.py", "--port=0", "--json"]) as dev:
        until(lambda: '"message": "listening"' in dev.log.read_text(), within=60)
        children = Path(f"/proc/{dev.process.pid}/task/{dev.process.pid}/children").read_text()
        (child,) = map(int, children.split())
        dev.process.kill()
        until(lambda: not alive(child), within=60)


def test_dev_waits_for_a_save_when_the_pipeline_is_wrong_from_the_start(folder: Path) -> None:
    (folder / "pipeline.py").write_text("1 / 0\n")
    with started(folder, ["dev", "pipeline.py", "--port=0", "--json"]) as dev:
        until(lambda: "nothing is served yet" in dev.log.read_text(), within=60)
        (folder / "pipeline.py").write_text(PIPELINE)
        until(lambda: '"message": "listening"' in dev.log.read_text(), within=60)
        assert dev.stop() == 0


def test_dev_hears_a_save_while_it_reads_the_pipeline_for_the_first_time(folder: Path) -> None:
    slow = "import pathlib, time\npathlib.Path('reading').touch()\ntime.sleep(2)\n1 / 0\n"
    (folder / "pipeline.py").write_text(slow)
    with started(folder, ["dev", "pipeline.py", "--port=0", "--json"]) as dev:
        until((folder / "reading").exists, within=60)
        (folder / "pipeline.py").write_text(PIPELINE)
        until(lambda: '"message": "listening"' in dev.log.read_text(), within=60)
        assert dev.stop() == 0


def test_an_encoding_that_knows_no_boxes_gets_plain_lines(folder: Path) -> None:
    done = subprocess.run(
        [REACTOR, "graph", "pipeline.py"],
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert "raw  inbox\n`- raw\n" in done.stdout
