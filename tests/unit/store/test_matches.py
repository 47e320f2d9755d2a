"""How the matches of a firing are written, and found again by their events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.ranges import numbers, ranges
from reactor.store import matches

_numbers = st.integers(1, 60)
_matches = st.lists(st.lists(_numbers, max_size=5).map(tuple), max_size=8).map(tuple)
_spans = st.lists(st.tuples(_numbers, st.integers(0, 20)).map(lambda s: (s[0], sum(s))))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((), ""),
        (((),), "."),
        (((7,),), "7"),
        (((1,), (2,), (3,)), "1-3"),
        (((1,), (3,), (4,), (4,)), "1 3-4 4"),
        (((1, 2, 3),), "1:3"),
        (((1, 2, 3), (4,), (5,)), "1:3 4-5"),
        (((3, 9, 10, 12),), "3,9:10,12"),
        (((2, 1), (), (5,)), "2,1 . 5"),
        (((5, 5),), "5,5"),
    ],
)
def test_matches_are_written_so_that_one_can_read_them(
    given: tuple[tuple[int, ...], ...], text: str
) -> None:
    assert matches.written(given) == text
    assert matches.read(text) == given


@given(_matches)
def test_matches_are_read_as_they_were_written(given: tuple[tuple[int, ...], ...]) -> None:
    text = matches.written(given)

    assert matches.read(text) == given
    named = {number for match in given for number in match}
    assert matches.merged(matches.causes(text)) == ranges(named)
    assert matches.among(text, range(70)) == named


@given(_spans)
def test_ranges_are_written_in_the_same_grammar(spans: list[tuple[int, int]]) -> None:
    merged = matches.merged(spans)

    assert matches.causes(matches.spanned(merged)) == list(merged)


def test_a_long_burst_is_a_few_characters() -> None:
    assert matches.written([(n,) for n in range(1, 100_001)]) == "1-100000"
    assert matches.written([tuple(range(1, 100_001))]) == "1:100000"


@given(_spans)
def test_merged_ranges_hold_the_same_numbers(spans: list[tuple[int, int]]) -> None:
    held = {number for low, high in spans for number in range(low, high + 1)}

    assert matches.merged(spans) == ranges(held)


@given(_spans, _spans)
def test_what_is_left_is_what_the_one_has_and_the_other_has_not(
    spans: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    one, other = matches.merged(spans), matches.merged(taken)

    left = matches.without(one, other)

    assert set(numbers(tuple(left))) == set(numbers(one)) - set(numbers(other))


@given(st.integers(1, 2**62), st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_range_is_found_by_each_number_in_it(low: int, length: int, offset: int) -> None:
    high = low + length
    number = low + offset % (length + 1)

    assert low <= matches.fork(low, high) <= high
    assert matches.fork(low, high) in matches.forks(number)


@given(st.integers(1, 2**62))
def test_looking_for_a_number_takes_a_bounded_number_of_looks(number: int) -> None:
    forks = matches.forks(number)

    assert len(set(forks)) == 63
    assert all(0 < fork < 2**63 for fork in forks)
