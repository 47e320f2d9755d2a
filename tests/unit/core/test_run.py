"""The one table of transitions."""

from __future__ import annotations

from itertools import product

import pytest

from reactor.core.errors import InvariantError
from reactor.core.run import ENDED, GOOD, TRANSITIONS, Step, StepStatus
from tests.unit.core.tap import START, at


def step(status: StepStatus) -> Step:
    return Step(7, "raw", None, status, 1, (1,), START, deadline=at(60))


@pytest.mark.parametrize(("before", "after"), list(product(StepStatus, StepStatus)))
def test_only_what_the_table_allows_can_happen(before: StepStatus, after: StepStatus) -> None:
    if before is after or after in TRANSITIONS[before]:
        assert step(before).to(after).status is after
    else:
        with pytest.raises(InvariantError, match=f"step 7 of raw cannot go {before} -> {after}"):
            step(before).to(after)


def test_every_status_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(StepStatus)


def test_what_ended_well_ended_for_good() -> None:
    assert GOOD < ENDED
    assert all(not TRANSITIONS[status] for status in GOOD)


def test_only_a_running_step_has_a_deadline() -> None:
    running = step(StepStatus.PENDING).to(StepStatus.RUNNING, deadline=at(5))
    assert running.deadline == at(5)
    assert running.to(StepStatus.MATERIALIZED).deadline is None


def test_a_row_is_replaced_and_never_changed() -> None:
    pending = step(StepStatus.PENDING)
    pending.to(StepStatus.RUNNING, note="x")
    assert (pending.status, pending.note) == (StepStatus.PENDING, "")
