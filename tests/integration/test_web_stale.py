"""What is out of date: shown, brought up to date by hand and after a restart, on a real host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from reactor.core.partition import Dynamic, Static
from reactor.core.window import Daily
from reactor.pipeline import Pipeline
from tests.integration.web_service import Feed, Running, running

pytestmark = pytest.mark.anyio


def shop(*, priced: bool = False, broken: bool = False, endless: bool = False) -> Pipeline:
    """Orders and what follows from them: it may read prices too, fail, or never end."""
    pipeline = Pipeline("shop")

    @pipeline.asset(on=Feed("orders"))
    async def raw() -> None: ...

    @pipeline.asset(on=Feed("prices"))
    async def prices() -> None: ...

    async def clean(raw: Any) -> None:
        if broken:
            raise ZeroDivisionError("division by zero")
        if endless:
            await anyio.sleep_forever()

    async def clean_priced(raw: Any, prices: Any) -> None: ...

    pipeline.asset(name="clean")(clean_priced if priced else clean)

    @pipeline.asset
    async def report(clean: Any) -> None: ...

    @pipeline.asset(partitions=Static("eu", "us"))
    async def region() -> None: ...

    @pipeline.asset(partitions=Daily("2026-01-01"))
    async def daily() -> None: ...

    @pipeline.asset(partitions=Dynamic("customer"))
    async def customers() -> None: ...

    return pipeline


async def order(served: Running, status: int = 202, **body: Any) -> Any:
    answer = await served.http.post("/api/materialize", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def quiet(served: Running) -> list[Any]:
    """All runs, the newest first, once none of them goes on."""
    runs = await served.until("/api/runs", lambda page: all(r["finished"] for r in page["items"]))
    return runs["items"]


async def built(served: Running) -> None:
    await order(served, assets=["raw", "prices"])
    await quiet(served)


async def stale(served: Running) -> dict[str, Any]:
    """Why each asset that is out of date is."""
    assets = (await served.http.get("/api/assets")).json()
    return {each["name"]: each["stale"][0]["why"] for each in assets if each["stale_count"]}


async def test_what_is_out_of_date_is_shown_and_brought_up_to_date_when_asked(
    tmp_path: Path,
) -> None:
    async with running(shop(), tmp_path) as served:
        await built(served)
        assert await stale(served) == {}
        assert (await order(served, stale=True))["done"] == "nothing is out of date"
        await order(served, assets=["raw"], downstream=False)
        await quiet(served)
        found = await served.until("/api/assets", lambda all: any(a["stale_count"] for a in all))
        assert [each["name"] for each in found if each["stale_count"]] == ["clean", "report"]
        detail = (await served.http.get("/api/assets/clean")).json()
        assert detail["stale"][0]["root"] is True
        assert detail["stale"][0]["why"].startswith("raw changed after it (step ")
        only = await order(served, stale=True, assets=["report"])
        assert only["done"] == (
            "nothing is launched: report is out of date, but clean is out of date"
        )
        answer = await order(served, stale=True)
        assert answer["done"] == "launched clean"
        assert [each["asset"] for each in answer["roots"]] == ["clean"]
        [newest, *_] = await quiet(served)
        steps = (await served.http.get(f"/api/runs/{newest['id']}")).json()["steps"]
        assert [step["asset"] for step in steps] == ["clean", "report"]
        assert steps[0]["because"].startswith("because it was out of date: raw changed after it")
        await served.until("/api/assets", lambda all: not any(a["stale_count"] for a in all))


async def test_a_restart_catches_up_once_with_what_a_new_edge_made_stale(tmp_path: Path) -> None:
    async with running(shop(), tmp_path) as served:
        await built(served)
    for _ in range(2):
        async with running(shop(priced=True), tmp_path) as served:
            [newest, first] = await quiet(served)
            assert (newest["rule"], first["rule"]) == ("catch up", "by hand")
            assert newest["because"] == "because it was out of date at the start"
            steps = (await served.http.get(f"/api/runs/{newest['id']}")).json()["steps"]
            assert [step["status"] for step in steps] == ["materialized", "materialized"]
            assert await stale(served) == {}


async def test_a_run_tells_of_every_asset_unless_the_pipeline_was_changed(tmp_path: Path) -> None:
    async with running(shop(), tmp_path) as served:
        await built(served)
        await order(served, assets=["prices"])
        [newest, _] = await quiet(served)
        detail = (await served.http.get(f"/api/runs/{newest['id']}?explain=true")).json()
        assert [each["text"] for each in detail["explained"]][:3] == [
            "raw pruned because it is not downstream of prices",
            "prices runs because it was launched by hand",
            "clean pruned because it is not downstream of prices",
        ]
        assert detail["unexplained"] == ""
        plain = (await served.http.get(f"/api/runs/{newest['id']}")).json()
        assert plain["explained"] == []
    async with running(shop(priced=True), tmp_path) as served:
        detail = (await served.http.get(f"/api/runs/{newest['id']}?explain=true")).json()
        assert detail["explained"] == []
        assert detail["unexplained"] == (
            "it was planned on another version of the pipeline, which is not kept"
        )


async def test_what_failed_waits_for_its_resume_over_a_restart(tmp_path: Path) -> None:
    async with running(shop(), tmp_path) as served:
        await built(served)
    async with running(shop(broken=True), tmp_path) as served:
        await order(served, assets=["raw"])
        [newest, _] = await quiet(served)
        assert newest["status"] == "failed"
    async with running(shop(), tmp_path) as served:
        assert len(await quiet(served)) == 2
        assert list(await stale(served)) == ["clean", "report"]
        await served.http.post(f"/api/runs/{newest['id']}/resume")
        await served.until("/api/assets", lambda all: not any(a["stale_count"] for a in all))


async def test_what_was_cancelled_is_not_run_again_by_a_restart(tmp_path: Path) -> None:
    async with running(shop(), tmp_path) as served:
        await built(served)
    async with running(shop(endless=True), tmp_path) as served:
        await order(served, assets=["raw"])
        assets = await served.until(
            "/api/assets", lambda all: any(a["active"] for a in all if a["name"] == "clean")
        )
        assert "clean" in [each["name"] for each in assets]
        await served.http.post("/api/runs/2/cancel")
        [newest, _] = await quiet(served)
        assert newest["status"] == "cancelled"
    async with running(shop(), tmp_path) as served:
        assert len(await quiet(served)) == 2
        assert list(await stale(served)) == ["clean", "report"]


async def test_partitions_that_were_never_made_are_launched_when_asked(tmp_path: Path) -> None:
    async with running(shop(), tmp_path) as served:
        await order(served, assets=["region"], partition="us")
        await quiet(served)
        answer = await order(served, assets=["region"], missing=True)
        assert answer["roots"] == [
            {"asset": "region", "partition": "eu", "because": "because it was never made"}
        ]
        await quiet(served)
        answer = await order(served, assets=["region", "customers"], missing=True)
        assert answer["done"] == "nothing of region and customers is missing"
        assert answer["root_count"] == 0


async def test_what_makes_no_sense_is_refused_and_says_what_would(tmp_path: Path) -> None:
    async with running(shop(), tmp_path) as served:

        async def refused(status: int = 422, **body: Any) -> tuple[str, str]:
            answer = await order(served, status, **body)
            return answer["error"], answer["hint"]

        error, hint = await refused(assets=["region"])
        assert error == "region is materialized by partition"
        assert hint == (
            "say --partition eu, or --stale for all that is out of date, --missing for what was "
            "never made, or reactor backfill for a range"
        )
        assert "say --partition 2026-" in (await refused(assets=["daily"]))[1]
        assert "say --partition KEY" in (await refused(assets=["customers"]))[1]
        error, hint = await refused(assets=["region"], partition="eux")
        assert (error, hint) == (
            "region: 'eux' is no partition: did you mean eu?",
            "say --partition eu",
        )
        error, _ = await refused(assets=["daily"], partition="monday")
        assert error.startswith("daily: 'monday' is no day")
        error, _ = await refused(assets=["daily"], partition="2999-01-01")
        assert error == "daily: 2999-01-01 has not begun"
        error, hint = await refused(assets=["report"], partition="eu")
        assert (error, hint) == ("report has no partitions", "leave --partition out")
        assert (await refused())[0] == "no asset is named"
        assert (await refused(missing=True))[0] == "no asset is named"
        both = await refused(assets=["region"], partition="eu", stale=True)
        assert both[0].endswith("is not asked for by its partition")
        assert (await refused(404, assets=["regoin"]))[1] == "did you mean region?"
