"""Mornings of a bank's statement, in winter: half past six in Berlin is 05:30 UTC."""

from datetime import UTC, datetime

import pytest
from pipeline import bank, question_to_the_bank, reconciliation, statements

# A Monday.
pytestmark = pytest.mark.pipeline(bank, start="2026-01-05T03:00")


def arrives(sim, name, moment):
    sim.until(moment).emit(statements.event(f"statements/{name}.csv"))


def test_a_statement_in_time_is_reconciled_and_nobody_is_asked(sim):
    arrives(sim, "monday", "2026-01-05T05:10")
    sim.until("2026-01-05T23:00")
    assert sim.launched == ["reconciliation"]
    assert sim.why(reconciliation) == "reconciliation because statements saw statements/monday.csv"


def test_when_nothing_comes_the_bank_is_asked_once_and_not_before_half_past_six(sim):
    sim.until("2026-01-05T05:29:59")
    assert sim.launched == []
    sim.until("2026-01-05T23:00")
    assert sim.launched == ["question_to_the_bank"]
    [question] = sim.firings
    assert question.at == datetime(2026, 1, 5, 5, 30, tzinfo=UTC)
    assert question.because.endswith("was overdue: nothing for 2026-01-05 06:00 CET")


def test_a_statement_that_comes_after_the_question_is_reconciled_all_the_same(sim):
    arrives(sim, "monday", "2026-01-05T08:00")
    assert sim.launched == ["question_to_the_bank", "reconciliation"]


def test_a_late_statement_of_monday_does_not_pass_for_tuesdays(sim):
    arrives(sim, "monday", "2026-01-05T08:00")
    sim.until("2026-01-06T23:00")
    assert sim.launched.count("question_to_the_bank") == 2


def test_nobody_expects_a_statement_at_the_weekend(sim):
    arrives(sim, "monday", "2026-01-05T05:00")
    for day in ("06", "07", "08", "09"):
        arrives(sim, day, f"2026-01-{day}T05:00")
    sim.until("2026-01-12T05:00")
    assert "question_to_the_bank" not in sim.launched


@pytest.mark.pipeline(bank, start="2026-07-06T00:00")
def test_in_summer_it_is_due_an_hour_earlier_by_the_clock_of_the_world(sim):
    sim.until("2026-07-06T04:29:59")
    assert sim.launched == []
    sim.later("1s")
    assert sim.launched == ["question_to_the_bank"]


def test_a_file_that_came_while_we_were_down_is_found_before_anybody_is_asked(sim):
    sim.until("2026-01-05T05:00").behind(statements).restart(down="2h")
    assert sim.launched == []
    written = datetime(2026, 1, 5, 5, 20, tzinfo=UTC)
    sim.emit(statements.event("statements/monday.csv", time=written)).caught_up()
    assert sim.launched == ["reconciliation"]


def test_when_we_were_down_and_nothing_came_the_bank_is_asked_once_we_know(sim):
    sim.until("2026-01-05T05:00").behind(statements).restart(down="2h")
    assert sim.launched == []
    sim.caught_up()
    assert sim.launched == ["question_to_the_bank"]
    assert sim.why(question_to_the_bank).endswith("nothing for 2026-01-05 06:00 CET")
