"""A support desk in Berlin, where nine o'clock is 08:00 UTC in winter."""

from datetime import UTC, datetime

import pytest
from pipeline import calls, calls_to_return, minutes, office

# A Monday.
pytestmark = pytest.mark.pipeline(office, start="2026-01-12T00:00", ticks=False)


def call(customer="acme", kind="question"):
    return calls.event(customer=customer, about="an invoice", kind=kind)


def returned(sim):
    return [fired.at for fired in sim.firings if fired.rule == "calls_to_return"]


def at(day, hour, minute=0, second=0, month=1):
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


def test_a_call_by_day_is_returned_at_once(sim):
    sim.until(at(12, 10)).emit(call()).later("1m")
    assert returned(sim) == [at(12, 10, 0, 10)]


def test_calls_of_the_night_are_returned_when_the_office_opens_as_one_list(sim):
    sim.until(at(12, 2)).emit(call("acme")).later("3h").emit(call("zeta"))
    sim.until(at(12, 7, 59))
    assert sim.launched == []
    sim.until(at(12, 9))
    assert sim.launched == ["calls_to_return"]
    [fired] = sim.firings
    assert len(fired.causes) == 2


def test_a_call_of_friday_evening_waits_for_monday(sim):
    sim.until(at(16, 14, 30)).emit(call())
    sim.until(at(19, 7, 59))
    assert returned(sim) == []
    sim.until(at(19, 12))
    assert returned(sim) == [at(19, 8, 0, 10)]


def test_a_call_of_the_last_minute_is_returned_though_the_office_closes_meanwhile(sim):
    sim.until(at(12, 15, 59, 55)).emit(call()).later("1h")
    assert returned(sim) == [at(12, 16, 0, 5)]


@pytest.mark.pipeline(office, start="2026-04-02T12:00", ticks=False)
def test_at_easter_a_call_waits_for_tuesday_and_summer_time_is_kept(sim):
    sim.until("2026-04-02T18:00").emit(call())
    sim.until("2026-04-07T06:59")
    assert returned(sim) == []
    sim.until("2026-04-07T12:00")
    assert returned(sim) == [at(7, 7, 0, 10, month=4)]


def test_an_emergency_does_not_wait(sim):
    sim.until(at(12, 2)).emit(call(kind="emergency"))
    assert sim.launched == ["page_on_duty"]


def test_what_is_held_survives_a_restart(sim):
    sim.until(at(12, 2)).emit(call()).restart(down="1h").until(at(12, 9))
    assert sim.launched == ["calls_to_return"]


def test_when_the_office_opened_while_we_were_down_the_call_is_returned_once_we_are_up(sim):
    sim.until(at(12, 7)).emit(call()).restart(down="3h").later("1m")
    assert returned(sim) == [at(12, 10, 0, 10)]


@pytest.mark.pipeline(office, start="2026-01-12T00:00")
def test_the_wall_board_is_drawn_in_office_hours_only(sim):
    sim.until("2026-01-13T00:00")
    drawn = [fired.at for fired in sim.firings if fired.rule == "wall_board"]
    assert drawn[0] == at(12, 8)
    assert drawn[-1] == at(12, 15, 50)
    assert len(drawn) == 8 * 6


def test_a_tick_by_hand_outside_the_hours_draws_nothing(sim):
    sim.emit(minutes.event("2026-01-12T00:10:00Z")).until(at(12, 12))
    assert sim.launched == []


def test_the_list_is_a_list():
    assert calls_to_return([call("acme"), call("zeta")]) == ["acme", "zeta"]
