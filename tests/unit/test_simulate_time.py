"""Time in a simulation: schedules tick, sensors lag, services die, chance comes from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.asset import Retry
from reactor.core.errors import ReactorError
from reactor.core.event import Event
from reactor.core.field import field
from reactor.core.trigger.expression import Source, Trigger
from reactor.pipeline import Pipeline
from reactor.testing import START, Script, Simulation, simulate
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")


@dataclass(frozen=True)
class Clock(Source):
    """Ticks every minute."""

    name: str = "clock"
    kind: ClassVar[str] = "clock"

    def ticks(self, after: datetime) -> Iterator[Event]:
        minute = timedelta(minutes=1)
        at = START + ((after - START) // minute) * minute
        while True:
            at += minute
            yield Event(at.isoformat(), self.name, "tick", f"{at:%H:%M}", at, at)


def event(tap: str, seconds: float | None = None, **data: object) -> Event:
    """An event of a tap: so long after the start, or now."""
    at = datetime.now(UTC) if seconds is None else START + timedelta(seconds=seconds)
    return Event(f"{tap}/{seconds}", tap, "tap", f"{tap}{data or ''}", at, at, data)


def only(trigger: Trigger, name: str = "target") -> Pipeline:
    """A pipeline of one asset, on a trigger."""
    shop = Pipeline("shop", sensors=[A, B])
    shop.asset(on=trigger, name=name, retry=Retry(0))(lambda: None)
    return shop


def fired(sim: Simulation) -> list[float]:
    """When rules came true, in seconds since the start."""
    return [(each.at - START).total_seconds() for each in sim.firings]


def test_a_schedule_ticks_by_itself_while_time_passes() -> None:
    with simulate(only(Clock())) as sim:
        sim.later("3m30s")
        assert fired(sim) == [60, 120, 180]
        assert sim.until("2026-01-01T00:04").launched == ["target"] * 4


def test_a_schedule_that_no_rule_listens_to_does_not_tick() -> None:
    shop = Pipeline("shop", sensors=[Clock()])
    shop.asset(on=A, name="target")(lambda: None)
    with simulate(shop) as sim:
        sim.later("1h")
        assert len(sim.decisions) == 2, "the start, and the end of that hour"


def test_schedules_tick_as_the_test_says_if_it_wants_to_say() -> None:
    with simulate(only(Clock()), ticks=False) as sim:
        sim.later("1h").emit(event("clock")).later("1h")
        assert fired(sim) == [3600]


def test_a_schedule_that_is_behind_does_not_tick() -> None:
    with simulate(only(Clock())) as sim:
        sim.later("1m").behind("clock").later("5m").caught_up("clock").later("1m")
        assert fired(sim) == [60, 420]


def test_until_names_a_moment_that_is_still_to_come() -> None:
    with simulate(only(A), start="2026-03-01T08:00") as sim:
        assert sim.until("2026-03-01T09:00+01:00").now == datetime(2026, 3, 1, 8, tzinfo=UTC)
        with pytest.raises(ReactorError, match=r"2026-03-01T07:59:00\+00:00 is past"):
            sim.until("2026-03-01T07:59")


def test_nothing_is_concluded_from_the_silence_of_a_sensor_that_lags() -> None:
    with simulate(only(A.unless(B, within="5m"))) as sim:
        sim.behind(B).emit(event("a")).later("1h")
        assert fired(sim) == []
        sim.caught_up(B)
        assert fired(sim) == [3600]


def test_what_a_sensor_that_lags_hands_in_late_still_counts() -> None:
    with simulate(only(A.unless(B, within="5m"))) as sim:
        sim.behind(B).emit(event("a")).later("1h")
        sim.emit(event("b", 120)).caught_up()
        assert fired(sim) == []


def test_an_alarm_rings_at_the_very_end_of_its_window() -> None:
    with simulate(only(A.unless(B, within="5m"))) as sim:
        sim.emit(event("a")).later("5m")
        assert fired(sim) == [300]


def test_a_window_goes_on_over_a_restart() -> None:
    with simulate(only(A.batch(3, "10m"))) as sim:
        sim.emit(event("a")).later("4m").restart().emit(event("a")).later("4m").restart()
        assert fired(sim) == []
        sim.later("2m")
        assert fired(sim) == [600]
        assert len(sim.firings[0].causes) == 2


def test_what_is_due_while_the_service_is_down_comes_late() -> None:
    with simulate(only(A.batch(3, "10m"))) as sim:
        sim.emit(event("a")).later("4m").restart(down="2h")
        assert fired(sim) == [7440]


def test_a_restart_ends_what_was_running_and_it_is_tried_again() -> None:
    with simulate(only(A)) as sim:
        sim.on("target").takes("10m")
        sim.emit(event("a")).later("5m").restart().later("9m")
        assert [step.status for step in sim.steps] == ["running"]
        sim.later("1m")
        assert [step.status for step in sim.steps] == ["materialized"]
        assert sim.launched == ["target"], "it is the same launch"


def test_a_changed_rule_starts_afresh_at_a_restart() -> None:
    with simulate(only(A.batch(3, "10m"))) as sim:
        sim.emit(event("a"), event("a")).restart(only(A.batch(3, "20m")))
        sim.emit(event("a")).later("10m")
        assert fired(sim) == []
        sim.later("10m")
        assert fired(sim) == [1200]


TRIGGERS: list[Callable[[], Trigger]] = [
    lambda: A.by(field.k).batch(2, "40s"),
    lambda: A.debounce("20s", max_wait="1m"),
    lambda: A.throttle("30s"),
    lambda: (A & B).within("45s"),
    lambda: A.unless(B, within="25s"),
    lambda: A.silent_for("50s"),
]


@given(
    st.integers(0, len(TRIGGERS) - 1),
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 30), st.sampled_from("xy")), max_size=12
    ),
    st.integers(0, 12),
)
def test_a_restart_at_any_point_changes_nothing(
    which: int, steps: list[tuple[str, int, str]], place: int
) -> None:
    def life(restarts: bool) -> list[object]:
        shop = only(TRIGGERS[which]())
        with simulate(shop) as sim:
            sim.emit(event("b"))
            for number, (tap, seconds, key) in enumerate(steps):
                if restarts and number == place:
                    sim.restart()
                sim.later(seconds).emit(event(tap, k=key))
            sim.later("5m")
            return [(each.at, each.key, len(each.causes)) for each in sim.firings]

    assert life(True) == life(False)


def test_a_replay_launches_what_the_same_events_by_hand_do() -> None:
    events = [event("a", 10, k="x"), event("a", 25, k="y"), event("a", 26, k="x"), event("a", 90)]
    trigger = A.by(field.k).batch(2, "40s")
    with simulate(only(trigger)) as by_hand:
        for each in events:
            by_hand.until(each.time).emit(each)
        by_hand.later("1h")
    with simulate(only(trigger)) as replayed:
        replayed.replay([replace(each) for each in events]).later("1h")
    with simulate(only(trigger), keep="firings") as brief:
        brief.replay(events).later("1h")
    assert by_hand.timeline() == replayed.timeline()
    assert fired(by_hand) == fired(replayed) == fired(brief) == [26, 65, 130]


def test_a_replayed_event_at_the_very_end_of_a_window_was_there() -> None:
    with simulate(only(A.unless(B, within="5m"))) as sim:
        sim.replay([event("a", 0), event("b", 300)]).later("1h")
        assert fired(sim) == []


def test_an_event_that_was_received_late_was_waited_for() -> None:
    """As the service had to: it knew that the sensor had more to say."""
    late = replace(event("b", 120), received=START + timedelta(seconds=900))
    with simulate(only(A.unless(B, within="5m"))) as sim:
        sim.replay([event("a", 0), late]).later("1h")
        assert fired(sim) == []
    after = replace(event("b", 420), received=START + timedelta(seconds=900))
    with simulate(only(A.unless(B, within="5m"))) as sim:
        sim.replay([event("a", 0), after]).later("1h")
        assert fired(sim) == [300], "by then it was known that nothing came in time"


def test_events_of_one_instant_are_replayed_together() -> None:
    with simulate(only((A & B).within("1m"))) as sim:
        sim.replay([event("a", 5), event("b", 5), event("a", 5)])
        turns = [len(each.facts.accepted) for each in sim.decisions if each.facts.accepted]
        assert turns == [3]
        assert fired(sim) == [5]


def test_a_replay_out_of_order_is_refused() -> None:
    with simulate(only(A)) as sim, pytest.raises(ReactorError, match="sort the events by received"):
        sim.replay([event("a", 10), event("a", 5)])


def test_a_brief_life_knows_what_fired_and_says_what_it_does_not_know() -> None:
    with simulate(only(A), keep="firings") as sim:
        sim.emit(event("a"))
        assert [(each.rule, each.assets) for each in sim.firings] == [("target", ("target",))]
        for ask in ("launched", "runs", "steps", "alerts", "failed", "blocked", "decisions"):
            with pytest.raises(ReactorError, match="this was not kept"):
                getattr(sim, ask)
        with pytest.raises(ReactorError, match="this was not kept"):
            sim.story()


def test_a_brief_life_plays_steps_when_a_rule_listens_to_assets() -> None:
    shop = Pipeline("shop")
    raw = shop.asset(on=A, name="raw")(lambda: None)
    shop.asset(on=raw.materialized, name="told")(lambda: None)
    with simulate(shop, keep="firings") as sim:
        assert [each.rule for each in sim.emit(event("a")).firings] == ["raw", "told"]


def statuses(seed: object, script: Callable[[Script], Script]) -> list[tuple[str, float]]:
    """How twenty runs of an asset end, and how long they took, in a life of that seed."""
    with simulate(only(A), seed=seed) as sim:
        script(sim.on("target"))
        for _ in range(20):
            sim.emit(event("a")).later("1h")
        return [
            (step.status.value, (step.finished - step.started).total_seconds())
            for step in sim.steps
            if step.finished and step.started
        ]


def test_what_is_drawn_follows_from_the_seed() -> None:
    def chancy(script: Script) -> Script:
        return script.takes("1m", "5m").fails(rate=0.5)

    assert statuses(7, chancy) == statuses(7, chancy)
    assert statuses(7, chancy) != statuses(8, chancy)
    drawn = statuses("any seed", chancy)
    assert {word for word, _ in drawn} == {"materialized", "failed"}
    assert all(60 <= took <= 300 for _, took in drawn)
    assert len({took for _, took in drawn}) == 20


def test_a_rate_of_none_or_all_is_no_chance() -> None:
    assert {word for word, _ in statuses(1, lambda script: script.fails(rate=0))} == {
        "materialized"
    }
    assert {word for word, _ in statuses(1, lambda script: script.fails(rate=1))} == {"failed"}


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda script: script.fails(2, rate=0.1), "times= or rate=, not both"),
        (lambda script: script.fails(rate=10), "say 0.1 for one in ten"),
        (lambda script: script.fails(-1), "an attempt fails or it does not"),
        (lambda script: script.takes("5m", "1m"), "takes 5m at least and 1m at most"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(
    wrong: Callable[[Script], Script], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        wrong(Script())


def test_the_timeline_has_a_line_for_each_firing_and_shows_gaps() -> None:
    shop = only(A.by(field.k).batch(2, "30s"), "tally")
    with simulate(shop, start="2026-01-05T23:59") as sim:
        sim.emit(event("a", k="x"), event("a", k="x")).later("10s").emit(event("a", k="y"))
        sim.later("2h").emit(event("a", k="x"), event("a", k="x"))
        assert sim.timeline() == "\n".join(
            [
                "2026-01-05",
                "23:59:00  tally  tally for x because a saw a{'k': 'x'} and 1 more (full)",
                "23:59:40  tally  tally for y because a saw a{'k': 'y'}",
                "          … 1h59m30s",
                "2026-01-06",
                "01:59:10  tally  tally for x because a saw a{'k': 'x'} and 1 more (full)",
            ]
        )


def test_the_lanes_show_events_firings_and_work_over_time() -> None:
    shop = Pipeline("shop")
    shop.asset(on=(A & B.where(field.ok == True)).within("30s"), name="pair")(lambda: None)  # noqa: E712
    with simulate(shop) as sim:
        sim.on("pair").takes("10s")
        sim.later("5s").emit(event("a")).later("5s").emit(event("b", ok=True))
        sim.later("20s").emit(event("b", ok=False)).later("5s").emit(event("a"), event("a"))
        sim.on("pair").fails()
        sim.emit(event("b", ok=True)).later("25s")
        assert sim.lanes(width=61) == "\n".join(
            [
                "            0s             15s            30s            45s            1m",
                "a           ─────●─────────────────────────────2─────────────────────────",
                "b           ──────────●───────────────────○────●─────────────────────────",
                "pair fires  ──────────2────────────────────────2─────────────────────────",
                "pair        ──────────══════════■──────────────══════════✗───────────────",
            ]
        )
