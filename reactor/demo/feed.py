"""What the demo lets happen: real data, piece by piece, to a topic, a folder and a database.

The data comes with the package vega_datasets: prices of shares, the weather of Seattle, employment
in the United States. It is read as plain files; the package itself is not imported.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from anyio import to_thread

from reactor.core.errors import ReactorError
from reactor.demo.broker import EXTRA
from reactor.demo.pipeline import COMPANIES, HOME, SOURCE, inbox, quotes, tables

TOPIC = quotes.topics[0]
TABLE = "us_employment"
BURST_UNTIL = "2007-12"
"""The months up to this one come in one burst; the others, one by one."""

_NAMES = {
    "AAPL": "Apple",
    "AMZN": "Amazon",
    "GOOG": "Google",
    "IBM": "IBM",
    "MSFT": "Microsoft",
}
_BROKEN = b'{"symbol": "MSFT", "month": "2008-01", "pri'


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happened: `at` (seconds since 1970) just before others could see it.

    `events` is how many events the sensor should make of it; 0 for what can become none. `timed`
    says whether the time from it to its run means anything: a burst has no one instant.
    """

    kind: str
    sensor: str
    text: str
    at: float
    events: int
    timed: bool = True


def installed() -> Path:
    """The folder with the data.

    Raises: ReactorError, naming the extra that brings it.
    """
    found = find_spec("vega_datasets")
    for folder in (found.submodule_search_locations or ()) if found else ():
        data = Path(folder) / "_data"
        if data.is_dir():
            return data
    raise ReactorError("the demo needs the package vega_datasets, for its data", hint=EXTRA)


@dataclass(slots=True)
class Feed:
    """What has not happened yet, and how to let it happen."""

    producer: AIOKafkaProducer
    quotes: list[tuple[str, list[dict[str, Any]]]]
    files: list[tuple[str, str]]
    columns: list[str]
    messages: int = 0
    """How many good messages were sent."""

    async def burst(self) -> Act:
        """All prices up to the end of 2007, as fast as they can be sent."""
        months = [each for each in self.quotes if each[0] <= BURST_UNTIL]
        self.quotes = self.quotes[len(months) :]
        sent = [quote for _, each in months for quote in each]
        at = await self._send(sent)
        text = (
            f"{len(sent)} messages in topic {TOPIC}: prices from {months[0][0]} to {months[-1][0]}"
        )
        return Act("Kafka", quotes.name, text, at, len(sent), timed=False)

    async def month(self) -> Act:
        """The prices of the next month."""
        month, sent = self.quotes.pop(0)
        at = await self._send(sent)
        text = f"{len(sent)} messages in topic {TOPIC}: the prices of {month}"
        return Act("Kafka", quotes.name, text, at, len(sent))

    async def broken(self) -> Act:
        """A message that was cut off."""
        at = time.time()
        await self.producer.send_and_wait(TOPIC, _BROKEN)
        return Act("Kafka", quotes.name, f"a message that was cut off: {_BROKEN.decode()}", at, 0)

    async def file(self) -> Act:
        """The weather of the next month: written elsewhere, then moved into the folder."""
        name, text = self.files.pop(0)
        at = await to_thread.run_sync(_arrive, name, text)
        days = text.count("\n") - 1
        return Act("file", inbox.name, f"{HOME}/inbox/{name}: {days} days of weather", at, 1)

    async def table(self) -> Act:
        """The table of employment, with its first columns."""
        at = await to_thread.run_sync(_create_table)
        text = f"table {TABLE} created in {SOURCE.name}, with 120 months"
        return Act("schema", tables.name, text, at, 1)

    async def column(self) -> Act:
        """One more sector, as a column that was not there before."""
        column = self.columns.pop(0)
        at = await to_thread.run_sync(_add_column, column)
        text = f"column {column} added to {TABLE} in {SOURCE.name}"
        return Act("schema", tables.name, text, at, 1)

    async def companies(self) -> None:
        """The file of names, which `movers` waits for."""
        await to_thread.run_sync(_replace, COMPANIES, json.dumps(_NAMES, indent=2))

    async def _send(self, sent: Sequence[dict[str, Any]]) -> float:
        at = time.time()
        for quote in sent:
            key = quote["symbol"].encode()
            await self.producer.send(TOPIC, json.dumps(quote).encode(), key)
        await self.producer.flush()
        self.messages += len(sent)
        return at


@asynccontextmanager
async def feed(servers: str) -> AsyncIterator[Feed]:
    """A feed that sends its messages to `servers`."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=0)
    await producer.start()
    try:
        yield Feed(producer, _quotes(), _weather(), _sectors())
    finally:
        await producer.stop()


def prepare() -> None:
    """An empty inbox and an empty database, for the sensors to find."""
    (HOME / "inbox").mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(SOURCE)) as source:
        # Without anything in it SQLite would leave no file.
        source.execute("PRAGMA user_version = 1")


def _rows(name: str) -> list[dict[str, str]]:
    with (installed() / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _quotes() -> list[tuple[str, list[dict[str, Any]]]]:
    months: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows("stocks.csv"):
        month = datetime.strptime(row["date"], "%b %d %Y").strftime("%Y-%m")  # noqa: DTZ007 - a month
        price = float(row["price"])
        months[month].append({"symbol": row["symbol"], "month": month, "price": price})
    return sorted(months.items())


def _weather() -> list[tuple[str, str]]:
    lines = (installed() / "seattle-weather.csv").read_text(encoding="utf-8").splitlines()
    months: dict[str, list[str]] = defaultdict(list)
    for line in lines[1:]:
        months[line[:7].replace("/", "-")].append(line)
    return [(f"{month}.csv", "\n".join([lines[0], *days]) + "\n") for month, days in months.items()]


def _sectors() -> list[str]:
    first = ("month", "nonfarm", "private", "nonfarm_change")
    return [column for column in _rows("us-employment.csv")[0] if column not in first]


def _arrive(name: str, text: str) -> float:
    unfinished = HOME / f"{name}.part"
    unfinished.write_text(text, encoding="utf-8")
    at = time.time()
    os.replace(unfinished, HOME / "inbox" / name)
    return at


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def _create_table() -> float:
    rows = [(row["month"], row["nonfarm"], row["private"]) for row in _rows("us-employment.csv")]
    with closing(sqlite3.connect(SOURCE, isolation_level=None)) as source:
        source.execute("BEGIN IMMEDIATE")
        source.execute(f"CREATE TABLE {TABLE} (month TEXT PRIMARY KEY, nonfarm REAL, private REAL)")
        source.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?)", rows)
        source.execute("COMMIT")
        return time.time()


def _add_column(column: str) -> float:
    rows = [(row[column], row["month"]) for row in _rows("us-employment.csv")]
    with closing(sqlite3.connect(SOURCE, isolation_level=None)) as source:
        source.execute("BEGIN IMMEDIATE")
        source.execute(f'ALTER TABLE {TABLE} ADD COLUMN "{column}" REAL')
        source.executemany(f'UPDATE {TABLE} SET "{column}" = ? WHERE month = ?', rows)
        source.execute("COMMIT")
        return time.time()
