"""Machines that beat, machines that stop, and a network that is down."""

from datetime import timedelta

import pytest
from pipeline import beats, look_at_the_network, plant, visit

from reactor.testing import START

pytestmark = pytest.mark.pipeline(plant)


def beat(sim, *machines, minutes=1):
    for _ in range(minutes):
        sim.emit(*(beats.event(machine=each) for each in machines)).later("1m")


def sent(machine, *minutes):
    """Beats that come now, and were sent so many minutes after the start."""
    return [beats.event(machine=machine, time=START + timedelta(minutes=each)) for each in minutes]


def visited(sim):
    return [run.partition for run in sim.runs if run.rule == "silent"]


def test_nobody_goes_to_a_machine_that_beats(sim):
    beat(sim, "press-1", minutes=60)
    assert sim.launched == []


def test_a_machine_that_stops_is_visited_five_minutes_after_its_last_beat(sim):
    beat(sim, "press-1", "press-2", minutes=10)
    beat(sim, "press-2", minutes=4)
    assert visited(sim) == ["press-1"]
    [fired] = sim.firings
    assert fired.at == START + timedelta(minutes=9 + 5)
    assert sim.why(visit).endswith("was silent for 5m")


def test_it_is_visited_once_however_long_it_is_silent(sim):
    beat(sim, "press-1", "press-2", minutes=10)
    beat(sim, "press-2", minutes=60)
    assert visited(sim) == ["press-1"]


def test_when_it_beats_again_it_is_off_the_list_and_listened_to_anew(sim):
    beat(sim, "press-1", "press-2")
    beat(sim, "press-2", minutes=10)
    beat(sim, "press-1", "press-2")
    assert [run.partition for run in sim.runs if run.rule == "back"] == ["press-1"]
    beat(sim, "press-2", minutes=10)
    assert visited(sim) == ["press-1", "press-1"]


def test_a_beat_that_was_long_on_its_way_does_not_count_as_a_new_one(sim):
    beat(sim, "press-1", "press-2", minutes=3)
    beat(sim, "press-2")
    sim.emit(*sent("press-1", 1))
    beat(sim, "press-2", minutes=4)
    [fired] = sim.firings
    assert (fired.key, fired.at) == ("press-1", START + timedelta(minutes=2 + 5))


def test_a_machine_that_never_beat_is_not_known(sim):
    beat(sim, "press-1", minutes=60)
    assert "press-2" not in visited(sim)


def test_when_nothing_was_ever_heard_somebody_looks_at_the_network(sim):
    sim.later("10m")
    assert sim.launched == ["look_at_the_network"]
    assert look_at_the_network([]) == "nothing was ever heard"


def test_when_all_fall_silent_the_network_is_looked_at_as_well(sim):
    beat(sim, "press-1", "press-2", minutes=3)
    sim.later("1h")
    assert sorted(visited(sim)) == ["press-1", "press-2"]
    assert sim.launched.count("look_at_the_network") == 1


def test_nobody_goes_because_we_were_down(sim):
    beat(sim, "press-1")
    sim.behind(beats).restart(down="30m")
    assert sim.launched == []
    sim.emit(*sent("press-1", *range(1, 31))).caught_up().later("3m")
    assert sim.launched == []


def test_a_machine_that_stopped_while_we_were_down_is_found_when_we_are_back(sim):
    beat(sim, "press-1", "press-2")
    sim.behind(beats).restart(down="30m")
    sim.emit(*sent("press-2", *range(1, 31)), *sent("press-1", 1, 2, 3)).caught_up()
    assert visited(sim) == ["press-1"]


def test_nobody_goes_while_the_broker_is_down(sim):
    beat(sim, "press-1")
    sim.behind(beats).later("2h")
    assert sim.launched == []
