"""What other engines publish of their operators, told in ours; where ours differ, it is said how.

The concepts are theirs, the words and the stories our own.
"""

from __future__ import annotations

from reactor.core.decision import Restarted
from reactor.core.field import field, meta
from reactor.core.trigger.expression import at_least
from tests.unit.core.ear import Ear
from tests.unit.core.tap import Tap, at

A, B, C, D = Tap("a"), Tap("b"), Tap("c"), Tap("d")
DAY = 86_400


# ansible-rulebook: any, all, not_all, once_within, once_after, accumulate_within, group_by


def test_rulebook_any() -> None:
    """Of two conditions either is enough, and the event that met it is told."""
    ear = Ear(A.where(field.i == 0) | A.where(field.i == 1))
    assert [ear.hears("a", i=i) for i in (1, 0, 2)] == [["a1"], ["a2"], []]


def test_rulebook_all() -> None:
    """All conditions, in any order; ours must say within which time."""
    ear = Ear((A.where(field.i == 0) & A.where(field.i == 1)).within("10s"))
    assert [ear.hears("a", i=i) for i in (1, 2, 0)] == [[], [], ["a1 a3"]]


def test_rulebook_all_of_equal_conditions() -> None:
    """There the same condition twice never matches; ours is refused as it is loaded, and `count`
    means two of them."""
    ear = Ear(A.where(field.i == 0).count(2, within="10s"))
    assert [ear.hears("a", i=0) for _ in range(2)] == [[], ["a1 a2"]]


def test_rulebook_not_all() -> None:
    """Something began and is not whole when its time is over: told with what came."""
    ear = Ear((A & B & C).within("10s").incomplete())
    ear.hears("a", "c")
    assert ear.waits(30, "a", "b", "c") == ["a1 c1 at 10"]


def test_rulebook_not_all_that_is_whole_in_time() -> None:
    ear = Ear((A & B & C).within("10s").incomplete())
    ear.hears("a", "c", "b")
    assert ear.waits(30, "a", "b", "c") == []


def test_rulebook_once_within() -> None:
    """The first of each group, then none of it for a while."""
    ear = Ear(A.by(field.host).throttle("5m", trailing=False))
    assert [ear.hears("a", host=host) for host in ("x", "x", "y")] == [["x: a1"], [], ["y: a3"]]
    ear.waits(301)
    assert ear.hears("a", host="x") == ["x: a4"]


def test_rulebook_once_within_loses_nothing_here_unless_told() -> None:
    """There what is suppressed is dropped; ours by default comes at the end of the time."""
    ear = Ear(A.by(field.host).throttle("5m"))
    ear.hears("a", host="x")
    ear.hears("a", host="x")
    assert ear.waits(400) == ["x: a2 at 300"]


def test_rulebook_once_after() -> None:
    """There one match a group, at the end of a time that the first event began; ours: all of it."""
    ear = Ear(A.by(field.host).batch(10**6, max_wait="5m"))
    for host in "xyx":
        ear.hears("a", host=host)
    assert ear.waits(400) == ["x: a1 a3 at 300", "y: a2 at 300"]


def test_rulebook_accumulate_within() -> None:
    """So many of a group within a time; then it is counted anew."""
    ear = Ear(A.by(field.host).count(3, within="5m"))
    heard = [ear.hears("a", host=host) for host in "xyxxyx"]
    assert heard == [[], [], [], ["x: a1 a3 a4"], [], []]
    ear.waits(301)
    assert ear.hears("a", host="y") == [], "the two before are too old"


# Flink CEP: followedBy, next, notFollowedBy, within, times, after-match skip strategies


def test_flink_followed_by() -> None:
    """Relaxed contiguity: what does not belong to it may come between."""
    ear = Ear(A.then(B).within("10s"))
    assert ear.hears("a", "c", "b") == ["a1 b1"]


def test_flink_followed_by_takes_another_a() -> None:
    """There `a1 a2 b` matches once from each a; here an event is used once, and the latest a is
    taken. `pair="collect"` takes both, in one firing."""
    latest, every = Ear(A.then(B).within("10s")), Ear(A.then(B).within("10s", pair="collect"))
    assert latest.hears("a", "a", "b") == ["a2 b1"]
    assert every.hears("a", "a", "b") == ["a1 a2 b1"]


def test_flink_skip_past_last_event() -> None:
    """What a match used starts no other: always so here."""
    ear = Ear(A.then(A).then(B).within("10s", pair="oldest"))
    assert ear.hears("a", "a", "a", "b") == ["a1 a2 b1"]
    assert ear.hears("a", "b") == ["a3 a4 b2"]


def test_flink_within() -> None:
    """A partial match whose time is over is dropped; there it is dropped in silence unless a side
    output asks for it, here its fate is told, and `incomplete` fires for it."""
    ear = Ear(A.then(B).within("10s"))
    ear.hears("a")
    ear.waits(11, "a", "b")
    assert ear.hears("b") == []
    ear.waits(60, "a", "b")
    assert "a1 expired: b did not come in time" in ear.fates


def test_flink_timed_out_partial_match() -> None:
    ear = Ear(A.then(B).then(C).within("10s").incomplete())
    ear.hears("a")
    ear.waits(3, "a", "b", "c")
    ear.hears("b")
    assert ear.waits(60, "a", "b", "c") == ["a1 b1 at 10"]


def test_flink_times_within() -> None:
    """Three failed logins of one user in a minute."""
    failed = A.where(field.ok == False).by(field.user)  # noqa: E712
    ear = Ear(failed.count(3, within="1m"))
    for user, ok in (("u", False), ("v", False), ("u", True), ("u", False)):
        assert ear.hears("a", user=user, ok=ok) == []
    assert ear.hears("a", user="u", ok=False) == ["u: a1 a4 a5"]


def test_flink_not_followed_by_at_the_end() -> None:
    """An order without its payment; it fires because time passed, not because an event came."""
    ear = Ear(A.by(field.order).unless(B.by(field.order), within="30m"))
    for order in (1, 2):
        ear.hears("a", order=order)
    ear.waits(60, "a", "b")
    ear.hears("b", order=1)
    assert ear.waits(3600, "a", "b") == ["2: a2 at 1800"]


def test_flink_not_followed_by_between() -> None:
    """a, no b, then c: c follows an a that waited its time out. There c itself ends the wait; here
    the wait is a window of its own."""
    ear = Ear(A.unless(B, within="10s").then(C).within("1m"))
    ear.hears("a")
    ear.waits(20, "a", "b", "c")
    assert ear.hears("c") == ["a1 c1"]
    ear.hears("a", "b")
    ear.waits(50, "a", "b", "c")
    assert ear.hears("c") == []


def test_flink_late_events() -> None:
    """There what is older than the watermark is dropped before it is matched; here it may still
    complete what is kept."""
    ear = Ear((A & B).within("10s"))
    ear.waits(8, "a", "b")
    ear.hears("b")
    ear.reads("a", "b")
    assert ear.hears("a", late=5) == ["b1 a1"]


# Esper: every a -> b where timer:within, timer:interval, and not


def test_esper_every_a_followed_by_b_within() -> None:
    """There each a starts a pattern, and one b ends them all, each a match; here b is used once: by
    the latest a, by the oldest, or by all in one."""
    taken = {pair: Ear(A.then(B).within("10s", pair=pair)) for pair in ("latest", "oldest")}
    assert {pair: ear.hears("a", "a", "b") for pair, ear in taken.items()} == {
        "latest": ["a2 b1"],
        "oldest": ["a1 b1"],
    }


def test_esper_a_without_every_matches_once() -> None:
    """There a pattern without `every` ends after one match; a rule here goes on for ever."""
    ear = Ear(A.then(B).within("10s"))
    assert [ear.hears("a", "b") for _ in range(2)] == [["a1 b1"], ["a2 b2"]]


def test_esper_timer_interval_and_not() -> None:
    """`every a -> (timer:interval(10 sec) and not b)`."""
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    assert ear.waits(20, "a", "b") == ["a1 at 10"]
    ear.hears("a")
    ear.waits(25, "a", "b")
    ear.hears("b")
    assert ear.waits(60, "a", "b") == []


def test_esper_output_rate() -> None:
    """`output last every 10 seconds` keeps the last one; ours fires the first at once, and what
    came meanwhile, all of it, at the end."""
    ear = Ear(A.throttle("10s"))
    assert ear.hears("a", "a", "a") == ["a1"]
    assert ear.waits(30) == ["a2 a3 at 10"]


def test_esper_time_window_aggregate() -> None:
    """A sum over the last 30 seconds that is `having` over a bound; there told for every event
    while it holds, here when it comes to hold."""
    ear = Ear(A.aggregate("30s", sum=field.amount > 100))
    heard: list[list[str]] = []
    for second, amount in ((0, 60), (10, 60), (20, 60), (60, 60), (70, 60)):
        ear.waits(second)
        heard.append(ear.hears("a", amount=amount))
    assert heard == [[], ["a1 a2"], [], [], ["a4 a5"]]


# Drools: after, before, coincides, sliding windows, not


def test_drools_after_with_a_range() -> None:
    """`b after[0, 10s] a`: there b may be at the very instant of a in any order of arrival; here
    the order of arrival decides at one instant."""
    ear = Ear(A.then(B).within("10s"))
    ear.waits(20)
    ear.hears("a", late=10)
    assert ear.hears("b") == ["a1 b1"]
    ear.hears("a", late=10.001)
    assert ear.hears("b") == []


def test_drools_before() -> None:
    """`a before b` is `a.then(b)`, by event time: also if b arrives first."""
    ear = Ear(A.then(B).within("10s"))
    ear.waits(20)
    ear.hears("b")
    assert ear.hears("a", late=4) == ["b1 a1"], "told in the order of arrival"


def test_drools_coincides_within() -> None:
    ear = Ear((A & B).within("1s"))
    ear.waits(5)
    ear.hears("a")
    assert ear.hears("b", late=1) == ["a1 b1"]


def test_drools_not_over_a_window() -> None:
    """A fire alarm and no sprinkler in ten seconds."""
    ear = Ear(A.unless(B, within="10s"))
    ear.hears("a")
    assert ear.waits(9.9, "a", "b") == []
    assert ear.waits(10, "a", "b") == ["a1 at 10"]


# Redpanda Connect (Benthos): system_window, batching, group_by_value


def test_benthos_batch_count_and_period() -> None:
    """The batch goes when it is long enough, or when its period is over. There the period begins
    with the batch before; here with the first event."""
    ear = Ear(A.batch(2, max_wait="10s"))
    assert ear.hears("a", "a") == ["a1 a2"]
    ear.waits(7)
    ear.hears("a")
    assert ear.waits(60) == ["a3 at 17"]


def test_benthos_group_by_value() -> None:
    ear = Ear(A.by(field.tenant).batch(2, max_wait="10s"))
    heard = [ear.hears("a", tenant=tenant) for tenant in "xyxy"]
    assert heard == [[], [], ["x: a1 a3"], ["y: a2 a4"]]


def test_benthos_dedupe() -> None:
    ear = Ear(A.distinct(meta.subject, ttl="1m") | B)
    assert ear.hears("a") == ["a1"]
    ear.counts["a"] = 0
    assert ear.hears("a") == [], "the same subject again"


# Argo Events: dependencies joined by name, with no window and no key


def test_argo_yesterdays_a_does_not_meet_todays_b() -> None:
    """There a dependency stays met until a reset, so that A of yesterday and B of today fire."""
    ear = Ear((A & B).within("6h"))
    ear.hears("a")
    ear.waits(DAY, "a", "b")
    assert ear.hears("b") == []
    assert ear.hears("a") == ["b1 a2"]


def test_argo_nine_of_ten_are_not_dropped_unseen() -> None:
    """There of a1 to a10 only the last is handed over, and nobody is told."""
    latest = Ear((A & B).within("1h"))
    latest.hears(*"a" * 10)
    assert latest.hears("b") == ["a10 b1"]
    assert latest.lost == {"superseded": 9}
    collected = Ear((A & B).within("1h", pair="collect"))
    collected.hears(*"a" * 10)
    assert collected.hears("b") == ["a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 b1"]


def test_argo_two_at_the_same_moment() -> None:
    """There two events at one moment were one trigger; here each is a firing."""
    assert Ear(A).hears("a", "a") == ["a1", "a2"]


# Kestra: multiple conditions in a time window


def test_kestra_multiple_condition_window() -> None:
    """Two flows that both ended since midnight: a window in time, and each counts once."""
    ear = Ear((A & B).within("1d"))
    ear.waits(3600)
    ear.hears("a")
    ear.waits(7200)
    assert ear.hears("b") == ["a1 b1"]
    assert ear.hears("b") == [], "each pair once"


def test_kestra_at_least() -> None:
    ear = Ear(at_least(2, A, B, C).within("1h"))
    assert ear.hears("a", "a") == []
    assert ear.hears("c") == ["a2 c1"]


# A deadman's switch, as heartbeats in Prometheus, Kapacitor and Healthchecks


def test_deadman() -> None:
    """Nothing for a while is told once; the next sign of life begins anew."""
    ear = Ear(A.by(field.host).silent_for("1m"))
    ear.hears("a", host="x")
    ear.hears("a", host="y")
    ear.waits(50, "a")
    ear.hears("a", host="y")
    assert ear.waits(105, "a") == ["x: a1 at 60"]
    assert ear.waits(300, "a") == ["y: a3 at 110"]


def test_deadman_through_a_restart() -> None:
    """There a restart of the watcher is a gap; here it first reads what it missed."""
    ear = Ear(A.silent_for("1m"))
    ear.hears("a")
    ear.again().receive(Restarted())
    ear.now = at(600)
    assert ear.told_by(ear.receive()) == []
    for ago in range(590, 0, -50):
        assert ear.hears("a", late=ago) == []
    assert ear.reads("a") == []


def test_dead_letter_of_a_schedule() -> None:
    """A backup that is expected every day at two, with an hour of grace."""
    ear = Ear(A.overdue("0 2 * * *", grace="1h"))
    ear.waits(2 * 3600, "a")
    ear.hears("a")
    assert ear.waits(2 * DAY, "a") == [f"(nothing) at {DAY + 3 * 3600}"]


# What lies at the edges of all of them


def test_one_event_fills_two_sides_of_one_join() -> None:
    """A condition on the size and one on the region, both met by one event: it is whole alone."""
    ear = Ear((A.where(field.size > 1) & A.where(field.region == "eu") & B).within("1h"))
    ear.hears("a", size=5, region="eu")
    assert ear.hears("b") == ["a1 b1"]


def test_patterns_of_patterns() -> None:
    """(a then b), three times within a minute, and no d for ten seconds after it."""
    ear = Ear(A.then(B).within("5s").count(3, within="1m").unless(D, within="10s"))
    for second in (0, 10, 20):
        ear.waits(second)
        ear.hears("a", "b")
    assert ear.waits(60, "a", "b", "d") == ["a1 b1 a2 b2 a3 b3 at 30"]
