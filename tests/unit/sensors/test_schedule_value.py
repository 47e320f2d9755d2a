"""`Schedule` as a value: its name, its test ticks, what it refuses."""

from datetime import UTC, datetime
from typing import Any

import pytest

from reactor.core.errors import SensorError
from sensors import Schedule
from sensors.schedule import Tick


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (Schedule("*/5 * * * *"), "*/5 * * * *"),
        (Schedule(" 0  6 * * * ", tz="Europe/Berlin"), "0 6 * * * Europe/Berlin"),
        (Schedule(every="90s"), "every 1m30s"),
        (Schedule("@daily", name="nightly"), "nightly"),
    ],
)
def test_a_schedule_is_called_what_it_says(schedule: Schedule, name: str) -> None:
    assert schedule.name == str(schedule) == name
    assert hash(schedule) == hash(schedule)


def test_equal_schedules_are_one_sensor() -> None:
    assert Schedule(every="60s") == Schedule(every="1m")
    assert Schedule(every="60s") != Schedule(every="1m", missed="all")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "either a cron expression or every="),
        ({"cron": "* * * * *", "every": "1m"}, "either a cron expression or every="),
        ({"cron": "61 * * * *"}, "'61 .* no cron expression: Bad minute"),
        ({"cron": "* * * *"}, "no cron expression"),
        ({"cron": "0 0 30 2 *"}, "Bad day-of-month"),
        ({"cron": "@reboot"}, "no cron expression"),
        ({"cron": "@daily", "tz": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ({"cron": "@daily", "tz": "../../etc/passwd"}, "no time zone"),
        ({"cron": "@daily", "tz": ""}, "no time zone"),
        ({"every": "0s"}, "too often"),
        ({"every": "1h", "tz": "Europe/Berlin"}, "knows no time zone"),
        ({"every": "1h", "missed": "some"}, "skip, one or all"),
        ({"every": "1h", "max_catchup": 0}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(
    given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Schedule(**given)


def test_a_test_tick_is_as_one_that_came() -> None:
    nightly = Schedule("0 2 * * *", tz="Europe/Berlin", name="nightly")
    event = nightly.event("2026-01-31T02:00:00+01:00", missed=3)
    assert (event.id, event.source, event.type) == (
        "2026-01-31T01:00:00Z",
        "nightly",
        "schedule.tick",
    )
    assert event.time == event.data.scheduled == datetime(2026, 1, 31, 1, tzinfo=UTC)
    assert event.data == Tick(scheduled=event.time, missed=3)
    assert event.raw is not None
    assert nightly.restore(event.raw) == event.data
    assert nightly.event({"scheduled": "2026-01-31T01:00:00Z", "missed": 3}) == event
    assert nightly.event(event.time).id == event.id
    assert nightly.event().data.missed == 0


def test_a_test_tick_needs_an_instant() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Schedule("@daily").event("2026-01-31T02:00:00")
    with pytest.raises(ValueError, match="scheduled"):
        Schedule("@daily").event("tomorrow")


def test_a_payload_that_is_none_says_so() -> None:
    with pytest.raises(SensorError, match="cannot be read"):
        Schedule("@daily").restore(b"{}")
