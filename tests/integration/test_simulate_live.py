"""The simulator tells the truth: a service lives for some seconds, and its record is replayed.

Real sensors, real time, small durations; then the same pipeline on the clock of the record.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.integration.cli_service import Served, served
from tests.integration.processes import until

LIVE = """
from reactor import Pipeline, field
from sensors import FileArrivals, Schedule, Webhook

live = Pipeline("live", owner="data@live.example")
inbox = FileArrivals("inbox/*.csv")
payments = Webhook("payments")
beat = Schedule(every="1s", name="beat")

@live.asset(on=inbox)
async def raw(events): return [event.subject for event in events]

@live.asset
async def clean(raw): return len(raw)

@live.asset(on=inbox.batch(2, max_wait="1500ms"))
async def pair(events): ...

@live.asset(on=payments.where(field.amount > 10).by(field.account).debounce("700ms", "3s"))
async def settled(events): ...

@live.asset(on=beat)
async def report(events): ...

@live.asset(on=clean.materialized.throttle("2s"))
async def told(events): ...

@live.asset(on=(inbox & payments).within("1s"))
async def matched(events): ...

@live.asset(on=payments.then(inbox).within("2s"))
async def followed(events): ...

@live.asset(on=payments.unless(inbox, within="500ms"))
async def alone(events): ...

@live.asset(on=payments.silent_for("2500ms"))
async def quiet(events): ...

@live.asset(on=payments.by(field.account).count(3, within="10s"))
async def spike(events): ...

@live.asset(on=payments.delay("600ms"))
async def later(events): ...
"""


def replayed(folder: Path, *options: str) -> dict[str, Any]:
    """What `reactor simulate` says of the service's own record."""
    words = [sys.executable, "-m", "reactor.cli", "simulate", "pipeline.py", *options, "--json"]
    ran = subprocess.run(words, check=False, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def pay(service: Served, amount: int, account: str) -> None:
    answer = httpx.post(
        f"{service.url}/hooks/payments", json={"amount": amount, "account": account}
    )
    assert answer.status_code == 202


def events(service: Served) -> int:
    answer = httpx.get(f"{service.url}/api/events", params={"limit": 200})
    assert answer.status_code == 200, answer.text
    return len(answer.json()["items"])


def arrive(folder: Path, name: str) -> None:
    part = folder / "inbox" / f".{name}.part"
    part.write_text("1,2\n")
    os.replace(part, folder / "inbox" / f"{name}.csv")


def between_beats() -> str:
    """A moment that is no tick of the schedule, nor soon after one."""
    until(lambda: 0.4 < time.time() % 1 < 0.6)
    return datetime.now(UTC).isoformat()


def test_a_life_and_its_simulation_launch_the_same(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "pipeline.py").write_text(LIVE)
    with served(tmp_path) as service:
        since = between_beats()
        for number in range(6):
            pay(service, 5 * number, "ab"[number % 2])
            if number != 3:
                arrive(tmp_path, f"file-{number}")
            # The scenario is one in real time: what is between its events is part of it.
            time.sleep(0.9)
        until(lambda: events(service) >= 11, within=30)
        time.sleep(4)
        when = ("--since", since, "--until", between_beats())
        assert service.stop() == 0
    simulated = replayed(tmp_path, *when)
    fired = Counter(each["rule"] for each in simulated["launches"])
    assert set(fired) == set(simulated["rules"]), "every rule has something to show"
    compared = replayed(tmp_path, *when, "--against", "store")
    assert compared["differences"] == []
    assert compared["same"] == sum(fired.values())
