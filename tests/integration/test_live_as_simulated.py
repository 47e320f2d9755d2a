"""What a service did with real sensors in real time is what the simulator says it would have done.

Each operator has a rule of its own. The pauses of the scenario are far from the durations of the
rules: a slow machine changes what is recorded, not whether both agree.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx
import pytest

from tests.integration import kafka_desk
from tests.integration.cli import command
from tests.integration.cli_service import served
from tests.servers.kafka import Broker

PIPELINE = """
from reactor import Pipeline, at_least, field, meta
from sensors import FileArrivals, KafkaTopic, Schedule, Webhook

live = Pipeline("live", owner="data@shop.example")
inbox = FileArrivals("inbox/*.csv")
orders = KafkaTopic("{topic}", name="orders", start="earliest")
payments = Webhook("payments")
beat = Schedule(every="6s", name="beat")

RULES = {{
    "each": inbox | orders,
    "big": orders.where(field.n >= 2),
    "joined": (inbox & orders).within("1m"),
    "enough": at_least(1, inbox, orders).within("1m"),
    "followed": inbox.then(orders).within("1m"),
    "alone": inbox.unless(orders, within="2s"),
    "unfinished": inbox.then(orders.where(field.n == 3)).within("2s").incomplete(),
    "silent": orders.by(field.k).silent_for("3s"),
    "overdue": inbox.overdue("*/6 * * * * *", grace="1s"),
    "covered": orders.complete(field.k.isin(["x", "y"]), within="1m"),
    "counted": orders.count(3, within="1m"),
    "much": orders.aggregate("1m", sum=field.n > 2),
    "batched": orders.batch(2, max_wait="2s"),
    "settled": orders.debounce("1500ms", max_wait="10s"),
    "throttled": orders.throttle("2s"),
    "delayed": inbox.delay("1s"),
    "distinct": orders.distinct(field.k, ttl="1m"),
    "changed": orders.changed(field.k),
    "open": orders.during("00:00-23:59, 23:59-00:00"),
    "beats": beat,
    "paid": payments.then(inbox).within("1m"),
    "unpaid": payments.unless(inbox, within="2s"),
    "per-key": orders.by(field.k).batch(2, max_wait="3s"),
}}


@live.asset
async def made():
    return 1


for name, trigger in RULES.items():
    live.rule(trigger, made, name=name, pending="queue")
live.rule(made.materialized.throttle("2s"), made, name="after", observe=True)
"""


def arrive(folder: Path, name: str) -> None:
    """A whole file comes in."""
    hidden = folder / f".{name}"
    hidden.write_text("x\n")
    os.rename(hidden, folder / name)


async def deliver(url: str) -> None:
    """A webhook is called."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/hooks/payments", json={"amount": 5})
    assert answer.status_code == 202


async def scenario(kafka: Broker, topic: str, inbox: Path, url: str) -> None:
    """Files, messages and deliveries, with pauses."""

    async def say(*values: bytes) -> None:
        await kafka_desk.send(kafka, topic, *values)

    arrive(inbox, "a.csv")
    await anyio.sleep(0.4)
    await say(b'{"k": "x", "n": 1}', b'{"k": "x", "n": 2}')
    await anyio.sleep(0.4)
    await say(b'{"k": "y", "n": 3}')
    await deliver(url)
    await anyio.sleep(4)
    arrive(inbox, "b.csv")
    await anyio.sleep(3.5)
    await say(b'{"k": "y", "n": 1}')
    await anyio.sleep(15)


def test_a_life_with_real_sensors_is_the_life_that_the_simulator_shows(
    kafka: Broker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = anyio.run(kafka_desk.new_topic, kafka)
    (tmp_path / "pipeline.py").write_text(PIPELINE.format(topic=topic))
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REACTOR_KAFKA", kafka.bootstrap)
    with served(tmp_path) as service:
        anyio.run(scenario, kafka, topic, inbox, service.url)
        # A deadline is concluded within three seconds of it; there is one every six.
        until = time.time() // 6 * 6 - 0.2
        assert service.stop() == 0, service.log.read_text()
    run = command(capsys)
    end = datetime.fromtimestamp(until, UTC).isoformat()
    ran = run("simulate", "pipeline.py", "--against", "store", "--until", end, "--json")
    assert ran.data["differences"] == []
    rules = run("simulate", "pipeline.py", "--until", end, "--json").data["rules"]
    assert [name for name, fired in rules.items() if not fired] == [], "each had something to show"
