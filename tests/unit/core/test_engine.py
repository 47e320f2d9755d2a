"""Matching as a whole: what is accepted, raised, grouped, and what a changed rule loses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reactor.core.asset import Asset, Pending, Rule, Upstream
from reactor.core.decision import Arrived, Ending, PredicateRaised
from reactor.core.engine import KEY_LIMIT
from reactor.core.event import Event
from reactor.core.field import field, path_of
from reactor.core.graph import Graph
from reactor.core.reactor import Reactor
from reactor.core.state import Node, Table
from reactor.core.trigger.expression import AssetEvents, Trigger
from tests.unit.core.ear import Ear
from tests.unit.core.stage import Stage, at, drawn, rule, seconds
from tests.unit.core.tap import Tap
from tests.unit.core.tap import at as after

A, B = Tap("a"), Tap("b")


def stage_of(*rules: Rule) -> Stage:
    return Stage(Graph.of("g", [Asset("x"), Asset("y", (Upstream("x"),))], list(rules)))


def test_only_what_some_rule_lets_in_is_accepted_and_the_rest_is_counted() -> None:
    stage = stage_of(Rule("r", A.where(field.n == 1), ("x",)))
    facts = stage.receive(Arrived("a", [A.event(f"e{n}", n=n) for n in (0, 1, 2, 1)])).facts
    assert [(seq, event.subject) for seq, event in facts.accepted] == [(1, "e1"), (2, "e1")]
    assert facts.filtered == {"a": 2}


def test_a_sensor_that_no_rule_listens_to_is_filtered_whole() -> None:
    stage = stage_of(Rule("r", A, ("x",)))
    facts = stage.receive(Arrived("b", [B.event("e")])).facts
    assert (facts.accepted, facts.filtered) == ([], {"b": 1})


def test_events_are_numbered_in_the_order_they_are_accepted() -> None:
    stage = stage_of(Rule("r", A | B, ("x",)))
    stage.receive(Arrived("b", [B.event("b1"), B.event("b2")]), Arrived("a", [A.event("a1")]))
    facts = stage.receive(Arrived("a", [A.event("a2")])).facts
    assert [(seq, event.subject) for seq, event in facts.accepted] == [(4, "a2")]


def test_firings_of_one_rule_key_and_partition_share_a_record_each_its_own_match() -> None:
    stage = stage_of(Rule("r", A.by(field.k), ("x",), partition=path_of(field.day)))
    events = [
        A.event(k=k, day=day) for k, day in (("u", "mo"), ("u", "mo"), ("u", "tu"), ("v", "mo"))
    ]
    facts = stage.receive(Arrived("a", events)).facts
    assert [(f.key, f.partition, f.matches) for f in facts.fired] == [
        ("u", "mo", ((1,), (2,))),
        ("u", "tu", ((3,),)),
        ("v", "mo", ((4,),)),
    ]


def test_a_timer_says_that_it_fired() -> None:
    ear = Ear(A.batch(2, "10s"))
    ear.hears("a")
    ear.waits(20)
    fired = [fired for decision in ear.decisions for fired in decision.facts.fired]
    assert [(each.timer, seconds(each.at)) for each in fired] == [(True, 10)]


def test_timers_that_are_due_ring_before_the_events_of_the_same_turn() -> None:
    ear = Ear(A.batch(2, "10s"))
    ear.hears("a")
    ear.now = after(10)
    assert ear.hears("a") == ["a1"]
    assert ear.waits(60) == ["a2 at 20"]


def test_a_rule_in_observe_mode_records_and_launches_nothing() -> None:
    stage = stage_of(Rule("r", A, ("x",), observe=True))
    facts = stage.receive(Arrived("a", [A.event()])).facts
    assert [(fired.observed, fired.run) for fired in facts.fired] == [(True, None)]
    assert stage.runs == []


def test_a_firing_consumes_events_for_its_own_rule_only() -> None:
    stage = stage_of(
        Rule("one", (A & B).within("1m"), ("x",)), Rule("two", (A & B).within("1m"), ("y",))
    )
    stage.receive(Arrived("a", [A.event()]), Arrived("b", [B.event()]))
    assert [fired.rule for fired in stage.decisions[-1].facts.fired] == ["one", "two"]


def boom(event: Event) -> Any:
    raise RuntimeError("boom")


@pytest.mark.parametrize(
    ("bad", "partition"),
    [(A.where(boom), None), (A.by(boom), None), (A, boom), (A.batch(1, "1s").by(boom), None)],
)
def test_a_function_that_raises_is_recorded_and_stops_nothing_else(
    bad: Trigger, partition: Callable[[Event], Any] | None
) -> None:
    stage = stage_of(Rule("bad", bad, ("y",), partition=partition), Rule("good", A, ("x",)))
    facts = stage.receive(Arrived("a", [A.event("e1")])).facts
    assert list(facts.raised) == [PredicateRaised("bad", "e1", "RuntimeError: boom")]
    assert [fired.rule for fired in facts.fired] == ["good"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("x" * (KEY_LIMIT + 1), "ValueError: a key of 1,001 characters: at most 1,000"),
        ("x\0y", "ValueError: a key with a NUL in it"),
        ("x\ud800", "UnicodeEncodeError: "),
    ],
)
def test_a_key_that_no_store_takes_is_recorded_as_raised(key: str, said: str) -> None:
    stage = stage_of(
        Rule("keyed", A.by(field.k).batch(2, "1s"), ("x",)),
        Rule("parted", A, ("x",), partition=path_of(field.k)),
    )
    facts = stage.receive(Arrived("a", [A.event(k=key)])).facts
    assert [raised.rule for raised in facts.raised] == ["keyed", "parted"]
    assert all(raised.error.startswith(said) for raised in facts.raised)


def test_a_key_of_any_type_becomes_text() -> None:
    ear = Ear(A.by(field.k))
    heard = [ear.hears("a", k=k) for k in (1, 1.5, True, after(0), ["x"])]
    assert [line for [line] in heard] == [
        "1: a1",
        "1.5: a2",
        "True: a3",
        "2026-01-01T00:00:00+00:00: a4",
        "['x']: a5",
    ]


def test_an_event_without_a_time_zone_is_refused_where_it_is_made() -> None:
    naive = after(0).replace(tzinfo=None)
    with pytest.raises(ValueError, match="an instant without a time zone"):
        Event("1", "a", "tap", "s", naive, after(0))
    with pytest.raises(ValueError, match="an instant without a time zone"):
        Event("1", "a", "tap", "s", after(0), naive)


def test_an_asset_that_ended_is_an_event_for_rules_that_listen_to_it() -> None:
    graph = drawn(
        "raw, report, alarm",
        rule("raw"),
        rule("report", trigger=AssetEvents("raw", "materialized")),
        rule("alarm", trigger=AssetEvents("raw", "failed")),
    )
    stage = Stage(graph)
    stage.fire("raw")
    facts = stage.ends("raw", handle={"rows": 3}).facts
    assert stage.running == ["report"], "in the very turn in which it ended"
    [(_, event)] = facts.accepted
    assert (event.source, event.type, event.subject) == ("asset:raw", "materialized", "raw")
    assert event.data == {"asset": "raw", "partition": None, "step": 1, "handle": {"rows": 3}}
    stage.fire("raw")
    stage.fails("raw")
    assert stage.running == ["report", "alarm"]
    assert stage.runs[-1].because == "because raw failed"


def test_an_unchanged_asset_is_no_event() -> None:
    graph = drawn(
        "raw, report", rule("raw"), rule("report", trigger=AssetEvents("raw", "materialized"))
    )
    stage = Stage(graph)
    for _ in range(2):
        stage.fire("raw")
        stage.ends("raw", version="1")
    assert stage.running == ["report"]
    assert len(stage.of("report")) == 1


def reloaded(stage: Stage, *rules: Rule) -> Stage:
    stage.restart(Graph.of("g", [Asset("x"), Asset("y", (Upstream("x"),))], list(rules)))
    return stage


def nodes(stage: Stage) -> list[Node]:
    return list(stage.reactor.state.rows[Table.NODE].values())


def test_a_changed_rule_starts_afresh_and_counts_what_it_forgets() -> None:
    stage = reloaded(stage_of(), Rule("r", A.by(field.k).batch(3, "1h"), ("x",)))
    for key in "uv":
        stage.receive(Arrived("a", [A.event(k=key)]))
    reloaded(stage, Rule("r", A.by(field.k).batch(2, "1h"), ("x",)))
    [fate] = stage.decisions[-1].facts.fates
    assert (fate.word, fate.events, fate.why) == ("expired", ((1, 2),), "the rule changed")
    assert nodes(stage) == []
    stage.receive(Arrived("a", [A.event(k="u")]))
    assert stage.decisions[-1].facts.fired == []


def test_no_timer_of_a_changed_rule_rings_in_the_new_one() -> None:
    stage = reloaded(stage_of(), Rule("r", A.batch(9, "1m"), ("x",)))
    stage.receive(Arrived("a", [A.event()]))
    stage.now = after(3600)
    reloaded(stage, Rule("r", A.debounce("1s", "1m"), ("x",)))
    assert stage.decisions[-1].facts.fired == []
    assert nodes(stage) == []


def test_an_unchanged_rule_goes_on_whatever_else_changed() -> None:
    trigger = A.batch(3, "1h")
    stage = reloaded(stage_of(), Rule("r", trigger, ("x",)))
    stage.receive(Arrived("a", [A.event(), A.event()]))
    reloaded(
        stage,
        Rule("new", B, ("x",)),
        Rule("r", trigger, ("y",), priority=9, where="elsewhere.py:1"),
    )
    assert stage.decisions[-1].facts.fates == []
    stage.receive(Arrived("a", [A.event()]))
    [fired] = stage.decisions[-1].facts.fired
    assert fired.matches == ((1, 2, 3),)


def test_a_removed_rule_leaves_nothing_and_a_new_one_sees_what_comes() -> None:
    stage = reloaded(stage_of(), Rule("old", A.batch(3, "1h"), ("x",)))
    stage.receive(Arrived("a", [A.event()]))
    reloaded(stage, Rule("new", A.batch(2, "1h"), ("x",)))
    assert nodes(stage) == []
    assert list(stage.reactor.state.rows[Table.RULE]) == [("new",)]
    assert stage.reactor.wake_at() is None


def test_a_rule_that_queues_makes_a_launch_of_each_match() -> None:
    stage = stage_of(Rule("r", A, ("x",), pending=Pending.QUEUE))
    facts = stage.receive(Arrived("a", [A.event(), A.event()])).facts
    assert [(fired.run, fired.matches) for fired in facts.fired] == [(1, ((1,),)), (2, ((2,),))]


def test_one_match_is_never_split_however_long() -> None:
    graph = drawn("raw", rule("raw", trigger=Tap("raw").batch(7, "1h")), raw={"max_events": 3})
    stage = Stage(graph)
    stage.burst("raw", 7)
    assert list(at(stage.starts[0])) == [1, 2, 3, 4, 5, 6, 7]


def test_a_run_key_follows_from_what_caused_it() -> None:
    def key(*subjects: str) -> str:
        stage = stage_of(Rule("r", A, ("x",)))
        stage.receive(Arrived("a", [A.event(subject) for subject in subjects]))
        return stage.starts[0].run_key

    assert key("e1") == key("e1")
    assert key("e1") != key("e1", "e2")


def test_time_that_passes_without_events_costs_no_turn() -> None:
    stage = stage_of(Rule("r", A.where(field.x == 1) | B, ("x",)))
    assert stage.reactor.wake_at() is None
    stage.fire("a", x=1)
    stage.ends("x")
    stage.ends("y", ending=Ending.SUCCEEDED)
    assert stage.reactor.wake_at() is None
    assert stage.passes(timedelta(days=1)).facts.changes == ()


def test_an_empty_turn_changes_nothing() -> None:
    decision = Reactor(drawn("raw")).receive([], after(0))
    assert (decision.facts.changes, decision.effects, decision.wake_at) == ((), (), None)


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_an_event_of_no_sensible_time_is_an_event_like_others(year: int) -> None:
    operators = [
        A.overdue("0 6 * * *", "1h"),
        A.by(field.k).overdue("0 6 * * *"),
        A.silent_for("1h"),
    ]
    for trigger in operators:
        stage = reloaded(stage_of(), Rule("r", trigger, ("x",)))
        odd = replace(A.event(k="u"), time=datetime(year, 1, 1, tzinfo=UTC))
        stage.receive(Arrived("a", [odd], stage.now))
        assert nodes(stage), trigger
