"""Assets with partitions: how they are declared, and which events their rules take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor import (
    All,
    Daily,
    Dynamic,
    Hourly,
    Keys,
    Monthly,
    Offset,
    Pipeline,
    Rollup,
    Same,
    Static,
    field,
)
from reactor.core.errors import DefinitionError, Problem
from reactor.core.event import Event
from reactor.core.trigger.expression import Trigger, leaves
from reactor.testing import START, simulate
from sensors import Schedule
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")
REGIONS = Static("eu", "us")
BY_REGION = REGIONS.by(field.region)
DAYS = Daily("2026-01-01")


COLLECTING = [
    A,
    A | B,
    A.debounce("1m", max_wait="3m"),
    A.batch(3, "2m"),
    A.count(3, "5m"),
    A.throttle("2m"),
    A.delay("1m"),
    A.distinct(field.region, ttl="3m"),
    A.unless(B, "1m"),
    A.then(B).within("5m"),
    (A & B).within("5m"),
    (A & B).within("5m", pair="collect"),
    (A & B).within("5m").incomplete(),
    (A | B).batch(4, "3m").throttle("4m"),
]


def event(at: str = "2026-01-05T12:00:00", tap: str = "a", **data: object) -> Event:
    when = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return Event(f"{tap}/{at}/{data}", tap, "tap", "x", when, when, data)


def problems(pipeline: Pipeline) -> list[Problem]:
    with pytest.raises(DefinitionError) as caught:
        pipeline.definition()
    return list(caught.value.problems)


def only(pipeline: Pipeline) -> Problem:
    found = problems(pipeline)
    assert len(found) == 1, found
    return found[0]


def one(trigger: Trigger, partitions: Any = BY_REGION, **rule: Any) -> Pipeline:
    """A pipeline of one asset, launched by one rule."""
    shop = Pipeline("shop")

    @shop.asset(partitions=partitions)
    def raw(events): ...

    shop.rule(trigger, raw, name="r", **rule)
    return shop


def launched(pipeline: Pipeline, *events: Event, wait: str = "1h") -> list[tuple[str, str | None]]:
    with simulate(pipeline) as sim:
        for each in events:
            sim.emit(each)
        sim.later(wait)
        return [(step.asset, step.partition) for step in sim.steps]


def test_every_edge_carries_its_mapping() -> None:
    shop = Pipeline("shop")

    @shop.asset(partitions=DAYS, on=A)
    def raw(events): ...

    @shop.asset
    def prices(): ...

    @shop.asset(partitions=DAYS, mapping={"raw": Offset(-1)})
    def yesterday(raw, prices): ...

    @shop.asset(partitions=Monthly("2026-01"), mapping={raw: Rollup(complete=True)})
    def monthly(raw, yesterday): ...

    @shop.asset
    def total(raw, prices): ...

    graph = shop.definition().graph
    assert {
        (asset.name, upstream.name): upstream.mapping
        for asset in graph.assets.values()
        for upstream in asset.upstream
    } == {
        ("yesterday", "raw"): Offset(-1),
        ("yesterday", "prices"): Keys(),
        ("monthly", "raw"): Rollup(complete=True),
        ("monthly", "yesterday"): Rollup(),
        ("total", "raw"): All(),
        ("total", "prices"): None,
    }


def test_an_asset_takes_partitions_only() -> None:
    shop = Pipeline("shop")
    shop.asset(name="raw", partitions="daily")(lambda: None)  # type: ignore[call-overload]
    found = only(shop)
    assert found.what == "raw: partitions is 'daily'"
    assert "Static('eu', 'us')" in found.hint


@pytest.mark.parametrize(
    ("mapping", "what", "hint"),
    [
        (Offset(-1), "sums: mapping is Offset(-1)", "mapping={'orders': Offset(-1)}"),
        ({"rav": Same()}, "sums: mapping names 'rav'", "did you mean raw?"),
        ({"raw": "yesterday"}, "sums: mapping of raw is 'yesterday'", "say Same(), Rollup()"),
        (
            {"raw": Keys()},
            "sums reads raw: Keys() leads from Daily('2026-01-01') to Daily('2026-01-01'),"
            " and the upstream has partitions of its own: say Mapped(...)",
            "",
        ),
    ],
)
def test_a_mapping_that_makes_no_sense_is_an_error(mapping: Any, what: str, hint: str) -> None:
    shop = Pipeline("shop")

    @shop.asset(partitions=DAYS)
    def raw(): ...

    @shop.asset(partitions=DAYS, mapping=mapping)
    def sums(raw): ...

    found = only(shop)
    assert found.what == what
    assert hint in found.hint


def test_partitions_that_do_not_follow_ask_for_a_mapping() -> None:
    shop = Pipeline("shop")

    @shop.asset(partitions=DAYS)
    def raw(): ...

    @shop.asset(partitions=REGIONS)
    def sums(raw): ...

    found = only(shop)
    assert found.what.startswith("sums reads raw: nothing says how Daily('2026-01-01') lead to")
    assert "mapping={'raw': Mapped({...})}" in found.hint


def test_each_event_launches_its_partition() -> None:
    assert launched(one(A), event(region="eu"), event(region="us")) == [
        ("raw", "eu"),
        ("raw", "us"),
    ]
    assert launched(one(A, DAYS), event("2026-01-05T23:59:59")) == [("raw", "2026-01-05")]


def test_an_event_of_no_partition_is_not_taken_and_told_why() -> None:
    with simulate(one(A)) as sim:
        sim.emit(event(region="asia")).later("1s")
        assert sim.launched == []
        assert "'asia' is no partition: there are eu, us" in sim.why_not(
            "raw", event(region="asia")
        )
        assert sim.status(event(region="asia")) == "filtered"


def test_an_event_whose_function_raises_is_a_failed_match_and_stops_nothing() -> None:
    def region(event: Event) -> Any:
        return event.data["region"]

    assert launched(one(A, REGIONS.by(region)), event(), event(region="eu")) == [("raw", "eu")]


def test_what_a_rule_asks_is_asked_before_the_partition() -> None:
    def region(event: Event) -> Any:
        return event.data["region"]

    shop = one((A | B).where(field.region.exists()), REGIONS.by(region))
    with simulate(shop) as sim:
        sim.emit(event(), event(region="eu"), event(tap="b", region="us")).later("1s")
        assert [step.partition for step in sim.steps] == ["eu", "us"]
        assert "did not let it in: field.region is missing." in sim.why_not("r", event())


@pytest.mark.parametrize(
    "trigger",
    [
        A.debounce("1m", max_wait="10m"),
        A.batch(2, "1m"),
        A.count(2, "1h"),
        A.by(field.region).debounce("1m", max_wait="10m"),
        (A & B).within("1h"),
    ],
    ids=str,
)
def test_a_trigger_that_collects_does_so_for_each_partition(trigger: Trigger) -> None:
    events = [
        event(tap=tap, region=region, n=n)
        for n, tap in enumerate("aabb" if "&" in str(trigger) else "aaaa")
        for region in ("eu", "us", "asia")
    ]
    found = launched(one(trigger), *events)
    assert set(found) == {("raw", "eu"), ("raw", "us")}
    graph = one(trigger).definition().graph
    assert ".by(Static.by(field.region))" in str(graph.rules["r"].trigger)


@given(
    st.sampled_from(COLLECTING),
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["eu", "us", "asia"]), st.integers(0, 90)),
        max_size=20,
    ),
)
def test_each_partition_is_launched_as_if_there_were_no_other(
    trigger: Trigger, told: list[tuple[str, str, int]]
) -> None:
    at, events = START, list[tuple[str, Event]]()
    heard = {leaf.name for leaf in leaves(trigger)}
    for n, (tap, region, seconds) in enumerate(told):
        at += timedelta(seconds=seconds)
        events.append((region, Event(f"{n}", tap, "tap", "x", at, at, {"region": region, "n": n})))

    def firings(partitions: Any, regions: Sequence[str]) -> list[tuple[datetime, tuple[str, ...]]]:
        with simulate(one(trigger, partitions)) as sim:
            for region, each in events:
                sim.until(each.time)
                if region in regions and each.source in heard:
                    sim.emit(each)
            sim.later("2h")
            return sorted((firing.at, firing.causes) for firing in sim.firings)

    apart = [each for region in REGIONS.names for each in firings(None, [region])]
    assert firings(BY_REGION, ["eu", "us", "asia"]) == sorted(apart)


def test_a_trigger_that_is_keyed_otherwise_is_an_error() -> None:
    found = only(one(A.by(field.customer).batch(9, "1s")))
    assert found.what == (
        "rule r: a.by(field.customer).batch(9, max_wait='1s') collects events,"
        " and their partitions may differ"
    )
    assert found.hint == "leave .by(...) out: its state is kept for each partition by itself"
    assert only(one(A.batch(9, "1s").by(None))).what == found.what.replace(
        "a.by(field.customer).batch(9, max_wait='1s')", "a.batch(9, max_wait='1s').by(None)"
    )


def test_a_rule_may_say_the_partition_itself() -> None:
    assert launched(one(A, REGIONS, partition=field.where), event(where="us")) == [("raw", "us")]
    assert launched(one(A, BY_REGION, partition=field.where), event(where="us", region="eu")) == [
        ("raw", "us")
    ]
    days = one(A.batch(9, "1s"), DAYS, partition=field.day)
    assert launched(days, event(day="2026-01-07"), event(day="2026-01-07T05:00:00")) == [
        ("raw", "2026-01-07")
    ]


@pytest.mark.parametrize("key", ["asia", 7, None, "", "x" * 5_000, ["eu"]])
def test_a_key_that_is_no_partition_launches_nothing(key: Any) -> None:
    assert launched(one(A, REGIONS, partition=field.where), event(where=key)) == []


def test_an_asset_without_partitions_takes_the_key_of_its_rule() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def raw(events): ...

    @shop.asset
    def clean(raw): ...

    shop.rule(A, raw, partition=field.region)
    assert launched(shop, event(region="asia")) == [("raw", "asia"), ("clean", "asia")]


def test_static_partitions_must_say_how_an_event_is_mapped() -> None:
    found = only(one(A, REGIONS))
    assert found.what == "rule r: nothing says to which of Static('eu', 'us') an event belongs"
    assert found.hint == ("say partitions=Static('eu', 'us').by(field...), or partition= in a rule")


def test_assets_of_one_rule_have_the_same_partitions() -> None:
    shop = Pipeline("shop")
    raw = shop.asset(name="raw", partitions=DAYS)(lambda: None)
    late = shop.asset(name="late", partitions=DAYS.by(shift=-1))(lambda: None)
    log = shop.asset(name="log")(lambda: None)
    shop.rule(A, raw, late, name="r")
    shop.rule(A, raw, log, name="s")
    first, second = problems(shop)
    assert first.what == (
        "rule r: its assets have different partitions: raw (Daily('2026-01-01')),"
        " late (Daily('2026-01-01').by(shift=-1))"
    )
    assert first.hint == "write a rule for each of them, or say partition="
    assert second.what.endswith("raw (Daily('2026-01-01')), log (none)")


def test_a_rule_with_a_partition_launches_what_all_of_its_assets_have() -> None:
    shop = Pipeline("shop")
    raw = shop.asset(name="raw", partitions=REGIONS)(lambda: None)
    new = shop.asset(name="new", partitions=Static("us", "asia"))(lambda: None)
    shop.rule(A, raw, new, partition=field.region)
    events = [event(region=region) for region in ("eu", "us", "asia")]
    assert sorted(launched(shop, *events)) == [("new", "us"), ("raw", "us")]


def test_the_events_of_an_asset_belong_to_the_partition_they_are_about() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=A, partitions=BY_REGION)
    def raw(events): ...

    @shop.asset(on=raw.materialized, partitions=REGIONS)
    def report(events): ...

    assert launched(shop, event(region="us")) == [("raw", "us"), ("report", "us")]


def test_what_is_remembered_survives_a_partition_that_is_added() -> None:
    trigger = A.debounce("1m", max_wait="1h")

    def fingerprint(partitions: Any, **rule: Any) -> str:
        return one(trigger, partitions, **rule).definition().graph.rules["r"].fingerprint

    assert fingerprint(BY_REGION) == fingerprint(Static("eu", "us", "asia").by(field.region))
    assert fingerprint(DAYS) == fingerprint(Daily("2020-01-01"))
    different = [
        fingerprint(BY_REGION),
        fingerprint(REGIONS.by(field.area)),
        fingerprint(DAYS),
        fingerprint(DAYS.by(shift=-1)),
        fingerprint(Daily("2026-01-01", "Europe/Berlin")),
        fingerprint(Hourly("2026-01-01")),
        fingerprint(Dynamic("region").by(field.region)),
    ]
    assert len(set(different)) == len(different)


def test_a_burst_goes_on_over_a_restart_that_adds_a_partition() -> None:
    trigger = A.debounce("1m", max_wait="1h")
    more = one(trigger, Static("eu", "us", "asia").by(field.region))
    with simulate(one(trigger)) as sim:
        sim.emit(event(region="eu"), event(region="asia")).later("30s")
        sim.restart(more)
        sim.emit(event(region="eu", n=2), event(region="asia", n=2)).later("2m")
        fired = {firing.partition: len(firing.causes) for firing in sim.firings}
        assert fired == {"eu": 2, "asia": 1}


def test_a_schedule_brings_yesterday_up_to_date() -> None:
    shop = one(Schedule("0 6 * * *"), Daily("2020-01-01").by(shift=-1))
    with simulate(shop) as sim:
        sim.until(datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=2))
        ran = [step.partition for step in sim.steps]
        days = [firing.at.date() - timedelta(days=1) for firing in sim.firings]
        assert ran == [f"{day}" for day in days]
        assert len(ran) >= 1


def test_a_graph_has_another_fingerprint_with_other_partitions() -> None:
    def fingerprint(partitions: Any) -> str:
        return one(A, partitions, partition=field.x).definition().graph.fingerprint

    assert fingerprint(REGIONS) != fingerprint(Static("eu"))
    assert fingerprint(REGIONS) == fingerprint(Static("eu", "us"))


def test_a_function_that_maps_events_has_a_name_that_lasts() -> None:
    def kind() -> Callable[[Event], Any]:
        def region(event: Event) -> Any:
            return event.data

        return region

    prints = {one(A, REGIONS.by(kind())).definition().graph.fingerprint for _ in range(2)}
    assert len(prints) == 1
