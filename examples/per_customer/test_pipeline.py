"""Two customers, a busy one and a quiet one."""

from itertools import count

import pytest
from pipeline import account, billing, usage

pytestmark = pytest.mark.pipeline(billing)

IDS = count(1)


def uses(sim, customer, times, every="1s"):
    for _ in range(times):
        entry = usage.event(id=str(next(IDS)), customer=customer, units=2)
        sim.emit(entry).later(every)


def put_through(sim):
    return [(fired.partition, len(fired.causes)) for fired in sim.firings]


def test_a_busy_customer_is_put_through_every_five_hundred_entries(sim):
    uses(sim, "acme", 200)
    assert put_through(sim) == [("acme", 100), ("acme", 100)]


def test_a_quiet_one_waits_for_an_hour_and_no_longer(sim):
    uses(sim, "zeta", 3)
    sim.later("59m")
    assert put_through(sim) == []
    sim.later("1m")
    assert put_through(sim) == [("zeta", 3)]


def test_neither_waits_for_the_other(sim):
    uses(sim, "zeta", 1)
    uses(sim, "acme", 100)
    assert put_through(sim) == [("acme", 100)]
    sim.later("1h")
    assert put_through(sim) == [("acme", 100), ("zeta", 1)]


def test_an_entry_that_is_sent_twice_counts_once(sim):
    same = {"id": "7", "customer": "acme", "units": 2}
    sim.emit(usage.event(same)).later("5m").emit(usage.event(same)).later("1h")
    assert put_through(sim) == [("acme", 1)]


def test_the_same_id_of_another_customer_is_another_entry(sim):
    sim.emit(usage.event(id="7", customer="acme", units=2))
    sim.emit(usage.event(id="7", customer="zeta", units=2)).later("1h")
    assert sorted(put_through(sim)) == [("acme", 1), ("zeta", 1)]


def test_an_account_that_fails_concerns_nobody_else(sim):
    sim.on(account).fails(times=1)
    uses(sim, "acme", 100)
    uses(sim, "zeta", 100)
    assert [run.partition for run in sim.runs] == ["acme", "zeta"]
    assert sim.blocked == ["warning"]
    assert sim.launched == ["account", "account", "warning"]


def test_what_was_collected_survives_a_restart_and_its_hour_goes_on(sim):
    uses(sim, "acme", 10)
    sim.restart(down="30m")
    uses(sim, "acme", 10)
    sim.later("29m40s")
    assert put_through(sim) == [("acme", 20)]


def test_nothing_is_used_and_nothing_runs(sim):
    sim.later("30d")
    assert sim.launched == []
