"""How often a sensor that fails is opened again."""

from __future__ import annotations

from reactor.host.intake import LONGEST_PAUSE, backoff


def test_a_sensor_that_fails_is_opened_ever_more_seldom_however_long_that_lasts() -> None:
    assert [backoff(failures) for failures in range(1, 5)] == [0.2, 0.4, 0.8, 1.6]
    assert {backoff(failures) for failures in range(9, 100_000)} == {LONGEST_PAUSE}
