"""The tests that a user of the shop writes: no server, no sleep, no clock."""

from reactor.testing import simulate
from tests.simulation.shop import clean_orders, inbox, orders, raw_orders, shop, tables


def test_clean_is_an_ordinary_function() -> None:
    assert clean_orders(["a", "b"]) == "lake/clean/2.parquet"


def test_a_file_touches_orders_and_nothing_else() -> None:
    with simulate(shop) as sim:
        sim.emit(inbox.event("inbox/monday.csv")).later("1s")
        assert sim.launched == ["raw_orders", "clean_orders", "revenue", "vacuum"]
        assert "raw_orders because inbox saw inbox/monday.csv" in sim.story()


def test_a_raw_that_keeps_failing_stops_everything_below_it() -> None:
    with simulate(shop) as sim:
        sim.on(raw_orders).fails(times=5)
        sim.emit(inbox.event("inbox/monday.csv")).later("1h")
        assert sim.blocked == ["clean_orders", "revenue", "vacuum"]
        assert sim.alerts == ["raw_orders failed after 1 attempt; 3 assets wait for it"]


def test_a_hundred_big_orders_of_one_region_launch_revenue_and_nothing_above_it() -> None:
    with simulate(shop) as sim:
        sim.emit(inbox.event("inbox/monday.csv"))
        del sim.launched[:]
        sim.emit(*(orders.event(order_id=n, region="eu", amount=2_000) for n in range(99)))
        sim.emit(*(orders.event(order_id=n, region="us", amount=999) for n in range(500)))
        assert sim.launched == []
        sim.emit(orders.event(order_id=99, region="eu", amount=2_000))
        assert sim.launched == ["revenue"]


def test_a_schema_change_launches_what_is_on_its_table() -> None:
    with simulate(shop) as sim:
        sim.emit(tables.event("public.orders", added=["discount"]))
        assert sim.launched == ["raw_orders", "clean_orders", "revenue", "vacuum"]
