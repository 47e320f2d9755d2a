"""Whole days of a pipeline as it tells them, beside the text they should be: stories/*.txt."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from reactor import Output, Pipeline, Retry, field
from reactor.testing import Simulation, simulate
from sensors import FileArrivals, KafkaTopic

STORIES = Path(__file__).parent / "stories"


def assert_told(name: str, sim: Simulation) -> None:
    """The story is the one in the file."""
    assert sim.story() + "\n" == (STORIES / f"{name}.txt").read_text()


def test_a_quiet_day() -> None:
    day = Pipeline("day", owner="ops@day.example")
    inbox = FileArrivals("inbox/*.csv")
    prices = FileArrivals("prices/*.csv")

    @day.asset(on=inbox)
    def raw(events): ...

    @day.asset(on=prices)
    def price_list(events): ...

    @day.asset
    def clean(raw): ...

    @day.asset
    def report(clean, price_list): ...

    with simulate(day) as sim:
        sim.on(raw).takes("2m")
        sim.on(clean).takes("5m").returns(Output("lake/clean", version="1"))
        sim.emit(inbox.event("inbox/monday.csv")).later("1h")
        sim.emit(prices.event("prices/january.csv")).later("1h")
        sim.emit(inbox.event("inbox/monday-again.csv")).later("1h")
        sim.on(clean).returns(Output("lake/clean", version="2"))
        sim.emit(inbox.event("inbox/tuesday.csv"))
        sim.emit(inbox.event("inbox/wednesday.csv")).later("21h")
        assert sim.launched.count("report") == 2
        assert_told("quiet_day", sim)


def test_a_failing_root_and_its_recovery() -> None:
    shop = Pipeline("shop", owner="data@shop.example")
    inbox = FileArrivals("inbox/*.csv")

    @shop.asset(on=inbox, retry=Retry(2, backoff="1m", jitter=0))
    def raw(events): ...

    @shop.asset
    def clean(raw): ...

    @shop.asset
    def report(clean): ...

    with simulate(shop) as sim:
        sim.on(raw).fails(times=3, error="the disk is full")
        sim.emit(inbox.event("inbox/monday.csv")).later("6h")
        assert (sim.failed, sim.blocked) == (["raw"], ["clean", "report"])
        sim.emit(inbox.event("inbox/tuesday.csv")).later("6h")
        assert (sim.failed, sim.blocked) == ([], [])
        assert_told("failing_root", sim)


def test_a_slow_reader_under_a_burst() -> None:
    lab = Pipeline("lab")
    readings = KafkaTopic("readings")

    @lab.asset(on=readings, versioned=True)
    def window(events): ...

    @lab.asset
    def model(window): ...

    with simulate(lab) as sim:
        sim.on(window).takes("1m")
        sim.on(model).takes("2h")
        for _ in range(5):
            sim.emit(*(readings.event(value=n) for n in range(200))).later("20m")
        sim.later("6h")
        assert sim.launched.count("model") == 2
        assert_told("slow_reader", sim)


class Order(BaseModel):
    region: str
    amount: float


def test_two_regions_batching() -> None:
    shop = Pipeline("shop", owner="data@shop.example")
    orders = KafkaTopic("orders", model=Order)

    @shop.asset(on=orders.where(field.amount > 100).by(field.region).batch(3, max_wait="30s"))
    def revenue(events): ...

    with simulate(shop) as sim:
        for region in ("eu", "us", "eu", "us", "eu"):
            sim.emit(orders.event(region=region, amount=500)).later("5s")
            sim.emit(orders.event(region=region, amount=5))
        sim.later("1m")
        assert sim.launched == ["revenue", "revenue"]
        assert_told("two_regions", sim)
