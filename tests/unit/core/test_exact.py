"""Affected, exactly: random graphs, partitions, versions, failures and deaths on a lake of data.

What each of these shows is said in tests/unit/core/lake.py the obvious way, and checked at every
start and end of an attempt:

- sound: in the end, all data is what a recomputation from scratch gives;
- minimal: no step ran whose inputs did not change since its last success;
- no torn read: what a step read was not rewritten while it ran;
- progress: everything that follows from an event is there in the end.
"""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.depth import examples
from tests.unit.core.lake import Lake, random_lake

ACTIONS = st.lists(st.integers(0, 10), max_size=60)


def played(seed: int, size: int, actions: list[int]) -> Lake:
    lake = Lake(random_lake(random.Random(seed), size), random.Random(seed + 1))
    for action in actions:
        lake.act(action)
    lake.play_out()
    return lake


@examples(150)
@given(st.integers(0, 2**32), st.integers(1, 7), ACTIONS)
def test_in_the_end_all_data_is_what_a_recomputation_gives(
    seed: int, size: int, actions: list[int]
) -> None:
    lake = played(seed, size, actions)
    waiting = lake.waiting()
    found = {place: held.value for place, held in lake.data.items() if place[0] not in waiting}
    assert found == {p: value for p, value in lake.expected().items() if p[0] not in waiting}


@examples(100)
@given(st.integers(0, 2**32), st.integers(2, 7), st.lists(st.integers(0, 6), max_size=60))
def test_a_diamond_sees_both_sides_of_a_change_or_neither(
    seed: int, size: int, actions: list[int]
) -> None:
    graph = random_lake(random.Random(seed), size, plain=True)
    lake = Lake(graph, random.Random(seed + 1), coarse=False)
    for action in actions:
        lake.act(action)
    lake.play_out()


@examples(50)
@given(st.integers(0, 2**32), st.integers(1, 7), ACTIONS)
def test_only_what_is_downstream_of_an_event_ever_runs(
    seed: int, size: int, actions: list[int]
) -> None:
    lake = played(seed, size, actions)
    fired = {name for name, _ in lake.sources}
    assert {name for name, _ in lake.ran} <= lake.reachable(fired)
