"""The pipeline of `reactor demo`: three branches, and one table that joins two of them.

    market    prices of shares from a Kafka topic
    weather   days in Seattle, from files that arrive in a folder
    jobs      employment in the United States, from a database whose tables gain columns

It is an ordinary pipeline on real data; `reactor demo` only plays the data to it. Every asset fills
a table of its own in results.db and returns a handle that says which.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby, pairwise
from pathlib import Path
from statistics import pstdev
from typing import Any
from zlib import crc32

from pydantic import BaseModel

from reactor import Pipeline, Retry
from sensors import FileArrivals, KafkaTopic, SchemaChanges

HOME = Path(".reactor/demo")
RESULTS = HOME / "results.db"
SOURCE = HOME / "jobs.db"
COMPANIES = HOME / "companies.json"


class Quote(BaseModel):
    """One message: what a share cost in a month."""

    symbol: str
    month: str
    price: float


demo = Pipeline("demo", owner="you@example.com")

quotes = KafkaTopic("stocks", model=Quote, name="quotes", start="earliest")
inbox = FileArrivals(HOME / "inbox" / "*.csv")
tables = SchemaChanges(f"sqlite:///{SOURCE}", every="50ms", baseline="announce")


@demo.asset(on=quotes)
def prices(events) -> dict[str, Any]:
    """Every price that was ever quoted; a later message about the same month corrects it."""
    rows = [(event.data.symbol, event.data.month, event.data.price) for event in events]
    return _add("prices", "symbol, month, price", rows, key="symbol, month")


@demo.asset
def returns(prices) -> dict[str, Any]:
    """What each share gained or lost in each month, in percent."""
    rows = []
    for symbol, months in _grouped("SELECT symbol, month, price FROM prices ORDER BY 1, 2"):
        for (_, _, before), (_, month, price) in pairwise(months):
            rows.append((symbol, month, round(100 * (price / before - 1), 2)))
    return _fill("returns", "symbol, month, percent", rows)


@demo.asset
def volatility(returns) -> dict[str, Any]:
    """How much each share swung in each year."""
    query = "SELECT symbol || substr(month, 1, 4), symbol, percent FROM returns ORDER BY 1"
    rows = [
        (year[0][1], year_of[-4:], round(pstdev(percent for *_, percent in year), 2))
        for year_of, year in _grouped(query)
    ]
    return _fill("volatility", "symbol, year, percent", rows)


@demo.asset(retry=Retry(6, backoff="300ms"))
def movers(returns) -> dict[str, Any]:
    """The twenty largest moves, by company. The names come from a file that is late."""
    names = json.loads(COMPANIES.read_text())
    query = "SELECT symbol, month, percent FROM returns ORDER BY abs(percent) DESC LIMIT 20"
    rows = [(names[symbol], month, percent) for symbol, month, percent in _read(query)]
    return _fill("movers", "company, month, percent", rows)


@demo.asset(on=inbox)
def days(events) -> dict[str, Any]:
    """One row a day, from the files that arrived."""
    rows = []
    for event in events:
        with Path(event.subject).open(newline="") as file:
            for day in csv.DictReader(file):
                numbers = (float(day[name]) for name in ("precipitation", "temp_max", "temp_min"))
                rows.append((day["date"].replace("/", "-"), *numbers, day["weather"]))
    return _add("days", "day, rain_mm, warmest, coldest, weather", rows, key="day")


@demo.asset
def monthly(days) -> dict[str, Any]:
    """Rain and temperatures by month."""
    rows = _read("""
        SELECT substr(day, 1, 7), round(sum(rain_mm), 1), sum(rain_mm > 0),
               round(avg(warmest), 1), round(avg(coldest), 1)
        FROM days GROUP BY 1 ORDER BY 1
    """)
    return _fill("monthly", "month, rain_mm, rainy_days, warmest, coldest", rows)


@demo.asset
def extremes(days) -> dict[str, Any]:
    """The hottest, the coldest and the wettest day."""
    measures = {"hottest": "warmest DESC", "coldest": "coldest", "wettest": "rain_mm DESC"}
    rows = [
        (name, *_read(f"SELECT day, {order.split()[0]} FROM days ORDER BY {order} LIMIT 1")[0])
        for name, order in measures.items()
    ]
    return _fill("extremes", "what, day, value", rows)


@demo.asset
def spells(days) -> dict[str, Any]:
    """The ten longest runs of days with rain, and without."""
    found = []
    weather = _read("SELECT rain_mm > 0, day FROM days ORDER BY day")
    for wet, run in groupby(weather, key=lambda row: row[0]):
        days = [day for _, day in run]
        found.append(("wet" if wet else "dry", days[0], len(days)))
    found.sort(key=lambda spell: (-spell[2], spell[1]))
    return _fill("spells", "kind, since, days", found[:10])


@demo.asset(on=tables)
def employment() -> dict[str, Any]:
    """Jobs by month and sector, from whatever columns the source has by now."""
    with closing(sqlite3.connect(SOURCE)) as source:
        cursor = source.execute("SELECT * FROM us_employment ORDER BY month")
        sectors = [column[0] for column in cursor.description[1:]]
        rows = [
            (month[:7], sector, thousands)
            for month, *values in cursor
            for sector, thousands in zip(sectors, values, strict=True)
        ]
    return _fill("employment", "month, sector, thousands", rows)


@demo.asset
def sectors(employment) -> dict[str, Any]:
    """What each sector gained or lost over the years."""
    rows = []
    query = "SELECT sector, month, thousands FROM employment ORDER BY 1, 2"
    for sector, months in _grouped(query):
        first, last = months[0][2], months[-1][2]
        rows.append((sector, first, last, round(100 * (last / first - 1), 1)))
    rows.sort(key=lambda row: row[3])
    return _fill("sectors", "sector, first, last, percent", rows)


# A new sector says nothing about the total: with an equal version, what reads it does not run.
@demo.asset(version="value")
def totals(employment) -> dict[str, Any]:
    """The change of all jobs in each month, in thousands."""
    rows = []
    months = _read("SELECT month, thousands FROM employment WHERE sector = 'nonfarm' ORDER BY 1")
    for (_, before), (month, now) in pairwise(months):
        rows.append((month, now - before))
    return _fill("totals", "month, change", rows)


@demo.asset
def headline(totals) -> dict[str, Any]:
    """The longest time in which jobs were lost, in a sentence."""
    losses: dict[str, list[tuple[str, float]]] = defaultdict(list)
    since = ""
    for month, change in _read("SELECT month, change FROM totals ORDER BY 1"):
        since = (since or month) if change < 0 else ""
        if since:
            losses[since].append((month, change))
    worst = max(losses.values(), key=len, default=[])
    lost = -sum(change for _, change in worst) / 1000
    text = f"{lost:.1f} million jobs lost from {worst[0][0]} to {worst[-1][0]}" if worst else ""
    return _fill("headline", "text", [(text,)])


@demo.asset
def jobs_and_prices(returns, totals) -> dict[str, Any]:
    """Month by month: jobs won or lost, and what shares did meanwhile."""
    percents = dict(_read("SELECT month, avg(percent) FROM returns GROUP BY 1"))
    rows = [
        (month, change, round(percents[month], 2))
        for month, change in _read("SELECT month, change FROM totals ORDER BY 1")
        if month in percents
    ]
    return _fill("jobs_and_prices", "month, jobs, percent", rows)


@demo.check(jobs_and_prices)
def the_months_match(jobs_and_prices) -> bool:
    """No month is there twice."""
    (counted, different), *_ = _read("SELECT count(*), count(DISTINCT month) FROM jobs_and_prices")
    return counted == different


@contextmanager
def _results() -> Iterator[sqlite3.Connection]:
    """One transaction on the results."""
    with closing(sqlite3.connect(RESULTS, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def _read(query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(RESULTS, timeout=30)) as connection:
        return connection.execute(query).fetchall()


def _grouped(query: str) -> Iterable[tuple[Any, Sequence[tuple[Any, ...]]]]:
    """The rows of a query, by their first column."""
    for key, rows in groupby(_read(query), key=lambda row: row[0]):
        yield key, list(rows)


def _fill(table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Replaces a table; answers the handle that tells of it."""
    with _results() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(f"CREATE TABLE {table} ({columns})")
        _insert(connection, "INSERT", table, columns, rows)
    return {"table": table, "rows": len(rows), "digest": f"{crc32(repr(rows).encode()):08x}"}


def _add(table: str, columns: str, rows: Sequence[tuple[Any, ...]], key: str) -> dict[str, Any]:
    """Adds rows to a table, in place of those with the same key."""
    with _results() as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({key}))")
        _insert(connection, "INSERT OR REPLACE", table, columns, rows)
        (held,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return {"table": table, "rows": held, "new": len(rows)}


def _insert(
    connection: sqlite3.Connection,
    verb: str,
    table: str,
    columns: str,
    rows: Sequence[tuple[Any, ...]],
) -> None:
    places = ", ".join("?" * len(columns.split(", ")))
    connection.executemany(f"{verb} INTO {table} ({columns}) VALUES ({places})", rows)
