"""What the demo says that it shows, and whether that is so: looked up, not assumed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from reactor.demo.pipeline import RESULTS, quotes
from reactor.demo.stage import Story
from reactor.store import Reading

MARKET = frozenset({"prices", "returns", "volatility", "movers"})
WEATHER = frozenset({"days", "monthly", "extremes", "spells"})
JOBS = frozenset({"employment", "sectors", "totals", "headline"})
BOTH = frozenset({"jobs_and_prices"})
AFFECTED = {"Kafka": MARKET | BOTH, "file": WEATHER, "schema": JOBS | BOTH}


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, and what speaks against it; nothing if it holds."""

    text: str
    against: str = ""


@dataclass(slots=True)
class Round:
    """What happened: a story for each act, and how many good messages were sent."""

    stories: list[Story] = field(default_factory=lambda: [])
    messages: int = 0

    def of(self, kind: str) -> list[Story]:
        """The stories of one kind of act."""
        return [story for story in self.stories if story.act and story.act.kind == kind]


async def claims(done: Round, read: Reading) -> list[Claim]:
    """Every claim of the demo about one round."""
    return [
        _only(done, "Kafka", "Kafka messages launched the market's assets and jobs_and_prices"),
        _only(done, "file", "files launched the weather's assets"),
        _only(done, "schema", "schema changes launched the jobs' assets and jobs_and_prices"),
        _unchanged(done),
        _retried(done),
        await _each_once(done, read),
        await _dead(read),
        _tables(),
    ]


def _only(done: Round, kind: str, text: str) -> Claim:
    stories = done.of(kind)
    said = f"{text}, and nothing else ({len(stories)} times)"
    for story in stories:
        planned = {asset for scene in story.scenes for asset in scene.assets}
        if planned != AFFECTED[kind]:
            return Claim(said, f"it planned {', '.join(sorted(planned)) or 'nothing'}")
    return Claim(said) if stories else Claim(said, "there was none")


def _unchanged(done: Round) -> Claim:
    text = "a new column left alone what reads only the total: an equal version stops there"
    last = done.of("schema")[-1]
    ended = {asset for scene in last.scenes for asset in scene.having("unchanged")}
    missing = {"headline", "jobs_and_prices"} - ended
    return Claim(text, f"{', '.join(sorted(missing))} ran" if missing else "")


def _retried(done: Round) -> Claim:
    text = "movers failed, was tried again, and succeeded once its file was there"
    for story in done.of("Kafka"):
        for scene in story.scenes:
            tried = [asset for asset, _ in scene.retries]
            if "movers" in tried and "movers" in scene.having("materialized"):
                return Claim(text)
    return Claim(text, "it was not tried again")


async def _each_once(done: Round, read: Reading) -> Claim:
    text = f"each of {done.messages} messages became one event"
    rows: list[int] = []
    before: int | None = None
    while found := await read.events(sensor=quotes.name, before=before, limit=500):
        rows += [row["seq"] for row in found]
        before = rows[-1]
    return Claim(text, "" if len(rows) == done.messages else f"there are {len(rows)} events")


async def _dead(read: Reading) -> Claim:
    text = "the message that was cut off is kept as a dead letter, and reading went on"
    letters = await read.dead_letters(sensor=quotes.name)
    return Claim(text, "" if len(letters) == 1 else f"there are {len(letters)} dead letters")


def _tables() -> Claim:
    held = table_sizes()
    empty = [table for table, rows in held.items() if not rows]
    missing = sorted((MARKET | WEATHER | JOBS | BOTH) - held.keys())
    text = f"{len(held)} tables are filled, one for each asset"
    return Claim(text, f"{', '.join([*missing, *empty])} is not" if missing or empty else "")


def table_sizes() -> dict[str, int]:
    """The tables of results and their rows."""
    with closing(sqlite3.connect(RESULTS)) as results:
        names = results.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
        )
        return {
            name: results.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in names.fetchall()
        }


def latencies(stories: Sequence[Story]) -> list[tuple[float, float]]:
    """The seconds to the first line of code where they are known: all of them, and ours."""
    known = [story for story in stories if story.latency is not None]
    return [(story.latency or 0.0, story.ours or 0.0) for story in known]
