"""Each server that the tests lean on is really there and really works."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import anyio
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.servers.browser import Browser
from tests.servers.kafka import Broker
from tests.servers.postgres import Postgres
from tests.servers.prometheus import Prometheus, promtool

pytestmark = pytest.mark.anyio

_PAGES = {
    "/": ("text/html", b"<!doctype html><title>A page of ours</title>"),
    "/metrics": (
        "text/plain",
        b"# HELP ours_total Ours.\n# TYPE ours_total counter\nours_total 7\n",
    ),
}


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, body = _PAGES.get(self.path, ("text/plain", b""))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    """A web site of two pages; its `host:port`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    serving = Thread(target=server.serve_forever)
    serving.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


async def _produce(broker: Broker, topic: str, value: bytes) -> TopicPartition:
    """Send one message; return where it went."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    try:
        sent = await producer.send_and_wait(topic, value)
        return sent.topic_partition
    finally:
        await producer.stop()


async def _first(broker: Broker, partition: TopicPartition, count: int) -> list[bytes]:
    """The first messages of a partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        with anyio.fail_after(20):
            return [(await consumer.getone()).value or b"" for _ in range(count)]
    finally:
        await consumer.stop()


async def test_a_message_that_was_produced_is_consumed(kafka: Broker) -> None:
    partition = await _produce(kafka, "servers.hello", b"hello")
    assert await _first(kafka, partition, 1) == [b"hello"]


@pytest.mark.needs_broker("durable_restart")
async def test_a_broker_that_was_killed_comes_back_on_its_port_with_its_messages(
    kafka: Broker,
) -> None:
    partition = await _produce(kafka, "servers.kept", b"before")
    await anyio.to_thread.run_sync(kafka.kill)
    await anyio.to_thread.run_sync(kafka.start)
    await _produce(kafka, "servers.kept", b"after")
    assert await _first(kafka, partition, 2) == [b"before", b"after"]


def test_postgres_answers_and_keeps_what_was_committed_over_a_crash(postgres: Postgres) -> None:
    url = postgres.database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    postgres.kill()
    postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(1,)]


async def test_prometheus_scrapes_a_target(
    prometheus: Callable[[str], Prometheus], site: str
) -> None:
    monitor = await anyio.to_thread.run_sync(prometheus, site)
    with anyio.fail_after(20):
        while not (series := await anyio.to_thread.run_sync(partial(monitor.query, "ours_total"))):
            await anyio.sleep(0.1)
    assert series[0]["value"][1] == "7"


def test_promtool_tells_good_metrics_from_bad() -> None:
    assert (
        promtool(
            ["check", "metrics"], "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n"
        ).returncode
        == 0
    )
    assert "no help text" in promtool(["check", "metrics"], "a_total 1\n").stderr


def test_a_browser_shows_a_page(browser: Browser, site: str) -> None:
    with browser() as page:
        page.get(f"http://{site}/")
        assert page.title == "A page of ours"
