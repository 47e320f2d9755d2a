"""What became of events, as the API tells it: over a real host and store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from reactor.core.field import field
from reactor.pipeline import Pipeline
from tests.integration.web_service import Feed, Running, running

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    region: str
    amount: float


SMALL, BIG = {"region": "eu", "amount": 3}, {"region": "eu", "amount": 3_000}


def shop() -> Pipeline:
    """Orders that launch `raw` and what follows, `big` ones an alert, and a rule that observes."""
    pipeline = Pipeline("shop", owner="data@shop.example")
    orders, payments = Feed("orders", model=Order), Feed("payments")

    @pipeline.asset
    async def raw() -> str:
        return "raw"

    @pipeline.asset
    async def clean(raw: Any) -> None:
        raise ZeroDivisionError("division by zero")

    @pipeline.asset
    async def report(clean: Any) -> None: ...

    @pipeline.asset
    async def alert() -> None: ...

    @pipeline.asset
    async def settled() -> None: ...

    pipeline.rule(orders, raw, name="daily")
    pipeline.rule(orders.where(field.amount > 1_000), alert, name="big")
    pipeline.rule((orders & payments).within("1h"), settled, name="paid")
    pipeline.rule(orders.where(field.region == "eu"), alert, settled, name="shadow", observe=True)
    return pipeline


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Running]:
    """The shop, which has seen a small order; its run has failed."""
    async with running(shop(), tmp_path) as served:
        await served.emit("orders", SMALL, "o-1")
        await served.until("/api/runs?status=failed", lambda page: len(page["items"]) == 1)
        yield served


async def _get(web: Running, path: str, status: int = 200) -> Any:
    answer = await web.http.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def _why(web: Running, seq: int, **of: str) -> str:
    answer = await web.http.get(f"/api/events/{seq}/why", params=of)
    assert answer.status_code == 200, answer.text
    return answer.json()["text"]


async def test_a_list_shows_the_most_telling_word_for_each_event(web: Running) -> None:
    await web.emit("payments", {}, "p-1")
    await web.until("/api/runs?rule=paid", lambda page: page["items"])
    await web.emit("payments", {}, "p-2")

    found = await web.until(
        "/api/events",
        lambda page: [each["status"] for each in page["items"]] == ["waiting", "ran", "failed"],
    )

    second, first, order = found["items"]
    assert second["status_text"].startswith("paid waits for orders")
    assert first["status_text"].startswith("paid launched settled in run 2")
    assert order["status_text"] == "daily launched raw in run 1, which failed"


async def test_a_list_does_not_look_through_much_to_tell_what_an_event_waits_for(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reactor.web.hosted.LOOKS", 0)
    await web.emit("payments", {}, "p-1")
    await web.until("/api/runs?rule=paid", lambda page: page["items"])
    await web.emit("payments", {}, "p-2")

    event = (await _get(web, "/api/events"))["items"][0]

    assert (event["status"], event["status_text"]) == ("waiting", "")
    assert (await _get(web, "/api/events/3"))["status_text"].startswith("paid waits for orders")


async def test_a_later_event_takes_the_place_of_one_that_waits(web: Running) -> None:
    await web.emit("orders", SMALL, "o-2")
    await web.emit("payments", {}, "p-1")

    first = await _get(web, "/api/events/1")

    [paid] = [fate for fate in first["fates"] if fate["rule"] == "paid"]
    assert (paid["status"], paid["text"]) == ("superseded", "passed over it: a later one was taken")


async def test_an_event_tells_its_fate_for_each_rule_that_listens(web: Running) -> None:
    event = await _get(web, "/api/events/1")

    told = {fate["rule"]: (fate["status"], fate["run"]) for fate in event["fates"]}
    assert told == {
        "daily": ("failed", 1),
        "big": ("filtered", None),
        "paid": ("waiting", None),
        "shadow": ("observed", None),
    }
    assert [fate["rule"] for fate in event["fates"]] == ["daily", "paid", "shadow", "big"]
    assert event["fate_count"] == 4
    assert event["status"] == "failed"
    texts = {fate["rule"]: fate["text"] for fate in event["fates"]}
    assert texts["shadow"] == (
        "came true and only observes: it would have launched alert and settled"
    )
    assert texts["daily"].startswith("launched raw in run 1, which failed: clean: ")
    assert texts["big"].startswith("did not let it in: field.amount")


async def test_why_not_is_answered_for_any_rule(web: Running) -> None:
    assert (await _why(web, 1, rule="big")).startswith("big did not let it in: field.amount")
    assert (await _why(web, 1, rule="paid")).startswith("paid waits for payments")
    await web.emit("payments", {}, "p-1")
    assert await _why(web, 2, rule="daily") == (
        "daily does not listen to payments: it listens to orders."
    )


async def test_why_not_is_answered_for_any_asset(web: Running) -> None:
    assert await _why(web, 1, asset="raw") == "raw was materialized in run 1, which daily launched."
    assert (await _why(web, 1, asset="report")).startswith("report is blocked in run 1")
    told = await _why(web, 1, asset="alert")
    assert told.startswith("alert was not launched: shadow came true and only observes")
    assert "; big did not let it in: field.amount" in told


async def test_an_event_that_was_not_kept_is_matched_anew(web: Running) -> None:
    async def ask(data: Any, **of: str) -> Any:
        event = {"specversion": "1.0", "id": "x", "source": "orders", "type": "test", "data": data}
        return await web.http.post("/api/events/why", params=of, json=event)

    small, big = (await ask(SMALL, rule="big")).json(), (await ask(BIG, rule="big")).json()

    assert small["text"].startswith("recomputed: big did not let it in: field.amount")
    assert big == {
        "event": None,
        "rule": "big",
        "asset": None,
        "text": "recomputed: big would let it in.",
        "recomputed": True,
    }
    assert (await ask({"region": 1}, rule="big")).status_code == 422
    assert len((await _get(web, "/api/events"))["items"]) == 1, "nothing was recorded"
    twice = [{"specversion": "1.0", "id": n, "source": "orders", "type": "t"} for n in "xy"]
    many = await web.http.post("/api/events/why", params={"rule": "big"}, json=twice)
    assert (many.status_code, many.json()["error"]) == (422, "ask about one event at a time")


@pytest.mark.parametrize(
    ("query", "status", "error", "hint"),
    [
        ("1/why", 422, "ask about a rule or an asset", "?rule=NAME or ?asset=NAME"),
        ("1/why?rule=big&asset=raw", 422, "ask about a rule or an asset", "?rule=NAME"),
        ("1/why?rule=bigg", 404, "there is no rule bigg", "did you mean big?"),
        ("1/why?asset=rew", 404, "there is no asset rew", "did you mean raw?"),
        ("99/why?rule=big", 404, "there is no event 99", "GET /api/events lists them"),
    ],
)
async def test_a_question_that_cannot_be_answered_says_what_to_ask(
    web: Running, query: str, status: int, error: str, hint: str
) -> None:
    answer = await _get(web, f"/api/events/{query}", status)

    assert answer["error"] == error
    assert hint in answer["hint"]


async def test_a_rule_shows_its_firings_and_what_it_only_observed(web: Running) -> None:
    shadow = await _get(web, "/api/rules/shadow")
    daily = await _get(web, "/api/rules/daily")

    [observed] = shadow["firings"]
    assert (observed["observed"], observed["run"]) == (True, None)
    assert observed["text"] == "would have launched alert and settled"
    assert (observed["events"], observed["event_count"], observed["matches"]) == ([1], 1, 1)
    assert (shadow["observed"], shadow["runs"]) == (True, [])
    [fired] = daily["firings"]
    assert (fired["run"], fired["text"]) == (1, "launched raw in run 1")
    assert daily["run"] == 1
    assert daily["since"] <= daily["fired"]


async def test_rules_say_when_they_fired_and_what_they_let_go(web: Running) -> None:
    await web.emit("orders", SMALL, "o-2")
    await web.emit("payments", {}, "p-1")

    rules = {rule["name"]: rule for rule in await _get(web, "/api/rules")}

    assert rules["paid"]["fates"] == {"superseded": 1}
    assert (rules["big"]["fired"], rules["big"]["fates"], rules["big"]["changes"]) == (None, {}, 0)
    assert rules["daily"]["fired"] is not None


async def test_an_event_whose_counterpart_did_not_come_in_time_expires(web: Running) -> None:
    await web.emit("payments", {}, "p-1")
    await web.emit("orders", SMALL, "o-2", time="2026-01-01T00:00:00Z")
    await web.emit("payments", {}, "p-2")

    event = await _get(web, "/api/events/3")
    rules = {rule["name"]: rule for rule in await _get(web, "/api/rules")}

    [paid] = [fate for fate in event["fates"] if fate["rule"] == "paid"]
    assert paid["status"] == "expired"
    assert paid["text"].endswith("payments did not come in time")
    assert rules["paid"]["fates"] == {"expired": 1}


async def test_a_run_says_what_was_left_out_and_why(web: Running) -> None:
    run = await _get(web, "/api/runs/1")

    assert run["why"] == [
        "raw because orders saw o-1.",
        "Rule daily came true: orders",
        "From that follows: clean because raw changes; report because clean changes.",
        "Blocked: report (clean failed after 1 attempt).",
        "2 other assets are not downstream of it.",
    ]


async def test_an_event_of_a_rule_whose_code_raises_is_told(tmp_path: Path) -> None:
    pipeline, orders = Pipeline("odd"), Feed("orders")

    @pipeline.asset
    async def kept() -> None: ...

    @pipeline.asset
    async def picky() -> None: ...

    pipeline.rule(orders, kept, name="kept")
    pipeline.rule(orders.where(lambda event: event.data["x"] > 1), picky, name="picky")
    async with running(pipeline, tmp_path) as web:
        await web.emit("orders", {}, "o-1")

        event = await _get(web, "/api/events/1")
        [listed] = (await _get(web, "/api/events"))["items"]

    assert (event["fates"][0]["rule"], event["fates"][0]["status"]) == ("picky", "failed")
    assert event["fates"][0]["text"] == "could not judge it: its own code raised KeyError: 'x'"
    assert listed["status"] == "failed"


async def test_an_event_tells_of_all_its_runs_however_many(tmp_path: Path) -> None:
    pipeline, orders = Pipeline("wide"), Feed("orders")

    @pipeline.asset
    async def kept() -> None: ...

    for number in range(60):
        pipeline.rule(orders, kept, name=f"r{number}")
    async with running(pipeline, tmp_path) as web:
        await web.emit("orders", {}, "o-1")
        await web.until(
            "/api/runs?status=succeeded&limit=100", lambda page: len(page["items"]) == 60
        )
        event = await _get(web, "/api/events/1")

    assert len(event["fates"]) == 60
    assert {fate["text"].rpartition(", ")[2] for fate in event["fates"]} == {"which succeeded"}


async def test_an_event_of_an_older_model_is_not_judged_anew(tmp_path: Path) -> None:
    def pipeline(orders: Feed) -> Pipeline:
        made = Pipeline("older")

        @made.asset
        async def kept() -> None: ...

        made.rule(orders, kept, name="kept")
        made.rule(orders.where(field.amount > 10), kept, name="big")
        return made

    async with running(pipeline(Feed("orders")), tmp_path) as web:
        await web.emit("orders", {"price": 3}, "o-1")
        await web.until("/api/runs?status=succeeded", lambda page: page["items"])
    async with running(pipeline(Feed("orders", model=Order)), tmp_path) as web:
        event = await _get(web, "/api/events/1")

    fates = {fate["rule"]: fate for fate in event["fates"]}
    assert fates["kept"]["text"] == "launched kept in run 1, which succeeded"
    assert fates["big"]["text"].startswith("cannot judge it any more: its payload cannot be read: ")
