"""Each operator's exact meaning, told as short stories."""

from __future__ import annotations

import pytest

from reactor.core import memory
from reactor.core.decision import Arrived
from reactor.core.field import field
from reactor.core.state import Table
from reactor.core.trigger import operator, pace
from reactor.core.trigger.expression import Trigger, at_least
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap

A, B, C = Tap("a"), Tap("b"), Tap("c")


def test_an_alternative_fires_on_each_event_of_either_side() -> None:
    ear = Ear(A | B)
    assert ear.hears("a") == ["a1"]
    assert ear.hears("b") == ["b1"]
    assert ear.hears("c") == []


def test_an_event_that_satisfies_both_sides_fires_once() -> None:
    ear = Ear(A.where(field.n > 1) | A.where(field.n > 2))
    assert ear.hears("a", n=3) == ["a1"]


def test_a_filter_lets_in_only_what_it_says() -> None:
    ear = Ear(A.where(field.n > 1).where(field.n < 5))
    assert [ear.hears("a", n=n) for n in (1, 3, 5)] == [[], ["a2"], []]


def test_a_key_is_told_with_what_fired() -> None:
    ear = Ear(A.by(field.k))
    assert ear.hears("a", k="eu") == ["eu: a1"]
    assert ear.hears("a", k=5) == ["5: a2"]
    assert ear.hears("a") == ["a3"], "what has no key is kept together, without one"


def test_a_join_fires_when_every_side_came_within_the_window() -> None:
    ear = Ear((A & B & C).within("10s"))
    assert ear.hears("a") == []
    ear.waits(5)
    assert ear.hears("c") == []
    ear.waits(10)
    assert ear.hears("b") == ["a1 c1 b1"]
    assert ear.hears("a", "b") == [], "what fired is consumed"


def test_what_is_further_apart_than_the_window_does_not_join() -> None:
    ear = Ear((A & B).within("10s"))
    ear.hears("a")
    ear.waits(10.001)
    assert ear.hears("b") == []
    assert ear.hears("a") == ["b1 a2"]


def test_the_latest_of_a_side_is_taken_and_the_earlier_are_superseded() -> None:
    ear = Ear((A & B).within("10s"))
    ear.hears("a", "a", "a")
    assert ear.hears("b") == ["a3 b1"]
    assert ear.lost == {"superseded": 2}
    assert ear.hears("b") == []


def test_the_oldest_of_a_side_is_taken_one_by_one() -> None:
    ear = Ear((A & B).within("10s", pair="oldest"))
    ear.hears("a", "a", "a")
    assert ear.hears("b") == ["a1 b1"]
    assert ear.hears("b", "b", "b") == ["a2 b2", "a3 b3"]
    assert ear.hears("a") == ["b4 a4"]


def test_all_of_a_side_are_taken_when_they_are_collected() -> None:
    ear = Ear((A & B).within("10s", pair="collect"))
    ear.hears("a", "a")
    ear.waits(6)
    ear.hears("a")
    ear.waits(12)
    assert ear.hears("b") == ["a3 b1"], "those that are in the window"
    ear.hears("a", "a")
    assert ear.hears("b") == ["a4 a5 b2"]


def test_one_event_fills_every_side_it_satisfies_and_may_complete_alone() -> None:
    ear = Ear((A.where(field.x == 1) & A.where(field.y == 1)).within("10s"))
    assert ear.hears("a", x=1, y=1) == ["a1"]
    assert ear.hears("a", x=1) == []
    assert ear.hears("a", y=1) == ["a2 a3"]


def test_a_late_event_may_complete_what_still_waits() -> None:
    ear = Ear((A & B).within("10s"))
    ear.waits(30)
    ear.hears("a")
    assert ear.hears("b", late=9) == ["a1 b1"]


def test_a_late_event_does_not_join_what_is_out_of_its_window() -> None:
    ear = Ear((A & B).within("10s"))
    ear.waits(30)
    ear.hears("a")
    assert ear.hears("b", late=10.001) == []


def test_a_late_event_does_not_supersede_a_newer_one() -> None:
    ear = Ear((A & B).within("10s"))
    ear.waits(30)
    ear.hears("a")
    ear.hears("a", late=5)
    assert ear.hears("b") == ["a1 b1"]
    assert ear.lost == {"superseded": 1}


def test_an_event_from_the_future_counts_as_happening_now() -> None:
    ear = Ear((A & B).within("10s"))
    ear.hears("a", late=-3600)
    assert ear.hears("b") == ["a1 b1"]


def test_keys_do_not_join_each_other() -> None:
    ear = Ear((A.by(field.k) & B.by(field.id)).within("10s"))
    ear.hears("a", k="x")
    assert ear.hears("b", id="y") == []
    assert ear.hears("b", id="x") == ["x: a1 b2"]


def test_some_of_several_sides_are_enough() -> None:
    ear = Ear(at_least(2, A, B, C).within("10s"))
    assert ear.hears("a", "a") == []
    assert ear.hears("c") == ["a2 c1"]
    assert ear.hears("b") == []
    assert ear.hears("a") == ["b1 a3"]


def test_a_windowed_join_is_one_side_of_another() -> None:
    ear = Ear(((A & B).within("1s") & C).within("10s"))
    ear.hears("a", "b")
    ear.waits(5)
    assert ear.hears("c") == ["a1 b1 c1"]


def test_what_the_watermark_left_behind_is_dropped_and_counted() -> None:
    ear = Ear((A.by(field.k) & B.by(field.k)).within("10s"))
    ear.hears("a", k="x")
    ear.waits(30)
    assert ear.remembers == 1, "neither source said how far it was read"
    ear.reads("a", "b")
    ear.waits(100)
    assert ear.lost == {"expired": 1}, "both sources are past all that a1 could meet"
    assert ear.remembers == 0


def test_a_source_that_says_nothing_keeps_partial_matches_alive_for_a_day() -> None:
    ear = Ear((A & B).within("10s"))
    ear.hears("a")
    day = 86_400
    ear.waits(day)
    assert ear.remembers == 1
    ear.waits(day + 11)
    assert ear.remembers == 0
    assert ear.lost == {"expired": 1}
    assert len(ear.decisions) < 20, "and it was not looked at all the time"


def test_one_side_keeps_a_thousand_matches_at_most() -> None:
    ear = Ear((A & B).within("1h", pair="collect"))
    events = [A.event(f"a{n}") for n in range(1, operator.PARTIAL_CAP + 6)]
    ear.told_by(ear.receive(Arrived("a", events)))
    assert ear.lost == {"expired": 5}
    [match] = ear.hears("b")
    assert match.startswith("a6 ")


def test_a_batch_fires_with_all_of_them_when_it_is_full() -> None:
    ear = Ear(A.batch(3, "10s"))
    assert ear.hears("a", "a") == []
    assert ear.hears("a", "a") == ["a1 a2 a3"]


def test_a_batch_fires_when_its_first_event_has_waited_long_enough() -> None:
    ear = Ear(A.batch(3, "10s"))
    ear.hears("a")
    ear.waits(6)
    ear.hears("a")
    assert ear.waits(60) == ["a1 a2 at 10"]
    assert ear.remembers == 0


def test_a_batch_collects_by_key() -> None:
    ear = Ear(A.by(field.k).batch(2, "10s"))
    assert ear.hears("a", k="x") == []
    assert ear.hears("a", k="y") == []
    assert ear.hears("a", k="x") == ["x: a1 a3"]
    assert ear.waits(60) == ["y: a2 at 10"]


def test_a_batch_of_joins_counts_events() -> None:
    ear = Ear((A & B).within("1s").batch(4, "10s"))
    assert ear.hears("a", "b") == []
    assert ear.hears("a", "b") == ["a1 b1 a2 b2"]


def test_a_batch_counts_an_event_once_however_it_came() -> None:
    ear = Ear(((A & B).within("1s") | A).batch(3, "10s"))
    assert ear.hears("b") == []
    assert ear.hears("a") == [], "a1 came by itself and with b1: that is two events"
    assert ear.hears("a") == ["b1 a1 a2"]


def test_a_batch_of_any_length_is_kept_small() -> None:
    ear = Ear(A.batch(10**9, "1h"))
    events = [A.event(f"a{n}") for n in range(2_000)]
    ear.receive(Arrived("a", events))
    [row] = ear.reactor.state.rows[Table.NODE].values()
    assert row.data[1][0] == ((1, 2_000),)


def test_a_batch_of_too_many_stretches_fires_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SPAN_CAP", 3)
    ear = Ear(A.where(field.n == 1).batch(10**9, "1h") | B)
    for _ in range(3):
        assert ear.hears("a", n=1) == []
        ear.hears("b")
    assert ear.hears("a", n=1) == ["a1 a2 a3 a4"]


def test_debounce_fires_when_it_was_quiet_long_enough() -> None:
    ear = Ear(A.debounce("5s", "1m"))
    for second in (0, 3, 6):
        ear.waits(second)
        assert ear.hears("a") == []
    assert ear.waits(60) == ["a1 a2 a3 at 11"]


def test_debounce_does_not_wait_for_ever() -> None:
    ear = Ear(A.debounce("5s", "12s"))
    heard: list[str] = []
    for second in range(0, 30, 3):
        heard += ear.waits(second)
        heard += ear.hears("a")
    assert heard == ["a1 a2 a3 a4 at 12", "a5 a6 a7 a8 at 24"]


def test_throttle_fires_at_once_and_then_once_at_the_end() -> None:
    ear = Ear(A.throttle("10s"))
    assert ear.hears("a") == ["a1"]
    assert ear.hears("a", "a") == []
    assert ear.waits(10) == ["a2 a3 at 10"]
    assert ear.hears("a") == [], "what came at the end shut it again"
    assert ear.waits(40) == ["a4 at 20"]
    assert ear.hears("a") == ["a5"]


def test_throttle_without_trailing_counts_what_it_drops() -> None:
    ear = Ear(A.throttle("10s", trailing=False))
    assert ear.hears("a") == ["a1"]
    assert ear.hears("a", "a") == []
    assert ear.waits(10) == []
    assert ear.lost == {"throttled": 2}
    assert ear.hears("a") == ["a4"]


def test_throttle_remembers_nothing_of_a_key_that_fell_silent() -> None:
    ear = Ear(A.by(field.k).throttle("10s"))
    for key in "xyz":
        ear.hears("a", k=key)
    ear.waits(60)
    assert ear.remembers == 0


STATEFUL = [
    A.batch(3, "10s"),
    A.debounce("5s", "10s"),
    A.throttle("10s"),
    (A & B).within("10s"),
    A.by(field.k).batch(3, "10s"),
]


@pytest.mark.parametrize("trigger", STATEFUL, ids=str)
def test_a_restart_in_the_middle_changes_nothing(trigger: Trigger) -> None:
    def played(restarts: bool) -> list[str]:
        ear, heard = Ear(trigger), []
        for second, taps in ((0, "aa"), (4, "ba"), (12, "a"), (13, "b"), (40, "")):
            heard += ear.waits(second)
            if restarts:
                ear.again()
            heard += ear.hears(*taps, k="x")
        return heard

    assert played(restarts=True) == played(restarts=False) != []


def test_timers_that_came_due_while_down_ring_once_in_their_order() -> None:
    ear = Ear(A.by(field.k).batch(9, "10s"))
    for second, key in ((0, "z"), (1, "m"), (2, "a")):
        ear.waits(second)
        ear.hears("a", k=key)
    ear.now = ear.now.replace(hour=5)
    ear.again()
    assert ear.told_by(ear.receive()) == ["z: a1", "m: a2", "a: a3"]
    assert ear.told_by(ear.receive()) == []
    assert ear.reactor.wake_at() is None


def test_timers_that_are_due_at_once_ring_in_the_order_of_their_keys() -> None:
    ear = Ear(A.by(field.k).batch(9, "10s"))
    for key in "cab":
        ear.hears("a", k=key)
    assert ear.waits(20) == ["a: a2 at 10", "b: a3 at 10", "c: a1 at 10"]


def test_a_timer_that_is_put_off_again_and_again_is_one_timer() -> None:
    ear = Ear(A.debounce("10s", "1h"))
    for second in range(50):
        ear.waits(second / 100)
        ear.hears("a")
    timers = ear.reactor._engine._memory._timers  # pyright: ignore[reportPrivateUsage]
    assert len(timers) == 1


def test_one_operator_keeps_so_many_keys_and_then_fires_the_soonest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "KEY_CAP", 3)
    ear = Ear(A.by(field.k).batch(9, "10s"))
    for second, key in enumerate("abc"):
        ear.waits(second)
        assert ear.hears("a", k=key) == []
    assert ear.hears("a", k="d") == ["a: a1"]
    assert ear.remembers == 3


def test_a_join_of_too_many_keys_expires_the_soonest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEY_CAP", 2)
    ear = Ear((A.by(field.k) & B.by(field.k)).within("1h"))
    for second, key in enumerate("abc"):
        ear.waits(second)
        ear.hears("a", k=key)
    assert ear.lost == {"expired": 1}
    assert ear.hears("b", k="c") == ["c: a3 b1"]
