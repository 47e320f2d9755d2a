"""Nights in which tables are made, fail, and are made again."""

import pytest
from pipeline import apology, customers, exports, night, orders, rates, report

# One o'clock in Berlin is midnight UTC, in winter.
pytestmark = pytest.mark.pipeline(night, start="2026-01-05T23:00")


def export(name="monday"):
    return exports.event(f"exports/{name}.parquet")


def rate():
    return rates.event("rates/ecb.json")


def reports(sim):
    return sim.launched.count("report")


def test_the_report_is_made_once_when_the_last_of_three_is_there(sim):
    sim.until("2026-01-06T00:30")
    assert sim.launched == ["customers"]
    sim.emit(export()).later("10m")
    assert reports(sim) == 0
    sim.emit(rate()).later("10m")
    assert sim.launched == ["customers", "orders", "exchange_rates", "report"]
    assert sim.why(report) == (
        "report because customers was materialized, orders was materialized "
        "and exchange_rates was materialized"
    )


def test_it_does_not_matter_which_comes_first(sim):
    sim.emit(rate(), export()).until("2026-01-06T00:30")
    assert reports(sim) == 1


def test_a_table_that_is_made_twice_counts_once(sim):
    sim.emit(export("1")).later("10m").emit(export("2")).later("10m").emit(rate())
    sim.until("2026-01-06T00:30")
    assert sim.launched.count("orders") == 2
    assert reports(sim) == 1


def test_a_table_that_fails_holds_the_report_until_it_is_made(sim):
    sim.on(customers).fails(times=3)
    sim.emit(rate(), export()).until("2026-01-06T02:00")
    assert sim.failed == ["customers"]
    assert reports(sim) == 0
    sim.materialize(customers)
    assert reports(sim) == 1


def test_yesterdays_tables_do_not_complete_todays_night(sim):
    sim.emit(rate()).until("2026-01-06T23:30")
    assert sim.launched == ["exchange_rates", "customers", "draft"]
    sim.emit(export()).until("2026-01-07T12:00")
    assert sim.launched[3:] == ["orders", "customers", "apology", "draft"]


def test_a_day_without_a_report_is_apologized_for_once(sim):
    sim.emit(rate(), export()).until("2026-01-07T01:59")
    assert reports(sim) == 1
    assert "apology" not in sim.launched
    sim.until("2026-01-10T00:00")
    assert sim.launched.count("apology") == 1
    assert sim.why(apology) == "apology because report was not materialized for 1d2h"


def test_so_is_a_report_that_was_never_made(sim):
    sim.until("2026-01-07T01:00")
    assert reports(sim) == 0
    assert sim.launched.count("apology") == 1


def test_one_that_is_missing_makes_no_report(sim):
    sim.emit(export()).until("2026-01-06T23:59")
    assert reports(sim) == 0


def test_two_of_three_make_a_draft_three_hours_later(sim):
    sim.emit(export()).until("2026-01-06T02:59")
    assert "draft" not in sim.launched
    sim.until("2026-01-06T03:01")
    assert "draft" in sim.launched


def test_a_night_with_a_report_needs_no_draft(sim):
    sim.emit(export(), rate()).until("2026-01-06T12:00")
    assert reports(sim) == 1
    assert "draft" not in sim.launched


def test_a_night_that_began_before_a_restart_is_finished_after_it(sim):
    sim.emit(export()).until("2026-01-06T00:30").restart(down="1h").emit(rate())
    assert reports(sim) == 1


def test_the_restart_of_a_running_table_makes_it_once(sim):
    sim.on(orders).takes("20m")
    sim.emit(rate(), export()).until("2026-01-06T00:10").restart().later("1h")
    assert reports(sim) == 1
