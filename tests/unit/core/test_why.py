"""Every event has a visible fate, and every question why it did no more has an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.core.asset import Pending, Rule
from reactor.core.decision import Arrived, Fired, Restarted, Word
from reactor.core.field import field
from reactor.core.ranges import numbers
from reactor.core.run import RunStatus
from reactor.core.state import Table
from reactor.core.trigger.expression import AssetEvents, Trigger, at_least
from reactor.core.verdict import Launched, Met, Part, Record, Status, fates, status, told
from reactor.core.why import why_not_asset, why_not_rule
from tests.unit.core.stage import Stage, drawn, rule
from tests.unit.core.tap import START, Tap, at

inbox, orders = Tap("inbox"), Tap("orders")
OFF = {"follow": False}


def stage(drawing: str, *rules: Rule, **of: Any) -> Stage:
    """A started stage."""
    made = Stage(drawn(drawing, *rules, **of))
    made.receive(Restarted())
    return made


def on(trigger: Trigger, *assets: str, **options: Any) -> Rule:
    return rule(*assets, trigger=trigger, **options)


def record(stage: Stage, seq: int, **about: Any) -> Record:
    """What the rows of a stage say of an event, as a store would have them."""
    facts = [decision.facts for decision in stage.decisions]
    event = next(event for each in facts for n, event in each.accepted if n == seq)
    fired = [fired for each in facts for fired in each.fired for m in fired.matches if seq in m]
    met = [
        Met(fate.rule, fate.word, stage.now, fate.why)
        for each in facts
        for fate in each.fates
        if seq in set(numbers(fate.events))
    ]
    given: dict[str, Any] = {
        "fired": fired,
        "fates": met,
        "raised": [each for some in facts for each in some.raised if each.event == event.id],
        "waiting": stage.reactor.waiting_for(seq),
        "runs": [run for run in runs(stage) if seq in _events(stage, run.id)],
        "paused": frozenset(
            (row.kind, row.name) for (t, _), row in stage.table.items() if t is Table.PAUSE
        ),
    }
    return Record(event, seq, **{**given, **about})


def _events(stage: Stage, run: int) -> set[int]:
    return set(numbers(stage.run(run).events))


def runs(stage: Stage) -> list[Launched]:
    found: list[Launched] = []
    for run in stage.runs:
        steps = [stage.step(work.step) for work in run.works]
        parts = tuple(Part(each.asset, each.partition, each.status, each.note) for each in steps)
        found.append(Launched(run.id, run.rule, run.status, parts))
    return found


def said(stage: Stage, seq: int, **about: Any) -> list[str]:
    """The fates of an event, as lines."""
    found = fates(stage.graph, record(stage, seq, **about))
    return [f"{each.rule} {each.status}: {each.text}" for each in found]


def word(stage: Stage, seq: int) -> Status:
    return status(told(stage.graph, record(stage, seq)))


def test_an_event_that_launched_a_run_says_how_the_run_is() -> None:
    ours = stage("raw, clean(raw)", on(inbox, "raw"))
    ours.fire("inbox")

    assert said(ours, 1) == ["raw matched: launched raw in run 1, which is going on"]
    ours.all_end()
    assert said(ours, 1) == ["raw ran: launched raw in run 1, which succeeded"]


def test_an_event_whose_run_failed_says_which_asset_and_why() -> None:
    ours = stage("raw, clean(raw)", on(inbox, "raw"))
    ours.fire("inbox")
    ours.ends("raw")
    ours.fails("clean", "disk full")

    assert said(ours, 1) == ["raw failed: launched raw in run 1, which failed: clean: disk full"]


def test_a_rule_that_does_not_let_an_event_in_says_so_beside_the_one_that_does() -> None:
    ours = stage("a, b", on(orders, "a"), on(orders.where(field.amount > 10), "b"))
    ours.fire("orders", amount=3)

    assert said(ours, 1)[0].startswith("a matched: ")
    assert said(ours, 1)[1] == (
        "b filtered: did not let it in: field.amount > 10 is false: it is 3"
    )


def test_of_several_sides_the_one_that_lets_an_event_in_counts() -> None:
    either = orders.where(field.a == 1) | orders.where(field.b == 2)
    ours = stage("x, y", on(orders, "x"), on(either, "y"))
    ours.fire("orders", a=0, b=0)

    assert said(ours, 1)[1] == (
        "y filtered: did not let it in: field.a == 1 is false: it is 0"
        " and field.b == 2 is false: it is 0"
    )


def test_an_event_that_waits_says_for_what_and_until_when() -> None:
    ours = stage(
        "a, b", on((inbox & orders).within("1h"), "a"), on(inbox.debounce("5s", "1m"), "b")
    )
    ours.fire("inbox")

    joined, debounced = said(ours, 1)

    assert joined.startswith("a waiting: waits for orders")
    assert debounced == "b debounced: keeps it, debounced, until 2026-01-01 00:00:05 UTC"
    assert word(ours, 1) is Status.WAITING


def test_a_later_event_passes_over_an_earlier_one() -> None:
    ours = stage("a", on(inbox.silent_for("1h"), "a"))
    ours.fire("inbox")
    ours.passes("1s")
    ours.fire("inbox")

    assert said(ours, 1) == ["a superseded: passed over it: another one came in time"]
    assert word(ours, 2) is Status.WAITING


def test_a_throttled_repeat_is_dropped_and_says_so() -> None:
    ours = stage("a", on(inbox.throttle("1m", trailing=False), "a"))
    ours.fire("inbox")
    ours.fire("inbox")

    assert said(ours, 2) == ["a throttled: was shut for a while, and dropped it"]


@pytest.mark.parametrize("fate", list(Word))
def test_each_recorded_fate_keeps_its_word_and_says_why(fate: Word) -> None:
    met = Record(inbox.event(), 1, fates=[Met("a", fate, at(0), "so it was")])

    [verdict] = told(drawn("a", on(inbox, "a")), met)

    assert verdict.status.value == fate.value
    assert verdict.text.endswith(": so it was")


def test_a_repeat_says_that_it_is_one() -> None:
    ours = stage("a", on(inbox.distinct(field.id, ttl="1h"), "a"))
    ours.fire("inbox", id=7)
    ours.fire("inbox", id=7)

    assert said(ours, 2) == ["a deduplicated: dropped it as a repeat: its value had passed"]


def test_an_event_outside_the_hours_of_a_rule_is_held_until_they_begin() -> None:
    ours = stage("a", on(inbox.during("fri 09:00-17:00"), "a"))
    ours.fire("inbox")

    assert word(ours, 1) is Status.HELD
    assert said(ours, 1)[0].endswith(", until 2026-01-02 09:00:00 UTC")


def test_an_event_whose_run_was_cancelled_says_so() -> None:
    ours = stage("a", on(inbox, "a"))
    ours.fire("inbox")
    ours.cancel(1)
    ours.stopped("a")

    assert said(ours, 1) == [
        "a cancelled: launched a in run 1, which was cancelled: a: cancelled by an operator"
    ]


def test_a_rule_that_only_observes_says_what_it_would_have_launched() -> None:
    ours = stage("a, b", on(inbox, "a", "b", observe=True))
    ours.fire("inbox")

    text = "came true and only observes: it would have launched a and b"
    assert said(ours, 1) == [f"a observed: {text}"]


def test_the_code_of_a_rule_that_raised_is_told() -> None:
    def broken(event: Any) -> bool:
        raise KeyError("x")

    ours = stage("a, b", on(inbox, "a"), on(inbox.where(broken), "b"))
    ours.fire("inbox")

    assert said(ours, 1)[0] == "b failed: could not judge it: its own code raised KeyError: 'x'"
    assert word(ours, 1) is Status.FAILED


def test_a_run_that_waits_for_a_paused_rule_says_so() -> None:
    ours = stage("a", on(inbox, "a"))
    ours.pause("rule", "a")
    ours.fire("inbox")

    assert said(ours, 1) == ["a matched: launched a in run 1, which waits while the rule is paused"]


def test_an_event_taken_over_by_a_later_run_says_which() -> None:
    ours = stage("a", on(inbox, "a", pending=Pending.REPLACE))
    ours.fire("inbox")
    ours.fire("inbox")
    ours.stopped("a")
    ours.all_end()

    lines = said(ours, 1)

    assert lines[0] == "a ran: took it over into run 2 from an earlier one, which succeeded"
    assert lines[1].startswith("a superseded: launched a in run 1, which was replaced")


def test_a_run_that_is_not_kept_any_more_is_named_all_the_same() -> None:
    graph = drawn("a", on(inbox, "a"))
    event = inbox.event()
    gone = Record(event, 1, fired=[Fired(1, "a", None, None, START, 7, ((1,),))])

    [verdict] = fates(graph, gone)

    assert verdict.text == "launched a in run 7, which is not kept any more"
    assert (verdict.status, verdict.run) == (Status.RAN, 7)


def test_a_rule_that_is_no_more_still_tells_what_it_did() -> None:
    met = Met("gone", Word.EXPIRED, at(90), "the rule was removed")
    verdicts = fates(drawn("a", on(inbox, "a")), Record(orders.event(), 1, fates=[met]))

    assert [each.text for each in verdicts] == [
        "gave it up at 2026-01-01 00:01:30 UTC: the rule was removed"
    ]


def test_a_rule_that_began_after_the_event_is_not_asked() -> None:
    graph = drawn("a, b", on(inbox, "a"), on(inbox, "b"))
    late = Record(inbox.event(), 1, began={"a": at(10), "b": at(0)})

    assert [each.rule for each in fates(graph, late)] == ["b"]
    assert why_not_rule(graph, late, "a") == (
        "a reads as it does since 2026-01-01 00:00:10 UTC: this event came before."
    )


@pytest.mark.parametrize("first", list(Status))
@pytest.mark.parametrize("second", list(Status))
def test_a_list_shows_the_most_telling_word(first: Status, second: Status) -> None:
    verdicts = [
        replace(verdict, status=each)
        for each in (first, second)
        for verdict in told(drawn("a", on(inbox, "a")), _observed())
    ]
    words = list(Status)

    assert status(verdicts) is words[min(words.index(first), words.index(second))]


def _observed() -> Record:
    return Record(inbox.event(), 1, fired=[Fired(1, "a", None, None, START, None, ((1,),))])


def test_an_event_of_which_nothing_is_known_was_accepted() -> None:
    assert status([]) is Status.ACCEPTED


# why not: a rule


def test_why_not_names_the_sensors_that_a_rule_listens_to_instead() -> None:
    ours = stage("a, b", on(inbox, "a"), on(orders, "b"))
    ours.fire("inbox")

    assert why_not_rule(ours.graph, record(ours, 1), "b") == (
        "b does not listen to inbox: it listens to orders."
    )


def test_why_not_answers_that_it_did() -> None:
    ours = stage("a", on(inbox, "a"))
    ours.fire("inbox")
    ours.all_end()

    assert why_not_rule(ours.graph, record(ours, 1), "a") == (
        "a launched a in run 1, which succeeded."
    )


def test_an_event_that_was_not_kept_is_matched_anew() -> None:
    graph = drawn("a", on(orders.where(field.amount > 10), "a"))

    few, many = (Record(orders.event(amount=amount)) for amount in (3, 30))

    assert why_not_rule(graph, few, "a").startswith("recomputed: a did not let it in: ")
    assert why_not_rule(graph, many, "a") == "recomputed: a would let it in."
    assert why_not_asset(graph, many, "a") == ("recomputed: a was not launched: a would let it in.")


def test_a_predicate_that_raises_when_matched_anew_is_told() -> None:
    graph = drawn("a", on(orders.where(lambda event: event.data["x"]), "a"))

    told = why_not_rule(graph, Record(orders.event(y=1)), "a")

    assert told == "recomputed: a could not judge it: its own code raised KeyError: 'x'."


def test_a_payload_that_cannot_be_read_any_more_is_not_judged() -> None:
    graph = drawn("a", on(orders.where(field.amount > 10), "a"))

    told = why_not_rule(graph, Record(orders.event(), 1, unreadable="amount is missing"), "a")

    assert told == ("a cannot judge it any more: its payload cannot be read: amount is missing.")


def test_an_event_of_another_type_of_an_asset_says_which_is_wanted() -> None:
    graph = drawn("a, b", on(inbox, "a"), on(AssetEvents("a", "materialized"), "b"))
    failed = replace(Tap("asset:a").event(), type="failed")

    assert why_not_rule(graph, Record(failed, 1), "b") == (
        "b did not let it in: it is failed, not materialized."
    )


# why not: an asset


def why(stage: Stage, asset: str, seq: int = 1) -> str:
    return why_not_asset(stage.graph, record(stage, seq), asset)


def test_an_asset_below_what_was_launched_says_what_became_of_its_step() -> None:
    ours = stage("raw, clean(raw), report(clean)", on(inbox, "raw", name="daily"))
    ours.fire("inbox")
    assert why(ours, "clean") == "clean waits in run 1, which daily launched."

    ours.ends("raw")
    assert why(ours, "clean") == "clean is running in run 1, which daily launched."
    ours.fails("clean", "disk full")

    assert why(ours, "raw") == "raw was materialized in run 1, which daily launched."
    assert why(ours, "clean") == "clean failed in run 1, which daily launched: disk full."
    assert why(ours, "report") == (
        "report is blocked in run 1, which daily launched: clean failed after 1 attempt."
    )


def test_an_asset_that_needed_nothing_says_that_it_was_unchanged() -> None:
    ours = stage("raw, clean(raw)", on(inbox, "raw", name="daily"))
    for _ in range(2):
        ours.fire("inbox")
        ours.ends("raw", version="1")
        ours.all_end()

    assert why(ours, "clean", 2).startswith("clean was unchanged in run 2, which daily launched")


def test_an_asset_that_no_rule_leads_to_is_launched_by_hand() -> None:
    ours = stage("raw, manual", on(inbox, "raw"))
    ours.fire("inbox")

    assert why(ours, "manual") == "no rule leads to manual: it is launched by hand alone."


def test_an_asset_behind_one_that_does_not_follow_says_where_the_change_stops() -> None:
    ours = stage(
        "raw, middle(raw), report(middle)",
        on(inbox, "raw", name="daily"),
        on(orders, "middle", name="own"),
        middle=OFF,
    )
    ours.fire("inbox")

    launched = "daily launched raw in run 1, which is going on"
    for asset in ("middle", "report"):
        assert why(ours, asset) == (
            f"{asset} was not launched: {launched}, but that stops at middle, "
            "which has follow=False."
        )


def test_an_asset_says_which_sensors_its_rules_listen_to() -> None:
    ours = stage("a, b(a), c", on(inbox, "a", name="one"), on(orders, "c", name="two"))
    ours.fire("orders")

    assert why(ours, "b") == "no rule that leads to b listens to orders: one listens to inbox."


def test_an_asset_asks_every_rule_that_leads_to_it() -> None:
    ours = stage(
        "a, b(a), c",
        on(orders.where(field.amount > 10), "a", name="big"),
        on((inbox & orders).within("1h"), "b", name="both"),
        on(orders, "c", name="other"),
    )
    ours.fire("orders", amount=1)

    told = why(ours, "b")

    assert told.startswith("b was not launched: both waits for inbox")
    assert told.endswith("; big did not let it in: field.amount > 10 is false: it is 1.")


def test_of_many_rules_that_lead_to_an_asset_the_most_telling_come_first() -> None:
    picky = [on(orders.where(field.n == n), "a", name=f"r{n}") for n in range(1, 9)]
    both = on((inbox & orders).within("1h"), "a", name="both")
    ours = stage("a, b", *picky, both, on(orders, "b"))
    ours.fire("orders", n=0)

    told = why(ours, "a")

    assert told.startswith("a was not launched: both waits for inbox")
    assert told.endswith(
        "; r1 did not let it in: field.n == 1 is false: it is 0"
        "; r2 did not let it in: field.n == 2 is false: it is 0"
        "; and 6 more rules did not launch it either."
    )


def test_an_asset_launched_by_the_events_of_another_one_says_how_that_one_is() -> None:
    ours = stage(
        "raw, report",
        on(inbox, "raw", name="daily"),
        on(AssetEvents("raw", "materialized"), "report", name="after"),
    )
    ours.fire("inbox")
    ours.fails("raw", "disk full")

    assert why(ours, "report") == (
        "report was not launched: after listens to raw.materialized, and "
        "raw failed in run 1, which daily launched: disk full."
    )


def test_a_run_whose_steps_are_not_kept_says_so() -> None:
    graph = drawn("a", on(inbox, "a"))
    launched = Launched(3, "a", RunStatus.SUCCEEDED, (Part("a", "eu", None),))

    assert why_not_asset(graph, Record(inbox.event(), 1, runs=[launched]), "a") == (
        "a[eu] is in it, and how it ended is not kept any more in run 3, which a launched."
    )


# every accepted event has a visible fate

a, b, c = Tap("a"), Tap("b"), Tap("c")
TRIGGERS: tuple[Trigger, ...] = (
    a | b,
    (a & b).within("10s"),
    (a & b & c).within("10s", pair="collect"),
    (a & b).within("10s", pair="oldest"),
    a.by(field.k).batch(3, "20s"),
    (a | c).debounce("3s", "9s"),
    a.throttle("5s"),
    b.throttle("5s", trailing=False),
    a.where(field.n > 2).by(field.k).throttle("2s"),
    ((a & b).within("4s") | c).batch(2, "8s"),
    a.then(b).then(c).within("10s"),
    a.unless(b, within="5s"),
    (a & b).within("4s").incomplete(),
    a.then(b).within("6s").incomplete(),
    a.by(field.k).count(2, within="6s"),
    a.where(field.n > 1).unless(b.where(field.n < 3), within="4s").by(field.k),
    a.silent_for("5s"),
    a.delay("3s"),
    a.distinct(field.k, ttl="8s"),
    (a | b).changed(field.n),
    at_least(2, a, b, c).within("5s"),
    a.aggregate("6s", sum=field.n > 5),
    a.complete(["x", "y"], "6s", member=field.k),
    (a | b).complete(["x", "y"], "4s", member=field.k).incomplete(),
    a.during("thu 00:00-00:01"),
    b.during("thu 00:00-00:01", outside="drop"),
    a.overdue("* * * * *", grace="2s"),
)
_offered = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.integers(0, 4), st.sampled_from(["x", "y"])
)
_steps = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 5, 12, 70]), st.lists(_offered, max_size=4)), max_size=12
)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=3, unique_by=str), _steps)
def test_every_accepted_event_has_a_visible_fate(
    triggers: list[Trigger], steps: list[tuple[int, list[tuple[str, int, str]]]]
) -> None:
    rules = [on(trigger, f"x{n}") for n, trigger in enumerate(triggers)]
    ours = stage(", ".join(f"x{n}" for n in range(len(rules))), *rules)
    for seconds, events in steps:
        ours.now += timedelta(seconds=seconds)
        ours.receive(*(Arrived(tap, [ours.event(tap, n=n, k=key)]) for tap, n, key in events))
        for asset in list(ours.going):
            ours.ends(asset)
        if not events:
            ours.restart()
        accepted = ours.reactor.state.get(Table.COUNTER, "event") or 0
        for seq in range(1, accepted + 1):
            verdicts = fates(ours.graph, record(ours, seq))
            assert verdicts
            assert all(verdict.status is not Status.ACCEPTED for verdict in verdicts), verdicts
