"""What is out of date, in a simulation: services that die, pipelines that change meanwhile."""

from __future__ import annotations

from reactor.pipeline import Pipeline
from reactor.testing import simulate
from tests.unit.core.tap import Tap
from tests.unit.test_simulate import event


def shop(*, with_prices: bool) -> Pipeline:
    """A shop in which the clean orders read prices, or do not yet."""
    found = Pipeline("shop")

    @found.asset(on=Tap("a"))
    def raw(): ...

    @found.asset(on=Tap("b"))
    def prices(): ...

    if with_prices:

        @found.asset
        def clean(raw, prices): ...

    else:

        @found.asset(name="clean")
        def clean_before(raw): ...

    @found.asset
    def report(clean): ...

    return found


def test_a_changed_pipeline_is_caught_up_with_once() -> None:
    with simulate(shop(with_prices=False)) as sim:
        sim.emit(event("a"), event("b")).later("1m")
        assert sim.launched == ["raw", "prices", "clean", "report"]
        sim.on("clean").takes("30s")
        sim.restart(shop(with_prices=True))
        assert [(each.asset, each.why) for each in sim.stale] == [
            ("clean", "it reads prices now"),
            ("report", "clean is out of date"),
        ]
        sim.later("1m").restart().later("1m")
        assert sim.launched[4:] == ["clean", "report"]
        assert sim.why("clean") == "clean because it was out of date: it reads prices now"
        assert sim.stale == []


def test_what_was_cancelled_or_failed_stays_as_it_is_over_a_restart() -> None:
    with simulate(shop(with_prices=True)) as sim:
        sim.emit(event("a"), event("b")).later("1m")
        sim.on("clean").fails(times=1)
        sim.emit(event("a")).later("1m")
        assert sim.failed == ["clean"]
        assert sim.stale[0].why.startswith("raw changed after it (step ")
        known = list(sim.launched)
        sim.restart().later("1m")
        assert sim.launched == known
