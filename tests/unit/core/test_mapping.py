"""How partitions of an upstream lead to those of a downstream asset."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.errors import Problem
from reactor.core.mapping import (
    All,
    Drilldown,
    Keys,
    Mapped,
    Mapping,
    Offset,
    Rollup,
    Same,
    resolve,
)
from reactor.core.partition import Dynamic, Partitions, Static
from reactor.core.tiling import Windowed
from reactor.core.window import Daily, Hourly, Monthly, Weekly, Windows

ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo"]
REGIONS = Static("eu", "us")
DAYS = Daily("2026-01-05")


def windows(zone: str, start: str = "2005-01-01") -> list[Windowed]:
    return [
        Hourly(start, zone),
        Daily(start, zone),
        Weekly(start, zone),
        Monthly(start, zone),
        Windows("0 6,14,22 * * *", start, zone),
    ]


pairs = st.sampled_from(ZONES).flatmap(
    lambda zone: st.tuples(
        st.sampled_from(windows(zone)), st.sampled_from(windows(zone, "2006-03-20"))
    )
)
instants = st.integers(0, 300 * 24 * 60).map(
    lambda minutes: datetime(2006, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def mapping_of(above: Windowed, below: Windowed) -> Mapping:
    """One that makes sense between any two kinds of windows."""
    for mapping in (Rollup(), Drilldown()):
        if not mapping.refusal(above, below):
            return mapping
    raise AssertionError((above, below))


@given(pairs, instants)
def test_the_windows_that_overlap_read_each_other(
    pair: tuple[Windowed, Windowed], at: datetime
) -> None:
    above, below = pair
    mapping, key = mapping_of(above, below), above.at(at)
    assert key is not None
    start, end = above.span(key)
    down = mapping.down(key, above, below)
    assert down is not None
    first = below.at(start - timedelta(days=40)) or below.start
    last = below.at(end + timedelta(days=40))
    near = below.between(first, last) if last is not None else ()
    overlapping = [k for k in near if below.span(k)[0] < end and below.span(k)[1] > start]
    assert list(down) == overlapping


@given(pairs, instants)
def test_down_and_up_are_the_inverse_of_each_other(
    pair: tuple[Windowed, Windowed], at: datetime
) -> None:
    above, below = pair
    mapping, key = mapping_of(above, below), above.at(at)
    assert key is not None
    for read in mapping.down(key, above, below) or ():
        assert key in (mapping.up(read, above, below) or ())
    beneath = below.at(at)
    for read in mapping.up(beneath, above, below) or () if beneath else ():
        assert beneath in (mapping.down(read, above, below) or ())


@given(st.sampled_from(ZONES), st.integers(0, 4), instants, st.integers(-9, 9), st.integers(0, 9))
def test_an_offset_counts_windows_both_ways(
    zone: str, kind: int, at: datetime, first: int, more: int
) -> None:
    above, below = windows(zone, "2006-02-25")[kind], windows(zone, "2006-03-20")[kind]
    mapping, key = Offset(first, first + more), below.at(at)
    if key is None:
        return
    up = mapping.up(key, above, below)
    expected = (
        [above.shifted(key, n) for n in range(first, first + more + 1)]
        if (not above.problem(key))
        else []
    )
    assert list(up) == [each for each in expected if each is not None]
    for read in up:
        assert key in mapping.down(read, above, below)
    for other in mapping.down(key, above, below) if not above.problem(key) else ():
        assert key in mapping.up(other, above, below)


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        (None, None, None),
        (DAYS, None, All()),
        (None, REGIONS, Keys()),
        (REGIONS, REGIONS, Same()),
        (Dynamic("a"), Dynamic("a"), Same()),
        (DAYS, Daily("2020-01-01"), Same()),
        (DAYS, DAYS.by(shift=-1), Same()),
        (Hourly("2026-01-01"), DAYS, Rollup()),
        (DAYS, Monthly("2020-01"), Rollup()),
        (DAYS, Weekly("2020-01-01"), Rollup()),
        (Windows("0 6,14,22 * * *", "2026-01-01"), DAYS.plain, None),
        (Hourly("2026-01-01"), Windows("0 6,14,22 * * *", "2026-01-01"), Rollup()),
        (DAYS, Windows("0 0 * * *", "2026-01-01"), Rollup()),
        (Monthly("2020-01"), Hourly("2026-01-01"), Drilldown()),
    ],
)
def test_the_mapping_follows_from_what_both_ends_are(
    above: Partitions | None, below: Partitions | None, expected: Mapping | None
) -> None:
    found = resolve(above, below, None)
    if expected is None and above is not None:
        assert isinstance(found, Problem)
    else:
        assert found == expected


@pytest.mark.parametrize("zone", ZONES)
def test_hours_lie_in_days_and_days_in_months_whatever_clocks_do(zone: str) -> None:
    hours, days, weeks, months, _ = windows(zone, "2006-01-01")
    assert resolve(hours, days, None) == resolve(days, weeks, None) == Rollup()
    assert resolve(days, months, None) == resolve(hours, months, None) == Rollup()
    for day in days.between("2006-03-25", "2006-11-05"):
        read = Rollup().up(day, hours, days)
        assert [hours.span(read[0])[0], hours.span(read[-1])[1]] == list(days.span(day))


@pytest.mark.parametrize(
    ("above", "below", "what", "hint"),
    [
        (
            REGIONS,
            Static("eu", "asia"),
            "nothing says how Static('eu', 'us') lead to Static('eu', 'asia')",
            "Mapped(function)",
        ),
        (DAYS, REGIONS, "nothing says how Daily('2026-01-05') lead to", "say mapping="),
        (
            Weekly("2026-01-01"),
            Monthly("2026-01"),
            "a week may lie in two of the others",
            "Rollup()} to read all that overlap",
        ),
        (
            DAYS,
            Monthly("2026-01", "Europe/Berlin"),
            "their days begin at different instants",
            "read what overlaps",
        ),
    ],
)
def test_what_does_not_follow_says_what_to_write(
    above: Partitions, below: Partitions, what: str, hint: str
) -> None:
    found = resolve(above, below, None)
    assert isinstance(found, Problem)
    assert what in found.what
    assert hint in found.hint


@pytest.mark.parametrize(
    ("chosen", "above", "below", "why"),
    [
        (Same(), DAYS, Monthly("2026-01"), "no key in common"),
        (Same(), REGIONS, Static("asia"), "no key in common"),
        (Same(), None, REGIONS, "one of them has no partitions"),
        (Rollup(), REGIONS, REGIONS, "it is for time windows"),
        (Rollup(), Monthly("2026-01"), DAYS, "say Drilldown()"),
        (Drilldown(), DAYS, Monthly("2026-01"), "say Rollup()"),
        (Offset(-1), REGIONS, REGIONS, "it is for time windows"),
        (Offset(-1), DAYS, Monthly("2026-01"), "windows of one kind and zone"),
        (All(), None, DAYS, "the upstream has no partitions"),
        (Mapped({}), None, REGIONS, "say Keys()"),
        (Mapped({}), REGIONS, None, "one of them has no partitions"),
        (Mapped({"uk": "eu"}), REGIONS, REGIONS, "'uk' is no partition: there are eu, us"),
        (Mapped({"eu": ["us", "ue"]}), REGIONS, REGIONS, "'ue' is no partition"),
        (Keys(), REGIONS, REGIONS, "say Mapped(...)"),
        (Keys(), None, None, "the downstream asset has no partitions"),
        (Keys({"x": "asia"}), None, REGIONS, "'asia' is no partition"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_the_reason(
    chosen: Mapping, above: Partitions | None, below: Partitions | None, why: str
) -> None:
    found = resolve(above, below, chosen)
    assert isinstance(found, Problem)
    assert why in found.what
    assert str(chosen) in found.what


def test_a_dict_leads_from_keys_to_keys_and_back() -> None:
    countries, regions = Static("de", "fr", "us"), Static("europe", "world", "america")
    mapping = Mapped({"de": ["europe", "world"], "fr": "europe", "us": "america"})
    assert resolve(countries, regions, mapping) == mapping
    assert mapping.down("de", countries, regions) == ("europe", "world")
    assert mapping.up("europe", countries, regions) == ("de", "fr")
    assert mapping.down("uk", countries, regions) == ()


@pytest.mark.parametrize(
    ("answer", "keys"),
    [(None, ()), ("eu", ("eu",)), (["us", "eu", "us"], ("us", "eu")), ("nowhere", ())],
)
def test_a_function_answers_a_key_or_several(answer: Any, keys: tuple[str, ...]) -> None:
    mapping = Mapped(lambda key: answer)
    assert mapping.down("2026-01-05", DAYS, REGIONS) == keys
    assert mapping.up("eu", DAYS, REGIONS) is None


def test_a_function_that_raises_for_a_key_that_there_is_is_refused() -> None:
    def lookup(key: str) -> str:
        return {"eu": "us"}[key]

    found = resolve(REGIONS, REGIONS, Mapped(lookup))
    assert isinstance(found, Problem)
    assert "it raises KeyError: 'us' for 'us'" in found.what
    found = resolve(DAYS, REGIONS, Mapped(lookup))
    assert isinstance(found, Problem)
    assert "for '2026-01-05'" in found.what


def test_changed_keys_of_a_whole_upstream_are_the_partitions_below() -> None:
    assert Keys().down("eu", None, REGIONS) == ("eu",)
    assert Keys().down("mars", None, REGIONS) == ()
    assert Keys({"de": "eu"}).down("de", None, REGIONS) == ("eu",)
    assert Keys(str.lower).down("US", None, REGIONS) == ("us",)
    assert Keys().up("eu", None, REGIONS) is None


def test_the_last_seven_days_are_read_by_the_seven_days_that_follow() -> None:
    week = Offset(-6, 0)
    assert week.up("2026-01-12", DAYS, DAYS) == DAYS.between("2026-01-06", "2026-01-12")
    assert week.down("2026-01-06", DAYS, DAYS) == DAYS.between("2026-01-06", "2026-01-12")
    assert week.up("2026-01-06", DAYS, DAYS) == ("2026-01-05", "2026-01-06")


@pytest.mark.parametrize(
    "mapping",
    [
        Same(),
        Rollup(),
        Rollup(complete=True),
        Drilldown(),
        Offset(-1),
        Offset(-6, 0),
        All(),
        Mapped({"de": "eu", "fr": ["eu", "us"]}),
        Keys(),
        Keys({"de": "eu"}),
    ],
)
def test_mappings_read_like_what_made_them(mapping: Mapping) -> None:
    again = eval(repr(mapping))
    assert str(mapping) == repr(mapping)
    assert again == mapping
    assert hash(again) == hash(mapping)
