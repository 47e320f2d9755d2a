"""Payments that fail and payments that are slow, by the second."""

from datetime import timedelta
from itertools import count

import pytest
from pipeline import checkout, health_of_provider, payments

from reactor.testing import START

pytestmark = pytest.mark.pipeline(checkout)


NUMBERS = count(1)


def payment(**about):
    return payments.event(**{"id": next(NUMBERS), "provider": "visa"} | about)


def pay(sim, times, every="1s", **about):
    for _ in range(times):
        sim.emit(payment(**about)).later(every)


def fail(sim, times, every="10s", **about):
    pay(sim, times, every, status="failed", **about)


def test_four_failures_are_bad_luck(sim):
    fail(sim, 4)
    sim.later("1h")
    assert sim.launched == []


def test_the_fifth_within_a_minute_is_a_spike(sim):
    fail(sim, 5)
    assert sim.launched == ["health_of_provider", "routing"]
    [run] = sim.runs
    assert (run.rule, run.partition) == ("failing", "visa")
    [fired] = sim.firings
    assert len(fired.causes) == 5


def test_five_failures_in_an_hour_are_none(sim):
    fail(sim, 5, every="12m")
    assert sim.launched == []


def test_failures_of_two_providers_are_not_added_up(sim):
    fail(sim, 4, every="1s", provider="visa")
    fail(sim, 4, every="1s", provider="amex")
    assert sim.launched == []
    fail(sim, 1, provider="amex")
    assert [run.partition for run in sim.runs] == ["amex"]


def test_it_takes_five_new_ones_to_say_so_again(sim):
    fail(sim, 9, every="1s")
    assert len(sim.firings) == 1
    fail(sim, 1)
    assert len(sim.firings) == 2


def test_one_that_comes_late_counts_for_when_it_happened(sim):
    fail(sim, 4, every="5s")
    sim.later("90s").emit(payment(status="failed"))
    assert sim.launched == []
    sim.emit(payment(status="failed", time=START + timedelta(seconds=30)))
    assert sim.launched == ["health_of_provider", "routing"]


def test_the_count_goes_on_after_a_restart(sim):
    fail(sim, 3, every="5s")
    sim.restart(down="10s")
    fail(sim, 2, every="5s")
    assert sim.launched == ["health_of_provider", "routing"]


def test_slow_payments_are_told_once_while_they_stay_slow(sim):
    pay(sim, 40, every="1s", seconds=4)
    assert [fired.rule for fired in sim.firings] == ["slow"]
    assert sim.why(health_of_provider).endswith("avg of field.seconds over 5m came to 4")


def test_a_few_slow_ones_at_night_mean_nothing(sim):
    pay(sim, 19, every="1m", seconds=9)
    assert sim.launched == []


def test_when_they_were_quick_again_the_next_slowness_is_told_anew(sim):
    pay(sim, 20, every="1s", seconds=4)
    pay(sim, 60, every="1s", seconds=0.1)
    sim.later("10m")
    pay(sim, 20, every="1s", seconds=4)
    assert [fired.rule for fired in sim.firings] == ["slow", "slow"]
