"""What is new, told as stories: distinct, changed, and a filter on what others made."""

from __future__ import annotations

from reactor.core.field import field
from reactor.core.state import Table
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")


def test_the_first_of_a_value_passes_and_its_like_do_not() -> None:
    ear = Ear(A.distinct(field.id, ttl="10s"))
    assert ear.hears("a", id=1) == ["a1"]
    assert ear.hears("a", id=2) == ["a2"]
    ear.waits(9)
    assert ear.hears("a", id=1) == []
    assert ear.fates == ["a3 deduplicated: its value had passed"]
    ear.waits(10)
    assert ear.hears("a", id=1) == ["a4"], "what did not pass does not begin the time anew"


def test_a_late_event_is_compared_with_all_that_passed() -> None:
    ear = Ear(A.distinct(field.id, ttl="10s"))
    ear.waits(100)
    assert ear.hears("a", id=1, late=50) == ["a1"]
    assert ear.hears("a", id=1) == ["a2"]
    assert ear.hears("a", id=1, late=45) == [], "a1 passed within ten seconds of it"
    assert ear.hears("a", id=1, late=25) == ["a4"]


def test_values_are_distinct_by_key() -> None:
    ear = Ear(A.by(field.k).distinct(field.id, ttl="10s"))
    assert ear.hears("a", k="x", id=1) == ["x: a1"]
    assert ear.hears("a", k="y", id=1) == ["y: a2"]


def test_values_of_any_type_are_told_apart() -> None:
    ear = Ear(A.distinct(field.id, ttl="10s"))
    values = [1, "1", True, None, [1], {"1": 1}, 1.5]
    assert [ear.hears("a", id=value) for value in values] == [[f"a{n}"] for n in range(1, 8)]
    assert ear.hears("a", id={"1": 1}) == []


def test_a_long_value_makes_no_long_key_of_a_row() -> None:
    ear = Ear(A.distinct(field.text, ttl="10s"))
    assert ear.hears("a", text="x" * 5_000) == ["a1"]
    assert ear.hears("a", text="x" * 5_000) == []
    assert ear.hears("a", text="x" * 4_999) == ["a3"]
    assert all(len(place[2]) < 200 for place in ear.reactor.state.rows[Table.NODE])


def test_what_json_cannot_say_is_kept_as_text() -> None:
    ear = Ear(A.changed(field.n))
    heard = [ear.hears("a", n=value) for value in (float("nan"), float("nan"), float("inf"))]
    assert heard == [["a1"], [], ["a3"]]


def test_a_value_is_forgotten_when_no_like_of_it_can_come() -> None:
    ear = Ear(A.distinct(field.id, ttl="10s"))
    for number in range(5):
        ear.hears("a", id=number)
    ear.waits(60, "a")
    assert ear.remembers == 0


def test_a_value_that_differs_from_the_last_passes() -> None:
    ear = Ear(A.changed(field.schema))
    heard = [ear.hears("a", schema=value) for value in (1, 1, 2, 1)]
    assert heard == [["a1"], [], ["a3"], ["a4"]]
    assert ear.fates == ["a2 deduplicated: its value is that of the last"]


def test_what_lies_before_the_last_changes_nothing() -> None:
    ear = Ear(A.changed(field.schema))
    ear.waits(10)
    ear.hears("a", schema=1)
    assert ear.hears("a", schema=2, late=5) == []
    assert ear.hears("a", schema=1) == []
    assert ear.fates[0] == "a2 superseded: a later one had come"


def test_a_value_changes_by_key() -> None:
    ear = Ear(A.by(field.k).changed(field.n))
    heard = [ear.hears("a", k=k, n=n) for k, n in (("x", 1), ("y", 1), ("x", 1), ("y", 2))]
    assert heard == [["x: a1"], ["y: a2"], [], ["y: a4"]]


def test_a_function_may_say_what_is_compared() -> None:
    ear = Ear(A.changed(lambda event: event.data["n"] // 10))
    assert [ear.hears("a", n=n) for n in (1, 9, 10)] == [["a1"], [], ["a3"]]


def test_a_filter_on_a_pattern_judges_its_latest_event() -> None:
    ear = Ear((A & B).within("10s").where(field.n > 1))
    ear.hears("a", n=5)
    ear.waits(1)
    assert ear.hears("b", n=1) == []
    assert ear.fates == ["a1 b1 filtered: not field.n > 1"]
    ear.hears("a", n=0)
    ear.waits(2)
    assert ear.hears("b", n=2) == ["a2 b2"], "and what it turned away is used up"


def test_a_batch_of_what_is_new_is_as_long_as_what_is_new() -> None:
    ear = Ear(A.distinct(field.id, ttl="1h").batch(2, "1h"))
    assert ear.hears("a", id=1) == []
    assert ear.hears("a", id=1) == []
    assert ear.hears("a", id=2) == ["a1 a3"]


def test_a_key_that_was_idle_for_a_month_is_forgotten() -> None:
    ear = Ear(A.by(field.k).changed(field.n))
    ear.hears("a", k="x", n=1)
    ear.waits(30 * 86_400 + 1)
    assert ear.remembers == 0
    assert ear.hears("a", k="x", n=1) == ["x: a2"]
