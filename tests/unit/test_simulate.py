"""The simulation: virtual time, scripted outcomes, and what can be read off afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from reactor.core.asset import Retry
from reactor.core.errors import DefinitionError, ReactorError
from reactor.core.event import Event
from reactor.core.field import field
from reactor.core.partition import Static
from reactor.pipeline import Output, Pipeline
from reactor.testing import START, simulate
from sensors import KafkaTopic
from tests.unit.core.tap import Tap

A, B = Tap("a"), Tap("b")


def event(tap: str, subject: str = "x", *, time: datetime | None = None, **data: object) -> Event:
    """An event as a sensor makes it for a test: dated by the machine's clock unless told."""
    when = time or datetime.now(UTC)
    return Event(f"{tap}/{subject}", tap, "tap", subject, when, when, data)


def chain() -> Pipeline:
    shop = Pipeline("shop")

    @shop.asset(on=A, retry=Retry(1, backoff="1m", jitter=0), timeout="10m", executor="thread")
    def raw(events): ...

    @shop.asset
    def clean(raw): ...

    return shop


def test_emit_and_later_chain() -> None:
    with simulate(chain()) as sim:
        assert sim.emit(event("a")).later("1s").emit(event("a")).later("1h") is sim
        assert sim.now == START + timedelta(hours=1, seconds=1)


def test_steps_without_a_script_succeed_at_once() -> None:
    with simulate(chain()) as sim:
        sim.emit(event("a"))
        assert sim.launched == ["raw", "clean"]
        assert [run.status for run in sim.runs] == ["succeeded"]


def test_what_ran_is_told_with_its_partitions() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=A, partitions=Static("eu", "us").by(field.region))
    def sales(events): ...

    @shop.asset
    def total(sales): ...

    with simulate(shop) as sim:
        sim.emit(event("a", region="us"), event("a", region="eu"))
        assert sim.ran == ["sales[us]", "sales[eu]", "total"]
        assert sim.launched == ["sales", "sales", "total"]


def test_a_failed_run_is_resumed_from_its_failure() -> None:
    with simulate(chain()) as sim:
        sim.on("raw").fails()
        sim.on("clean").fails()
        sim.emit(event("a")).later("1h")
        assert sim.ran == ["raw", "clean"], "a retry is not told again"
        assert (sim.failed, [run.status for run in sim.runs]) == (["clean"], ["failed"])
        sim.ran.clear()
        sim.resume().later("1h")
        assert (sim.ran, sim.failed) == (["clean"], [])
        assert [run.status for run in sim.runs] == ["succeeded"]
        with pytest.raises(ReactorError, match="no such run to resume"):
            sim.resume()


def test_of_several_runs_one_is_resumed_by_its_number() -> None:
    with simulate(chain()) as sim:
        sim.on("clean").fails(2)
        sim.emit(event("a")).later("1h").emit(event("a")).later("1h")
        first, second = sim.runs
        sim.resume(first.id).later("1h")
        assert sim.ran == ["raw", "clean", "raw", "clean", "clean"]
        assert [run.status for run in sim.runs] == ["succeeded", "failed"]
        with pytest.raises(ReactorError, match="no such run to resume"):
            sim.resume(second.id + 1)


def test_an_attempt_takes_as_long_as_its_script_says() -> None:
    with simulate(chain()) as sim:
        sim.on("raw").takes("5m")
        sim.emit(event("a")).later("299s")
        assert sim.launched == ["raw"]
        sim.later("1s")
        assert sim.launched == ["raw", "clean"]


def test_an_attempt_that_takes_too_long_is_stopped() -> None:
    with simulate(chain()) as sim:
        sim.on("raw").takes("1h")
        sim.emit(event("a")).later("21m")
        assert sim.failed == ["raw"]
        assert "raw retried after attempt 1: timed out after 10m" in sim.story()


def test_a_script_says_what_is_returned() -> None:
    with simulate(chain()) as sim:
        sim.on("raw").returns(Output("path", version="1"))
        sim.emit(event("a")).emit(event("a"))
        assert sim.launched == ["raw", "clean", "raw"]
        assert "raw unchanged: version 1 as before" in sim.story()


def test_a_script_says_how_often_it_fails_and_how() -> None:
    with simulate(chain()) as sim:
        sim.on("raw").fails(times=1, error="no luck")
        sim.emit(event("a")).later("1m")
        assert sim.launched == ["raw", "clean"], "a retry is no new launch"
        assert "raw retried after attempt 1: no luck" in sim.story()


def test_what_is_well_again_is_neither_failed_nor_blocked() -> None:
    with simulate(chain()) as sim:
        sim.on("raw").fails(times=2)
        sim.emit(event("a")).later("1h")
        assert (sim.failed, sim.blocked) == (["raw"], ["clean"])
        sim.emit(event("a"))
        assert (sim.failed, sim.blocked) == ([], [])
        assert sim.alerts == [
            "raw failed after 2 attempts; 1 asset waits for it",
            "raw is well again",
        ]


def test_a_launch_by_hand_and_a_cancelled_run() -> None:
    with simulate(chain()) as sim:
        sim.on("clean").takes("1h")
        sim.materialize("raw").later("1m").cancel(1)
        assert [step.status for step in sim.steps] == ["materialized", "cancelled"]
        assert sim.why("raw") == "raw because it was launched by hand"
        assert sim.why("clean") == "clean because raw changes"


def test_why_of_what_was_not_launched() -> None:
    with simulate(chain()) as sim:
        assert sim.why("clean") == "clean was not launched"


def test_names_that_are_not_there_are_refused_with_the_nearest() -> None:
    with simulate(chain()) as sim:
        with pytest.raises(ReactorError, match=r"clea is no asset of shop.*did you mean clean"):
            sim.on("clea")
        with pytest.raises(ReactorError, match=r"no rule listens to a sensor called b \(there are"):
            sim.emit(event("b"))


def test_a_test_event_happens_now_on_the_virtual_clock() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=(A & B).within("10m"))
    def joined(events): ...

    with simulate(shop) as sim:
        sim.emit(event("a")).later("800d").emit(event("b", "b1"))
        assert sim.launched == [], "two years are more than ten minutes"
        sim.later("5m").emit(event("a"))
        assert sim.launched == ["joined"]
        [(_, accepted)] = sim.decisions[1].facts.accepted
        assert accepted.time == accepted.received == START


def test_an_event_that_says_when_it_happened_is_late() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=(A & B).within("10m"))
    def joined(events): ...

    with simulate(shop) as sim:
        sim.later("1h").emit(event("a")).emit(event("b", time=START))
        assert sim.launched == []
        sim.emit(event("b", time=START + timedelta(minutes=55)))
        assert sim.launched == ["joined"]


def test_timers_ring_on_the_virtual_clock() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=A.by(field.k).batch(10, "30s"))
    def batched(events): ...

    with simulate(shop) as sim:
        sim.emit(event("a", k="x")).later("29s")
        assert sim.launched == []
        sim.later("1s")
        assert sim.launched == ["batched"]


def test_equal_scripts_give_equal_stories() -> None:
    def told() -> str:
        with simulate(chain()) as sim:
            sim.on("raw").fails(times=3)
            sim.emit(event("a")).later("1h").emit(event("a")).later("1h")
            return sim.story()

    assert told() == told()


def test_a_line_that_repeats_itself_is_told_once_with_how_often() -> None:
    with simulate(chain()) as sim:
        sim.on("raw").takes("5m")
        sim.emit(*(event("a") for _ in range(1_002)))
        assert sim.story().splitlines()[-1] == "+0s       a saw x, 1,000 times"


def test_an_event_that_did_nothing_says_why_not() -> None:
    shop = Pipeline("shop")

    @shop.asset(on=A.where(field.n > 10).by(field.k).batch(2, "30s"))
    def batched(events): ...

    @shop.asset(on=B, follow=False)
    def report(batched): ...

    small, first, second = (event("a", f"a{n}", n=n, k="x") for n in (3, 11, 12))
    with simulate(shop) as sim:
        sim.emit(small, first)
        assert [sim.status(each) for each in (small, first)] == ["filtered", "waiting"]
        assert sim.why_not("batched", small) == (
            "recomputed: batched was not launched: batched did not let it in: "
            "field.n > 10 is false: it is 3."
        )
        assert "keeps it, batched (1 of 2), until 2026-01-01 00:00:30" in sim.why_not(
            batched, first
        )
        assert sim.why_not("report", first).startswith("no rule that leads to report listens to a")
        sim.emit(second)
        assert sim.status(first) == "ran"
        assert sim.why_not("batched", first) == (
            "batched was materialized in run 1, which batched launched."
        )
        with pytest.raises(ReactorError, match="batchd is no asset of shop"):
            sim.why_not("batchd", first)


def test_an_event_of_a_rule_that_is_asked_by_name_says_why_not() -> None:
    shop = Pipeline("shop")

    @shop.asset
    def target(): ...

    shop.rule(A.throttle("1h", trailing=False), target, name="seldom")
    first, second = event("a", "a1"), event("a", "a2")
    with simulate(shop) as sim:
        sim.emit(first, second)
        assert sim.status(second) == "throttled"
        assert sim.why_not("seldom", second).startswith("seldom was shut for a while")
        assert sim.why_not("seldom", first).startswith("seldom launched target in run 1")


def test_a_pipeline_that_could_not_be_served_is_not_simulated() -> None:
    class Order(BaseModel):
        amount: float

    shop = Pipeline("shop")

    @shop.asset(on=KafkaTopic("orders", model=Order).where(field.amout > 1))
    def raw() -> None: ...

    with pytest.raises(DefinitionError, match="did you mean amount"), simulate(shop):
        pass
