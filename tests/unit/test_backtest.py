"""A back-test: reading a record, knowing what was not kept, comparing two lives."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from reactor import Pipeline, field
from reactor.core.errors import ReactorError
from reactor.core.event import Event
from reactor.core.trigger.expression import Trigger
from reactor.simulation import START, Firing
from reactor.simulation.backtest import backtest
from reactor.simulation.comparison import compare
from reactor.simulation.coverage import Gap, Read, gaps
from reactor.simulation.recording import Recording, document, documents, recording
from sensors import FileArrivals, KafkaTopic, Schedule
from tests.unit.core.tap import Tap

inbox = FileArrivals("inbox/*.csv")
orders = KafkaTopic("orders")
hourly = Schedule("0 * * * *", name="hourly")


def only(trigger: Trigger) -> Pipeline:
    shop = Pipeline("shop", owner="data@shop.example")
    shop.asset(on=trigger, name="target")(lambda: None)
    return shop


SHOP = only(inbox | orders | hourly).definition()


def read(*lines: object) -> Recording:
    """The record that these lines are, to a pipeline that listens to everything."""
    text = "\n".join(map(json.dumps, lines))
    return recording(SHOP.graph, documents(text, "events.jsonl"))


def one(line: object) -> Event:
    [event] = read(line).events
    return event


def test_a_line_needs_no_more_than_a_sensor_a_time_and_what_it_saw() -> None:
    event = one({"sensor": "inbox", "time": "2026-01-05T09:00", "data": "inbox/a.csv"})
    assert (event.source, event.subject, event.data.path) == ("inbox", "inbox/a.csv", "inbox/a.csv")
    assert event.time == event.received == datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_a_line_may_be_a_cloud_event_whose_extensions_are_headers() -> None:
    event = one(
        {
            "specversion": "1.0",
            "id": "7",
            "source": "orders",
            "type": "order.placed",
            "subject": "order 7",
            "time": "2026-01-05T10:00:00+01:00",
            "partitionkey": "eu",
            "tenant": "acme",
            "data": {"amount": 3},
        }
    )
    assert (event.id, event.type, event.subject, event.key) == (
        "7",
        "order.placed",
        "order 7",
        "eu",
    )
    assert event.headers["tenant"] == "acme"
    assert event.data == {"amount": 3}
    assert event.time == datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_a_line_may_be_what_the_service_lists() -> None:
    listed = {
        "seq": 12,
        "sensor": "orders",
        "id": "kafka/orders/0/12",
        "type": "kafka.message",
        "subject": "orders/0",
        "key": "eu",
        "at": "2026-01-05T09:00:00Z",
        "received": "2026-01-05T09:00:02Z",
        "headers": {"x": "1"},
        "data": {"amount": 3},
        "size_bytes": 12,
    }
    event = one(listed)
    assert event.received - event.time == timedelta(seconds=2)
    assert (event.data, event.key, event.headers) == ({"amount": 3}, "eu", {"x": "1"})
    with pytest.raises(
        ReactorError, match=r"events.jsonl:1: the payload was too long to be listed"
    ):
        read({**listed, "data": None, "size_bytes": 5_000})


def test_an_event_that_is_written_down_is_read_back_as_it_was() -> None:
    event = orders.event({"amount": 3, "region": "eu"})
    line = json.loads(json.dumps(document(4, replace(event, raw=b'{"amount":3,"region":"eu"}'))))
    assert one(line) == event


def test_events_listed_without_a_payload_are_taken_where_they_say_enough() -> None:
    listed = {
        "seq": 12,
        "sensor": "inbox",
        "id": "x",
        "type": "file.created",
        "subject": "inbox/a.csv",
        "at": "2026-01-05T09:00:00Z",
        "received": "2026-01-05T09:00:02Z",
        "key": None,
    }
    assert one(listed).data.path == "inbox/a.csv"
    for topic in (KafkaTopic("orders"), KafkaTopic("orders", model=Priced)):
        lines = documents(json.dumps({**listed, "sensor": "orders"}), "events.jsonl")
        with pytest.raises(ReactorError, match="event 12 of orders was listed without its payload"):
            recording(only(topic).definition().graph, lines)


def test_objects_may_be_printed_over_several_lines() -> None:
    lines = [
        {"sensor": "inbox", "time": f"2026-01-05T09:0{n}Z", "data": f"inbox/{n}.csv"}
        for n in (1, 2)
    ]
    text = "\n".join(json.dumps(line, indent=2) for line in lines)
    found = recording(SHOP.graph, documents(text, "events.json"))
    assert [event.subject for event in found.events] == ["inbox/1.csv", "inbox/2.csv"]
    with pytest.raises(ReactorError, match=r"^events.json:6: this is no JSON"):
        list(documents(text.removesuffix("}"), "events.json"))


class Priced(BaseModel):
    price: int


def test_what_a_sensor_does_not_read_any_more_is_left_out_if_it_was_stored() -> None:
    graph = only(KafkaTopic("orders", model=Priced)).definition().graph
    stored = document(4, replace(orders.event({"amount": 3}), raw=b'{"amount":3}'))
    fits = document(5, replace(orders.event({"price": 3}), raw=b'{"price":3}'))
    found = recording(graph, [stored, fits])
    assert [event.data for event in found.events] == [Priced(price=3)]
    [(number, why)] = found.unfit.values()
    assert number == 1
    assert "price" in why
    with pytest.raises(
        ReactorError, match=r"events.jsonl:1: sensor orders cannot see this: a .*: price"
    ):
        recording(graph, documents(json.dumps(dict(stored)), "events.jsonl"))


def test_ticks_of_a_schedule_are_left_out_since_it_ticks_again() -> None:
    tick = {"sensor": "hourly", "time": "2026-01-05T09:00Z", "data": None}
    found = read(tick, {"sensor": "inbox", "time": "2026-01-05T09:30Z", "data": "inbox/a.csv"})
    assert (found.ticks, len(found.events)) == (1, 1)
    start = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    fired = backtest(SHOP, found.events, start, datetime(2026, 1, 5, 11, tzinfo=UTC))
    assert [f"{each.at:%H:%M}" for each in fired] == ["09:00", "09:30", "10:00", "11:00"]


def test_numbered_events_come_in_the_order_of_their_numbers() -> None:
    line = {"sensor": "orders", "type": "x", "data": 1, "received": "2026-01-05T09:00:00Z"}
    first = {**line, "id": "1", "seq": 1, "received": "2026-01-05T09:00:05Z"}
    found = read({**line, "id": "2", "seq": 2}, first)
    assert [event.id for event in found.events] == ["1", "2"]
    assert found.sorted
    assert found.events[0].received == found.events[1].received, "no event comes before another"


def test_once_the_record_is_over_what_was_collected_fires_and_silence_says_nothing() -> None:
    events = [inbox.event("inbox/a.csv", time=START)]
    events = [replace(event, received=START) for event in events]
    batched = backtest(only(inbox.batch(5, "1h")).definition(), events, START)
    assert [each.at - START for each in batched] == [timedelta(hours=1)]
    silent = only(inbox.silent_for("1h")).definition()
    assert backtest(silent, events, START) == []
    assert len(backtest(silent, events, START, START + timedelta(hours=2))) == 1


def test_what_assets_did_comes_from_the_record_if_it_says_so() -> None:
    shop = Pipeline("shop")
    raw = shop.asset(on=inbox, name="raw")(lambda: None)
    shop.asset(on=raw.failed, name="page")(lambda: None)
    definition = shop.definition()
    came = replace(inbox.event("inbox/a.csv"), received=START)
    assert [each.rule for each in backtest(definition, [came], START)] == ["raw"]
    later = START + timedelta(minutes=5)
    failed = Event("9/1/failed", "asset:raw", "failed", "raw", later, later, {"asset": "raw"})
    fired = backtest(definition, [came, failed], START)
    assert [(each.rule, each.causes) for each in fired][1:] == [("page", ("raw.failed",))]


A = Tap("a")
NOW = START + timedelta(days=1)


def missing(wanted: Trigger, *reads: str, lost: int = 5, since: datetime = START) -> str:
    """Why a rule cannot be back-tested on what such rules kept, or an empty text."""
    known = [Read(text, since) for text in reads]
    found = gaps(only(wanted).definition().graph, known, {"a": lost}, START, NOW)
    return found[0].why if found else ""


BIG, HUGE = A.where(field.n > 10), A.where(field.n > 10).where(field.k == "x")


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        (A, A),
        (A.batch(3, "1m"), A),
        (A, A.by(field.k).batch(3, "1m")),
        (BIG, A),
        (BIG.batch(3, "1m"), BIG.by(field.k).debounce("1m", "5m")),
        (HUGE, BIG),
        ((BIG & Tap("a2")).within("1h"), BIG | Tap("a2")),
        (HUGE.throttle("1m"), HUGE),
    ],
)
def test_what_a_rule_of_the_time_let_in_was_kept(wanted: Trigger, read: Trigger) -> None:
    assert missing(wanted, str(read)) == ""


@pytest.mark.parametrize(
    ("wanted", "read"),
    [(A, BIG), (BIG, HUGE), (BIG, A.where(field.n > 11)), (A, A.by(field.k).where(field.n > 10))],
)
def test_what_the_rules_of_the_time_let_less_in_was_not(wanted: Trigger, read: Trigger) -> None:
    assert missing(wanted, str(read)) == "the rules of the time let in less of it"


def test_where_nothing_was_let_go_of_everything_was_kept() -> None:
    assert missing(A, str(BIG), lost=0) == ""


@pytest.mark.parametrize("other", ["ab", "a.b", "b", "ba | a2", "topic:a"])
def test_a_sensor_that_nobody_read_was_not_kept(other: str) -> None:
    assert missing(A, other) == "no rule of the time read it"


def test_a_rule_that_came_later_kept_nothing_from_before() -> None:
    since = START + timedelta(hours=9)
    assert missing(A, "a", since=since) == "it is read like this only since 2026-01-01 09:00:00"
    graph = only(A).definition().graph
    one, other = START + timedelta(hours=1), START + timedelta(hours=2)
    [gap] = gaps(graph, [Read("a", START, one), Read("a", other)], {"a": 1}, START, NOW)
    assert gap == Gap("a", "target", "nothing read it like this after 2026-01-01 01:00:00")
    assert gaps(graph, [Read("a", START, one), Read("a", one)], {"a": 1}, START, NOW) == []


def firing(rule: str, second: int, cause: str = "e") -> Firing:
    at = START + timedelta(seconds=second)
    return Firing(at, rule, None, None, (cause,), (rule,), "")


FIRINGS = st.lists(
    st.builds(firing, st.sampled_from("rs"), st.integers(0, 5), st.sampled_from("ef")), max_size=8
)


@given(FIRINGS, FIRINGS)
def test_each_firing_of_both_sides_is_told_of_once(
    before: list[Firing], after: list[Firing]
) -> None:
    """The obvious way: strike out what is equal on both sides, then pair what has equal causes."""
    told = compare(before, after)
    old, new = Counter(before), Counter(after)
    assert told.same == (old & new).total()
    gone, come = old - new, new - old
    rules = lambda firings: Counter((each.rule, each.causes) for each in firings.elements())  # noqa: E731
    moved = rules(gone) & rules(come)
    assert len(told.only("moves")) == moved.total()
    assert len(told.only("appears")) == come.total() - moved.total()
    assert len(told.only("disappears")) == gone.total() - moved.total()
    assert {each.firing.at for each in told.only("moves")} <= {each.at for each in come}
    assert list(told.differences) == sorted(told.differences, key=lambda each: each.firing.at)


def test_what_is_a_little_late_is_the_same_if_that_is_tolerated() -> None:
    before, after = [firing("r", 0), firing("r", 60)], [firing("r", 2), firing("r", 61)]
    assert compare(before, after, timedelta(seconds=5)).same == 2
    moved = compare(before, after).only("moves")
    assert [(each.was, each.firing.at) for each in moved] == [
        (was.at, now.at) for was, now in zip(before, after, strict=True)
    ]
