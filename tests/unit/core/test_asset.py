from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reactor.core.asset import Retry


def test_each_wait_is_longer_up_to_the_limit() -> None:
    retry = Retry(9, backoff="1s", factor=3, limit="20s", jitter=0)
    assert [retry.wait(n, "").total_seconds() for n in range(1, 6)] == [1, 3, 9, 20, 20]


def test_no_number_of_attempts_is_too_much() -> None:
    retry = Retry(10**6, backoff="1s", factor=1e9, limit="1h", jitter=0)
    assert retry.wait(10**6, "") == timedelta(hours=1)


def test_jitter_adds_a_share_that_follows_from_the_run_key_and_the_attempt() -> None:
    retry = Retry(3, backoff="10s", factor=1, jitter=0.5)
    waits = [retry.wait(attempt, key) for key in "abc" for attempt in (1, 2)]
    assert len(set(waits)) == 6
    assert all(timedelta(seconds=10) <= wait <= timedelta(seconds=15) for wait in waits)
    assert waits == [retry.wait(attempt, key) for key in "abc" for attempt in (1, 2)]


def test_a_retry_is_a_value() -> None:
    assert Retry(3, backoff="60s") == Retry(3, backoff=timedelta(minutes=1))
    assert hash(Retry(3)) == hash(Retry(3))


@pytest.mark.parametrize(
    "given",
    [
        {"times": -1},
        {"times": 1, "factor": 0.9},
        {"times": 1, "jitter": 1.1},
        {"times": 1, "jitter": -0.1},
        {"times": 1, "backoff": "soon"},
        {"times": 1, "limit": -5},
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Retry(**given)
