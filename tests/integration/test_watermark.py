"""What is concluded from absence in a running service, and when it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from reactor import Pipeline, field
from reactor.core.decision import SetPaused
from reactor.core.errors import StoreUnavailable
from reactor.ports import Store, Turn
from sensors import KafkaTopic, Webhook
from tests.integration.kafka_desk import new_topic, send
from tests.integration.serving import Serving, posted, serving, until
from tests.integration.valve import Valve
from tests.servers.kafka import Broker
from tests.servers.process import listening as listening_on

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def shut() -> Iterator[None]:
    Valve.opened.clear()
    yield
    Valve.opened.clear()


def watched(trigger: Any, other: Any = None) -> Pipeline:
    """A pipeline with an asset `alarm` on a trigger, and `other` on another."""
    shop = Pipeline("shop")

    @shop.asset(on=trigger)
    async def alarm() -> None: ...

    if other is not None:

        @shop.asset(on=other)
        async def other_() -> None: ...

    return shop


class Watched:
    """A store that counts what it records, and refuses to while it is `shut`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.commits = self.refused = 0
        self.shut = False

    @classmethod
    def by(cls, kept: list[Watched]) -> Callable[[Store], Any]:
        """Watches a store, and keeps what watches it."""

        def watch(store: Store) -> Watched:
            kept.append(cls(store))
            return kept[-1]

        return watch

    async def commit(self, turn: Turn) -> None:
        if self.shut:
            self.refused += 1
            raise StoreUnavailable("the disk is full")
        self.commits += 1
        await self._store.commit(turn)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def turns(served: Serving, hook: Webhook, count: int = 3) -> None:
    """Has the service take some turns."""
    for _ in range(count):
        await served.host.submit(posted(hook, f"turn-{time.monotonic_ns()}"))


async def has_fired(served: Serving, times: int = 1) -> bool:
    return len(await served.steps("alarm")) == times


async def test_silence_is_concluded_once_the_sensor_was_read_so_far(tmp_path: Path) -> None:
    pump, hook = Valve("pump"), Webhook("tick")
    async with serving(watched(pump.by(field.id).silent_for("1s"), hook), tmp_path) as served:
        held = await pump.held()
        last = held.ago(10)
        await held.offer(last)
        await turns(served, hook)
        assert await has_fired(served, 0)
        held.desk.reached(last + SECOND / 2)
        await turns(served, hook)
        assert await has_fired(served, 0)
        held.desk.reached(last + SECOND)
        await until(lambda: has_fired(served))


async def test_a_word_of_how_far_it_read_does_not_overtake_a_batch(tmp_path: Path) -> None:
    pump, hook = Valve("pump"), Webhook("tick")
    async with serving(watched(pump.by(field.id).silent_for("5s"), hook), tmp_path) as served:
        held = await pump.held()
        await held.offer(held.ago(20))
        held.desk.reached(held.ago(19))
        await served.host.command(SetPaused("sensor", "pump", paused=True))
        await held.offer(held.ago(16))
        await held.offer(held.ago(12))
        held.desk.reached(held.ago(8))
        await turns(served, hook)
        assert await has_fired(served, 0)
        await served.host.command(SetPaused("sensor", "pump", paused=False))
        await turns(served, hook)
        assert await has_fired(served, 0)
        held.desk.reached(held.ago(1))
        await until(lambda: has_fired(served))


async def test_what_a_sensor_said_before_its_batch_was_refused_does_not_count(
    tmp_path: Path,
) -> None:
    pump, hook = Valve("pump"), Webhook("tick")
    async with serving(watched(pump.by(field.id).silent_for("5s"), hook), tmp_path) as served:
        held = await pump.held()
        await held.offer(held.ago(20))
        await turns(served, hook)
        held.position = "another"
        await held.offer(held.ago(16))
        held.desk.reached(held.ago(1))
        Valve.opened.clear()
        again = await pump.held()
        held.desk.reached(held.ago(1))
        await turns(served, hook)
        assert await has_fired(served, 0)
        again.desk.reached(again.ago(1))
        await until(lambda: has_fired(served))


async def test_what_could_not_be_recorded_is_not_taken_for_absence(tmp_path: Path) -> None:
    pump, hook = Valve("pump"), Webhook("tick")
    stores: list[Watched] = []
    shop = watched(pump.by(field.id).silent_for("5s"), hook)
    async with serving(shop, tmp_path, around=Watched.by(stores)) as served:
        [store] = stores
        held = await pump.held()
        await held.offer(held.ago(20))
        await turns(served, hook)
        store.shut = True
        await held.offer(held.ago(16))
        held.desk.reached(held.ago(13))
        await until(lambda: _true(store.refused > 1))
        store.shut = False
        await turns(served, hook)
        assert await has_fired(served, 0)
        held.desk.reached(held.ago(1))
        await until(lambda: has_fired(served))


async def test_what_ended_for_good_is_silent_from_then_on(tmp_path: Path) -> None:
    pump = Valve("pump")
    async with serving(watched(pump.silent_for("200ms")), tmp_path) as served:
        held = await pump.held()
        await held.offer(held.ago(0))
        held.end.set()
        await until(lambda: has_fired(served))


async def test_an_idle_service_writes_nothing_and_rests(tmp_path: Path) -> None:
    pump, hook = Valve("pump"), Webhook("tick")
    stores: list[Watched] = []

    shop = watched(pump.by(field.id).silent_for("100ms"), hook)
    async with serving(shop, tmp_path, around=Watched.by(stores)) as served:
        [store] = stores
        held = await pump.held()
        await held.offer(held.ago(5))
        await turns(served, hook, 1)
        await served.until_status("other_", "materialized")
        # Its timer is due, and its sensor says nothing of use.
        written, spent, long_ago = store.commits, time.process_time(), held.ago(9)
        for step in range(20):
            held.desk.reached(long_ago + step * SECOND / 10)
            await anyio.sleep(0.1)
        assert store.commits == written
        assert time.process_time() - spent < 0.5
        assert await has_fired(served, 0)


async def test_a_webhook_that_falls_silent_is_noticed_promptly(tmp_path: Path) -> None:
    hook = Webhook("beat")
    async with serving(watched(hook.silent_for("500ms")), tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        began = time.monotonic()
        await until(lambda: has_fired(served))
        assert time.monotonic() - began < 3


@pytest.fixture
def mended(kafka: Broker) -> Iterator[Broker]:
    """The broker, running again afterwards even if the test failed."""
    yield kafka
    if not listening_on(int(kafka.bootstrap.rpartition(":")[2])):
        kafka.start()


def orders_of(kafka: Broker, topic: str) -> KafkaTopic:
    return KafkaTopic(topic, bootstrap=kafka.bootstrap, start="earliest", name="orders")


@pytest.mark.needs_broker("restart", "durable_restart")
async def test_while_the_broker_is_away_nothing_is_concluded(
    mended: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders, hook = orders_of(mended, await new_topic(mended)), Webhook("tick")
    topic = orders.topics[0]
    async with serving(watched(orders.silent_for("4s"), hook), tmp_path) as served:
        await send(mended, topic, b"{}")
        post = served.host.intake.posts["orders"]
        await until(lambda: _true(post.health.last_event))
        await to_thread.run_sync(mended.stop)
        await until(lambda: _true("orders" in served.host.reactor.awaits))
        await turns(served, hook)
        assert await has_fired(served, 0)
        assert "absence not concluded" in capsys.readouterr().out
        await to_thread.run_sync(mended.start)
        await until(lambda: has_fired(served))


async def test_a_backlog_at_the_restart_raises_no_false_alarm(
    kafka: Broker, tmp_path: Path
) -> None:
    orders = orders_of(kafka, await new_topic(kafka))
    topic = orders.topics[0]
    paid, placed = orders.where(field.what == "paid"), orders.where(field.what == "placed")
    shop = watched(placed.by(field.id).unless(paid.by(field.id), within="3s"))
    async with serving(shop, tmp_path) as served:
        await send(kafka, topic, b'{"what": "placed", "id": 1}')
        await until(lambda: _true(served.host.intake.posts["orders"].health.last_event))
    await send(kafka, topic, *[b'{"what": "looked", "id": 1}'] * 5000)
    await send(kafka, topic, b'{"what": "paid", "id": 1}', b'{"what": "placed", "id": 2}')
    await anyio.sleep(3)  # the time in which the payment had to come is over
    async with serving(shop, tmp_path) as served:
        await until(lambda: has_fired(served))
        [run] = await served.store.read.runs()
        assert run["key"] == "2"


async def _true(value: Any) -> Any:
    return value
