"""How many looks a burst of hints makes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sensors.schema.pace import FIRST, LONGEST, Pace


def looks(hints: list[float]) -> list[float]:
    """When a sensor looks that is hinted at these instants, and sees all hinted at until then."""
    pace, times = Pace(), list[float]()
    for hint in sorted(hints):
        if not times or hint > times[-1]:
            times.append(pace.due(hint))
    return times


def test_a_hint_alone_is_looked_at_when_it_comes() -> None:
    assert looks([1.0, 2.0, 3.0]) == [1.0, 2.0, 3.0]


def test_fifty_hints_in_a_quarter_of_a_second_make_a_handful_of_looks_the_first_at_once() -> None:
    found = looks([n * 0.005 for n in range(50)])
    assert [round(at, 3) for at in found] == [0.0, 0.02, 0.06, 0.14, 0.24, 0.34]


@given(st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1))
def test_every_hint_is_followed_by_a_look_within_the_longest_gap(hints: list[float]) -> None:
    found = looks(hints)
    for hint in hints:
        assert any(hint <= at <= hint + LONGEST for at in found)
    assert all(later - at >= FIRST * 0.999 for at, later in pairwise(found))
