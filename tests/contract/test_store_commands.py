"""What is written beside the turns, and what is deleted when it is old."""

from datetime import timedelta

import pytest

from reactor.core.run import Attempt, Materialization, RunStatus, Step, StepStatus
from reactor.core.state import Alert, Node, Table
from reactor.ports import LogLine
from reactor.store import open_store
from reactor.store.commands import LINE_BYTES, LOG_BYTES
from reactor.store.database import Database
from reactor.store.retention import Pruned
from tests.contract.turns import at, event, fired, letter, put, rows, run, step, turn

pytestmark = pytest.mark.anyio

SOON = at(1_000_000)


def line(text: str, attempt: int = 1, stream: str = "stdout") -> LogLine:
    return LogLine(1, attempt, at(0), stream, text)


async def test_a_dead_letter_shows_its_error_and_its_bytes(store: Database) -> None:
    await store.commit(turn(dead=[letter("3", raw=b"\xff{", headers={"x": "1"}), letter("4")]))

    [newest, oldest] = await store.read.dead_letters()
    whole = await store.read.dead_letter(oldest["seq"])

    assert (newest["id"], oldest["id"]) == ("4", "3")
    assert "raw" not in oldest
    assert (oldest["error"], oldest["size_bytes"], oldest["status"]) == ("not JSON", 2, "waiting")
    assert whole is not None
    assert (whole["raw"], whole["headers"]) == (b"\xff{", {"x": "1"})
    assert await store.read.dead_letter(99) is None
    assert [row["id"] for row in await store.read.dead_letters(before=newest["seq"])] == ["3"]


async def test_a_dead_letter_can_be_taken_for_a_replay_and_settled(store: Database) -> None:
    await store.commit(turn(dead=[letter("3", headers={"x": "1"}), letter("4")]))

    [taken] = await store.take_dead_letters([1])

    assert taken == letter("3", headers={"x": "1"})
    # While it is taken its id may come in again.
    assert await store.known([("orders", "3"), ("orders", "4")]) == {("orders", "4")}
    assert await store.take_dead_letters([1]) == []
    await store.commit(turn(accepted=[event(1, id="3")]))
    await store.settle_dead_letters([1])
    assert await store.known([("orders", "3")]) == {("orders", "3")}
    assert [row["id"] for row in await store.read.dead_letters()] == ["4"]
    assert [row["id"] for row in await store.read.dead_letters(status="replayed")] == ["3"]


async def test_a_replay_that_fails_again_waits_again(store: Database) -> None:
    await store.commit(turn(dead=[letter("3")]))
    await store.take_dead_letters([1])

    await store.commit(turn(dead=[letter("3", error="still not JSON")]))
    await store.settle_dead_letters([1])

    [row] = await store.read.dead_letters()
    assert (row["seq"], row["error"]) == (1, "still not JSON")


async def test_a_replay_that_a_crash_cut_off_waits_again(store_url: str) -> None:
    async with open_store(store_url) as store:
        await store.commit(turn(dead=[letter("3")]))
        await store.take_dead_letters([1])

    async with open_store(store_url) as again:
        assert [row["status"] for row in await again.read.dead_letters()] == ["waiting"]


async def test_a_dropped_dead_letter_stays_known_without_its_bytes(store: Database) -> None:
    await store.commit(turn(dead=[letter("3"), letter("4")]))

    assert await store.drop_dead_letters([1, 77]) == 1

    assert await store.drop_dead_letters([1]) == 0
    assert await store.known([("orders", "3")]) == {("orders", "3")}
    dropped = await store.read.dead_letter(1)
    assert dropped is not None
    assert (dropped["status"], dropped["raw"]) == ("dropped", b"")


async def test_a_request_is_kept_once_until_a_turn_takes_it(store: Database) -> None:
    first = await store.put_inbox("shop", "1", b"\xff", at(1))
    again = await store.put_inbox("shop", "1", b"other", at(2))
    other = await store.put_inbox("bank", "1", b"", at(3))

    assert again is None
    assert await store.read_inbox(1) == [
        {"id": first, "sender": "shop", "delivery": "1", "body": b"\xff", "at": at(1)}
    ]
    assert first is not None
    assert other is not None
    await store.commit(turn(inbox=[first, other]))
    assert await store.read_inbox() == []


async def test_addresses_are_kept_by_pipeline_kind_and_name(store: Database) -> None:
    await store.set_address("shop", "kafka", "orders", "broker:9092/orders")
    await store.set_address("shop", "files", "inbox", "inbox/*.csv")
    await store.set_address("bank", "kafka", "orders", "elsewhere")
    await store.set_address("shop", "files", "inbox", "inbox/*.json")

    assert await store.addresses("shop") == {
        ("files", "inbox"): "inbox/*.json",
        ("kafka", "orders"): "broker:9092/orders",
    }
    assert await store.addresses("none") == {}


async def test_what_operators_do_is_on_record(store: Database) -> None:
    await store.record_audit(at(1), "ann", "pause", "rule daily", {"reason": "weekend"})
    await store.record_audit(at(2), "bob", "seek", "orders")

    [newest, oldest] = await store.read.audit()

    assert (newest["actor"], newest["detail"]) == ("bob", None)
    assert (oldest["action"], oldest["detail"]) == ("pause", {"reason": "weekend"})
    assert oldest["at"] == "2026-03-01T12:00:01.000000Z"


async def test_output_is_read_in_the_order_it_came(store: Database) -> None:
    await store.append_logs([line("one"), line("two", stream="stderr"), line("again", attempt=2)])
    await store.append_logs([line("three"), line("not \udc80 unicode")])

    lines = await store.read.log(1)

    assert [(row["attempt"], row["seq"], row["text"]) for row in lines] == [
        (1, 1, "one"),
        (1, 2, "two"),
        (1, 3, "three"),
        (1, 4, "not \\udc80 unicode"),
        (2, 1, "again"),
    ]
    assert [row["text"] for row in await store.read.log(1, attempt=2)] == ["again"]
    followed = await store.read.log(1, after=(1, 3))
    assert [row["text"] for row in followed] == ["not \\udc80 unicode", "again"]
    assert len(await store.read.log(1, limit=2)) == 2
    assert await store.read.log(2) == []


async def test_output_is_numbered_on_after_a_restart(store_url: str) -> None:
    async with open_store(store_url) as store:
        await store.append_logs([line("one")])

    async with open_store(store_url) as again:
        await again.append_logs([line("two")])
        assert [row["seq"] for row in await again.read.log(1)] == [1, 2]


async def test_too_much_output_is_cut_and_the_cut_is_said(store_url: str) -> None:
    long = "x" * (LINE_BYTES + 1)
    async with open_store(store_url) as store:
        await store.append_logs([line(long)] * (LOG_BYTES // LINE_BYTES))
        await store.append_logs([line("lost"), line("kept", attempt=2)])
        lines = await store.read.log(1, attempt=1)
        assert lines[0]["text"] == f"{'x' * LINE_BYTES} (cut off at 16 KiB)"
        assert [row["stream"] for row in lines[-2:]] == ["stdout", "log"]
        assert lines[-1]["text"] == "(what follows the first 1024 KiB is not kept)"
        assert [row["text"] for row in await store.read.log(1, attempt=2)] == ["kept"]

    async with open_store(store_url) as again:
        await again.append_logs([line("lost too")])
        assert len(await again.read.log(1, attempt=1)) == len(lines)


async def _pruned(store: Database, limit: int = 100) -> Pruned:
    """Prunes all that is there to prune."""
    total = await store.prune(SOON, SOON, limit)
    while total.more:
        more = await store.prune(SOON, SOON, limit)
        counts = [
            getattr(total, name) + getattr(more, name)
            for name in ("events", "runs", "steps", "others")
        ]
        total = Pruned(*counts, more=more.more)
    return total


def _ended(id: int, runs: tuple[int, ...]) -> Step:
    return step(id, runs=runs, status=StepStatus.MATERIALIZED, finished=at(id))


async def test_old_events_go_in_batches_and_younger_ones_stay(store: Database) -> None:
    await store.commit(turn(accepted=[event(n) for n in range(1, 1_001)]))

    first = await store.prune(at(700), at(0), 100)
    assert (first.events, first.more) == (100, True)
    while (await store.prune(at(700), at(0), 100)).more:
        pass

    # Event n was received at n + 0.5 seconds.
    assert [seq for seq, _ in await store.events([(1, 1_000)])] == list(range(700, 1_001))
    assert await store.prune(at(700), at(0), 100) == Pruned()


async def test_events_that_live_runs_and_partial_matches_need_stay(store: Database) -> None:
    waiting, done = step(1, runs=(1,)), _ended(2, (2,))
    held = Node(
        "joined", 0, None, {"sides": {"0": [[[7], 1_772_366_400_000_000, "x"]]}, "events": [8, 9]}
    )
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 21)],
            fired=[fired(1, 1, (2,), (3,)), fired(2, 2, (4,)), fired(3, 1, (5, 12))],
            changes=[
                *rows(
                    waiting,
                    done,
                    run(1, waiting, events=((2, 3), (5, 5), (12, 12), (15, 15))),
                    run(2, done, status=RunStatus.SUCCEEDED, finished=at(2), events=((4, 4),)),
                ),
                put(Table.NODE, ("joined", 0, None), held),
            ],
        )
    )

    pruned = await _pruned(store, limit=3)

    assert [seq for seq, _ in await store.events([(1, 20)])] == [2, 3, 5, 7, 8, 9, 12, 15]
    assert (pruned.events, pruned.runs, pruned.steps) == (12, 1, 1)
    assert (await store.load()).get(Table.RUN, 1).events == ((2, 3), (5, 5), (12, 12), (15, 15))


async def test_what_comes_to_life_while_events_are_deleted_stays(store: Database) -> None:
    ended = run(1, status=RunStatus.FAILED, finished=at(1), events=((7, 8),))
    await store.commit(
        turn(
            accepted=[event(n) for n in range(1, 11)],
            fired=[fired(1, 1, (7,), (8,))],
            changes=rows(ended),
        )
    )
    assert (await store.prune(SOON, at(0), 3)).more

    held = Node("joined", 0, None, {"events": [11]})
    await store.commit(
        turn(
            accepted=[event(11), event(12)],
            first=11,
            changes=[
                put(Table.RUN, (1,), run(1, step(1), events=ended.events), ended),
                *rows(step(1)),
                put(Table.NODE, ("joined", 0, None), held),
            ],
        )
    )
    await _pruned(store, limit=3)

    assert [seq for seq, _ in await store.events([(1, 20)])] == [7, 8, 11, 12]
    await _pruned(store, limit=3)
    assert [seq for seq, _ in await store.events([(1, 20)])] == [7, 8, 11]


async def test_a_step_stays_as_long_as_one_of_its_runs(store: Database) -> None:
    shared, alone = _ended(1, (1, 2)), _ended(2, (1,))
    live = step(3, runs=(2,))
    await store.commit(
        turn(
            changes=[
                *rows(shared, alone, live),
                *rows(
                    run(1, shared, alone, status=RunStatus.SUCCEEDED, finished=at(9)),
                    run(2, shared, live),
                ),
                *(
                    put(Table.ATTEMPT, (n, 1), Attempt(n, 1, at(1), at(2), "succeeded"))
                    for n in (1, 2)
                ),
            ]
        )
    )
    await store.append_logs([LogLine(n, 1, at(0), "stdout", "text") for n in (1, 2)])

    await _pruned(store)

    assert [row["id"] for row in await store.read.steps("raw")] == [3, 1]
    assert [row["id"] for row in await store.read.runs()] == [2]
    assert len(await store.read.log(1)) == 1
    assert await store.read.log(2) == []
    assert sorted((await store.load()).rows[Table.STEP]) == [(1,), (3,)]


async def test_everything_that_has_ended_goes_with_its_run(store: Database) -> None:
    for n in range(1, 8):
        done = _ended(n, (n,))
        ended = run(n, done, status=RunStatus.FAILED, finished=at(n), events=((n, n),))
        await store.commit(
            turn(
                accepted=[event(n)],
                first=n,
                fired=[fired(n, n, (n,)), fired(n + 100, None, (n,), observed=True)],
                changes=rows(done, ended),
            )
        )

    pruned = await _pruned(store, limit=2)

    assert (pruned.events, pruned.runs, pruned.steps, pruned.others) == (7, 7, 7, 7)
    assert await store.read.runs(asset="raw") == []
    assert await _pruned(store) == Pruned()


async def test_a_run_resumed_meanwhile_is_not_deleted(store: Database) -> None:
    done = _ended(1, (1,))
    ended = run(1, done, status=RunStatus.FAILED, finished=at(1))
    await store.commit(turn(changes=rows(done, ended)))
    back = step(1, runs=(1,))
    await store.commit(
        turn(
            changes=[
                put(Table.RUN, (1,), run(1, back), ended),
                put(Table.STEP, (1,), back, done),
            ]
        )
    )

    assert await _pruned(store) == Pruned()
    assert [row["id"] for row in await store.read.runs()] == [1]


async def test_history_and_resolved_alerts_go_but_current_data_and_waiting_letters_stay(
    store: Database,
) -> None:
    made = Materialization("raw", None, 1, at(1), "a.csv")
    await store.commit(
        turn(
            changes=[
                put(Table.MATERIALIZATION, ("raw", None), made),
                put(Table.ALERT, ("a",), Alert("a", "a", "", "", at(1), resolved=at(2))),
                put(Table.ALERT, ("b",), Alert("b", "b", "", "", at(1))),
            ],
            dead=[letter("waits"), letter("dropped")],
        )
    )
    await store.drop_dead_letters([2])

    assert (await _pruned(store)).others == 3

    assert await store.read.materializations("raw") == []
    assert (await store.load()).get(Table.MATERIALIZATION, "raw", None) == made
    assert [row["key"] for row in await store.read.alerts()] == ["b"]
    assert [row["id"] for row in await store.read.dead_letters(status=None)] == ["waits"]


async def test_nothing_is_pruned_before_its_time(store: Database) -> None:
    done = _ended(1, (1,))
    ended = run(1, done, status=RunStatus.SUCCEEDED, finished=at(1))
    await store.commit(turn(accepted=[event(1)], changes=rows(done, ended)))

    early = at(0) - timedelta(days=1)

    assert await store.prune(early, early) == Pruned()
    assert len(await store.read.events()) == len(await store.read.runs()) == 1
