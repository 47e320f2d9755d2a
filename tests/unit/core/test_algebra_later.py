"""What goes on later, and in which hours, told as stories: delay, during, batch of nothing."""

from __future__ import annotations

from reactor.core.calendar import Calendar
from reactor.core.decision import Restarted
from reactor.core.field import field
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap, at

A, B = Tap("a"), Tap("b")
# The stories begin on a Thursday at midnight.
OFFICE = "mon-fri 09:00-17:00"
HOUR = 3600


def test_each_event_goes_on_later() -> None:
    ear = Ear(A.delay("10s"))
    assert ear.hears("a", "a") == []
    assert ear.waiting == ["a1 delayed", "a2 delayed"]
    ear.waits(4)
    ear.hears("a")
    assert ear.waits(60) == ["a1 at 10", "a2 at 10", "a3 at 14"]
    assert ear.remembers == 0


def test_what_is_delayed_goes_on_though_the_process_died() -> None:
    ear = Ear(A.by(field.k).delay("10s"))
    ear.hears("a", k="x")
    ear.again().receive(Restarted())
    ear.now = at(500)
    assert ear.told_by(ear.receive()) == ["x: a1"], "at once, if its time is over"


def test_events_pass_while_the_calendar_is_open() -> None:
    ear = Ear(A.during(OFFICE))
    ear.waits(9 * HOUR)
    assert ear.hears("a") == ["a1"]


def test_events_outside_are_held_until_it_opens() -> None:
    ear = Ear(A.during(OFFICE))
    ear.hears("a")
    ear.waits(HOUR)
    ear.hears("a")
    assert ear.waiting[0].startswith("a1 held outside")
    assert ear.waits(10 * HOUR) == [f"a1 at {9 * HOUR}", f"a2 at {9 * HOUR}"], "match by match"


def test_events_outside_may_be_dropped() -> None:
    ear = Ear(A.during(Calendar(OFFICE), outside="drop"))
    ear.hears("a")
    assert ear.waits(10 * HOUR) == []
    [fate] = ear.fates
    assert fate.startswith("a1 filtered: outside")


def test_a_weekend_is_held_until_monday() -> None:
    ear = Ear(A.during(OFFICE))
    saturday, monday = 48 * HOUR, 96 * HOUR
    ear.waits(saturday)
    ear.hears("a")
    assert ear.waits(monday + 12 * HOUR) == [f"a1 at {monday + 9 * HOUR}"]


def test_what_was_held_is_batched_when_it_goes_on() -> None:
    ear = Ear(A.during(OFFICE).batch(2, "1h"))
    ear.hears("a", "a", "a")
    assert ear.waits(12 * HOUR) == [f"a1 a2 at {9 * HOUR}", f"a3 at {10 * HOUR}"]


def test_a_match_without_an_event_is_batched_throttled_and_delayed_like_others() -> None:
    missing = A.overdue("* * * * *")
    assert Ear(missing.batch(9, "70s")).waits(200, "a") == ["(nothing) at 130"]
    assert Ear(missing.delay("5s")).waits(70, "a") == ["(nothing) at 65"]
    throttled = Ear(missing.throttle("90s"))
    assert throttled.waits(151, "a") == ["(nothing) at 60", "(nothing) at 150"]


def test_what_is_held_back_still_joins_what_is_of_its_time() -> None:
    ear = Ear((A.delay("1h") & B).within("10s"))
    ear.hears("a", "b")
    assert ear.waits(2 * HOUR, "a", "b") == [f"a1 b1 at {HOUR}"]


def test_what_a_throttle_kept_back_is_not_lost_when_another_timer_rings_first() -> None:
    ear = Ear((A.debounce("5s", "5s") | B).throttle("10s"))
    assert ear.hears("b", "b") == ["b1"]
    ear.waits(4)
    ear.hears("a")
    ear.now = at(500)
    assert ear.told_by(ear.receive()) == ["b2 a1"]
