from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.ranges import count, numbers, ranges, union
from tests.unit.core.depth import examples

SETS = st.sets(st.integers(1, 40))


def test_a_burst_of_any_length_is_one_range() -> None:
    assert ranges(range(1, 100_001)) == ((1, 100_000),)


@examples(40)
@given(SETS)
def test_ranges_are_the_same_numbers_sorted_closed_and_apart(some: set[int]) -> None:
    made = ranges(some)
    assert list(numbers(made)) == sorted(some)
    assert count(made) == len(some)
    assert all(low <= high for low, high in made)
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(made))


@examples(40)
@given(st.lists(SETS, max_size=4))
def test_a_union_holds_what_any_of_them_holds(several: list[set[int]]) -> None:
    assert union(*map(ranges, several)) == ranges(set[int]().union(*several))
