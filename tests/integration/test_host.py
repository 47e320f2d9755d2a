"""The live loop on a real store, with real files, webhooks, threads, processes and commands."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from reactor import Dynamic, Output, Pipeline, Retry, field
from reactor.core.decision import CancelRun, Facts, SetPaused
from reactor.core.errors import SettingsError, StoreConflict, StoreError, StoreUnavailable
from reactor.core.event import Event
from reactor.ports import Move, Store, Turn
from reactor.web.hosted import Hosted
from sensors import FileArrivals, Webhook
from tests.integration.serving import posted, serving, until

pytestmark = pytest.mark.anyio


def arrive(folder: Path, name: str, text: str = "x\n") -> None:
    """Renames a whole file into place."""
    folder.mkdir(exist_ok=True)
    hidden = folder / f".{name}.tmp"
    hidden.write_text(text)
    os.rename(hidden, folder / name)


async def test_a_file_launches_only_what_depends_on_it(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    inbox, other = FileArrivals(f"{tmp_path}/in/*.csv"), FileArrivals(f"{tmp_path}/out/*.csv")

    @shop.asset(on=inbox)
    async def raw(events: Sequence[Event]) -> list[str]:
        return [Path(event.subject).name for event in events]

    @shop.asset
    def clean(raw: list[str]) -> int:
        return len(raw)

    @shop.asset(on=other)
    async def elsewhere() -> None: ...

    async with serving(shop, tmp_path) as served:
        arrive(tmp_path / "in", "monday.csv")
        await served.until_status("clean", "materialized")
        assets = await served.store.read.assets()
        assert assets["raw"]["materialization"]["handle"] == ["monday.csv"]
        assert assets["clean"]["materialization"]["handle"] == 1
        assert await served.statuses("elsewhere") == []
        [run] = await served.store.read.runs()
        assert run["status"] == "succeeded"
        assert run["because"].endswith("in/monday.csv")


async def test_each_way_to_run_hands_over_the_inputs_and_keeps_the_output(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset(on=hook)
    async def looped(event: Event) -> int:
        return event.data["n"]

    @shop.asset
    def threaded(looped: int) -> str:
        return f"{threading.current_thread().name != 'MainThread'}/{looped}"

    script = "import os; print('run', os.environ['REACTOR_RUN_KEY'][:0]); print('{\"seen\": %s}')"

    @shop.asset(
        command=[
            sys.executable,
            "-c",
            script.replace("%s", "{looped}").replace('{"', '{{"').replace("}'", "}}'"),
        ]
    )
    def commanded(looped: int) -> None: ...

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", n=7))
        await served.until_status("commanded", "materialized")
        await served.until_status("threaded", "materialized")
        assets = await served.store.read.assets()
        assert assets["threaded"]["materialization"]["handle"] == "True/7"
        assert assets["commanded"]["materialization"]["handle"] == {
            "exit": 0,
            "stdout": {"seen": 7},
        }
        [step] = await served.steps("commanded")

        async def written() -> bool:
            return any(
                line["text"].startswith("run") for line in await served.store.read.log(step["id"])
            )

        await until(written)


async def test_a_failure_is_retried_then_blocks_what_follows_and_is_told_once(
    tmp_path: Path,
) -> None:
    shop = Pipeline("shop", owner="data@shop.example")
    hook = Webhook("orders")
    tried: list[int] = []

    @shop.asset(on=hook, retry=Retry(1, backoff="10ms"))
    async def broken(context: Any) -> None:
        tried.append(context.attempt)
        raise ValueError("no such table")

    @shop.asset
    async def below(broken: None) -> None: ...

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await served.until_status("broken", "failed")
        assert tried == [1, 2]
        assert await served.statuses("below") == ["blocked"]
        assert served.told == ["broken failed after 2 attempts; 1 asset waits for it"]
        [step] = await served.steps("broken")
        assert step["note"] == "ValueError: no such table"


async def test_a_run_resumes_from_its_failure(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    ran: list[str] = []
    well = False

    @shop.asset(on=hook)
    async def first() -> None:
        ran.append("first")

    @shop.asset
    async def second(first: None, context: Any) -> str:
        ran.append("second")
        if not well:
            raise RuntimeError("not yet")
        return context.run_key

    @shop.asset
    async def third(second: str) -> None:
        ran.append("third")

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await served.until_status("second", "failed")
        well = True
        await Hosted(served.host, served.store).resume(1)
        await served.until_status("third", "materialized")
        assert ran == ["first", "second", "second", "third"]
        run = await served.store.read.run(1)
        assert run is not None
        assert run["status"] == "succeeded"


async def test_a_blocking_check_fails_the_step_and_a_warning_only_reports(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset(on=hook)
    async def count(event: Event) -> int:
        return event.data["n"]

    @shop.check(count)
    def is_positive(count: int) -> bool:
        return count > 0

    @shop.check(count, blocking=False)
    def is_even(count: int) -> None:
        assert count % 2 == 0, "odd"

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", n=-2))
        await served.until_status("count", "failed")
        await served.host.submit(posted(hook, "two", n=3))
        await served.until_status("count", "failed", "materialized")
        [bad, good] = await served.steps("count")
        assert "check is_positive failed" in bad["note"]

        async def reported() -> bool:
            log = await served.store.read.log(good["id"])
            return any("check is_even failed: odd" in line["text"] for line in log)

        await until(reported)


async def test_what_is_not_json_is_refused_as_a_handle(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset(on=hook)
    async def frame() -> object:
        return threading.Lock()

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await served.until_status("frame", "failed")
        [step] = await served.steps("frame")
        assert "return a handle" in step["note"]


async def test_a_delivery_that_comes_again_is_accepted_once(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset(on=hook)
    async def orders(events: Sequence[Event]) -> list[int]:
        return [event.data["n"] for event in events]

    async with serving(shop, tmp_path) as served:
        for _ in range(3):
            await served.host.submit(posted(hook, "same", n=1))
        await served.until_status("orders", "materialized")
        assert len(await served.store.read.events()) == 1
    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "same", n=1))
        await served.host.submit(posted(hook, "new", n=2))
        await served.until_status("orders", "materialized", "materialized")
        assert len(await served.store.read.events()) == 2


async def test_an_equal_version_stops_the_cascade(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    below: list[int] = []

    @shop.asset(on=hook)
    async def total(event: Event) -> Output:
        return Output(event.data["n"], version=str(event.data["n"]))

    @shop.asset
    async def report(total: int) -> None:
        below.append(total)

    async with serving(shop, tmp_path) as served:
        for id, n in (("a", 1), ("b", 1), ("c", 2)):
            await served.host.submit(posted(hook, id, n=n))
            await until(lambda: _settled(served))
        assert below == [1, 2]
        assert await served.statuses("total") == ["materialized", "unchanged", "materialized"]


async def test_what_an_asset_says_of_its_data_amiss_fails_the_attempt_alone(
    tmp_path: Path,
) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset(on=hook)
    async def keys() -> Output:
        return Output("x", changed=5)  # type: ignore[arg-type]

    @shop.asset(on=hook, version=lambda handle: None)  # type: ignore[arg-type]
    async def forgetful() -> str:
        return "x"

    @shop.asset(on=hook)
    async def well() -> str:
        return "x"

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "a", n=1))
        await until(lambda: _settled(served))
        for asset, status in (
            ("keys", "failed"),
            ("forgetful", "failed"),
            ("well", "materialized"),
        ):
            assert await served.statuses(asset) == [status]


async def test_keys_that_changed_lead_to_their_partitions_and_to_no_others(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    told: list[tuple[str, Any]] = []

    @shop.asset(on=hook)
    async def load(event: Event) -> Output:
        return Output("t", changed=event.data["keys"])

    @shop.asset(partitions=Dynamic("customer"))
    async def customer(load: str, partition: str) -> str:
        return partition

    @shop.asset
    async def total(customer: dict[str, str], context: Any) -> None:
        told.append((",".join(customer), context.changed["customer"]))

    async with serving(shop, tmp_path) as served:
        for id, keys in (("a", ["ann", "bob"]), ("b", ["bob"]), ("c", [])):
            await served.host.submit(posted(hook, id, keys=keys))
            await until(lambda: _settled(served))
    assert told == [("ann,bob", None), ("ann,bob", ("bob",))]


async def _settled(served: Any) -> bool:
    return not served.host.reactor.running and not served.host.reactor.waiting


async def test_a_predicate_that_raises_stops_nothing_else(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset
    async def odd() -> None: ...

    @shop.asset
    async def big() -> None: ...

    hook.where(lambda event: event.data["missing"] > 1) >> odd
    hook.where(field.n > 1) >> big

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one", n=5))
        await served.until_status("big", "materialized")
        assert await served.statuses("odd") == []
        [raised] = await served.store.read.raised()
        assert raised["rule"] == "odd"
        assert "KeyError" in raised["error"]


async def test_what_came_while_it_was_down_is_found_and_nothing_comes_twice(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    inbox = FileArrivals(f"{tmp_path}/in/*.csv")
    seen: list[str] = []

    @shop.asset(on=inbox)
    async def raw(events: Sequence[Event]) -> None:
        seen.extend(Path(event.subject).name for event in events)

    (tmp_path / "in").mkdir()
    for number in range(3):
        arrive(tmp_path / "in", f"{number}a.csv")
        async with serving(shop, tmp_path) as served:
            arrive(tmp_path / "in", f"{number}b.csv")
            await until(lambda wanted=2 * number + 2: _reached(seen, wanted))
            await until(lambda: _settled(served))
    assert sorted(seen) == ["0a.csv", "0b.csv", "1a.csv", "1b.csv", "2a.csv", "2b.csv"]


async def _reached(seen: Sequence[Any], wanted: int) -> bool:
    return len(seen) >= wanted


async def test_a_graceful_stop_lets_steps_finish(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    begun = anyio.Event()

    @shop.asset(on=hook)
    async def slow() -> str:
        begun.set()
        await anyio.sleep(0.3)
        return "done"

    @shop.asset
    async def after(slow: str) -> None: ...

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await begun.wait()
    async with serving(shop, tmp_path) as served:
        await served.until_status("after", "materialized")
        [step] = await served.steps("slow")
        assert (step["status"], step["tries"]) == ("materialized", 1)


async def test_what_outlasts_the_grace_is_done_by_the_next_start(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    begun: list[str] = []

    @shop.asset(on=hook)
    async def slow(context: Any) -> None:
        begun.append(context.run_key)
        if len(begun) == 1:
            await anyio.sleep_forever()

    async with serving(shop, tmp_path, grace=0.1) as served:
        await served.host.submit(posted(hook, "one"))
        await until(lambda: _reached(begun, 1))
    async with serving(shop, tmp_path) as served:
        await served.until_status("slow", "materialized")
        assert begun[0] == begun[1], "the run key of a step is the same for every attempt"
        [step] = await served.steps("slow")
        assert (step["attempt"], step["lost"]) == (1, 0)


async def test_what_a_crash_interrupted_runs_again_without_using_up_a_retry(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    begun: list[int] = []

    @shop.asset(on=hook)
    async def slow(context: Any) -> None:
        begun.append(context.attempt)
        if len(begun) == 1:
            await anyio.sleep_forever()

    async with serving(shop, tmp_path, crash=True) as served:
        await served.host.submit(posted(hook, "one"))
        await until(lambda: _reached(begun, 1))
    async with serving(shop, tmp_path) as served:
        await served.until_status("slow", "materialized")
        assert begun == [1, 1]
        [step] = await served.steps("slow")
        assert (step["tries"], step["lost"]) == (2, 1)


async def test_a_timeout_stops_the_work(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    stopped = anyio.Event()

    @shop.asset(on=hook, timeout="100ms")
    async def slow() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await served.until_status("slow", "failed")
        assert stopped.is_set()
        [step] = await served.steps("slow")
        assert step["note"] == "timed out after 100ms"


class Faulty:
    """A store whose next commits fail, as on a full disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.failures: list[StoreError] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, turn: Turn) -> None:
        if self.failures:
            raise self.failures.pop()
        await self._store.commit(turn)


async def test_a_store_that_cannot_be_written_loses_nothing_and_is_tried_again(
    tmp_path: Path,
) -> None:
    shop = Pipeline("shop")
    inbox, hook = FileArrivals(f"{tmp_path}/in/*.csv"), Webhook("orders")
    seen: list[str] = []

    @shop.asset(on=inbox | hook)
    async def raw(events: Sequence[Event]) -> None:
        seen.extend(Path(event.subject).name for event in events)

    faulty: list[Faulty] = []

    def around(store: Store) -> Store:
        faulty.append(Faulty(store))
        return faulty[0]  # type: ignore[return-value]

    async with serving(shop, tmp_path, around=around) as served:
        faulty[0].failures = [StoreUnavailable("no space left")] * 2
        with pytest.raises(StoreUnavailable, match="no space left"):
            await served.host.submit(posted(hook, "one"))
        arrive(tmp_path / "in", "monday.csv")
        await until(lambda: _reached(seen, 1))
        assert seen == ["monday.csv"], "the refused delivery was not promised, and did not happen"
        assert served.host.store_trouble == ""


async def test_a_position_that_another_moved_is_read_anew(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    inbox = FileArrivals(f"{tmp_path}/in/*.csv", scan_every="1s")
    seen: list[str] = []

    @shop.asset(on=inbox)
    async def raw(events: Sequence[Event]) -> None:
        seen.extend(Path(event.subject).name for event in events)

    async with serving(shop, tmp_path) as served:
        arrive(tmp_path / "in", "first.csv")
        await until(lambda: _reached(seen, 1))
        positions = await served.store.positions("files/in")
        [(part, value)] = [(part, at) for part, at in positions.items() if "first.csv" in part]
        moved = Turn(datetime.now(UTC), Facts(), [("files/in", Move(part, value, "another"))])
        await served.store.commit(moved)
        arrive(tmp_path / "in", "first.csv", "longer than before\n")
        await until(lambda: _reached(seen, 2))
        assert (await served.store.positions("files/in"))[part] != "another"


async def test_orders_keep_their_order_when_another_moved_a_position(tmp_path: Path) -> None:
    shop = Pipeline("shop")

    @shop.asset(on=Webhook("orders"))
    async def raw() -> None: ...

    faulty: list[Faulty] = []

    def around(store: Store) -> Store:
        faulty.append(Faulty(store))
        return faulty[0]  # type: ignore[return-value]

    async with serving(shop, tmp_path, around=around) as served:
        faulty[0].failures = [StoreConflict("moved")]
        async with anyio.create_task_group() as orders:
            for paused in (True, False):
                orders.start_soon(served.host.command, SetPaused("asset", "raw", paused))
        assert faulty[0].failures == []
        assert await served.store.read.pauses() == []


async def test_another_address_under_a_known_name_is_refused(tmp_path: Path) -> None:
    def pipeline(folder: str) -> Pipeline:
        shop = Pipeline("shop")

        @shop.asset(on=FileArrivals(f"{tmp_path}/{folder}/*.csv", name="inbox"))
        async def raw() -> None: ...

        return shop

    async with serving(pipeline("in"), tmp_path):
        pass
    with pytest.RaisesGroup(SettingsError, flatten_subgroups=True):
        async with serving(pipeline("elsewhere"), tmp_path):
            pass


async def test_a_paused_sensor_waits_and_loses_nothing(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    inbox, hook = FileArrivals(f"{tmp_path}/in/*.csv"), Webhook("orders")
    seen: list[str] = []

    @shop.asset(on=inbox)
    async def raw(events: Sequence[Event]) -> None:
        seen.extend(Path(event.subject).name for event in events)

    @shop.asset(on=hook)
    async def other() -> None: ...

    (tmp_path / "in").mkdir()
    async with serving(shop, tmp_path) as served:
        await served.host.command(SetPaused("sensor", "in", paused=True))
        arrive(tmp_path / "in", "monday.csv")
        await served.host.submit(posted(hook, "one"))
        await served.until_status("other", "materialized")
    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "two"))
        await served.until_status("other", "materialized", "materialized")
        assert seen == []
        await served.host.command(SetPaused("sensor", "in", paused=False))
        await until(lambda: _reached(seen, 1))
        assert seen == ["monday.csv"]


async def test_a_thread_keeps_its_claim_until_it_returned(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")
    release, begun = threading.Event(), threading.Event()
    order: list[str] = []

    @shop.asset(on=hook)
    def stubborn(context: Any) -> None:
        begun.set()
        order.append(f"begins {context.run}")
        if context.run == 1:
            release.wait(20)
        order.append(f"ends {context.run}")

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await anyio.to_thread.run_sync(begun.wait)
        await served.host.command(CancelRun(1))
        await served.host.submit(posted(hook, "two"))
        release.set()
        await served.until_status("stubborn", "cancelled", "materialized")
        assert order == ["begins 1", "ends 1", "begins 2", "ends 2"]


async def test_what_a_step_says_is_kept_with_it(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset(on=hook)
    def said(context: Any) -> None:
        context.log.info("loaded", rows=3)
        context.progress(1, of=2, text="halves")

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await served.until_status("said", "materialized")
        [step] = await served.steps("said")

        async def kept() -> bool:
            log = await served.store.read.log(step["id"])
            return [(line["stream"], line["text"]) for line in log] == [
                ("log", "loaded rows=3"),
                ("progress", "progress 1 of 2 halves"),
            ]

        await until(kept)


async def test_a_traceback_begins_in_the_users_code(tmp_path: Path) -> None:
    shop = Pipeline("shop")
    hook = Webhook("orders")

    @shop.asset(on=hook)
    def broken() -> None:
        raise ValueError("no such table")

    async with serving(shop, tmp_path) as served:
        await served.host.submit(posted(hook, "one"))
        await served.until_status("broken", "failed")
        [step] = await served.steps("broken")

        async def kept() -> list[str]:
            return [line["text"] for line in await served.store.read.log(step["id"])]

        await until(kept)
        lines = await kept()
        assert lines[0].startswith("Traceback")
        assert "in broken" in lines[1]
        assert lines[-1] == "ValueError: no such table"
