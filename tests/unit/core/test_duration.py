from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.duration import duration, spoken
from tests.unit.core.depth import examples


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("10s", 10),
        ("10m", 600),
        ("1h30m", 5400),
        (" 1h 30m ", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("0s", 0),
        (90, 90),
        (0.5, 0.5),
        (timedelta(minutes=3), 180),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: Any, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["", "10", "ten", "10 minutes", "m10", "10m?", "1h-3m", True, None, [], object()]
)
def test_what_is_no_duration_is_refused_and_shown(value: Any) -> None:
    with pytest.raises(ValueError) as caught:
        duration(value)
    assert str(caught.value).startswith(f"{value!r}: a duration is text such as '10m'")


@pytest.mark.parametrize("value", [-1, timedelta(seconds=-1)])
def test_a_duration_is_not_negative(value: Any) -> None:
    with pytest.raises(ValueError, match="not negative"):
        duration(value)


@pytest.mark.parametrize("value", ["99999999999999w", 1e30, float("inf"), "5300w"])
def test_a_duration_has_an_end(value: Any) -> None:
    with pytest.raises(ValueError, match="a hundred years"):
        duration(value)


def test_nothing_that_is_no_number_is_a_duration() -> None:
    with pytest.raises(ValueError):
        duration(float("nan"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (5400, "1h30m"), (86_461, "1d1m1s"), (0.0001, "0s")],
)
def test_a_duration_is_spoken_as_short_as_it_can_be(seconds: float, text: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == text


@examples(40)
@given(st.integers(0, 10**10))
def test_what_is_spoken_is_read_back(milliseconds: int) -> None:
    length = timedelta(milliseconds=milliseconds)
    assert duration(spoken(length)) == length
