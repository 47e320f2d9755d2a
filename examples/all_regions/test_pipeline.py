"""Days on which regions send, correct themselves, and forget to send."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from pipeline import files, reminder, sales, world_sales

pytestmark = pytest.mark.pipeline(sales, start="2026-01-05T20:00")


def sends(sim, *regions, day="2026-01-05"):
    for region in regions:
        sim.emit(files.event(f"sales/{day}/{region}.csv")).later("10m")


def test_two_of_three_are_not_enough(sim):
    sends(sim, "eu", "us")
    assert sim.launched == []


def test_the_last_region_completes_the_day_in_whatever_order_they_come(sim):
    sends(sim, "us", "ap", "eu")
    assert sim.launched == ["world_sales", "report"]
    [run] = sim.runs
    assert run.partition == "2026-01-05"


def test_of_a_region_that_corrects_itself_the_last_file_counts(sim):
    first = files.event("sales/2026-01-05/eu.csv", size=10)
    second = files.event("sales/2026-01-05/eu.csv", size=12, what="changed")
    sim.emit(first).later("10m").emit(second)
    sends(sim, "ap", "us")
    [fired] = sim.firings
    assert len(fired.causes) == 3
    assert f"sales {second.id}" in fired.causes
    assert f"sales {first.id}" not in fired.causes


def test_the_files_of_two_days_do_not_make_one(sim):
    sends(sim, "eu", "us", day="2026-01-05")
    sends(sim, "ap", day="2026-01-06")
    assert sim.launched == []
    sends(sim, "ap", day="2026-01-05")
    assert [run.partition for run in sim.runs] == ["2026-01-05"]


def test_the_region_that_does_not_send_is_named(sim):
    sends(sim, "eu", "us")
    sim.later("17h")
    assert sim.launched == []
    sim.later("1h")
    assert sim.launched == ["reminder"]
    assert sim.why(reminder).endswith("but ap did not come")


def test_when_nothing_came_at_all_everybody_is_called(sim):
    sim.until("2026-01-05T20:59")
    assert sim.launched == []
    sim.until("2026-01-06T12:00")
    assert sim.launched == ["call_to_everybody"]


def test_a_file_that_is_found_late_counts_for_when_it_was_written(sim):
    sends(sim, "eu", "us")
    sim.behind(files).later("20h")
    assert sim.launched == []
    written = datetime(2026, 1, 6, 2, tzinfo=UTC)
    sim.emit(files.event("sales/2026-01-05/ap.csv", time=written)).caught_up()
    assert sim.launched == ["world_sales", "report"]


def test_a_file_of_nobody_we_know_changes_nothing(sim):
    sends(sim, "eu", "us", "moon")
    assert sim.launched == []


def test_a_day_that_began_before_a_restart_is_completed_after_it(sim):
    sends(sim, "eu", "us")
    sim.restart(down="1h")
    sends(sim, "ap")
    assert sim.launched == ["world_sales", "report"]
    assert sim.why(world_sales) == (
        "world_sales because sales saw sales/2026-01-05/eu.csv, "
        "sales saw sales/2026-01-05/us.csv and sales saw sales/2026-01-05/ap.csv"
    )


def test_a_correction_of_a_day_that_was_complete_reminds_nobody(sim):
    sends(sim, "ap", "eu", "us")
    sends(sim, "eu")
    sim.later("1d")
    assert sim.launched == ["world_sales", "report", "reminder"]
    assert reminder("2026-01-05", None, {"day": "2026-01-05", "files": []}) == "nobody"
    context = SimpleNamespace(because="..., but us did not come")
    assert reminder("2026-01-05", context) == "2026-01-05: ..., but us did not come"
