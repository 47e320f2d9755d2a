"""Intervals and prefixes are found by a value, in few comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import total_ordering
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor.core.interval import End, Interval, Intervals
from reactor.core.prefix import Prefixes
from tests.unit.core.depth import examples

LOWS = st.none() | st.tuples(st.integers(0, 6), st.integers(0, 1))
HIGHS = st.none() | st.tuples(st.integers(0, 6), st.integers(-1, 0))


def holds(interval: Interval, value: float) -> bool:
    low, high = interval
    return (low is None or low <= (value, 0)) and (high is None or (value, 0) <= high)


@examples(100)
@given(
    st.lists(st.tuples(LOWS, HIGHS), max_size=60),
    st.sampled_from([-1, 0, 0.5, 1, 1.5, 2, 3, 4.5, 6, 7]),
)
def test_an_interval_is_found_if_it_holds_the_value(several: list[Interval], value: float) -> None:
    index = Intervals(list(zip(several, range(len(several)), strict=True)))
    naive = [number for number, each in enumerate(several) if holds(each, value)]
    assert sorted(index.holding(value)) == naive


@total_ordering
class Number:
    """A number that counts how often any is compared."""

    compared = 0

    def __init__(self, value: int) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: Any) -> bool:
        Number.compared += 1
        return self.value == other.value

    def __lt__(self, other: Any) -> bool:
        Number.compared += 1
        return self.value < other.value


def compared_among(entries: Sequence[tuple[Interval, int]], value: int, expected: int) -> int:
    index = Intervals(entries)
    Number.compared = 0
    assert len(index.holding(Number(value))) == expected
    return Number.compared


def test_among_many_a_value_is_compared_with_few() -> None:
    def end(value: int) -> End:
        return (Number(value), 0)

    beside = [((end(10 * n), end(10 * n + 5)), n) for n in range(1_000)]
    nested = [((end(n), end(10_000 - n)), n) for n in range(1_000)]
    above = [((end(n), None), n) for n in range(1_000)]
    assert compared_among(beside, 57, 0) <= 15
    assert compared_among([*beside, *nested], 51, 53) <= 15
    assert compared_among(above, 2, 3) <= 15


TEXTS = st.text("ab", max_size=4)


@examples(100)
@given(st.lists(TEXTS, max_size=20), TEXTS | st.text("abc", max_size=8))
def test_a_prefix_is_found_if_the_text_begins_with_it(several: list[str], text: str) -> None:
    index = Prefixes(list(zip(several, range(len(several)), strict=True)))
    naive = [number for number, each in enumerate(several) if text.startswith(each)]
    assert sorted(index.of(text)) == naive
