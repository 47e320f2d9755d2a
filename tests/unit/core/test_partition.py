"""Which partitions there are, and to which of them an event belongs."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from reactor.core.event import Event
from reactor.core.field import field, meta
from reactor.core.mapping import Offset, Rollup
from reactor.core.partition import Dynamic, Partitions, Static
from reactor.core.window import Daily, Hourly, Monthly, Weekly, Windows

AT = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)


def event(data: Any = None, subject: str = "", at: datetime = AT) -> Event:
    return Event("1", "orders", "order", subject, at, at, data)


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, event: Event) -> str:
        return "eu"


@pytest.mark.parametrize(
    ("partitions", "key"),
    [
        (Hourly("2026-01-01"), "2026-01-05T23"),
        (Daily("2026-01-01"), "2026-01-05"),
        (Daily("2026-01-01", "Europe/Berlin"), "2026-01-06"),
        (Daily("2026-01-01").by(shift=-1), "2026-01-04"),
        (Weekly("2026-01-01"), "2026-W02"),
        (Monthly("2026-01"), "2026-01"),
        (Windows("0 */6 * * *", "2026-01-01"), "2026-01-05T18:00+00:00"),
    ],
)
def test_windows_take_an_event_by_its_time(partitions: Partitions, key: str) -> None:
    assert partitions.of(event()) == key


@pytest.mark.parametrize(
    ("partitions", "data", "key"),
    [
        (Static("eu", "us"), "eu", "eu"),
        (Static("1", "2"), 1, "1"),
        (Dynamic("customer"), 4711, "4711"),
        (Daily("2026-01-01"), "2026-01-07", "2026-01-07"),
        (Daily("2026-01-01"), "20260107", "2026-01-07"),
        (Daily("2026-01-01"), "2026-01-07T23:30:00-02:00", "2026-01-08"),
        (Daily("2026-01-01", "Europe/Berlin"), "2026-01-07T23:30:00", "2026-01-07"),
        (Daily("2026-01-01"), date(2026, 1, 7), "2026-01-07"),
        (Monthly("2026-01"), date(2026, 1, 7), "2026-01"),
        (Monthly("2026-01"), "2026-01", "2026-01"),
        (Weekly("2026-01-01"), "2026-W02", "2026-W02"),
        (Hourly("2026-01-01"), "2026-01-07T05", "2026-01-07T05"),
        (Hourly("2026-01-01"), datetime(2026, 1, 7, 5, 59), "2026-01-07T05"),  # noqa: DTZ001
    ],
)
def test_a_field_may_say_the_key_or_a_date(partitions: Partitions, data: Any, key: str) -> None:
    assert partitions.by(field.x).of(event({"x": data})) == key


@pytest.mark.parametrize(
    ("partitions", "data", "reason"),
    [
        (Static("eu", "us"), {"x": "usa"}, "'usa' is no partition: did you mean us?"),
        (Static("eu", "us"), {"x": "asia"}, "'asia' is no partition: there are eu, us"),
        (Static("eu", "us"), {}, "field.x names no partition"),
        (Static("eu", "us"), {"x": None}, "field.x names no partition"),
        (
            Dynamic("customer"),
            {"x": ""},
            "'' is no key: it is empty, or begins or ends with a blank",
        ),
        (
            Dynamic("customer"),
            {"x": "a\nb"},
            "'a\\nb' is no key: it has characters that cannot be shown",
        ),
        (Dynamic("customer"), {"x": "a" * 1_001}, "a key of 1,001 characters: at most 1,000"),
        (
            Daily("2026-01-05"),
            {"x": "2026-01-01"},
            "2026-01-01 is before the first day, 2026-01-05",
        ),
        (Daily("2026-01-05"), {"x": "soon"}, "'soon' is no day: write one such as 2026-01-05"),
        (
            Daily("2026-01-05"),
            {"x": "2026-01-01T12:00:00Z"},
            "2026-01-01T12:00:00+00:00 is before the first day, 2026-01-05",
        ),
        (Hourly("2026-01-05"), {"x": "2026-01-07"}, "2026-01-07 is a date, which names no hour"),
    ],
)
def test_an_event_of_no_partition_is_told_why(
    partitions: Partitions, data: Any, reason: str
) -> None:
    assert partitions.by(field.x).placed(event(data)) == (None, reason)


@pytest.mark.parametrize(
    ("path", "subject", "key"),
    [
        (r"inbox/([^/]+)/", "inbox/2026-01-07/a.csv", "2026-01-07"),
        (r"orders_(?P<day>\d{8})\.csv$", "inbox/orders_20260107.csv", "2026-01-07"),
        (
            r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/",
            "lake/2026/01/07/part-0.parquet",
            "2026-01-07",
        ),
        (r"(x)?(?P<day>\d{4}-\d\d-\d\d)", "a/2026-01-07.csv", "2026-01-07"),
        (r"(?P<day>\d{4}-\d\d-\d\d)", "a/b.csv", None),
    ],
)
def test_a_pattern_finds_the_key_in_the_path(path: str, subject: str, key: str | None) -> None:
    assert Daily("2026-01-01").by(path=path).of(event(subject=subject)) == key


def test_the_groups_of_a_pattern_are_joined_as_keys_are_written() -> None:
    hours = Hourly("2026-01-01").by(path=r"dt=(?P<day>[^/]+)/h=(?P<hour>\d\d)")
    assert hours.of(event(subject="dt=2026-01-07/h=05/x")) == "2026-01-07T05"
    weeks = Weekly("2026-01-01").by(path=r"(?P<year>\d{4})/(?P<week>\d\d)")
    assert weeks.of(event(subject="2026/05/x")) == "2026-W05"
    several = Dynamic("shop").by(path=r"(?P<country>\w+)/(?P<city>\w+)/")
    assert several.of(event(subject="de/bonn/x")) == "de-bonn"


def test_a_function_may_answer_a_key_or_a_date() -> None:
    days = Daily("2026-01-01").by(lambda event: event.data["at"])
    assert days.of(event({"at": date(2026, 1, 7)})) == "2026-01-07"
    assert days.of(event({"at": None})) is None


def test_a_shift_goes_on_from_what_a_field_says() -> None:
    assert Daily("2026-01-01").by(field.x, shift=-1).of(event({"x": "2026-01-07"})) == "2026-01-06"
    assert Daily("2026-01-01").by(field.x, shift=-1).placed(event({"x": "2026-01-01"})) == (
        None,
        "2026-01-01 shifted by -1 is before the first",
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: Static("eu", "us").by(shift=1), "has no order: shift= is for time windows"),
        (lambda: Daily("2026-01-01").by(shift=1.5), "say how many windows"),  # type: ignore[arg-type]
        (lambda: Offset("x"), "say how many windows"),  # type: ignore[arg-type]
        (lambda: Offset(1, 0), "ends before it begins"),
        (lambda: Rollup(5), "say True or False"),  # type: ignore[arg-type]
        (lambda: Static("eu").by("region"), "say field.day, a function of the event, or path="),
        (lambda: Static("eu").by(), "by() needs a field"),
        (lambda: Static("eu").by(Unhashable()), "cannot be compared with others: write a def"),
        (lambda: Static("eu").by(field.x, path="(x)"), "only one of them"),
        (lambda: Static("eu").by(path="x"), "has no groups: one of them must be the key"),
        (lambda: Static("eu").by(path="(x)(y)"), "has 2 groups"),
        (lambda: Static("eu").by(path="(x"), "the pattern '(x'"),
        (Static, "Static takes the names of partitions"),
        (lambda: Static("eu", "eu"), "each once"),
        (lambda: Static(1), "1 is no key: a key is text"),  # type: ignore[arg-type]
        (lambda: Dynamic(""), "'' is no key"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[], Any], text: str) -> None:
    with pytest.raises((ValueError, TypeError)) as raised:
        wrong()
    assert text in str(raised.value)


def test_partitions_read_like_what_made_them() -> None:
    made: list[Partitions] = [
        Static("eu", "us"),
        Static("eu").by(field.region),
        Dynamic("customer").by(meta.key),
        Daily("2026-01-05").by(path=r"(?P<day>\d+)", shift=-1),
    ]
    names = {"Static": Static, "Dynamic": Dynamic, "Daily": Daily, "field": field, "meta": meta}
    for partitions in made:
        assert eval(repr(partitions), names) == partitions
        assert hash(eval(str(partitions), names)) == hash(partitions)


def test_how_events_are_mapped_is_left_out_of_the_plain_value() -> None:
    assert Static("eu").by(field.region) != Static("eu")
    assert Static("eu").by(field.region).plain == Static("eu")
    assert not Static("eu").maps
    assert Static("eu").by(field.region).maps
    assert Daily("2026-01-05").maps


def test_static_partitions_are_listed_in_their_order() -> None:
    regions = Static("us", "eu", "asia")
    assert regions.listed(AT) == ("us", "eu", "asia")
    assert regions.between("us", "eu") == ("us", "eu")
    with pytest.raises(ValueError, match="us comes before eu: the order is us, eu, asia"):
        regions.between("eu", "us")
    with pytest.raises(ValueError, match="'africa' is no partition: did you mean asia"):
        regions.between("us", "africa")


def test_only_the_events_tell_dynamic_partitions() -> None:
    customers = Dynamic("customer")
    assert customers.listed(AT) is None
    assert customers.between("a", "a") == ("a",)
    with pytest.raises(ValueError, match="name each partition instead of a range"):
        customers.between("a", "b")
