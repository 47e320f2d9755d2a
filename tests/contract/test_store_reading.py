"""What a store answers to people and the API."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from reactor.core.decision import PredicateRaised
from reactor.core.run import Attempt, Materialization, RunStatus, StepStatus
from reactor.core.state import Alert, Pause, Table
from reactor.store import open_store
from reactor.store.database import Database
from tests.contract.turns import at, event, fired, letter, moved, put, rows, run, step, turn

pytestmark = pytest.mark.anyio


@pytest.fixture
async def busy(store_url: str) -> AsyncIterator[Database]:
    """Six runs of three rules over two assets; the odd ones succeeded."""
    async with open_store(store_url) as store:
        for n in range(1, 7):
            raw = step(2 * n - 1, "raw", (n,), status=StepStatus.MATERIALIZED, finished=at(n))
            clean = step(2 * n, "clean", (n,), partition="eu")
            steps = (raw, clean) if n % 3 else (raw,)
            ended = n % 2
            status = RunStatus.SUCCEEDED if ended else RunStatus.RUNNING
            finished = at(n + 1) if ended else None
            launched = run(n, *steps, rule=f"r{n % 3}", status=status, finished=finished)
            source = "orders" if n % 2 else "files"
            await store.commit(
                turn(
                    accepted=[event(n, source)],
                    first=n,
                    fired=[fired(n, n, (n,), rule=f"r{n % 3}")],
                    changes=rows(*steps, launched),
                )
            )
        yield store


def ids(found: list[dict[str, Any]], name: str = "id") -> list[int]:
    return [row[name] for row in found]


async def test_runs_are_listed_newest_first_and_in_pages(busy: Database) -> None:
    assert ids(await busy.read.runs()) == [6, 5, 4, 3, 2, 1]
    assert ids(await busy.read.runs(limit=2)) == [6, 5]
    assert ids(await busy.read.runs(limit=2, before=5)) == [4, 3]
    assert await busy.read.runs(before=1) == []


async def test_runs_are_found_by_status_asset_and_rule(busy: Database) -> None:
    assert ids(await busy.read.runs(status="running")) == [6, 4, 2]
    assert ids(await busy.read.runs(asset="clean")) == [5, 4, 2, 1]
    assert ids(await busy.read.runs(asset="clean", before=4, limit=1)) == [2]
    assert ids(await busy.read.runs(rule="r1")) == [4, 1]
    assert ids(await busy.read.runs(rule="r1", status="running", asset="clean")) == [4]
    assert await busy.read.runs(asset="none") == []


async def test_a_run_in_a_list_says_what_it_is(busy: Database) -> None:
    [row] = await busy.read.runs(limit=1, before=2)

    assert row == {
        "id": 1,
        "rule": "r1",
        "status": "succeeded",
        "created": "2026-03-01T12:00:01.000000Z",
        "partition": None,
        "key": None,
        "priority": 0,
        "finished": "2026-03-01T12:00:02.000000Z",
        "because": "",
        "fingerprint": "",
        "forced": False,
        "assets": 2,
    }


async def test_a_run_is_told_whole(store: Database) -> None:
    raw, clean = step(1, status=StepStatus.RUNNING, inputs=(("a", None, 3),)), step(2, "clean")
    tried = [
        Attempt(1, 1, at(1), at(2), "failed", "no disk"),
        Attempt(1, 2, at(3)),
    ]
    launched = run(1, raw, clean, because="because orders saw 3", key="eu", events=((1, 4),))
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 5)],
            fired=[fired(7, 1, (1,), (2, 4), key="eu"), fired(8, 1, (3,), timer=True)],
            changes=[
                *rows(raw, clean, launched),
                *(put(Table.ATTEMPT, (1, each.number), each) for each in tried),
            ],
        )
    )

    row = await store.read.run(1, events_limit=3)

    assert row is not None
    first, second = row["works"]
    assert (first["asset"], first["root"], first["upstream"]) == ("raw", True, [])
    assert (second["asset"], second["root"], second["upstream"]) == ("clean", False, [0])
    assert first["step"]["status"] == "running"
    assert first["step"]["inputs"] == [["a", None, 3]]
    assert first["step"]["runs"] == [1]
    assert [each["outcome"] for each in first["step"]["attempts"]] == ["failed", ""]
    assert first["step"]["attempts"][0]["error"] == "no disk"
    assert second["step"]["attempts"] == []
    assert row["events_count"] == 4
    assert ids(row["events"], "seq") == [1, 2, 3]
    assert [each["matches"] for each in row["firings"]] == [[[1], [2, 4]], [[3]]]
    assert [each["matches_count"] for each in row["firings"]] == [2, 1]
    assert [each["events_count"] for each in row["firings"]] == [3, 1]
    assert [each["timer"] for each in row["firings"]] == [False, True]
    assert row["firings"][0]["at"] == "2026-03-01T12:00:07.000000Z"
    assert await store.read.run(2) is None


async def test_a_run_also_shows_the_events_it_took_over(store: Database) -> None:
    launched = run(1, step(1), events=((1, 2), (5, 5)))
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 6)],
            fired=[fired(1, 1, (5,))],
            changes=rows(step(1), launched),
        )
    )

    row = await store.read.run(1)
    taken = await store.read.event(2)

    assert row is not None
    assert taken is not None
    assert ids(row["events"], "seq") == [1, 2, 5]
    assert taken["runs"] == [1]
    assert taken["firings"] == []


async def test_events_are_listed_newest_first_by_sensor_and_in_pages(busy: Database) -> None:
    assert ids(await busy.read.events(), "seq") == [6, 5, 4, 3, 2, 1]
    assert ids(await busy.read.events(sensor="orders"), "seq") == [5, 3, 1]
    assert ids(await busy.read.events(sensor="orders", limit=1, before=5), "seq") == [3]
    assert await busy.read.events(sensor="none") == []


@pytest.mark.parametrize(
    ("raw", "shown", "size"),
    [
        (b'{"a": 1}', {"a": 1}, 8),
        ("größe".encode(), "größe", 7),
        (b"\xff\0", {"hex": "ff00"}, 2),
        (None, None, 0),
        (b"1" * 5_000, None, 5_000),
    ],
    ids=["json", "text", "bytes", "none", "long"],
)
async def test_a_payload_is_shown_as_what_it_is(
    store: Database, raw: bytes | None, shown: Any, size: int
) -> None:
    await store.commit(turn(accepted=[event(1, raw=raw, headers={"h": "1"})]))

    [row] = await store.read.events()

    assert (row["data"], row["size_bytes"]) == (shown, size)
    assert row["headers"] == {"h": "1"}
    assert row["received"] == "2026-03-01T12:00:01.500000Z"


async def test_an_event_names_its_firings_and_the_runs_it_caused(store: Database) -> None:
    count = 2_000
    everything = tuple((n,) for n in range(1, count + 1))
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, count + 1)],
            fired=[
                fired(1, 1, *everything),
                fired(2, 2, tuple(range(1, count + 1))),
                fired(3, 3, (1, 1_000), (1_500,)),
                fired(4, None, (1_000,), observed=True),
                fired(5, 5, ()),
                fired(6, 1, (1_023,), (1_025,)),
            ],
        )
    )

    async def caused(seq: int) -> tuple[list[int], list[int]]:
        row = await store.read.event(seq)
        assert row is not None
        return ids(row["firings"]), row["runs"]

    assert await caused(1) == ([1, 2, 3], [1, 2, 3])
    assert await caused(999) == ([1, 2], [1, 2])
    assert await caused(1_000) == ([1, 2, 3, 4], [1, 2, 3])
    assert await caused(1_024) == ([1, 2], [1, 2])
    assert await caused(1_025) == ([1, 2, 6], [1, 2])
    assert await caused(count) == ([1, 2], [1, 2])
    assert await store.read.event(count + 1) is None


async def test_an_asset_shows_its_latest_data_and_its_last_step(busy: Database) -> None:
    made = Materialization("raw", "eu", 9, at(60), {"path": "a"}, "v2", {"rows": 3})
    await busy.commit(
        turn(
            changes=[
                put(Table.MATERIALIZATION, ("raw", None), made._replace(partition=None, at=at(1))),
                put(Table.MATERIALIZATION, ("raw", "eu"), made),
            ]
        )
    )

    found = await busy.read.assets()

    assert list(found) == ["clean", "raw"]
    latest = found["raw"]["materialization"]
    assert (latest["partition"], latest["handle"], latest["metadata"]) == (
        "eu",
        {"path": "a"},
        {"rows": 3},
    )
    assert found["raw"]["partitions"] == 2
    assert (found["raw"]["step"]["id"], found["raw"]["step"]["status"]) == (11, "materialized")
    assert found["clean"]["materialization"] is None
    assert (await busy.read.assets(["new"]))["new"] == {
        "asset": "new",
        "materialization": None,
        "partitions": 0,
        "step": None,
    }


async def test_the_steps_of_an_asset_are_listed_in_pages(busy: Database) -> None:
    assert ids(await busy.read.steps("raw", limit=2)) == [11, 9]
    assert ids(await busy.read.steps("raw", limit=2, before=9)) == [7, 5]
    assert await busy.read.steps("none") == []


async def test_each_materialization_stays_in_the_history(store: Database) -> None:
    first = Materialization("raw", None, 1, at(1), "a.csv", inputs=(("x", None, 1),))
    second = first._replace(at=at(2), step=2, handle="b.csv")
    await store.commit(turn(changes=[put(Table.MATERIALIZATION, ("raw", None), first)]))
    await store.commit(turn(changes=[put(Table.MATERIALIZATION, ("raw", None), second, first)]))

    history = await store.read.materializations("raw")

    assert [(row["step"], row["handle"]) for row in history] == [(2, "b.csv"), (1, "a.csv")]
    assert ids(await store.read.materializations("raw", before=history[0]["id"]), "step") == [1]


async def test_alerts_pauses_and_raised_errors_are_listed(store: Database) -> None:
    known = Alert("raw", "raw", "me", "raw failed", at(1), waiting=("clean",))
    over = Alert("old", "old", "me", "old is well again", at(0), resolved=at(2))
    await store.commit(
        turn(
            changes=[
                put(Table.ALERT, ("raw",), known),
                put(Table.ALERT, ("old",), over),
                put(Table.PAUSE, ("rule", "daily"), Pause("rule", "daily", at(3))),
            ],
            raised=[PredicateRaised("daily", "orders/1", "KeyError: 'x'")] * 3,
        )
    )

    assert [row["key"] for row in await store.read.alerts()] == ["raw", "old"]
    assert [row["key"] for row in await store.read.alerts(is_open=True)] == ["raw"]
    assert [row["key"] for row in await store.read.alerts(is_open=False)] == ["old"]
    assert (await store.read.alerts())[0]["waiting"] == ["clean"]
    assert [row["name"] for row in await store.read.pauses()] == ["daily"]
    assert len(await store.read.raised(rule="daily", limit=2)) == 2
    assert await store.read.raised(rule="other") == []


async def test_positions_are_shown_by_sensor_and_counted(store: Database) -> None:
    parts = [moved(f"{n:03}.csv", None, "1", "files/inbox") for n in range(150)]
    await store.commit(turn(moves=[*parts, moved("orders/0", None, "7")]))

    found = await store.read.sensors()

    assert list(found) == ["files/inbox", "kafka/orders"]
    assert found["files/inbox"]["parts"] == 150
    assert list(found["files/inbox"]["positions"]) == [f"{n:03}.csv" for n in range(100)]
    assert found["kafka/orders"] == {"parts": 1, "positions": {"orders/0": "7"}}


async def test_what_went_by_is_counted_on(store: Database) -> None:
    await store.commit(turn(filtered={"orders": 3, "files": 1}))
    await store.commit(turn(filtered={"orders": 4, "none": 0}))

    assert await store.read.filtered() == {"files": 1, "orders": 7}


async def test_totals_for_metrics(busy: Database) -> None:
    await busy.commit(turn(dead=[letter("a"), letter("b"), letter("c", "files")]))
    await busy.drop_dead_letters([1])
    await busy.put_inbox("shop", "1", b"{}", at(0))

    counts = await busy.read.counts()

    assert counts["runs"] == {"running": 3, "succeeded": 3}
    assert counts["steps"] == {"pending": 4}
    assert counts["dead_letters"] == {"files": 1, "orders": 1}
    assert (counts["alerts"], counts["inbox"]) == (0, 1)
