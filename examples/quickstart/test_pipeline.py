"""What runs, and what does not: no server, no sleep, no clock."""

from pipeline import (
    clean_orders,
    inbox,
    payments,
    raw_orders,
    report,
    revenue,
    shop,
)

from reactor.testing import simulate


def test_a_file_runs_everything_that_is_made_from_it():
    with simulate(shop) as sim:
        sim.emit(inbox.event("inbox/monday.csv"))
        assert sim.launched == ["raw_orders", "clean_orders", "revenue", "report"]
        assert sim.why(raw_orders) == "raw_orders because inbox saw inbox/monday.csv"


def test_large_payments_run_the_revenue_and_the_report_only():
    with simulate(shop) as sim:
        sim.materialize(*shop.definition().graph.assets)
        sim.launched.clear()
        sim.emit(payments.event(order_id=1, region="north", amount=1_200)).later("30s")
        assert sim.launched == ["revenue", "report"]


def test_a_small_payment_runs_nothing():
    with simulate(shop) as sim:
        sim.emit(payments.event(order_id=2, region="north", amount=12)).later("1h")
        assert sim.launched == []


def test_what_is_made_from_orders_waits_while_they_cannot_be_read():
    with simulate(shop) as sim:
        sim.on(raw_orders).fails()
        sim.emit(inbox.event("inbox/monday.csv")).later("1h")
        assert sim.blocked == ["clean_orders", "revenue", "report"]
        assert sim.alerts == ["raw_orders failed after 1 attempt; 3 assets wait for it"]


def test_the_functions_stay_ordinary_functions():
    assert clean_orders(["a.csv", "b.csv"]) == {"files": ["a.csv", "b.csv"], "count": 2}
    assert report({"orders": 2}) == "2 files of orders"
    assert revenue.name == "revenue"
