"""A column that comes, data that uses it, and the order in which they do."""

from datetime import timedelta

import pytest
from pipeline import currency_of_old_orders, orders, shop, tables

from reactor.testing import START

pytestmark = pytest.mark.pipeline(shop)


def the_column_comes():
    return tables.event("orders", added="currency")


def order(number, currency=None, time=None):
    return orders.event(order_id=number, amount=9.5, currency=currency, time=time)


def test_a_column_alone_fills_nothing_in(sim):
    sim.emit(the_column_comes()).later("1d").emit(order(1)).later("1d")
    assert sim.launched == []


def test_the_first_order_with_a_currency_after_the_column_does(sim):
    sim.emit(the_column_comes()).later("1d").emit(order(1), order(2, "EUR")).later("1h")
    assert sim.launched == ["currency_of_old_orders", "revenue_by_currency"]
    assert sim.why(currency_of_old_orders) == (
        "currency_of_old_orders because shop saw orders and orders saw orders/0"
    )


def test_it_is_done_once_not_for_every_order(sim):
    sim.emit(the_column_comes()).later("1d")
    for number in range(5):
        sim.emit(order(number, "EUR")).later("1m")
    assert sim.launched.count("currency_of_old_orders") == 1


def test_a_currency_before_the_column_does_not_count(sim):
    sim.emit(order(1, "EUR")).later("1h").emit(the_column_comes()).later("1d")
    assert sim.launched == []
    sim.emit(order(2, "EUR"))
    assert sim.launched == ["currency_of_old_orders", "revenue_by_currency"]


def test_an_order_that_was_made_before_the_column_and_comes_after_it_does_not_count(sim):
    sim.later("1h").emit(the_column_comes()).later("1m")
    sim.emit(order(1, "EUR", time=START + timedelta(minutes=30)))
    assert sim.launched == []


def test_another_column_is_nothing_to_us(sim):
    sim.emit(tables.event("orders", added="colour")).emit(order(1, "EUR"))
    assert sim.launched == []


def test_a_month_later_nobody_waits_any_more(sim):
    sim.emit(the_column_comes()).later("31d").emit(order(1, "EUR"))
    assert sim.launched == []


def test_what_waits_for_the_data_survives_a_restart(sim):
    sim.emit(the_column_comes()).restart(down="1d").emit(order(1, "EUR"))
    assert sim.launched == ["currency_of_old_orders", "revenue_by_currency"]


def test_a_column_that_goes_away_is_told_at_once(sim):
    sim.emit(tables.event("orders", removed="currency"))
    assert sim.launched == ["note_to_the_shop_team"]


def test_the_events_come_to_the_function_in_the_order_in_which_they_came():
    first = order(7, "EUR")
    made = currency_of_old_orders([the_column_comes(), first])
    assert made == {"table": "orders", "since": 7}
