"""A scanner's day."""

import pytest
from pipeline import archive, pages, scans

pytestmark = pytest.mark.pipeline(archive)


def scan(sim, number, every="1s"):
    for page in range(number):
        sim.emit(scans.event(f"scans/stack/{page}.tif")).later(every)


def pages_of_each_run(sim):
    return [len(fired.causes) for fired in sim.firings]


def test_nothing_runs_while_the_feeder_is_busy(sim):
    scan(sim, 300)
    assert sim.launched == []


def test_half_a_minute_after_the_last_page_all_of_them_are_built_at_once(sim):
    scan(sim, 300)
    sim.later("30s")
    assert sim.launched == ["pages", "documents"]
    assert pages_of_each_run(sim) == [300]
    assert sim.why(pages).endswith("and 299 more (it became quiet)")


def test_a_single_page_waits_for_half_a_minute_too(sim):
    scan(sim, 1, every="29s")
    assert sim.launched == []
    sim.later("1s")
    assert sim.launched == ["pages", "documents"]


def test_a_feeder_that_is_never_empty_shows_something_every_quarter_of_an_hour(sim):
    scan(sim, 1_000, every="3s")
    sim.later("1h")
    assert sum(pages_of_each_run(sim)) == 1_000
    assert len(pages_of_each_run(sim)) == 4


def test_two_stacks_are_two_runs(sim):
    scan(sim, 10)
    sim.later("5m")
    scan(sim, 20)
    sim.later("5m")
    assert pages_of_each_run(sim) == [10, 20]


def test_a_page_that_is_scanned_again_comes_along(sim):
    sim.emit(scans.event("scans/stack/1.tif", size=10)).later("5s")
    sim.emit(scans.event("scans/stack/1.tif", size=12, what="changed")).later("30s")
    assert pages_of_each_run(sim) == [2]


def test_what_waits_survives_a_restart_and_comes_as_soon_as_we_are_back(sim):
    scan(sim, 10)
    sim.restart(down="5m")
    assert sim.launched == ["pages", "documents"]
    assert pages_of_each_run(sim) == [10]


def test_nothing_comes_and_nothing_runs(sim):
    sim.later("30d")
    assert sim.firings == []


def test_the_function_is_a_function():
    stack = [scans.event("scans/b.tif"), scans.event("scans/a.tif")]
    assert pages(stack) == ["scans/a.tif", "scans/b.tif"]
