"""An event storm: what waits is bounded by the graph, whatever the number of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.layered import chain, fan, layered
from benchmarks.storm import PER_PLACE, Storm
from reactor.core.ranges import numbers, union
from tests.unit.core.depth import examples


def blown(storm: Storm, turns: int, events: int) -> None:
    for turn in range(turns):
        storm.blow(storm.orders(turn * events, events))


@examples(3)
@given(st.integers(0, 2**32))
def test_of_each_asset_partition_one_step_runs_one_is_pending_and_one_behind(seed: int) -> None:
    storm = Storm(layered(40, layers=5, seed=seed), seed=seed)
    blown(storm, turns=40, events=20)
    assert storm.claimed == 1
    assert storm.place == PER_PLACE


def test_ten_times_the_events_leave_no_more_pending() -> None:
    assets = layered(40, layers=5)
    few, many = Storm(assets), Storm(assets)
    blown(few, turns=40, events=8)
    blown(many, turns=40, events=80)
    assert (many.live, many.runs) == (few.live, few.runs)


def test_a_longer_storm_is_bounded_by_the_graph_as_well() -> None:
    for assets in (chain(20), fan(20), layered(40, layers=5)):
        storm = Storm(assets)
        blown(storm, turns=100, events=10)
        assert storm.place <= PER_PLACE
        assert storm.live <= PER_PLACE * len(assets)


def test_each_event_of_a_storm_is_handed_on_exactly_once() -> None:
    storm = Storm(layered(40, layers=5))
    blown(storm, turns=40, events=20)
    storm.calm()
    for root, accepted in storm.accepted.items():
        handed = storm.handed[root]
        assert list(numbers(union(tuple(handed)))) == accepted
        assert sum(high - low + 1 for low, high in handed) == len(accepted)
