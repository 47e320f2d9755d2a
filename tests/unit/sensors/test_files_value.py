"""`FileArrivals` as a value: its name, its settings, its test events."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reactor.core.field import field
from reactor.core.predicate import predicate_of
from reactor.ports import Sensor
from sensors import FileArrivals
from sensors.files import File

INBOX = FileArrivals("inbox/*.csv")
AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_it_is_called_after_the_last_fixed_folder() -> None:
    """Unless it is given a name; the address is the pattern."""
    sensor: Sensor = INBOX
    assert (sensor.kind, sensor.name, sensor.address, str(sensor)) == (
        "files",
        "inbox",
        "inbox/*.csv",
        "inbox",
    )
    assert FileArrivals("data/2026/**/x-*.parquet").name == "2026"
    assert FileArrivals("inbox/*.csv", name="orders").name == "orders"


def test_equal_settings_are_one_sensor_however_they_are_written() -> None:
    """So that it is read once."""
    same = FileArrivals(
        Path("./inbox") / "*.csv",
        stable=2,
        scan_every=timedelta(minutes=1),
        events=["changed", "created", "created"],
        name="inbox",
    )
    assert same == INBOX
    assert hash(same) == hash(INBOX)
    assert FileArrivals("inbox/*.csv", stable="3s") != INBOX
    assert FileArrivals("inbox/*.csv", events="created").events == ("created",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pattern": "inbox/"}, "did you mean 'inbox/*'"),
        ({"existing": "ignore"}, "existing is arrive or baseline, not 'ignore'"),
        ({"complete": "close"}, "complete is auto, rename, stable or marker, not 'close'"),
        ({"events": ["new"]}, "an event is created, changed, deleted or moved, not 'new'"),
        ({"events": []}, "events is empty"),
        ({"stable": "soon"}, "'soon'"),
        ({"scan_every": 0}, "scan_every is zero"),
        ({"complete": "marker", "marker": "{stem}.ok"}, "names no marker"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings: dict[str, Any], message: str) -> None:
    """When the value is made, not when the service runs."""
    with pytest.raises(ValueError) as raised:
        FileArrivals(**{"pattern": "inbox/*.csv", **settings})
    assert message in str(raised.value)


def test_a_test_event_is_as_it_would_arrive() -> None:
    """Subject, type, payload, and what a store keeps of it."""
    event = INBOX.event("inbox/monday.csv", size=12, time=AT)
    assert (event.source, event.type, event.subject, event.time) == (
        "inbox",
        "file.created",
        "inbox/monday.csv",
        AT,
    )
    assert isinstance(event.data, File)
    assert (event.data.path, event.data.size, event.data.mtime) == ("inbox/monday.csv", 12, AT)
    assert event.raw is not None
    assert INBOX.restore(event.raw) == event.data


def test_a_test_event_can_be_given_as_one_mapping() -> None:
    """As the command line does."""
    event = INBOX.event({"path": "inbox/a.csv", "size": 3}, what="moved", previous="inbox/b.csv")
    assert event.type == "file.moved"
    assert (event.data.size, event.data.previous) == (3, "inbox/b.csv")


def test_each_test_event_is_of_another_file_unless_it_says_of_which() -> None:
    """The identity of a file is its path, inode, size and modification time."""
    assert INBOX.event("inbox/a.csv", time=AT).id != INBOX.event("inbox/a.csv", time=AT).id
    one = INBOX.event("inbox/a.csv", inode=1, time=AT)
    assert one == INBOX.event("inbox/a.csv", inode=1, time=AT)
    for other in (
        INBOX.event("inbox/b.csv", inode=1, time=AT),
        INBOX.event("inbox/a.csv", inode=2, time=AT),
        INBOX.event("inbox/a.csv", inode=1, size=1, time=AT),
        INBOX.event("inbox/a.csv", inode=1, time=AT + timedelta(microseconds=1)),
        INBOX.event("inbox/a.csv", inode=1, time=AT, what="deleted"),
    ):
        assert other.id != one.id


@pytest.mark.parametrize("path", ["outbox/a.csv", "inbox/a.txt", "inbox/x/a.csv", "/inbox/a.csv"])
def test_a_test_event_of_a_path_that_is_not_watched_is_refused(path: str) -> None:
    """It could never arrive."""
    with pytest.raises(ValueError) as raised:
        INBOX.event(path)
    assert str(raised.value) == f"{path!r} is no path that 'inbox/*.csv' means"


def test_a_field_that_a_file_does_not_have_is_refused() -> None:
    """A typing error in a test is no silent pass."""
    with pytest.raises(ValueError):
        INBOX.event("inbox/a.csv", sise=3)


def test_predicates_look_into_the_file() -> None:
    """Size, path and time, after a restart as well."""
    event = INBOX.event("inbox/eu-1.csv", size=2_000, time=AT)
    for data in (event.data, INBOX.restore(event.raw or b"")):
        seen = type(event)(**{**_fields(event), "data": data})
        assert predicate_of(field.size > 1_000).test()(seen)
        assert predicate_of(field.path.startswith("inbox/eu-")).test()(seen)
        assert predicate_of(field.mtime >= AT).test()(seen)
        assert not predicate_of(field.size > 2_000).test()(seen)


def test_the_payload_can_be_opened(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 too."""
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    Path(name).write_text("it is open")
    event = FileArrivals(f"{tmp_path}/*.csv").event(f"{tmp_path}/caf\\xe9.csv")
    with open(event.data) as opened:
        assert opened.read() == "it is open"


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__slots__}
