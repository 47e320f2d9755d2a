"""Three tables are loaded at night, each by its own clock; the report is made once, from all three.

To see it live:
    reactor dev examples/fan_in/pipeline.py
"""

from reactor import Pipeline, at_least
from sensors import FileArrivals, Schedule

night = Pipeline("night", owner="warehouse@shop.example", pools={"warehouse": 2})

nightly = Schedule("0 1 * * *", tz="Europe/Berlin", name="nightly")
exports = FileArrivals("exports/*.parquet")
rates = FileArrivals("rates/*.json")


@night.asset(on=nightly, pool="warehouse", retry=2)
def customers() -> str:
    return "warehouse.customers"


@night.asset(on=exports, pool="warehouse", retry=2)
def orders(events) -> dict:
    return {"table": "warehouse.orders", "files": [event.subject for event in events]}


@night.asset(on=rates)
def exchange_rates(event) -> str:
    return event.subject


# A report that only followed its upstreams would be made three times a night, twice from half of
# the night's data. So it has a trigger of its own (`follow=False`): all three, within a night. What
# is made twice counts once, and a table that failed, or was as before, was not made.
all_made = customers.materialized & orders.materialized & exchange_rates.materialized


@night.asset(on=all_made.within("8h"), follow=False)
def report(customers, orders, exchange_rates) -> dict:
    """Reads the newest of each, whatever else happens."""
    return {"from": [customers, orders["table"], exchange_rates]}


# Two of three are worth a draft, if the report is not there three hours later.
two_made = at_least(2, customers.materialized, orders.materialized, exchange_rates.materialized)


@night.asset(on=two_made.within("8h").unless(report.materialized, within="3h"))
def draft(context) -> str:
    return f"made in run {context.run}"


# Whatever the reason: a day and two hours without a report are worth a word to those who read it.
@night.asset(on=report.stale("26h"))
def apology(context) -> str:
    return f"sent in run {context.run}"
