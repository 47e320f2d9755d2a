"""Sets that fill up, whole and incomplete, told as stories."""

from __future__ import annotations

from typing import Any

import pytest

from reactor.core.field import field
from reactor.core.trigger import cover
from reactor.core.trigger.expression import Trigger
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap

A = Tap("a")
REGIONS = ["eu", "us"]


def regions(within: str = "10s") -> Trigger:
    return A.complete(REGIONS, within, member=field.region)


def test_a_set_fires_when_all_its_members_came() -> None:
    ear = Ear(regions())
    assert ear.hears("a", region="us") == []
    assert ear.waiting == ["a1 waits for eu"]
    ear.waits(10)
    assert ear.hears("a", region="eu") == ["a1 a2"]
    assert ear.hears("a", region="eu") == [], "what fired is used up"


def test_isin_names_the_members_and_where_they_are() -> None:
    trigger: Any = A.complete(field.region.isin(REGIONS), within="10s")
    assert trigger == regions()
    ear = Ear(trigger)
    ear.hears("a", region="us")
    assert ear.hears("a", region="eu") == ["a1 a2"]


def test_members_that_are_further_apart_than_the_window_are_no_set() -> None:
    ear = Ear(regions())
    ear.hears("a", region="us")
    ear.waits(10.001)
    assert ear.hears("a", region="eu") == []
    ear.waits(60, "a")
    assert ear.fates == [
        "a1 expired: eu did not come in time",
        "a2 expired: us did not come in time",
    ]


def test_the_latest_of_a_member_is_taken() -> None:
    ear = Ear(regions())
    ear.hears("a", region="us")
    ear.hears("a", region="us")
    assert ear.hears("a", region="eu") == ["a2 a3"]
    assert ear.fates == ["a1 superseded: a later us came"]


def test_an_older_one_of_a_member_that_comes_late_is_not_taken() -> None:
    ear = Ear(regions())
    ear.waits(20)
    ear.hears("a", region="us")
    ear.hears("a", region="us", late=5)
    assert ear.fates == ["a2 superseded: a later us had come"]
    assert ear.hears("a", region="eu", late=9) == ["a1 a3"], "a late one counts in the window"


def test_what_is_not_expected_or_no_member_is_told_so() -> None:
    ear = Ear(regions())
    ear.hears("a", region="mars")
    ear.hears("a", other=1)
    assert ear.fates == ["a1 filtered: mars is not expected", "a2 filtered: it is no member"]


def test_a_member_is_the_key_of_an_event_else_its_subject() -> None:
    ear = Ear(A.complete(["k1", "a2"], within="10s"))
    ear.hears("a", key="k1")
    assert ear.hears("a") == ["a1 a2"]


def test_a_number_of_different_members_may_be_enough() -> None:
    ear = Ear(A.complete(3, within="10s", member=field.shard))
    for shard in (1, 1, 2):
        assert ear.hears("a", shard=shard) == []
    assert ear.waiting == ["a2 waits for 1 more of a", "a3 waits for 1 more of a"]
    assert ear.hears("a", shard=3) == ["a2 a3 a4"]


def test_a_manifest_names_the_members() -> None:
    ear = Ear(A.complete(field.files, within="10s", member=field.file))
    ear.hears("a", file="x")
    ear.hears("a", file="z")
    assert ear.hears("a", files=["x", "y"]) == []
    assert ear.hears("a", file="y") == ["a1 a4"]
    assert ear.fates == [
        "a3 filtered: it only says what is expected",
        "a2 filtered: it was complete without it",
    ]
    assert ear.hears("a", file="x") == [], "the next set needs its own manifest"
    assert ear.hears("a", files=["x"]) == ["a5"]


def test_a_manifest_lies_in_the_window_too() -> None:
    ear = Ear(A.complete(field.files, within="10s", member=field.file))
    ear.hears("a", files=["x"])
    ear.waits(11)
    assert ear.hears("a", file="x") == []
    assert ear.hears("a", files=["x"], late=9) == ["a2"], "whatever comes first"


def test_an_older_manifest_that_comes_late_says_nothing_new() -> None:
    ear = Ear(A.complete(field.files, within="10s", member=field.file))
    ear.waits(10)
    ear.hears("a", files=["x", "y"])
    ear.hears("a", files=["x"], late=5)
    assert ear.hears("a", file="x") == []
    assert ear.hears("a", file="y") == ["a3 a4"]


def test_a_manifest_may_say_how_many() -> None:
    ear = Ear(A.by(field.run).complete(field.total, within="1h", member=field.part))
    assert ear.hears("a", run="r", part=1, total=2) == []
    assert ear.hears("a", run="s", part=2, total=3) == []
    assert ear.hears("a", run="r", part=2, total=2) == ["r: a1 a3"]


def test_a_set_that_started_and_did_not_fill_is_incomplete() -> None:
    ear = Ear(regions().incomplete())
    ear.hears("a", region="us")
    assert ear.waits(60, "a") == ["a1 at 10"]
    assert ear.remembers == 0


def test_a_set_that_filled_in_time_is_not_incomplete() -> None:
    ear = Ear(regions().incomplete())
    ear.hears("a", region="us")
    ear.waits(5, "a")
    ear.hears("a", region="eu")
    assert ear.waits(60, "a") == []
    assert ear.fates == ["a1 a2 filtered: it was complete in time"]


def test_a_member_that_comes_again_and_again_does_not_put_the_alarm_off() -> None:
    ear, heard = Ear(regions().incomplete()), list[str]()
    for second in range(0, 30, 4):
        heard += ear.waits(second, "a")
        heard += ear.hears("a", region="us")
    assert heard == ["a1 a2 a3 at 10", "a4 a5 a6 at 22"]


def test_members_after_an_incomplete_window_begin_the_next() -> None:
    ear = Ear(regions().incomplete())
    ear.hears("a", region="us")
    ear.waits(15)
    ear.hears("a", region="us")
    assert ear.reads("a") == ["a1"]
    assert ear.waits(60, "a") == ["a2 at 25"]


def test_a_set_keeps_so_many_members_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cover, "SPAN_CAP", 2)
    ear = Ear(A.complete(9, within="1h", member=field.n))
    for n in range(3):
        ear.hears("a", n=n)
    assert ear.fates == ["a1 expired: more than 2 members"]
