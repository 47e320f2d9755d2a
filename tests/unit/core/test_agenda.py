"""Instants at which steps act by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.core.stage import Stage, drawn


@pytest.mark.parametrize("number", [50, 200])
def test_attempts_that_ended_long_before_their_timeout_leave_nothing_behind(number: int) -> None:
    stage = Stage(drawn("raw", raw={"timeout": timedelta(days=1)}))
    for _ in range(number):
        stage.fire("raw")
        stage.ends("raw")
    assert stage.reactor.wake_at() is None
    assert len(stage.reactor._scheduler._agenda._instants) == 0  # pyright: ignore[reportPrivateUsage]
