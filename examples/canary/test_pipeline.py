"""Canaries that come out at the other end, and canaries that do not."""

from datetime import timedelta

import pytest
from pipeline import diagnosis, facts, sent, watch

from reactor.testing import START

pytestmark = pytest.mark.pipeline(watch)


def canary(id):
    return sent.event(id=id)


def echo(id, time=None):
    return facts.event(id="row-1", canary=id, time=time)


def an_ordinary_row():
    return facts.event(id="row-2")


def test_a_canary_that_comes_out_is_well(sim):
    sim.emit(canary("1")).later("20s").emit(echo("1")).later("4m")
    assert sim.launched == []


def test_one_that_does_not_is_looked_for_after_the_time_it_may_take(sim):
    sim.emit(canary("1")).later("44s")
    assert sim.launched == []
    sim.later("1s")
    assert sim.launched == ["diagnosis", "note_to_platform"]
    assert "no facts" in sim.why(diagnosis)


def test_the_echo_of_another_canary_does_not_count(sim):
    sim.emit(canary("1"), canary("2")).later("20s").emit(echo("2")).later("1m")
    [fired] = sim.firings
    assert fired.key == "1"


def test_ordinary_rows_do_not_count_and_are_not_kept(sim):
    row = an_ordinary_row()
    sim.emit(canary("1")).later("20s").emit(row).later("1m")
    assert sim.launched == ["diagnosis", "note_to_platform"]
    assert sim.status(row) == "filtered"
    assert "○" in sim.lanes()


def test_an_echo_that_comes_too_late_does_not_take_the_alarm_back(sim):
    sim.emit(canary("1")).later("1m").emit(echo("1")).later("1m")
    assert sim.launched == ["diagnosis", "note_to_platform"]


def test_nothing_is_concluded_while_the_end_of_the_chain_cannot_be_read(sim):
    sim.emit(canary("1")).behind(facts).later("3m")
    assert sim.launched == []
    sim.emit(echo("1", time=START + timedelta(seconds=30))).caught_up()
    assert sim.launched == []


def test_what_is_really_lost_is_told_once_the_topic_can_be_read_again(sim):
    sim.emit(canary("1")).behind(facts).later("3m").caught_up()
    assert sim.launched == ["diagnosis", "note_to_platform"]


def test_a_restart_while_a_canary_is_under_way_is_no_loss(sim):
    sim.emit(canary("1")).behind(sent, facts).restart(down="3m")
    sim.emit(echo("1", time=START + timedelta(seconds=30))).caught_up()
    assert sim.launched == []


def test_many_that_are_lost_while_somebody_looks_are_one_more_look(sim):
    sim.on(diagnosis).takes("10m")
    for number in range(8):
        sim.emit(canary(str(number))).later("30s")
    sim.later("1h")
    assert sim.launched.count("diagnosis") == 2


def test_when_no_canary_is_sent_the_sender_is_started_anew(sim):
    sim.later("5m")
    assert sim.launched == ["sender"]
