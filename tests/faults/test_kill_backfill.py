"""kill -9 in the middle of a backfill, again and again: each partition is done, by one run."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from tests.integration.cli_service import Served, served
from tests.integration.processes import until

KILLS, DAYS = 3, 60
PIPELINE = """
import anyio
from reactor import Pipeline
from reactor.core.window import Daily

shop = Pipeline("shop", owner="me@shop.example")

@shop.asset(partitions=Daily("2026-01-01"))
async def raw(partition):
    await anyio.sleep(0.02)
    with open("done.txt", "a") as out:
        out.write(partition + "\\n")
    return partition

@shop.asset(partitions=Daily("2026-01-01"))
async def clean(raw): ...
"""


def _ask(service: Served, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{service.url}{path}", data, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


def test_each_partition_is_launched_once_whenever_the_process_is_killed(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    order = {"assets": ["raw"], "partitions": "2026-01-01..2026-03-01", "limit": 3, "token": "t"}
    for kill in range(KILLS):
        with served(tmp_path) as service:
            # Whoever asked does not know whether it was heard, and asks again: it is one backfill.
            _ask(service, "/api/backfills", order)
            goal = (kill + 1) * DAYS // (KILLS + 1)
            until(lambda service=service, goal=goal: _done(service) >= goal, within=60)
            assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    with served(tmp_path) as service:
        until(lambda: _ask(service, "/api/backfills/1")["finished"], within=60)
        fill = _ask(service, "/api/backfills/1")
        runs = _ask(service, "/api/runs?rule=backfill%201&limit=500")["items"]
        backfills = _ask(service, "/api/backfills")["items"]
    assert (fill["status"], fill["done"], fill["failed"]) == ("succeeded", DAYS, 0)
    assert len(backfills) == 1
    assert Counter(run["partition"] for run in runs).most_common(1)[0][1] == 1
    assert {run["status"] for run in runs} == {"succeeded"}
    written = Counter((tmp_path / "done.txt").read_text().split())
    assert len(written) == len(runs) == DAYS
    # Only what ran when the process was killed was begun again.
    assert sum(written.values()) <= DAYS + 3 * KILLS


def _done(service: Served) -> int:
    return _ask(service, "/api/backfills/1")["done"]
