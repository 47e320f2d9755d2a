"""The API over a real host and store."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from reactor.host.context import Context
from reactor.pipeline import Pipeline
from reactor.ports import Batch, DeadLetter
from tests.integration.web_service import Feed, Running, running

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    order_id: int
    region: str
    amount: float


ORDER = {"order_id": 1, "region": "eu", "amount": 9.5}


def shop() -> Pipeline:
    """Three feeds and what they launch: `revenue`, something `broken`, and something `endless`."""
    pipeline = Pipeline("shop", owner="data@shop.example")
    orders, news, clock = Feed("orders", model=Order), Feed("news"), Feed("clock")
    mended: list[bool] = []

    @pipeline.asset(on=orders)
    async def raw_orders(events: Any, context: Context) -> dict[str, int]:
        """Orders as they came."""
        context.progress(len(events), of=len(events))
        return {"rows": len(events)}

    @pipeline.asset
    async def revenue(raw_orders: Any) -> str:
        return "lake/revenue.parquet"

    @pipeline.asset(on=news)
    async def broken() -> None:
        if not mended:
            mended.append(True)
            raise ZeroDivisionError("division by zero")

    @pipeline.asset
    async def report(broken: Any) -> None:
        return None

    @pipeline.asset(on=clock)
    async def endless() -> None:
        await anyio.sleep_forever()

    return pipeline


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(shop(), tmp_path) as served:
        yield served


async def _ended(web: Running, status: str, many: int = 1) -> list[dict[str, Any]]:
    """The runs of a status, once there are so many."""
    page = await web.until(f"/api/runs?status={status}", lambda page: len(page["items"]) >= many)
    return page["items"]


async def _get(web: Running, path: str) -> Any:
    answer = await web.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_event_launches_its_run_and_the_api_says_why(web: Running) -> None:
    answer = await web.emit("orders", ORDER, "o-1")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ids": ["o-1"]})

    (run,) = await _ended(web, "succeeded")
    assert (run["rule"], run["roots"], run["asset_count"]) == ("raw_orders", ["raw_orders"], 2)
    detail = await _get(web, f"/api/runs/{run['id']}")
    assert detail["why"] == [
        "raw_orders because orders saw o-1.",
        "Rule raw_orders came true: orders",
        "From that follows: revenue because raw_orders changes.",
        "3 other assets are not downstream of it.",
    ]
    assert [(step["asset"], step["status"]) for step in detail["steps"]] == [
        ("raw_orders", "materialized"),
        ("revenue", "materialized"),
    ]
    assert detail["steps"][1]["because"] == "because raw_orders changes"
    assert [(event["sensor"], event["id"]) for event in detail["events"]] == [("orders", "o-1")]


async def test_a_repeated_delivery_is_accepted_once(web: Running) -> None:
    for _ in range(3):
        assert (await web.emit("orders", ORDER, "o-1")).status_code == 202
    await _ended(web, "succeeded")
    assert [each["id"] for each in (await _get(web, "/api/events?sensor=orders"))["items"]] == [
        "o-1"
    ]


async def test_an_event_comes_in_headers_in_json_or_in_a_batch(web: Running) -> None:
    binary = {
        "ce-specversion": "1.0",
        "ce-id": "in headers",
        "ce-source": "orders",
        "ce-type": "order",
        "ce-subject": "caf%C3%A9",
        "ce-time": "2026-11-02T01:02:03+02:00",
        "ce-partitionkey": "eu",
        "content-type": "application/json",
    }
    answer = await web.http.post("/api/events", headers=binary, content=json.dumps(ORDER))
    assert answer.status_code == 202, answer.text
    event = {"specversion": "1.0", "id": "1", "source": "orders", "type": "order", "data": ORDER}
    encoded = base64.b64encode(json.dumps(ORDER).encode()).decode()
    batch = [event, {**event, "id": "2", "data_base64": encoded}]
    del batch[1]["data"]
    kind = {"content-type": "application/cloudevents-batch+json; charset=utf-8"}
    answer = await web.http.post("/api/events", headers=kind, content=json.dumps(batch))
    assert (answer.status_code, answer.json()["ids"]) == (202, ["1", "2"])

    found = (await _get(web, "/api/events"))["items"]
    posted = [each for each in reversed(found) if each["sensor"] == "orders"]
    assert [each["id"] for each in posted] == ["in headers", "1", "2"]
    first = await _get(web, f"/api/events/{posted[0]['seq']}")
    assert (first["subject"], first["at"], first["key"], first["data"]) == (
        "café",
        "2026-11-01T23:02:03Z",
        "eu",
        ORDER,
    )


async def test_an_event_tells_which_runs_it_launched(web: Running) -> None:
    await web.emit("orders", ORDER, "o-1", subject="orders/0@17")
    (run,) = await _ended(web, "succeeded")
    (event,) = (await _get(web, "/api/events?sensor=orders"))["items"]
    detail = await _get(web, f"/api/events/{event['seq']}")
    assert [each["id"] for each in detail["runs"]] == [run["id"]]
    assert detail["run_count"] == 1


async def test_what_the_service_cannot_take_is_named(web: Running) -> None:
    unknown = await web.emit("ordres", ORDER, "1")
    assert unknown.status_code == 404
    assert unknown.json() == {"error": "there is no sensor ordres", "hint": "did you mean orders?"}
    unfit = await web.emit("orders", {"order_id": "many"}, "1")
    assert unfit.status_code == 422
    assert "event 1 does not fit sensor orders" in unfit.json()["error"]
    assert (await _get(web, "/api/events"))["items"] == []


async def test_of_a_batch_with_one_bad_event_nothing_is_taken(web: Running) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "orders", "type": "order", "data": ORDER}
    answer = await web.http.post("/api/events", json=[event, {**event, "id": "2", "data": {}}])
    assert answer.status_code == 422
    assert "event 2" in answer.json()["error"]
    assert (await _get(web, "/api/events"))["items"] == []


async def test_a_failed_step_shows_its_error_and_goes_on_from_there(web: Running) -> None:
    await web.emit("news", {}, "n-1")
    (run,) = await _ended(web, "failed")
    failed, waiting = (await _get(web, f"/api/runs/{run['id']}"))["steps"]
    assert (failed["asset"], failed["status"]) == ("broken", "failed")
    assert "ZeroDivisionError: division by zero" in failed["attempts"][0]["error"]
    assert (waiting["asset"], waiting["status"]) == ("report", "blocked")
    (alert,) = await _get(web, "/api/alerts?open=true")
    assert alert["asset"] == "broken"
    asset = await _get(web, "/api/assets/broken")
    assert asset["ended"]["status"] == "failed"

    answer = await web.http.post(f"/api/runs/{run['id']}/resume")
    assert (answer.status_code, answer.json()) == (202, {"done": f"run {run['id']} goes on"})
    await _ended(web, "succeeded")
    answer = await web.http.post(f"/api/runs/{run['id']}/resume")
    assert answer.status_code == 409


async def test_a_running_step_is_seen_and_cancelled(web: Running) -> None:
    await web.emit("clock", {}, "c-1")
    status = await web.until("/api/status", lambda status: status["running"] == 1)
    assert status["waiting"] == 0
    asset = await _get(web, "/api/assets/endless")
    assert [step["status"] for step in asset["active"]] == ["running"]
    (run,) = await _ended(web, "running")
    answer = await web.http.post(f"/api/runs/{run['id']}/cancel", json={"reason": "not needed"})
    assert answer.status_code == 202
    await _ended(web, "cancelled")
    again = await web.http.post(f"/api/runs/{run['id']}/cancel")
    assert (again.status_code, again.json()["error"]) == (
        409,
        f"run {run['id']} has ended: cancelled",
    )


async def test_an_asset_is_launched_by_hand(web: Running) -> None:
    answer = await web.http.post("/api/materialize", json={"assets": ["raw_orders"]})
    root = {"asset": "raw_orders", "partition": None, "because": "launched by hand"}
    told = {"done": "launched raw_orders", "roots": [root], "root_count": 1}
    assert (answer.status_code, answer.json()) == (202, told)
    (run,) = await _ended(web, "succeeded")
    assert (run["rule"], run["roots"], run["because"]) == (
        "by hand",
        ["raw_orders"],
        "launched by hand",
    )
    detail = await _get(web, f"/api/runs/{run['id']}")
    assert detail["why"] == [
        "raw_orders because it was launched by hand.",
        "From that follows: revenue because raw_orders changes.",
        "3 other assets are not downstream of it.",
    ]
    wrong = await web.http.post("/api/materialize", json={"assets": ["revenues"]})
    assert (wrong.status_code, wrong.json()["hint"]) == (404, "did you mean revenue?")


async def test_an_asset_shows_what_it_returned_and_when(web: Running) -> None:
    before = await _get(web, "/api/assets/raw_orders")
    assert (before["last"], before["age_seconds"], before["ended"]) == (None, None, None)
    await web.emit("orders", ORDER, "o-1")
    await _ended(web, "succeeded")
    asset = await _get(web, "/api/assets/raw_orders")
    assert asset["doc"] == "Orders as they came."
    assert asset["downstream"] == ["revenue"]
    assert [made["handle"] for made in asset["materializations"]] == [{"rows": 1}]
    assert 0 <= asset["age_seconds"] < 60
    assert [run["rule"] for run in asset["runs"]] == ["raw_orders"]
    every = {each["name"]: each["last"] for each in await _get(web, "/api/assets")}
    assert every["raw_orders"] == asset["last"]
    assert every["broken"] is None


async def test_a_step_keeps_what_it_said(web: Running) -> None:
    await web.emit("orders", ORDER, "o-1")
    (run,) = await _ended(web, "succeeded")
    step = (await _get(web, f"/api/runs/{run['id']}"))["steps"][0]["id"]
    path = f"/api/runs/{run['id']}/log?step={step}"
    log = await web.until(path, lambda log: log["lines"])
    assert [line["text"] for line in log["lines"]] == ["progress 1 of 1"]
    assert (await web.http.get(f"/api/runs/{run['id']}/log?step=999")).status_code == 404


async def test_the_graph_rules_and_sensors_are_described(web: Running) -> None:
    graph = await _get(web, "/api/graph")
    assert [asset["name"] for asset in graph["assets"]] == [
        "raw_orders",
        "revenue",
        "broken",
        "report",
        "endless",
    ]
    assert graph["assets"][1]["upstream"] == ["raw_orders"]
    assert {"name": "orders", "kind": "feed", "address": "orders"} in graph["sensors"]
    (rule,) = [rule for rule in graph["rules"] if rule["assets"] == ["raw_orders"]]
    assert (rule["trigger"], rule["sensors"]) == ("orders", ["orders"])
    assert (await _get(web, "/api/rules/raw_orders"))["runs"] == []
    sensor = await web.until("/api/sensors/orders", lambda sensor: sensor["up"])
    assert sensor["rules"] == ["raw_orders"]


async def test_pages_follow_each_other_without_gap_or_overlap(web: Running) -> None:
    for number in range(7):
        await web.emit("orders", ORDER, f"o-{number}")
    seen: list[str] = []
    path = "/api/events?sensor=orders&limit=3"
    while path:
        page = await _get(web, path)
        seen += [event["id"] for event in page["items"]]
        before = page["next"]
        path = f"/api/events?sensor=orders&limit=3&before={before}" if before else ""
    assert seen == [f"o-{number}" for number in reversed(range(7))]


async def test_a_paused_rule_shows_and_goes_on_and_both_are_audited(web: Running) -> None:
    order = {"kind": "rule", "name": "raw_orders", "paused": True}
    assert (await web.http.post("/api/pauses", json=order)).status_code == 202
    assert (await _get(web, "/api/rules/raw_orders"))["paused"] is True
    await web.http.post("/api/pauses", json={**order, "paused": False})
    assert (await _get(web, "/api/rules/raw_orders"))["paused"] is False
    rows = await web.service.read.audit()
    about = ("rule raw_orders", "api")
    assert [(row["action"], row["target"], row["actor"]) for row in rows] == [
        ("resume", *about),
        ("pause", *about),
    ]
    wrong = await web.http.post("/api/pauses", json={**order, "name": "raw_order"})
    assert (wrong.status_code, wrong.json()["hint"]) == (404, "did you mean raw_orders?")


async def test_health_says_what_a_supervisor_asks(web: Running) -> None:
    assert await _get(web, "/healthz") == {"status": "alive"}
    ready = await web.until("/readyz", lambda ready: ready["status"] == "ready")
    assert ready == {"status": "ready", "role": "leader", "reasons": []}


async def test_the_document_describes_every_path(web: Running) -> None:
    document = await _get(web, "/openapi.json")
    assert {"/api/graph", "/api/runs/{id}", "/api/events", "/api/stream"} <= set(document["paths"])
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), f"{method} {path} says nothing"


HOSTILE = [
    ("GET", "/api/runs/x", None),
    ("GET", "/api/runs/99999999999999999999999999", None),
    ("GET", "/api/runs/-1", None),
    ("GET", "/api/runs/9223372036854775807", None),
    ("GET", "/api/runs?limit=0", None),
    ("GET", "/api/runs?limit=100000", None),
    ("GET", "/api/runs?before=1e9", None),
    ("GET", "/api/runs?status=great", None),
    ("GET", "/api/runs?rule=%00", None),
    ("GET", "/api/runs/1/log", None),
    ("GET", "/api/runs/1/log?step=99999999999999999999", None),
    ("GET", "/api/events/0x10", None),
    ("GET", "/api/events/7", None),
    ("GET", "/api/deadletters/7", None),
    ("GET", "/api/deadletters?status=lost", None),
    ("GET", "/api/assets/%00", None),
    ("GET", "/api/assets/..%2f..%2fetc%2fpasswd", None),
    ("GET", "/api/assets/%ff%fe", None),
    ("GET", "/api/nothing", None),
    ("GET", "/static/../app.py", None),
    ("GET", "/static/%2e%2e/app.py", None),
    ("DELETE", "/api/runs", None),
    ("POST", "/api/runs/1/cancel", b"{"),
    ("POST", "/api/runs/1/cancel", b'{"reason": 7}'),
    ("POST", "/api/runs/1/resume", b""),
    ("POST", "/api/materialize", b""),
    ("POST", "/api/materialize", b"[]"),
    ("POST", "/api/materialize", b'{"assets": []}'),
    ("POST", "/api/materialize", b'{"assets": ["\\ud800"]}'),
    ("POST", "/api/materialize", b'{"assets": ["revenue"], "partition": ""}'),
    ("POST", "/api/materialize", b'{"assets": ["revenue"], "forced": true}'),
    ("POST", "/api/pauses", b'{"kind": "cat", "name": "x", "paused": true}'),
    ("POST", "/api/events", b""),
    ("POST", "/api/events", b"\xff\xfe"),
    ("POST", "/api/events", b"null"),
    ("POST", "/api/events", b"[" * 100_000),
    ("POST", "/api/events", b'{"specversion": "1.0"}'),
    ("POST", "/api/events", b'{"specversion": "0.3", "id": "1", "source": "orders", "type": "t"}'),
    ("POST", "/api/events", b'{"specversion": "1.0", "id": 1, "source": "orders", "type": "t"}'),
    ("POST", "/api/events", b'{"specversion":"1.0","id":"1","source":"orders","type":"t"}'),
    ("POST", "/api/events", b'{"specversion":"1.0","id":"1\\u0000","source":"orders","type":"t"}'),
    (
        "POST",
        "/api/events",
        b'{"specversion":"1.0","id":"1","source":"orders","type":"t","time":"yesterday"}',
    ),
    (
        "POST",
        "/api/events",
        b'{"specversion":"1.0","id":"1","source":"orders","type":"t","data_base64":"%"}',
    ),
    (
        "POST",
        "/api/events",
        b'{"specversion":"1.0","id":"1","source":"orders","type":"t","data":NaN}',
    ),
    ("POST", "/hooks/nobody", b"{}"),
    ("POST", "/hooks/orders", b"{}"),
]


@pytest.fixture(scope="module")
async def idle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running(shop(), tmp_path_factory.mktemp("idle")) as served:
        yield served


@pytest.mark.parametrize(("method", "path", "body"), HOSTILE)
async def test_bad_input_gets_one_clear_error(
    idle: Running, method: str, path: str, body: bytes | None
) -> None:
    kind = {"content-type": "application/json"}
    answer = await idle.http.request(method, path, content=body, headers=kind)
    assert 400 <= answer.status_code < 500, answer.text
    said = answer.json()
    assert said["error"]
    assert set(said) == {"error", "hint"}


async def test_a_name_that_is_no_unicode_is_shown_and_breaks_nothing(web: Running) -> None:
    """A file name of bytes that are not UTF-8 comes as lone surrogates."""
    name = b"inbox/caf\xe9.csv".decode("utf-8", "surrogateescape")
    event = Feed("news").event({"path": name}, id="f-1", subject=name)
    await web.service.submit(Batch("news", [event], repeats=True))
    await _ended(web, "failed")
    (shown,) = [
        each for each in (await _get(web, "/api/events"))["items"] if each["sensor"] == "news"
    ]
    assert shown["subject"] == "inbox/caf\\xe9.csv"
    assert (await _get(web, f"/api/events/{shown['seq']}"))["subject"] == "inbox/caf\\xe9.csv"
    (run,) = (await _get(web, "/api/runs"))["items"]
    assert "caf\\xe9.csv" in (await _get(web, f"/api/runs/{run['id']}"))["why"][0]


async def test_a_dead_letter_is_shown_replayed_and_dropped(web: Running) -> None:
    now = web.service.clock.now()
    letters = [
        DeadLetter("o-1", "orders", "orders/0@1", "not yet read", now, json.dumps(ORDER).encode()),
        DeadLetter("o-2", "orders", "orders/0@2", "no JSON", now, b"\xff{"),
    ]
    await web.service.submit(Batch("orders", dead=letters, repeats=True))
    assert (await _get(web, "/api/status"))["deadletters"] == 2
    second, first = (await _get(web, "/api/deadletters"))["items"]
    assert (first["error"], first["size_bytes"]) == ("not yet read", len(letters[0].raw))
    shown = await _get(web, f"/api/deadletters/{second['seq']}")
    assert (shown["text"], base64.b64decode(shown["base64"])) == (None, b"\xff{")

    answer = await web.http.post(f"/api/deadletters/{first['seq']}/replay")
    assert answer.status_code == 202, answer.text
    await _ended(web, "succeeded")
    answer = await web.http.post(f"/api/deadletters/{first['seq']}/replay")
    assert answer.status_code == 409
    answer = await web.http.post(f"/api/deadletters/{second['seq']}/replay")
    assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (422, True)
    assert (await _get(web, "/api/status"))["deadletters"] == 1
    answer = await web.http.post(f"/api/deadletters/{second['seq']}/drop")
    assert answer.status_code == 202
    assert (await _get(web, "/api/deadletters"))["items"] == []
