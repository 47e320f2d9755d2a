"""Counts and aggregates in a sliding window of event time, told as stories."""

from __future__ import annotations

import pytest

from reactor.core.field import field
from reactor.core.trigger import window
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")


def test_the_nth_in_a_window_fires_with_all_n() -> None:
    ear = Ear(A.count(3, within="10s"))
    assert ear.hears("a", "a") == []
    assert ear.waiting == ["a1 counted (2 of 3)", "a2 counted (2 of 3)"]
    ear.waits(10)
    assert ear.hears("a") == ["a1 a2 a3"]
    assert ear.hears("a", "a") == [], "it counts anew"
    assert ear.hears("a") == ["a4 a5 a6"]


def test_the_window_of_a_count_slides() -> None:
    ear = Ear(A.count(3, within="10s"))
    for second in (0, 6, 12):
        ear.waits(second)
        assert ear.hears("a") == [], "no three of them lie within ten seconds"
    ear.waits(16)
    assert ear.hears("a") == ["a2 a3 a4"]
    assert ear.fates == ["a1 superseded: a count was reached without it"]


def test_a_late_event_counts_where_it_happened() -> None:
    ear = Ear(A.count(3, within="10s"))
    ear.hears("a")
    ear.waits(20)
    ear.hears("a")
    ear.waits(22)
    ear.hears("a", late=14)
    assert ear.hears("a", late=13) == ["a1 a3 a4"]


def test_a_count_is_kept_by_key() -> None:
    ear = Ear(A.by(field.k).count(2, within="10s"))
    assert ear.hears("a", k="x") == []
    assert ear.hears("a", k="y") == []
    assert ear.hears("a", k="x") == ["x: a1 a3"]


def test_what_is_never_counted_expires() -> None:
    ear = Ear(A.count(2, within="10s"))
    ear.hears("a")
    ear.waits(60, "a")
    assert ear.fates == ["a1 expired: not 2 in time"]
    assert ear.remembers == 0


def test_patterns_may_be_counted() -> None:
    ear = Ear((A & B).within("1s").count(2, within="10s"))
    assert ear.hears("a", "b") == []
    assert ear.hears("a", "b") == ["a1 b1 a2 b2"]


def test_a_count_keeps_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "PARTIAL_CAP", 1)
    ear = Ear((A | B).count(2, within="1s"))
    for late in (90, 80, 70, 60, 50):
        ear.hears("a", late=late)
    assert ear.fates == ["a1 expired: more than 4 wait"]


def test_an_aggregate_fires_when_its_bound_comes_to_hold() -> None:
    ear = Ear(A.aggregate("10s", sum=field.n > 10))
    assert ear.hears("a", n=6) == []
    assert ear.hears("a", n=5) == ["a1 a2"]
    assert ear.hears("a", n=5) == [], "it still holds: an edge, not a level"
    ear.waits(10.5)
    assert ear.hears("a", n=1) == [], "those at 0 have just left the window"
    assert ear.hears("a", n=20) == ["a4 a5"]


@pytest.mark.parametrize(
    ("trigger", "values", "fires_at"),
    [
        (A.aggregate("10s", avg=field.n >= 3), [1, 4, 5], 2),
        (A.aggregate("10s", min=field.n < 2), [3, 2, 1], 2),
        (A.aggregate("10s", max=field.n > 4), [1, 5, 6], 1),
        (A.aggregate("10s", sum=field.n.between(5, 6)), [4, 1, 9], 1),
        (A.aggregate("10s", avg=field.n > 0, of_at_least=3), [1, 1, 1], 2),
    ],
    ids=str,
)
def test_it_averages_and_finds_the_least_and_the_greatest(
    trigger: object, values: list[int], fires_at: int
) -> None:
    ear = Ear(trigger)  # type: ignore[arg-type]
    fired = [bool(ear.hears("a", n=value)) for value in values]
    assert fired == [number == fires_at for number in range(len(values))]


def test_what_has_no_number_is_no_part_of_an_aggregate() -> None:
    ear = Ear(A.aggregate("10s", max=field.n > 4))
    for value in ("9", None, True, float("nan"), float("inf")):
        assert ear.hears("a", n=value) == []
    assert ear.lost == {"filtered": 5}
    assert ear.fates[0] == "a1 filtered: it has no number there"


def test_numbers_too_long_for_a_float_do_no_harm() -> None:
    ear = Ear(A.aggregate("10s", sum=field.n > 10))
    assert ear.hears("a", n=10**308) == ["a1"]
    assert ear.hears("a", n=10**308) == []
    assert ear.hears("a", n=10**400) == [], "which is recorded as raised"


def test_a_late_number_counts_in_the_window_of_the_newest() -> None:
    ear = Ear(A.aggregate("10s", sum=field.n > 10))
    ear.waits(20)
    ear.hears("a", n=6)
    assert ear.hears("a", n=6, late=10.5) == [], "it had left the window"
    assert ear.hears("a", n=6, late=9.9) == ["a1 a3"]


@pytest.mark.parametrize("reading", [(), ("a",)])
def test_what_begins_again_after_the_window_was_empty_fires_again(reading: tuple[str, ...]) -> None:
    ear = Ear(A.aggregate("10s", max=field.n > 4))
    assert ear.hears("a", n=9) == ["a1"]
    ear.waits(60, *reading)
    assert ear.hears("a", n=9) == ["a2"], "whether the row was still there or not"


def test_an_aggregate_is_kept_by_key() -> None:
    ear = Ear(A.by(field.k).aggregate("10s", sum=field.n > 10))
    assert ear.hears("a", k="x", n=9) == []
    assert ear.hears("a", k="y", n=9) == []
    assert ear.hears("a", k="x", n=9) == ["x: a1 a3"]


def test_an_aggregate_keeps_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "SPAN_CAP", 2)
    ear = Ear(A.aggregate("10s", sum=field.n > 10))
    for _ in range(3):
        ear.hears("a", n=1)
    assert ear.fates == ["a1 expired: more than 2 in the window"]


def test_the_edge_of_a_window_is_in_it_whatever_the_operator() -> None:
    for trigger in (
        A.count(2, within="10s"),
        A.aggregate("10s", sum=field.n > 1),
        (A & B).within("10s") | A.then(A).within("10s"),
        A.complete(["1", "2"], "10s", member=field.n),
    ):
        ear = Ear(trigger)
        ear.hears("a", n=1)
        ear.waits(10)
        assert ear.hears("a", n=2) == ["a1 a2"], trigger
