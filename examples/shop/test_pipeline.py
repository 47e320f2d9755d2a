"""A week of the shop: each part of it begins after an ordinary Monday, and says all that ran."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from pipeline import (
    busiest_hour,
    catalogue,
    categories,
    clean_sales,
    customers,
    files,
    it_has_a_name,
    low_stock,
    orders,
    purchase_list,
    raw_sales,
    region_sales,
    segment,
    segment_sizes,
    shop,
    signups,
    stg_prices,
    stg_products,
    stg_stock,
    stg_suppliers,
    stock_value,
    tables,
)

from reactor import Output

pytestmark = pytest.mark.pipeline(shop, start="2026-01-05T00:00")

NIGHT = [
    *("stg_products", "stg_prices", "stg_suppliers", "stg_stock"),
    *("catalogue", "categories", "stock_value", "low_stock"),
    *("shop_page", "price_feed", "purchase_list"),
]
MONTH = ["monthly_revenue[2026-01]", "tax_statement[2026-01]", "dashboard"]


def only(sim, *places):
    """These ran since this was last asked, each once, and nothing else did."""
    found = sorted(sim.ran)
    sim.ran.clear()
    assert found == sorted(places)


def delivered(path, content):
    """A store's file; two are the same file if their content is."""
    event = files.event(path, what="changed")
    return event, Output(path, version=content)


def days(*names):
    return [f"{name}[2026-01-{day:02}]" for name, day in names]


@pytest.fixture
def monday(sim):
    """The night's warehouse, files of two regions, an order, and two customers."""
    sim.until("2026-01-05T06:00")
    only(sim, *NIGHT)
    sim.emit(files.event("inbox/2026-01-05/eu.csv"), files.event("inbox/2026-01-05/us.csv"))
    sim.emit(orders.event(id=1, customer="ann", amount=9.5))
    sim.on(customers).returns(Output("lake/customers", changed=["ann", "bob"]))
    sim.emit(signups.event(customer="ann", email="ann@mail.example"))
    sim.emit(signups.event(customer="bob", email="bob@mail.example")).later("1h")
    sim.ran.clear()
    return sim


def test_an_ordinary_tuesday(monday):
    sim = monday.until("2026-01-06T06:00")
    # The dashboard shows the value of the stock; the letters, the statement and the customers have
    # nothing to do with the warehouse.
    only(sim, *NIGHT, "dashboard")

    sim.emit(files.event("inbox/2026-01-06/eu.csv")).later("1m")
    only(
        sim,
        *("raw_sales[2026-01-06-eu]", "clean_sales[2026-01-06-eu]", "rejected_rows[2026-01-06-eu]"),
        *("region_sales[eu]", "region_letter[eu]", "complaint[eu]"),
        *days(("store_sales", 6), ("revenue", 6), ("against_yesterday", 6)),
        *days(("against_yesterday", 7)),
        *MONTH,
    )

    # Two orders within a minute are one hour that is made once.
    sim.emit(orders.event(id=2, customer="bob", amount=30)).later("30s")
    sim.emit(orders.event(id=3, customer="ann", amount=12)).later("1h")
    hour = "2026-01-06T07"
    only(
        sim,
        *(f"web_orders[{hour}]", f"suspicious_orders[{hour}]"),
        *days(("web_sales", 6), ("busiest_hour", 6), ("shift_plan", 6)),
        *days(("revenue", 6), ("against_yesterday", 6), ("against_yesterday", 7)),
        *MONTH,
    )


def test_a_late_file_is_put_where_it_belongs(monday):
    sim = monday.emit(files.event("inbox/2026-01-03/us.csv")).later("1m")
    only(
        sim,
        *("raw_sales[2026-01-03-us]", "clean_sales[2026-01-03-us]", "rejected_rows[2026-01-03-us]"),
        *("region_sales[us]", "region_letter[us]", "complaint[us]"),
        *days(("store_sales", 3), ("revenue", 3), ("against_yesterday", 3)),
        *days(("against_yesterday", 4)),
        *MONTH,
    )
    assert sim.why(raw_sales) == "raw_sales because inbox saw inbox/2026-01-03/us.csv"
    assert sim.why(region_sales) == "region_sales because clean_sales changes"


def test_a_new_region_is_there_once_its_first_file_came(monday):
    sim = monday.emit(files.event("inbox/2026-01-05/ap.csv")).later("1m")
    only(
        sim,
        *("raw_sales[2026-01-05-ap]", "clean_sales[2026-01-05-ap]", "rejected_rows[2026-01-05-ap]"),
        *("region_sales[ap]", "region_letter[ap]", "complaint[ap]"),
        *days(("store_sales", 5), ("revenue", 5), ("against_yesterday", 5)),
        *days(("against_yesterday", 6)),
        *MONTH,
    )


def test_an_added_column_concerns_who_reads_all_of_them(monday):
    phone = tables.event("suppliers", added="phone")
    sim = monday.emit(phone).later("1m")
    only(sim, "stg_suppliers", "purchase_list")
    assert sim.why(stg_suppliers).startswith(
        "stg_suppliers because shop saw suppliers: column phone added"
    )
    assert sim.why(purchase_list) == "purchase_list because stg_suppliers changes"

    colour = tables.event("products", added="colour")
    sim.emit(colour).later("1m")
    only(sim)
    assert sim.status(colour) == "filtered"


def test_a_dropped_column_holds_its_readers_until_somebody_says_go(monday):
    held = ["stg_prices", "catalogue", "shop_page", "price_feed", "stock_value", "dashboard"]
    sim = monday.emit(tables.event("prices", removed="currency")).later("1m")
    only(sim)
    assert sim.held == held
    [told] = sim.alerts
    assert told.startswith("prices: column currency removed; stg_prices, catalogue, ")

    # Two nights and a file go by. Everything else goes on, and the month is added up; only the
    # dashboard waits for the value of the stock.
    sim.until("2026-01-07T06:00")
    rest = [name for name in NIGHT if name not in held]
    only(sim, *rest, *rest)
    sim.emit(files.event("inbox/2026-01-07/eu.csv")).later("1m")
    assert "dashboard" not in sim.ran
    assert "monthly_revenue[2026-01]" in sim.ran
    sim.ran.clear()

    # What was held runs once, whatever came meanwhile.
    sim.ack("prices").later("1m")
    only(sim, *held)
    assert sim.held == []
    assert sim.alerts[1:] == ["prices: hold 1 is over: acknowledged"]


def test_a_file_that_is_delivered_again_stops_where_it_came_in(monday):
    for content, more in (("some", True), ("some", False), ("other", True)):
        event, handle = delivered("inbox/2026-01-05/eu.csv", content)
        monday.on(raw_sales).returns(handle)
        monday.emit(event).later("1m")
        below = [
            *("clean_sales[2026-01-05-eu]", "rejected_rows[2026-01-05-eu]"),
            *("region_sales[eu]", "region_letter[eu]", "complaint[eu]"),
            *days(("store_sales", 5), ("revenue", 5), ("against_yesterday", 5)),
            *days(("against_yesterday", 6)),
            *MONTH,
        ]
        only(monday, "raw_sales[2026-01-05-eu]", *(below if more else ()))
    assert monday.stale == []


def test_a_failure_is_resumed_where_it_happened(monday):
    monday.on(clean_sales).fails(error="check it_has_a_name failed")
    sim = monday.emit(files.event("inbox/2026-01-06/us.csv")).later("1m")
    # What can be made of the file without it is made; the rest keeps what it had.
    only(
        sim,
        *("raw_sales[2026-01-06-us]", "clean_sales[2026-01-06-us]", "rejected_rows[2026-01-06-us]"),
        "complaint[us]",
    )
    assert sim.failed == ["clean_sales"]
    assert set(sim.blocked) == {
        *("store_sales", "revenue", "against_yesterday"),
        *("monthly_revenue", "tax_statement", "dashboard", "region_sales", "region_letter"),
    }
    [told] = sim.alerts
    assert told == "clean_sales[2026-01-06-us] failed after 1 attempt; 8 assets wait for it"

    sim.resume().later("1m")
    only(
        sim,
        *("clean_sales[2026-01-06-us]", "region_sales[us]", "region_letter[us]"),
        *days(("store_sales", 6), ("revenue", 6), ("against_yesterday", 6)),
        *days(("against_yesterday", 7)),
        *MONTH,
    )
    assert (sim.failed, sim.blocked) == ([], [])
    assert sim.alerts[1:] == ["clean_sales[2026-01-06-us] is well again"]


def test_a_customer_is_a_matter_of_that_customer(monday):
    monday.on(customers).returns(Output("lake/customers", changed=["bob"]))
    monday.on(segment).returns(Output("private", version="private"))
    monday.emit(signups.event(customer="bob", email="new@mail.example")).later("1h")
    everybody = ["segment_sizes", "dashboard"]
    only(monday, "customers", "profile[bob]", "segment[bob]", "welcome[bob]", *everybody)

    monday.emit(signups.event(customer="bob", email="newer@mail.example")).later("1h")
    only(monday, "customers", "profile[bob]", "segment[bob]")

    monday.on(customers).returns(Output("lake/customers", changed=[]))
    monday.emit(signups.event(customer="bob", email="newer@mail.example")).later("1h")
    only(monday, "customers")


def test_the_newsletter_goes_out_on_fridays_whatever_changes(monday):
    monday.until("2026-01-09T07:59")
    assert "newsletter" not in monday.launched
    monday.ran.clear()
    monday.until("2026-01-09T12:00")
    only(monday, "newsletter")


def test_all_of_it_in_one_life(monday):
    test_a_late_file_is_put_where_it_belongs(monday)
    test_a_new_region_is_there_once_its_first_file_came(monday)
    test_an_added_column_concerns_who_reads_all_of_them(monday)
    test_a_file_that_is_delivered_again_stops_where_it_came_in(monday)
    test_a_customer_is_a_matter_of_that_customer(monday)
    monday.restart(down="10m")
    test_a_dropped_column_holds_its_readers_until_somebody_says_go(monday)
    monday.alerts.clear()
    test_a_failure_is_resumed_where_it_happened(monday)
    assert monday.stale == []


def test_the_database_understands_the_queries():
    database = sqlite3.connect(":memory:")
    database.executescript(Path(__file__).with_name("tables.sql").read_text(encoding="utf-8"))
    made = [stg_products, stg_prices, stg_suppliers, stg_stock]
    for asset in (*made, catalogue, categories, stock_value, low_stock):
        database.execute(f"create table {asset.name} as {asset.options['sql']}")
    assert database.execute("select * from catalogue where id = 2").fetchall() == [
        (2, "lamp", "living", 45, "EUR")
    ]
    assert dict(database.execute("select * from stock_value")) == {"north": 1859, "south": 195}
    assert database.execute("select * from low_stock").fetchall() == [(1,)]
    database.close()


def test_the_functions_are_functions():
    assert it_has_a_name(clean_sales("inbox/2026-01-05/eu.csv", "2026-01-05-eu"))
    day = {"2026-01-05T07": {"orders": 3}, "2026-01-05T19": {"orders": 7}}
    assert busiest_hour(day, "2026-01-05") == "2026-01-05T19"
    events = [SimpleNamespace(data=SimpleNamespace(customer=name)) for name in ("bob", "ann")]
    assert list(customers(events).changed) == ["ann", "bob"]
    kinds = {"ann": "private", "bob": "private", "company-1": segment(None, "company-1")}
    assert segment_sizes(kinds) == {"business": 1, "private": 2}
