"""What did not happen: unless, silent_for, overdue. Told as stories.

Absence is concluded only once the sensors have been read past the deadline.
"""

from __future__ import annotations

import pytest

from reactor.core.decision import Restarted
from reactor.core.field import field
from reactor.core.trigger import absence
from reactor.core.trigger.expression import at_least
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap, at

A, B = Tap("a"), Tap("b")


def test_a_without_a_b_after_it_fires_when_its_window_is_over() -> None:
    ear = Ear(A.unless(B, within="10s"))
    assert ear.hears("a") == []
    assert ear.waiting == ["a1 waits that no b comes"]
    assert ear.waits(30, "a", "b") == ["a1 at 10"]


def test_a_b_within_the_window_calls_a_off() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    ear.waits(10, "a")
    assert ear.hears("b") == [], "the window includes its end"
    assert ear.waits(60, "a", "b") == []
    assert ear.fates == ["b1 filtered: only calls off a", "a1 filtered: b came"]
    assert ear.remembers == 0


def test_a_b_after_the_window_comes_too_late() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    ear.waits(10.001, "a")
    assert ear.hears("b") == []
    assert ear.waits(11, "a", "b") == ["a1 at 10.001"]


def test_a_b_before_a_calls_nothing_off() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("b")
    ear.hears("a")
    assert ear.waits(30, "a", "b") == ["a1 at 10"], "at one instant the order of arrival counts"


def test_an_a_that_comes_late_may_already_be_called_off() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.waits(20, "a")
    ear.hears("b", late=15)
    ear.hears("a", late=16)
    assert ear.waits(60, "a", "b") == []


def test_a_b_that_comes_late_never_un_fires() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    assert ear.waits(20, "a", "b") == ["a1 at 10"]
    assert ear.hears("b", late=15) == []
    assert ear.waits(60, "a", "b") == []


def test_an_event_does_not_call_itself_off_but_the_next_one_does() -> None:
    ear = Ear(A.unless(A, within="10s"))
    ear.hears("a")
    ear.waits(5, "a")
    ear.hears("a")
    assert ear.waits(60, "a") == ["a2 at 15"]
    assert ear.fates == ["a1 filtered: a came"], "what calls off, and waits itself, is not lost"


def test_every_a_waits_for_itself() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    ear.waits(6, "a", "b")
    ear.hears("b")
    ear.waits(8, "a", "b")
    ear.hears("a", "a")
    assert ear.waits(60, "a", "b") == ["a2 at 18", "a3 at 18"]


def test_a_b_of_another_key_calls_nothing_off() -> None:
    ear = Ear(A.by(field.k).unless(B.by(field.id), within="10s"))
    for key in "xy":
        ear.hears("a", k=key)
    ear.hears("b", id="x")
    assert ear.waits(60, "a", "b") == ["y: a2 at 10"]


def test_a_sensor_that_says_nothing_concludes_nothing_and_is_named() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    assert ear.waits(3600, "a") == []
    assert ear.reactor.awaits == {"b"}
    assert ear.reactor.wake_at() is None, "nothing keeps asking meanwhile"
    assert ear.reads("b") == ["a1"]
    assert ear.reactor.awaits == frozenset()


def test_a_backlog_read_after_a_restart_raises_no_false_alarm() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    ear.reads("a", "b")
    ear.again().receive(Restarted())
    ear.now = at(3600)
    assert ear.told_by(ear.receive()) == [], "it is not known how far b was read"
    assert ear.hears("b", late=3595) == [], "b had come in time, while nobody looked"
    assert ear.reads("a", "b") == []


def test_a_sensor_that_lags_behind_still_finds_what_calls_it_off() -> None:
    ear = Ear(A.unless(B, within="10s"))
    ear.waits(1000, "b")
    for ago in (900, 500, 100):
        ear.hears("b", late=ago)
    assert ear.hears("a", late=905) == []
    assert ear.waits(2000, "a", "b") == [], "the first b came 5 seconds after a"


def test_what_is_kept_of_what_calls_off_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absence, "PARTIAL_CAP", 3)
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a", "a", "a", "a")
    assert ear.fates == ["a1 expired: more than 3 wait"]
    assert ear.waits(60, "a", "b") == ["a2 at 10", "a3 at 10", "a4 at 10"]


def test_a_silence_is_told_once_until_the_next_event() -> None:
    ear = Ear(A.silent_for("10s"))
    ear.hears("a")
    ear.waits(8, "a")
    ear.hears("a")
    assert ear.waits(60, "a") == ["a2 at 18"]
    assert ear.hears("a") == []
    assert ear.waits(99, "a") == ["a3 at 70"]


def test_a_heartbeat_that_never_comes_is_missed() -> None:
    ear = Ear(A.silent_for("10s"))
    assert ear.waits(60, "a") == ["(nothing) at 10"]


def test_a_key_is_listened_to_from_its_first_event_on() -> None:
    ear = Ear(A.by(field.k).silent_for("10s"))
    assert ear.waits(20, "a") == []
    ear.hears("a", k="x")
    assert ear.waits(60, "a") == ["x: a1 at 30"]
    assert ear.waits(200, "a") == []
    assert ear.remembers == 0, "a key that is silent is let go of"


def test_an_event_that_lies_before_the_latest_ends_no_silence_and_starts_none() -> None:
    ear = Ear(A.silent_for("10s"))
    ear.waits(5, "a")
    ear.hears("a")
    assert ear.waits(30, "a") == ["a1 at 15"]
    assert ear.hears("a", late=29) == []
    assert ear.waits(90, "a") == []
    assert ear.fates == ["a2 superseded: it counts from a later time"]


def test_a_broker_that_is_down_is_no_silence() -> None:
    ear = Ear(A.silent_for("10s"))
    ear.hears("a")
    assert ear.waits(100) == []
    assert ear.reactor.awaits == {"a"}
    ear.hears("a", late=95)
    ear.hears("a", late=88)
    assert ear.reads("a", until=21) == [], "it had been beating all the while"
    assert ear.reads("a") == ["a3"]


def test_a_pattern_may_be_silent() -> None:
    ear = Ear(at_least(2, A, B).within("5s").silent_for("10s"))
    ear.waits(4, "a", "b")
    ear.hears("a", "b")
    assert ear.waits(60, "a", "b") == ["a1 b1 at 14"]


def test_a_tick_for_which_nothing_came_is_overdue_after_its_grace() -> None:
    ear = Ear(A.overdue("* * * * *", grace="10s"))
    ear.waits(50)
    ear.hears("a")
    assert ear.waiting == ["a1 came in time for 2026-01-01 00:01 UTC"], (
        "though 00:00 is not over yet"
    )
    assert ear.waits(200, "a") == ["(nothing) at 50", "(nothing) at 130", "(nothing) at 190"]


def test_what_is_too_late_for_its_tick_counts_for_the_next() -> None:
    ear = Ear(A.overdue("* * * * *", grace="10s"))
    assert ear.waits(71, "a") == ["(nothing) at 10", "(nothing) at 70"]
    ear.hears("a")
    assert ear.waits(140, "a") == []
    assert ear.fates == ["a1 filtered: it came in time"]


def test_what_comes_after_its_tick_was_told_does_not_excuse_the_next() -> None:
    ear = Ear(A.overdue("* * * * *", grace="10s"))
    ear.waits(100, "a")
    ear.hears("a", late=40)
    assert ear.waits(135, "a") == ["(nothing) at 130"]
    assert ear.fates == ["a1 superseded: the time of its tick was over"]


def test_ticks_that_passed_while_nobody_looked_are_told_one_by_one() -> None:
    ear = Ear(A.overdue("* * * * *"))
    ear.again().receive(Restarted())
    ear.now = at(200)
    ear.hears("a", late=90)
    assert ear.reads("a") == ["(nothing)", "(nothing)"], "the one at 120 was met"


def test_a_key_is_expected_at_every_tick_from_its_first_event_on() -> None:
    ear = Ear(A.by(field.k).overdue("* * * * *"))
    ear.waits(70, "a")
    ear.hears("a", k="x")
    assert ear.waits(185, "a") == ["x: (nothing) at 180"]


def test_what_is_delayed_is_missed_only_when_it_could_have_come() -> None:
    ear = Ear(A.delay("30s").silent_for("10s"))
    ear.hears("a")
    ear.waits(8, "a")
    ear.hears("a")
    assert ear.waits(47, "a") == [], "a2 is on its way"
    assert ear.waits(60, "a") == ["a2 at 48"]


def test_what_a_batch_keeps_back_is_still_called_off() -> None:
    ear = Ear(A.batch(9, "60s").unless(B, within="10s"))
    ear.hears("a")
    ear.waits(5, "a", "b")
    ear.hears("b")
    assert ear.waits(300, "a", "b") == []


def test_a_key_that_nothing_came_for_in_a_month_is_not_expected_any_more() -> None:
    ear = Ear(A.by(field.k).overdue("0 0 * * *"))
    ear.hears("a", k="x")
    fired = ear.waits(40 * 86_400, "a")
    assert fired[0] == "x: (nothing) at 86400"
    assert len(fired) == 31
    assert ear.remembers == 0


def test_a_silence_within_a_backlog_is_told() -> None:
    ear = Ear(A.by(field.k).silent_for("5s"))
    ear.now = at(60)
    ear.hears("a", late=60, k="x")
    ear.hears("a", late=57, k="x")
    ear.hears("a", late=20, k="x")
    assert ear.reads("a") == ["x: a2", "x: a3"], "as if somebody had listened all the while"


def test_what_comes_late_into_a_silence_parts_it() -> None:
    ear = Ear(A.by(field.k).silent_for("5s"))
    ear.now = at(60)
    for late in (60, 50, 56):
        ear.hears("a", late=late, k="x")
    assert ear.reads("a", until=58) == ["x: a3", "x: a2"]


def test_without_its_key_what_went_on_by_key_is_one_again() -> None:
    ear = Ear(A.by(field.k).unless(B.by(field.k), "5s").by(None).throttle("1m", trailing=False))
    ear.hears("a", k="x")
    ear.hears("a", k="y")
    assert ear.waits(30, "a", "b") == ["a1 at 5"]


def test_what_comes_too_early_does_not_count_for_its_tick() -> None:
    ear = Ear(A.overdue("* * * * *", grace="10s", early="20s"))
    ear.waits(75, "a")
    ear.hears("a")
    assert ear.waits(135, "a") == ["(nothing) at 130"], "it was late for the tick before"
    assert ear.fates == ["a1 filtered: it came too early for its tick"]
    ear.waits(165, "a")
    ear.hears("a")
    assert ear.waits(195, "a") == []
