"""What the demo says at the beginning and at the end."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.text import Text

from reactor.cli.complaint import readable
from reactor.cli.screen import span
from reactor.cli.theatre import Theatre
from reactor.demo import feed
from reactor.demo.claims import Claim, Round, latencies
from reactor.demo.pipeline import HOME, RESULTS, SOURCE

_PYTHON = """python3 -c 'import sqlite3 as s, sys; a = sys.argv
for row in s.connect(a[1]).execute(a[2]): print(*row)'"""
LOOK = (
    "SELECT text FROM headline",
    "SELECT * FROM movers LIMIT 3",
    "SELECT * FROM extremes",
    "SELECT * FROM jobs_and_prices ORDER BY jobs LIMIT 3",
)


def introduce(theatre: Theatre, address: str, took: float, remark: str) -> None:
    """What there is, where it is, and how long it took to come up."""
    intro = ": 13 assets in three branches. Real events come in; watch which of them run."
    theatre.say(Text.assemble(("reactor demo", "bold"), intro))
    theatre.say()
    theatre.facts(
        {
            "quotes": f"Kafka topic {feed.TOPIC} at {address}, on a small broker of our own",
            "inbox": f"files that arrive in {HOME}/inbox",
            "jobs": f"tables in {SOURCE}, whose columns change",
            "page": theatre.url,
            "metrics": f"{theatre.url}/metrics",
        }
    )
    if remark:
        theatre.say(Text(f"  {remark}", "yellow"))
    theatre.say(Text(f"  all of it up in {span(took)}", "dim"))


def summary(done: Round, found: list[Claim], sizes: dict[str, int], well: bool) -> dict[str, Any]:
    """All of it as data."""
    acts = [
        {
            "kind": story.act.kind,
            "what": story.act.text,
            "launched": story.launched,
            "first_line_ms": round(story.latency * 1000, 2) if story.latency else None,
        }
        for story in done.stories
        if story.act is not None
    ]
    held = [{**asdict(claim), "holds": not claim.against} for claim in found]
    return {"ok": well, "claims": held, "acts": acts, "tables": sizes, "folder": str(HOME)}


def show(theatre: Theatre, done: Round, sizes: dict[str, int], once: bool) -> None:
    """What came of it: latencies, tables, and what to do next."""
    _show_latencies(theatre, done)
    if sizes:
        _show_tables(theatre, sizes)
    _show_next(theatre, once)


def _title(theatre: Theatre, text: str) -> None:
    theatre.say()
    theatre.say(Text(text, "bold"))


def show_claims(theatre: Theatre, found: list[Claim]) -> None:
    """Each claim of the round, and whether it holds."""
    _title(theatre, "What it claims, looked up afterwards")
    for claim in found:
        mark = Text("✗", "bold red") if claim.against else Text("✓", "green")
        against = f": {claim.against}" if claim.against else ""
        theatre.row(mark, Text(readable(f"{claim.text}{against}")))


def _show_latencies(theatre: Theatre, done: Round) -> None:
    rows: dict[str, str] = {}
    for kind, happened in (("Kafka", "sent"), ("file", "moved in"), ("schema", "committed")):
        seconds = latencies(done.of(kind))
        if seconds:
            whole, ours = (span(median(part)) for part in zip(*seconds, strict=True))
            text = f"{whole} after it was {happened}, {ours} after its sensor had it"
            rows[kind] = f"{text}; the rest is the small broker's" if kind == "Kafka" else text
    if rows:
        _title(theatre, "The first line of an asset's code was reached")
        theatre.facts(rows)


def _show_tables(theatre: Theatre, sizes: dict[str, int]) -> None:
    _title(theatre, "What the assets made of it")
    shown = {"tables": ", ".join(f"{name} {rows:,}" for name, rows in sizes.items())}
    with closing(sqlite3.connect(RESULTS)) as results:
        for query in LOOK:
            try:
                rows = results.execute(query).fetchall()
            except sqlite3.OperationalError:
                continue  # its asset has not run yet
            name = query.partition("FROM ")[2].split()[0]
            shown[name] = "\n".join("  ".join(map(str, row)) for row in rows)
    theatre.facts(shown)


def _show_next(theatre: Theatre, once: bool) -> None:
    _title(theatre, "Look at it yourself")
    tool = "sqlite3" if shutil.which("sqlite3") else _PYTHON
    more = "reactor demo" if once else "reactor init DIR"
    for command in (
        f'{tool} {RESULTS} "SELECT * FROM volatility"',
        f"{more}  # {'the same, until Ctrl-C, with its page' if once else 'begin one of your own'}",
    ):
        theatre.command(command)
