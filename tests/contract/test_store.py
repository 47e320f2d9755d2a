"""What every store owes: turns recorded whole or not at all, and read back as they were."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from reactor.core.errors import StoreConflict, StoreUnavailable
from reactor.core.state import Node, Table
from reactor.ports import Store
from reactor.store import open_reading, open_store
from reactor.store.database import Database
from tests.contract.turns import event, fired, letter, moved, put, rows, run, step, turn

pytestmark = pytest.mark.anyio


async def test_a_turn_is_durable_and_seen_when_commit_returns(
    store: Database, store_url: str
) -> None:
    await store.commit(
        turn(
            accepted=[event(1)],
            moves=[moved("orders/0", None, "1")],
            fired=[fired(1, 1, (1,))],
            changes=rows(step(1), run(1, step(1), events=((1, 1),))),
            dead=[letter("orders/0/9")],
            filtered={"orders": 3},
        )
    )

    async with open_reading(store_url) as other:
        found = await other.run(1)
        assert found is not None
        assert [each["seq"] for each in found["events"]] == [1]
        assert (await other.sensors())["kafka/orders"]["positions"] == {"orders/0": "1"}
        assert [each["id"] for each in await other.dead_letters()] == ["orders/0/9"]
        assert await other.filtered() == {"orders": 3}


async def test_a_refused_turn_leaves_nothing(store: Database) -> None:
    await store.commit(turn(moves=[moved("a", None, "1")]))

    with pytest.raises(StoreConflict):
        await store.commit(
            turn(
                accepted=[event(1)],
                moves=[moved("b", None, "1"), moved("a", "0", "2")],
                fired=[fired(1, 1, (1,))],
                changes=[*rows(step(1), run(1, step(1))), put(Table.COUNTER, ("event",), 1)],
                dead=[letter("orders/9")],
                filtered={"orders": 3},
            )
        )

    assert await store.positions("kafka/orders") == {"a": "1"}
    assert await store.known([("orders", "orders/1"), ("orders", "orders/9")]) == set()
    assert not any((await store.load()).rows.values())
    assert await store.read.filtered() == {}
    assert await store.read.dead_letters() == []


async def test_a_batch_that_was_recorded_is_refused_and_the_error_says_where(
    store: Database,
) -> None:
    batch = turn(accepted=[event(1)], moves=[moved("orders/0", None, "41")])
    await store.commit(batch)

    with pytest.raises(StoreConflict) as refused:
        await store.commit(batch)

    assert "kafka/orders stands at '41' for orders/0, not at None" in str(refused.value)
    # The store can go on.
    await store.commit(turn(accepted=[event(2)], first=2, moves=[moved("orders/0", "41", "42")]))
    assert await store.positions("kafka/orders") == {"orders/0": "42"}


@pytest.mark.parametrize(
    "move",
    [
        moved("here", "2", "3"),
        moved("here", None, "3"),
        moved("here", None, None),
        moved("here", "2", None),
        moved("nowhere", "1", "2"),
        moved("nowhere", "1", None),
    ],
    ids=str,
)
async def test_a_position_moves_only_from_where_it_stands(store: Database, move: Any) -> None:
    await store.commit(turn(moves=[moved("here", None, "1")]))

    with pytest.raises(StoreConflict):
        await store.commit(turn(moves=[move]))

    assert await store.positions("kafka/orders") == {"here": "1"}


async def test_a_position_is_made_moved_and_deleted(store: Database) -> None:
    await store.commit(turn(moves=[moved("a", None, "1"), moved("b", None, "1")]))
    await store.commit(turn(moves=[moved("a", "1", "2"), moved("b", "1", None)]))
    await store.commit(turn(moves=[moved("c", None, None)]))

    assert await store.positions("kafka/orders") == {"a": "2"}
    assert await store.positions("kafka/others") == {}


async def test_several_moves_of_one_part_in_a_turn_are_one(store: Database) -> None:
    await store.commit(turn(moves=[moved("a", None, "1")]))

    await store.commit(
        turn(
            moves=[
                moved("a", "1", None),
                moved("b", None, "1"),
                moved("a", None, "2"),
                moved("b", "1", "2"),
                moved("b", "2", None),
            ]
        )
    )

    assert await store.positions("kafka/orders") == {"a": "2"}


async def test_moves_that_contradict_each_other_are_refused(store: Database) -> None:
    with pytest.raises(StoreConflict, match="moves from '5' where it stands at '1'"):
        await store.commit(turn(moves=[moved("a", None, "1"), moved("a", "5", "6")]))

    assert await store.positions("kafka/orders") == {}


async def test_of_a_thousand_moves_one_that_is_wrong_refuses_all(store: Database) -> None:
    await store.commit(turn(moves=[moved(f"{n}.csv", None, "1") for n in range(1000)]))
    others = [moved(f"{n}.csv", "1", "2") for n in range(1000) if n != 617]

    with pytest.raises(StoreConflict, match=r"617\.csv"):
        await store.commit(turn(moves=[*others, moved("617.csv", "0", "2")]))
    await store.commit(turn(moves=[*others, moved("617.csv", "1", "3")]))

    held = await store.positions("kafka/orders")
    assert held == {f"{n}.csv": "3" if n == 617 else "2" for n in range(1000)}


async def test_an_event_is_accepted_once(store: Database) -> None:
    await store.commit(turn(accepted=[event(1)]))

    with pytest.raises(StoreConflict, match="event orders/1 of orders was recorded before"):
        await store.commit(turn(accepted=[event(2), event(1)], first=2))
    await store.commit(turn(accepted=[event(1, "others", id="orders/1")], first=2))

    assert [each.source for _, each in await store.events([(1, 9)])] == ["orders", "others"]


async def test_one_id_twice_in_a_turn_is_refused(store: Database) -> None:
    with pytest.raises(StoreConflict, match="event orders/1 of orders"):
        await store.commit(turn(accepted=[event(1), event(1)]))

    assert await store.events([(1, 9)]) == []


async def test_what_was_accepted_or_put_to_the_dead_letters_is_known(store: Database) -> None:
    accepted = [event(n) for n in range(1, 1_201)]
    await store.commit(turn(accepted=accepted, dead=[letter("broken"), letter("also", "files")]))

    asked = [("orders", f"orders/{n}") for n in range(1_000, 1_400)]
    asked += [("orders", "broken"), ("files", "broken"), ("files", "also"), ("new", "new")]
    known = await store.known(asked)

    expected = {("orders", f"orders/{n}") for n in range(1_000, 1_201)}
    assert known == expected | {("orders", "broken"), ("files", "also")}
    assert await store.known([]) == set()


async def test_events_come_back_as_they_were(store: Database) -> None:
    before = event(
        1,
        id="a\nb\0c",
        type="kafka.message",
        subject="orders/3 'quoted' \U0001f680",
        time=datetime(1, 1, 1, tzinfo=UTC),
        received=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        key="",
        headers={"x": "1", "naïve": "ü"},
        raw=b"\0\xff" * 3,
        data={"lost": True},
    )
    await store.commit(turn(accepted=[before, event(2, key=None, raw=b"")]))

    [(seq, after), (_, empty)] = await store.events([(1, 2)])

    assert seq == 1
    assert after == replace(before, data=None)
    assert after.raw == before.raw
    assert (empty.raw, empty.data, empty.key, dict(empty.headers)) == (b"", None, None, {})


async def test_events_come_in_order_and_those_that_are_no_more_are_left_out(
    store: Database,
) -> None:
    await store.commit(turn(accepted=[event(n) for n in range(10, 20)], first=10))

    found = await store.events([(18, 30), (1, 11), (13, 13)])

    assert [seq for seq, _ in found] == [10, 11, 13, 18, 19]


class Order(BaseModel):
    id: int
    due: datetime


@dataclass
class Odd:
    name: str


@pytest.mark.parametrize(
    ("data", "raw"),
    [
        (None, None),
        (b"\xff", b"\xff"),
        ({"a": [1, None, "ü"]}, '{"a":[1,null,"ü"]}'.encode()),
        (
            Order(id=1, due=datetime(2026, 1, 1, tzinfo=UTC)),
            b'{"id":1,"due":"2026-01-01T00:00:00Z"}',
        ),
        ([Odd("x")], b'[{"name":"x"}]'),
        ("\udcff", b'"\\udcff"'),
        ({"a": {1}, "b": b"\xff"}, b'{"a":[1],"b":"\\\\xff"}'),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_payload_without_bytes_of_its_own_is_kept_as_json(
    store: Database, data: Any, raw: bytes | None
) -> None:
    await store.commit(turn(accepted=[event(1, data=data, raw=None)]))

    [(_, found)] = await store.events([(1, 1)])

    assert found.raw == raw


async def test_names_that_are_not_unicode_are_kept_and_found(store: Database) -> None:
    name = "caf\udce9.csv"  # as Python names a file whose name is Latin-1
    lone = "\ud800"  # as JSON may have it
    node = Node("daily", 0, lone, {lone: (lone,)})
    await store.commit(
        turn(
            accepted=[event(1), event(2, id=name, subject=name, key=lone)],
            moves=[moved(name, None, "1", "files/inbox")],
            dead=[letter(lone, subject=name)],
            changes=[put(Table.NODE, ("daily", 0, lone), node)],
        )
    )
    await store.commit(turn(moves=[moved(name, "1", "2", "files/inbox")]))

    assert await store.positions("files/inbox") == {name: "2"}
    asked = [("orders", name), ("orders", "other"), ("orders", lone)]
    assert await store.known(asked) == {("orders", name), ("orders", lone)}
    [(_, found)] = await store.events([(2, 2)])
    assert (found.id, found.subject, found.key) == (name, name, lone)
    assert (await store.load()).get(Table.NODE, "daily", 0, lone) == node
    with pytest.raises(StoreConflict):
        await store.commit(turn(accepted=[event(3, id=name)], first=3))


async def test_a_request_is_handled_once(store: Database) -> None:
    first = await store.put_inbox("shop", "delivery 1", b"{}", event(1).time)
    assert first is not None
    await store.commit(turn(accepted=[event(1)], inbox=[first]))

    with pytest.raises(StoreConflict):
        await store.commit(turn(accepted=[event(2)], first=2, inbox=[first]))

    assert await store.read_inbox() == []
    assert [seq for seq, _ in await store.events([(1, 9)])] == [1]
    # A number is not given out again: an old turn cannot take a new request away.
    again = await store.put_inbox("shop", "delivery 2", b"{}", event(1).time)
    assert again is not None
    assert again > first


async def test_a_commit_is_whole_although_its_caller_gave_up(store: Database) -> None:
    with anyio.move_on_after(0):
        await store.commit(turn(accepted=[event(1)], moves=[moved("a", None, "1")]))

    assert await store.positions("kafka/orders") == {"a": "1"}
    assert len(await store.events([(1, 1)])) == 1


async def test_turns_are_recorded_in_the_order_they_were_handed_over(store: Store) -> None:
    async with anyio.create_task_group() as tasks:
        for n in range(100):
            step = moved("a", str(n - 1) if n else None, str(n))
            tasks.start_soon(store.commit, turn(moves=[step]))

    assert await store.positions("kafka/orders") == {"a": "99"}


async def test_known_sees_what_was_handed_over_before(store: Store) -> None:
    found: list[set[tuple[str, str]]] = []

    async def ask() -> None:
        found.append(await store.known([("orders", "orders/1")]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.commit, turn(accepted=[event(1)]))
        tasks.start_soon(ask)

    assert found == [{("orders", "orders/1")}]


async def test_everything_is_there_after_a_restart(store_url: str) -> None:
    async with open_store(store_url) as first:
        await first.commit(
            turn(accepted=[event(1)], moves=[moved("a", None, "1")], dead=[letter("x")])
        )
        await first.commit(turn(changes=[put(Table.COUNTER, ("event",), 1)]))

    async with open_store(store_url) as second:
        assert await second.positions("kafka/orders") == {"a": "1"}
        assert (await second.load()).get(Table.COUNTER, "event") == 1
        assert await second.known([("orders", "orders/1"), ("orders", "x")]) == {
            ("orders", "orders/1"),
            ("orders", "x"),
        }


async def test_a_closed_store_says_so(store_url: str) -> None:
    async with open_store(store_url) as closed:
        pass

    with pytest.raises(StoreUnavailable, match="closed"):
        await closed.commit(turn())
    with pytest.raises(StoreUnavailable, match="closed"):
        await closed.read.runs()
