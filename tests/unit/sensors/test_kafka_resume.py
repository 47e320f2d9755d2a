"""Where reading starts, from what is stored and what the cluster says."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from reactor.ports import Move
from sensors.kafka.position import Position
from sensors.kafka.resume import ABSENT, OnOutOfRange, Topic, await_topic, resume

ID, OTHER = "eoVecqwiTr-FNjsN1g3N-Q", "AhpfpgAvQESuF3uiymyBmg"


def seen(*ends: int, id: str = ID, begin: int = 0, start: Mapping[int, int] = {}) -> Topic:
    """A topic whose partitions end there."""
    partitions = range(len(ends))
    return Topic(
        "orders",
        id,
        frozenset(partitions),
        begin=dict.fromkeys(partitions, begin),
        end=dict(enumerate(ends)),
        start=start,
    )


def record(stored: Mapping[str, str], moves: tuple[Move, ...]) -> dict[str, str]:
    """What is stored afterwards, as a store that compares would have it."""
    after = dict(stored)
    for move in moves:
        assert after.get(move.part) == move.before
        if move.after is None:
            del after[move.part]
        else:
            after[move.part] = move.after
    return after


def test_the_first_time_all_partitions_start_where_they_are_told() -> None:
    found = resume(seen(5, 9, start={0: 5, 1: 7}), {}, "halt")
    assert found.positions == {0: Position(ID, 5), 1: Position(ID, 7)}
    assert record({}, found.moves) == {"orders/0": f"{ID}:5", "orders/1": f"{ID}:7"}


def test_the_first_time_none_starts_until_all_can_tell_their_offset() -> None:
    found = resume(seen(5, 9, start={0: 5}), {}, "halt")
    assert (found.positions, found.moves) == ({}, ())
    assert found.waiting == "no leader for orders/1"


def test_nothing_moves_when_nothing_changed() -> None:
    stored = {"orders/0": f"{ID}:3", "orders/1": f"{ID}:9", "orders-eu/0": f"{OTHER}:1"}
    found = resume(seen(5, 9), stored, "halt")
    assert found.positions == {0: Position(ID, 3), 1: Position(ID, 9)}
    assert found.moves == ()


def test_a_new_partition_starts_at_its_beginning() -> None:
    found = resume(seen(5, 9, begin=2), {"orders/0": f"{ID}:3"}, "halt")
    assert found.positions == {0: Position(ID, 3), 1: Position(ID, 2)}
    assert found.moves == (Move("orders/1", None, f"{ID}:2"),)


def test_a_topic_that_was_waited_for_starts_at_its_beginning() -> None:
    waiting = await_topic("orders", {})
    assert waiting.waiting == "topic orders does not exist"
    stored = record({}, waiting.moves)
    assert stored == {"orders": ABSENT}
    assert await_topic("orders", stored).moves == ()
    found = resume(seen(5, start={0: 5}), stored, "halt")
    assert found.positions == {0: Position(ID, 0)}
    assert record(stored, found.moves) == {"orders/0": f"{ID}:0"}


def test_a_topic_that_was_deleted_keeps_its_positions() -> None:
    assert await_topic("orders", {"orders/0": f"{ID}:3"}).moves == ()


def test_a_partition_without_a_leader_keeps_its_position_unseen() -> None:
    topic = Topic("orders", ID, frozenset({0, 1}), begin={0: 0}, end={0: 5})
    stored = {"orders/0": f"{ID}:3", "orders/1": f"{ID}:700"}
    found = resume(topic, stored, "halt")
    assert found.positions == {0: Position(ID, 3), 1: Position(ID, 700)}
    assert found.waiting == "no leader for orders/1"


def test_halting_names_every_partition_and_moves_none_of_them() -> None:
    stored = {"orders/0": f"{ID}:1", "orders/1": f"{ID}:4", "orders/2": f"{ID}:99"}
    found = resume(seen(9, 9, 9, begin=2), stored, "halt")
    assert [why.partition(":")[0] for why in found.refused] == ["orders/0", "orders/2"]
    assert [why.partition(":")[0] for why in found.unsure] == ["orders/2"]
    assert (found.moves, found.skips) == ((), ())


def test_the_rows_of_partitions_that_a_new_topic_lacks_are_removed() -> None:
    stored = {"orders/0": f"{ID}:1", "orders/1": f"{ID}:4"}
    found = resume(seen(9, id=OTHER), stored, "earliest")
    assert record(stored, found.moves) == {"orders/0": f"{OTHER}:0"}


rows = st.dictionaries(
    st.integers(0, 3), st.tuples(st.sampled_from([ID, OTHER, f"{ID}.2"]), st.integers(0, 30))
)
choices: st.SearchStrategy[OnOutOfRange] = st.sampled_from(["halt", "earliest", "latest"])


@given(rows, st.lists(st.integers(10, 20), min_size=1, max_size=4), choices)
def test_whatever_is_not_read_is_said(
    held: dict[int, tuple[str, int]], ends: list[int], choice: OnOutOfRange
) -> None:
    stored = {f"orders/{p}": f"{inc}:{offset}" for p, (inc, offset) in held.items()}
    begin = 8
    found = resume(seen(*ends, begin=begin, start=dict(enumerate(ends))), stored, choice)
    record(stored, found.moves)
    said = {skip.part for skip in found.skips} | {why.split(":")[0] for why in found.refused}
    for partition, end in enumerate(ends):
        part = f"orders/{partition}"
        at = found.positions.get(partition)
        if part in said:
            assert choice != "halt" or at is None
        elif held:
            incarnation, offset = held.get(partition, (ID, begin))
            assert at == Position(incarnation, offset)
            assert begin <= offset <= end
    assert choice == "halt" or not found.refused
    # No two lives of a partition share an incarnation, so no two records share an id.
    for skip in found.skips:
        same = skip.before.incarnation == skip.after.incarnation
        assert not same or skip.after.offset > skip.before.offset
