"""Joins and sequences, whole and incomplete, told as stories."""

from __future__ import annotations

import pytest

from reactor.core.field import field
from reactor.core.trigger import operator, pattern
from reactor.core.trigger.expression import at_least
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap, at

A, B, C = Tap("a"), Tap("b"), Tap("c")


def test_b_after_a_is_a_sequence_and_a_after_b_is_none() -> None:
    ear = Ear(A.then(B).within("10s"))
    assert ear.hears("b") == []
    ear.waits(1)
    assert ear.hears("a") == []
    ear.waits(2)
    assert ear.hears("c") == [], "what has nothing to do with it may come between"
    assert ear.hears("b") == ["a1 b2"]
    assert ear.hears("b") == [], "what fired is used up"


def test_a_sequence_ends_within_the_window_of_its_beginning() -> None:
    ear = Ear(A.then(B).then(C).within("10s"))
    for second, tap in ((0, "a"), (6, "b"), (10.001, "c")):
        ear.waits(second)
        assert ear.hears(tap) == []
    ear.hears("a")
    ear.waits(12)
    ear.hears("b")
    ear.waits(20)
    assert ear.hears("c") == ["a2 b2 c2"]


def test_at_one_instant_the_order_of_arrival_counts() -> None:
    ear = Ear(A.then(B).within("10s"))
    ear.hears("b", "a")
    assert ear.lost == {}
    assert ear.hears("b") == ["a1 b2"]


def test_an_event_does_not_follow_itself() -> None:
    ear = Ear(A.then(A).within("10s"))
    assert ear.hears("a") == []
    assert ear.hears("a") == ["a1 a2"]
    assert ear.hears("a") == [], "and belongs to one firing only"


def test_a_late_event_takes_its_place_in_the_order() -> None:
    ear = Ear(A.then(B).within("10s"))
    ear.waits(20)
    ear.hears("b")
    assert ear.hears("a", late=3) == ["b1 a1"]


def test_the_latest_a_before_b_is_taken() -> None:
    ear = Ear(A.then(B).within("10s"))
    ear.hears("a", "a")
    assert ear.hears("b") == ["a2 b1"]
    assert ear.fates == ["a1 superseded: a later one was taken"]


def test_a_backlog_that_is_read_one_sensor_after_the_other_pairs_as_it_would_have() -> None:
    for trigger in ((A & B).within("10s"), A.then(B).within("10s")):
        ear = Ear(trigger)
        ear.now = at(300)
        for ago in (300, 200, 100):
            ear.hears("a", late=ago)
        fired = [ear.hears("b", late=ago) for ago in (295, 195, 95)]
        assert fired == [["a1 b1"], ["a2 b2"], ["a3 b3"]], trigger


def test_the_oldest_a_before_b_is_taken_one_by_one() -> None:
    ear = Ear(A.then(B).within("10s", pair="oldest"))
    ear.hears("a", "a")
    assert ear.hears("b", "b", "b") == ["a1 b1", "a2 b2"]


def test_all_that_came_before_b_is_collected() -> None:
    ear = Ear(A.then(B).within("10s", pair="collect"))
    ear.hears("a", "a", "b")
    ear.hears("a")
    assert ear.decisions[-1].facts.fired == []
    assert ear.hears("b") == ["a3 b2"]


def test_what_came_before_all_it_could_follow_is_not_collected() -> None:
    ear = Ear(A.then(B).then(C).within("10s", pair="collect"))
    assert ear.hears("b", "a", "b", "b", "c") == ["a1 b2 b3 c1"]
    assert ear.fates == ["b1 superseded: a later one was taken"]


def test_sequences_of_different_keys_do_not_mix() -> None:
    ear = Ear(A.by(field.k).then(B.by(field.id)).within("10s"))
    ear.hears("a", k="x")
    assert ear.hears("b", id="y") == []
    assert ear.hears("b", id="x") == ["x: a1 b2"]


def test_what_has_no_key_is_kept_together_without_one() -> None:
    ear = Ear(A.by(field.k).then(B.by(field.k)).within("10s"))
    ear.hears("a")
    assert ear.hears("b", k="x") == []
    assert ear.hears("b") == ["a1 b2"]


def test_a_b_that_nothing_can_precede_any_more_is_let_go_of() -> None:
    ear = Ear(A.then(B).within("10s"))
    ear.reads("a", "b")
    ear.hears("b")
    ear.hears("b")
    assert ear.fates == ["b1 b2 filtered: no a came before it"]


def test_two_sensors_that_are_read_one_after_the_other_join_as_if_they_were_read_together() -> None:
    ear = Ear(A.then(B).within("10s", pair="oldest"))
    ear.waits(1000)
    for ago in (900, 500, 100):
        ear.hears("a", late=ago)
    ear.reads("a")
    heard = [ear.hears("b", late=ago) for ago in (895, 495, 95)]
    assert heard == [["a1 b1"], ["a2 b2"], ["a3 b3"]]


def test_what_no_sensor_can_match_any_more_expires_with_its_reason() -> None:
    ear = Ear(A.then(B).within("10s"))
    ear.hears("a")
    ear.waits(60, "a", "b")
    assert ear.fates == ["a1 expired: b did not come in time"]
    assert ear.remembers == 0


def test_a_join_of_the_oldest_leaves_what_it_did_not_take() -> None:
    ear = Ear((A & B).within("10s", pair="oldest"))
    ear.waits(100)
    ear.hears("a", late=50)
    ear.hears("a")
    assert ear.hears("b") == ["a2 b1"]
    assert ear.hears("b", late=45) == ["a1 b2"], "a1 still waited for a b of its time"


def test_one_event_may_fill_several_sides_of_an_at_least() -> None:
    big, eu = A.where(field.n > 5), A.where(field.k == "eu")
    ear = Ear(at_least(2, big, eu, B).within("10s"))
    assert ear.hears("a", n=9) == []
    assert ear.hears("a", n=9, k="eu") == ["a2"]


def test_waiting_events_say_for_what() -> None:
    ear = Ear((A & B & C).within("10s"))
    ear.hears("a", "b")
    assert ear.waiting == ["a1 waits for c", "b1 waits for c"]


def test_a_pattern_that_started_and_did_not_finish_is_incomplete() -> None:
    ear = Ear((A & B & C).within("10s").incomplete())
    ear.hears("a")
    ear.waits(5, "a", "b", "c")
    ear.hears("b")
    assert ear.waits(60, "a", "b", "c") == ["a1 b1 at 10"]
    assert ear.waits(99, "a", "b", "c") == [], "what it had is used up"


def test_a_pattern_that_finished_is_not_incomplete() -> None:
    ear = Ear((A & B).within("10s").incomplete())
    ear.hears("a")
    ear.waits(10, "a")
    ear.hears("b")
    assert ear.waits(60, "a", "b") == []
    assert ear.fates == ["a1 b1 filtered: it finished in time"]


def test_a_sequence_starts_with_its_first_operand() -> None:
    ear = Ear(A.then(B).within("10s").incomplete())
    ear.hears("b")
    ear.waits(2, "a", "b")
    ear.hears("a")
    assert ear.waits(60, "a", "b") == ["a1 at 12"]
    assert ear.remembers == 0


def test_a_sequence_that_never_started_is_forgotten_and_nothing_spins() -> None:
    ear = Ear(A.then(B).within("10s").incomplete())
    ear.hears("b")
    assert ear.waits(60, "a", "b") == []
    assert ear.fates == ["b1 expired: a did not come in time"]
    assert ear.remembers == 0


def test_what_comes_after_its_window_does_not_finish_it() -> None:
    ear = Ear((A & B).within("10s").incomplete())
    ear.hears("a")
    ear.waits(9)
    ear.hears("a")
    ear.waits(15)
    ear.hears("b")
    assert ear.reads("a", "b") == ["a1 a2"], "though b came within 10 seconds of a2"
    assert ear.waits(60, "a", "b") == ["b1 at 25"]


def test_sensors_read_far_ahead_tell_the_same_as_sensors_read_all_the_while() -> None:
    def told(*reading: str) -> list[str]:
        ear, heard = Ear(A.then(B).within("10s").incomplete()), []
        for second, tap in ((0, "a"), (12, "a"), (15, "b"), (30, "a"), (31, "a"), (50, "b")):
            heard += ear.waits(second, *reading)
            heard += ear.hears(tap)
        return [each.split(" at ")[0] for each in heard + ear.waits(99, "a", "b")]

    assert told("a", "b") == told() == ["a1", "a3 a4"]


def test_a_side_of_a_pattern_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern, "PARTIAL_CAP", 2)
    ear = Ear(A.then(B).within("10s", pair="oldest"))
    ear.hears("a", "a", "a")
    assert ear.fates == ["a1 expired: more than 2 wait"]
    assert operator.PARTIAL_CAP == 1_000


def test_what_is_concluded_of_a_backlog_still_meets_what_is_of_its_time() -> None:
    ear = Ear((A & C.silent_for("10s")).within("5s", pair="oldest"))
    ear.waits(100)
    ear.hears("c", late=90)
    ear.hears("a", late=78)
    ear.hears("a")
    ear.reads("a")
    assert ear.reads("c") == ["c1 a1"], "c fell silent at 20, and a1 was at 22"
