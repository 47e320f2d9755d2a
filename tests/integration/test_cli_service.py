"""Commands that ask a running service, against one that runs."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.integration.cli import Command, Ran, command
from tests.integration.cli_service import Served, served
from tests.integration.processes import until

PIPELINE = '''
import time
from pathlib import Path
from pydantic import BaseModel
from reactor import Daily, Monthly, Pipeline, Retry, field
from sensors import FileArrivals, Webhook

class Payment(BaseModel):
    amount: float

shop = Pipeline("shop", owner="me@shop.example")
inbox = FileArrivals("inbox/*.csv")
payments = Webhook("payments", model=Payment)

@shop.asset(on=payments)
def ledger(events):
    print("booked", sum(event.data.amount for event in events))
    return len(events)

@shop.asset
def report(ledger):
    """What the boss reads."""
    return ledger

@shop.asset(on=inbox)
async def slow(events):
    import anyio
    while not Path("go").exists():
        await anyio.sleep(0.02)

@shop.asset
def after_slow(slow): ...

@shop.asset(retry=Retry(1, backoff="10ms"))
def broken():
    raise ValueError("no \\x1b[31mred\\x1b[0m here")

@shop.asset
def below_broken(broken): ...

@shop.asset(partitions=Daily("2026-01-01"))
def daily(): ...

@shop.asset(partitions=Monthly("2026-01"))
def monthly(daily): ...
'''


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "inbox").mkdir()
    (folder / "pipeline.py").write_text(PIPELINE)
    with served(folder) as running:
        yield running


@pytest.fixture
def run(
    service: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command that asks the service."""
    monkeypatch.setenv("REACTOR_PORT", str(service.port))
    return command(capsys)


def _runs(run: Command, asset: str) -> list[dict[str, object]]:
    return run("runs", "list", "--asset", asset, "--json").data


def _newest(run: Command, asset: str, status: str) -> int:
    """Waits until the newest run of an asset has that status; answers its number."""
    until(lambda: (found := _runs(run, asset)) and found[0]["status"] == status)
    return int(str(_runs(run, asset)[0]["id"]))


def _pay(service: Served, body: bytes) -> int:
    request = urllib.request.Request(
        f"{service.url}/hooks/payments", body, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except HTTPError as error:
        return error.code


def test_an_emitted_event_is_recorded_and_shows_what_it_launched(run: Command) -> None:
    ran = run("emit", "payments", '{"amount": 12.5}', "--id", "p1", "--key", "k")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "recorded: payments saw event p1\n"
    number = _newest(run, "ledger", "succeeded")

    listed = run("runs")
    assert listed.out.splitlines()[0].split() == [
        "run", "status", "took", "when", "assets", "because",
    ]  # fmt: skip
    assert "ledger because payments saw p1" in listed.out

    shown = run("runs", "show", str(number)).out
    assert f"run {number} succeeded" in shown
    assert "ledger because payments saw p1." in shown
    steps = run("runs", "show", str(number), "--json").data["steps"]
    assert {step["asset"]: step["status"] for step in steps} == {
        "ledger": "materialized",
        "report": "materialized",
    }

    seq = run("events", "list", "--sensor", "payments", "--json").data[0]["seq"]
    event = run("events", "show", str(seq)).out
    assert '"amount": 12.5' in event
    assert f"{number}    succeeded" in event


def test_a_list_takes_its_options_without_being_named(run: Command) -> None:
    named, short = run("events", "list", "--json"), run("events", "--json")
    assert (short.code, short.out) == (0, named.out)
    assert run("events", "--limit", "1").code == 0


def test_an_event_that_is_known_is_taken_once(run: Command) -> None:
    for _ in range(2):
        assert run("emit", "payments", '{"amount": 1}', "--id", "twice").code == 0
    found = run("events", "list", "--sensor", "payments", "--json").data
    assert [event["id"] for event in found].count("twice") == 1


def test_a_file_is_emitted_by_its_bare_path_and_a_run_is_cancelled_and_resumed(
    run: Command, service: Served
) -> None:
    folder = service.log.parent
    assert run("emit", "inbox", "inbox/a.csv").code == 0
    number = str(_newest(run, "slow", "running"))
    cancelled = run("runs", "cancel", number, "--reason", "not today")
    assert cancelled.out == f"run {number} is being cancelled\n"
    _newest(run, "slow", "cancelled")
    again = run("runs", "cancel", number)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert f"run {number} has ended" in again.err

    (folder / "go").touch()
    assert run("runs", "resume", number).out == f"run {number} goes on\n"
    _newest(run, "after_slow", "succeeded")


def test_what_steps_wrote_is_shown_with_nothing_that_steers_a_terminal(run: Command) -> None:
    assert run("materialize", "broken").out == "launched broken\n"
    number = str(_newest(run, "broken", "failed"))
    until(lambda: "broken#2" in run("runs", "logs", number).out)
    logs = run("runs", "logs", number, "--follow").out
    assert "ValueError: no \\x1b[31mred\\x1b[0m here" in logs
    assert "\x1b" not in logs + run("runs", "show", number).out
    lines = [json.loads(line) for line in run("runs", "logs", number, "--json").out.splitlines()]
    assert {line["asset"] for line in lines} == {"broken"}
    assert run("runs", "logs", number, "--asset", "below_broken").out == ""


def test_launching_by_hand_can_leave_out_what_follows(run: Command) -> None:
    assert run("materialize", "ledger", "--only", "--reason", "because I say so").code == 0
    number = _newest(run, "ledger", "succeeded")
    shown = run("runs", "show", str(number), "--json").data
    assert shown["assets"] == ["ledger"]
    assert "because I say so" in shown["because"]


def test_dead_letters_are_shown_replayed_and_dropped(run: Command, service: Served) -> None:
    assert _pay(service, b'{"amount": "much"}') == 422
    until(lambda: run("deadletters", "list", "--json").data)
    letter = run("deadletters", "list", "--json").data[0]
    number = str(letter["seq"])
    assert "payments" in run("deadletters").out
    assert '{"amount": "much"}' in run("deadletters", "show", number).out
    replayed = run("deadletters", "replay", number)
    assert replayed.code == 2
    assert f"dead letter {number} cannot be read" in replayed.err
    assert run("deadletters", "drop", number).out == f"dead letter {number} is dropped\n"
    assert run("deadletters", "list").err == "there are no dead letters\n"
    assert run("deadletters", "list", "--status", "dropped", "--json").data[0]["seq"] == int(number)


def test_assets_rules_and_sensors_are_listed_paused_and_resumed(run: Command) -> None:
    assert run("assets").out.splitlines()[0].split()[:2] == ["asset", "state"]
    assert "What the boss reads." in run("assets", "show", "report").out
    assert "payments" in run("rules").out
    monthly = " ".join(run("assets", "show", "monthly").out.split())
    assert "partitions Monthly('2026-01') reads daily (Rollup())" in monthly
    assert "launches  ledger" in run("rules", "show", "ledger").out
    assert "up" in run("sensors").out
    for group, name in (("assets", "report"), ("rules", "ledger"), ("sensors", "payments")):
        assert run(group, "pause", name).code == 0
        listed = run(group, "list", "--json").data
        assert next(each for each in listed if each["name"] == name)["paused"] is True
        assert run(group, "resume", name).code == 0
        listed = run(group, "list", "--json").data
        assert next(each for each in listed if each["name"] == name)["paused"] is False


def test_the_doctor_names_what_is_not_well(run: Command) -> None:
    run("materialize", "broken")
    _newest(run, "broken", "failed")
    ran = run("doctor")
    assert ran.code == 0
    assert "asset broken" in ran.out
    assert "ValueError" in ran.out
    findings = run("doctor", "--json").data["findings"]
    assert {"about": "asset below_broken", "what": "was never built", "grave": False} in findings


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "show", "99999"], "there is no run 99999"),
        (["events", "show", "99999"], "there is no event 99999"),
        (["deadletters", "show", "99999"], "there is no dead letter 99999"),
        (["assets", "show", "reprt"], "there is no asset reprt (did you mean report?)"),
        (["rules", "pause", "nothing"], "there is no rule nothing"),
        (["emit", "paymnts", "{}"], "there is no sensor paymnts (did you mean payments?)"),
        (["emit", "payments", '{"amount": "x"}'], "does not fit sensor payments"),
        (["emit", "payments", "{"], "this is no JSON"),
        (["materialize", "reprt"], "there is no asset reprt (did you mean report?)"),
        (["runs", "list", "--status", "odd"], "input should be"),
    ],
)
def test_what_is_not_there_ends_with_2_and_one_line(
    arguments: list[str], said: str, run: Command
) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_nobody_at_home_ends_with_1_and_says_what_to_do(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REACTOR_PORT", "1")
    ran = run("runs", "list")
    assert ran.code == 1
    assert ran.err.startswith("error: no service answers at http://127.0.0.1:1: connection refused")
    assert "reactor serve TARGET" in ran.err


def _followed(arguments: list[str], service: Served, cause: Callable[[], Ran]) -> list[str]:
    """What a command that follows says of one thing that happens; ended by Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-m", "reactor.cli", *arguments, f"--port={service.port}"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        known = [process.stdout.readline()]  # what was there before: it listens now
        assert cause().code == 0
        known.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    return known


def test_runs_and_events_are_followed_as_they_come(run: Command, service: Served) -> None:
    run("emit", "payments", '{"amount": 1}')
    _newest(run, "ledger", "succeeded")
    run_lines = _followed(
        ["runs", "list", "--follow", "--json", "--limit=1"],
        service,
        lambda: run("materialize", "report"),
    )
    assert json.loads(run_lines[1])["roots"] == ["report"]
    event_lines = _followed(
        ["events", "list", "--follow", "--limit=1"],
        service,
        lambda: run("emit", "payments", '{"amount": 2}', "--id", "followed"),
    )
    assert event_lines[1].endswith("payments saw followed\n")


def test_a_service_with_a_token_wants_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipeline.py").write_text("from reactor import Pipeline\np = Pipeline('p')\n")
    run = command(capsys)
    with served(tmp_path, env={"REACTOR_TOKEN": "right-token"}) as running:
        monkeypatch.setenv("REACTOR_PORT", str(running.port))
        ran = run("assets")
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert "REACTOR_TOKEN" in ran.err
        monkeypatch.setenv("REACTOR_TOKEN", "wrong-token")
        assert run("assets").err.startswith("error: the service wants another token")
        monkeypatch.setenv("REACTOR_TOKEN", "right-token")
        assert run("assets").code == 0
        assert "right-token" not in running.log.read_text()
