"""The pipeline's tests: plain pytest, without a server, a sleep or a clock."""

from pipeline import inbox, orders, pipeline, revenue

from reactor.testing import simulate


def test_a_file_launches_the_orders_and_then_the_revenue():
    with simulate(pipeline) as sim:
        sim.emit(inbox.event("inbox/monday.csv"))
        assert sim.launched == ["orders", "revenue"]
        assert sim.why(orders) == "orders because inbox saw inbox/monday.csv"


def test_revenue_is_tried_three_more_times_before_somebody_is_told():
    with simulate(pipeline) as sim:
        sim.on(revenue).fails(times=3)
        sim.emit(inbox.event("inbox/monday.csv")).later("1m")
        assert sim.alerts == []


def test_nothing_below_the_orders_runs_when_they_fail():
    with simulate(pipeline) as sim:
        sim.on(orders).fails()
        sim.emit(inbox.event("inbox/monday.csv")).later("1h")
        assert sim.blocked == ["revenue"]


def test_an_asset_is_an_ordinary_function(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    monday = tmp_path / "inbox" / "monday.csv"
    monday.write_text("order_id,region,amount\n1,north,10.5\n2,south,4\n")
    handle = orders([inbox.event("inbox/monday.csv")])
    assert handle == {"file": "lake/orders.jsonl", "rows": 2}
    assert revenue(handle)["regions"] == 2
