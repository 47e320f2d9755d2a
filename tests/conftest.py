"""What every test may ask for: the real servers, started once a session when first asked for."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import browser as browsers
from tests.servers import kafka as brokers
from tests.servers import postgres as databases
from tests.servers import prometheus as monitors
from tests.servers import registry as registries

# No deadlines: how long an example takes says nothing about what it shows.
settings.register_profile("reactor", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("reactor")

_NOT_RUN = pytest.StashKey[list[str]]()


def pytest_report_header() -> list[str]:
    """Say which servers this session has."""
    others = {
        "PostgreSQL": databases.installed(),
        "Prometheus": monitors.installed(),
        "Chromium": browsers.installed(),
        "a schema registry": registries.installed(),
    }
    rest = ", ".join(name if here else f"{name} MISSING" for name, here in others.items())
    return [f"servers: Kafka is {brokers.chosen().name}; {rest}"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set aside the cases that the broker in use cannot serve."""
    served = brokers.chosen().features
    kept: list[pytest.Item] = []
    aside: list[pytest.Item] = []
    for item in items:
        (kept if _needed(item) <= served else aside).append(item)
    if aside:
        items[:] = kept
        config.hook.pytest_deselected(items=aside)
    config.stash[_NOT_RUN] = [
        f"{item.nodeid} (needs {', '.join(sorted(_needed(item) - served))})" for item in aside
    ]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the cases that were set aside."""
    if not_run := config.stash.get(_NOT_RUN, []):
        terminalreporter.section(f"not run: {brokers.chosen().name} cannot serve these")
        for line in not_run:
            terminalreporter.line(line)


def _needed(item: pytest.Item) -> frozenset[str]:
    """The broker features that a test asks for with `needs_broker`."""
    needed = frozenset(
        feature for mark in item.iter_markers("needs_broker") for feature in mark.args
    )
    if unknown := needed - brokers.FEATURES:
        raise pytest.UsageError(f"{item.nodeid}: no such broker feature: {', '.join(unknown)}")
    return needed


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def kafka() -> Iterator[brokers.Broker]:
    """A Kafka broker; a test that stops it starts it again, and makes topics of its own."""
    broker = brokers.chosen().start()
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[databases.Postgres]:
    """A PostgreSQL server; `postgres.database()` makes an empty database for one test."""
    server = databases.Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def registry() -> Iterator[registries.Registry]:
    """A schema registry; a test that stops it starts it again, and has subjects of its own."""
    server = registries.Registry()
    yield server
    server.close()


@pytest.fixture
def prometheus() -> Iterator[Callable[..., monitors.Prometheus]]:
    """Starts Prometheus servers: `prometheus("127.0.0.1:8321", rules=[...])`."""
    with ExitStack() as stack:

        def start(target: str, *, rules: Sequence[Path] = ()) -> monitors.Prometheus:
            server = monitors.Prometheus(target, rules=rules)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """Opens headless browsers: `with browser() as page: page.get(url)`."""
    opener = browsers.Browser()
    yield opener
    opener.close()
