"""/metrics, as Prometheus sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import pytest

from reactor.pipeline import Pipeline
from tests.integration.web_service import Feed, Running, running
from tests.servers.prometheus import Prometheus, promtool

pytestmark = pytest.mark.anyio


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Running]:
    made = Pipeline("shop")

    @made.asset(on=Feed("news"))
    async def page() -> str:
        return "page"

    async with running(made, tmp_path) as served:
        yield served


async def test_promtool_finds_nothing_to_object_to(web: Running) -> None:
    await web.emit("news", {}, "n-1")
    await web.until("/api/runs?status=succeeded", lambda page: page["items"])
    text = (await web.http.get("/metrics", headers={"Accept": "text/plain"})).text
    checked = await anyio.to_thread.run_sync(promtool, ["check", "metrics"], text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_prometheus_scrapes_what_happened(
    web: Running, prometheus: Callable[[str], Prometheus]
) -> None:
    await web.emit("news", {}, "n-1")
    await web.until("/api/runs?status=succeeded", lambda page: page["items"])
    server = await anyio.to_thread.run_sync(prometheus, urlsplit(web.url).netloc)
    for expression, value in {
        'reactor_events_total{sensor="news", outcome="accepted"}': "1",
        'reactor_firings_total{rule="page"}': "1",
        'reactor_runs_total{status="succeeded"}': "1",
        'reactor_steps_total{asset="page", status="materialized"}': "1",
        'reactor_step_seconds_count{asset="page"}': "1",
        "reactor_event_to_launch_seconds_count": "1",
        "reactor_leader": "1",
        'reactor_sensor_up{sensor="news"}': "1",
        'reactor_dead_letters_total{sensor="news"}': "0",
        'reactor_asset_age_seconds{asset="page"} < bool 600': "1",
    }.items():
        assert await _value(server, expression) == value, expression


async def _value(server: Prometheus, expression: str) -> str:
    """The value of an expression of one series, once it has been scraped."""
    with anyio.fail_after(30):
        while not (found := await anyio.to_thread.run_sync(server.query, expression)):
            await anyio.sleep(0.1)
    (series,) = found
    return series["value"][1]
