"""What the commands print: tables, JSON, complaints; the same words and colours everywhere.

On a terminal a table fits its width; in a pipe nothing is cut and nothing is coloured. Texts come
from outside: what could steer a terminal is shown, not sent.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from reactor.cli.complaint import readable

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def commands(help: str | None = None) -> typer.Typer:
    """A group of commands, or a single one, whose help is plain text."""
    return typer.Typer(
        help=help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


COLOURS = {
    "accepted": "cyan",
    "fired": "magenta",
    "planned": "blue",
    "started": "blue",
    "running": "blue",
    "pending": "blue",
    "materialized": "green",
    "succeeded": "green",
    "unchanged": "dim",
    "retried": "yellow",
    "retrying": "yellow",
    "blocked": "yellow",
    "held": "yellow",
    "failed": "red",
    "dead": "red",
    "alerted": "red",
    "cancelled": "dim",
    "skipped": "dim",
    "superseded": "dim",
}
"""The one vocabulary, in colours."""

_GAP = 2
_NARROWEST = 20
"""A column that is narrower does not go on below itself."""


@cache
def out() -> Console:
    """What is asked for."""
    return Console(highlight=False, emoji=False, markup=False)


@cache
def err() -> Console:
    """What went wrong, and remarks that are not part of an answer."""
    return Console(stderr=True, highlight=False, emoji=False, markup=False)


Cell = str | Text


def styled(text: object, style: str) -> Text:
    """A text from outside, made safe, in a style."""
    return Text(readable(text), style)


def coloured(word: str, text: str | None = None) -> Text:
    """A word of the vocabulary (or a text that stands for it) in its colour."""
    return styled(word if text is None else text, COLOURS.get(word, ""))


def folded(headers: Sequence[str], rows: Iterable[Sequence[Cell]], empty: str = "") -> None:
    """A table whose last column, on a terminal, goes on below itself rather than be cut."""
    cells = [list(row) for row in rows]
    taken = [
        max(cell_len(str(each)) for each in (header, *(row[at] for row in cells)))
        for at, header in enumerate(headers[:-1])
    ]
    room = out().width - sum(taken) - 2 * len(taken) if out().is_terminal else 0
    lines: list[Sequence[Cell]] = []
    for row in cells:
        last = readable(row[-1])
        first, *more = textwrap.wrap(last, room) or [""] if room >= _NARROWEST else [last]
        lines.append([*row[:-1], first])
        lines.extend([*([""] * (len(row) - 1)), text] for text in more)
    table(headers, lines, empty)


def explained(asset: Mapping[str, Any]) -> tuple[Cell, Cell, Cell]:
    """One asset of all, and why it runs or does not, as a row of a table."""
    word, colour = _WORDS[asset["word"]]
    return Text(asset["asset"], colour), word, asset["because"]


_WORDS = {
    "runs": ("runs", "green"),
    "later": ("is decided", "yellow"),
    "pruned": ("does not run", "dim"),
}


def run_rows(runs: Sequence[Mapping[str, Any]]) -> list[tuple[Cell, ...]]:
    """Runs in brief, for a table of run, status, when, because."""
    return [
        (str(run["id"]), coloured(run["status"]), ago(run["created"]), run["because"])
        for run in runs
    ]


def say(*parts: str | Text) -> None:
    """Prints a line of the answer; a text of several lines keeps them."""
    line = Text()
    for part in parts:
        safe = part if isinstance(part, Text) else "\n".join(map(readable, part.split("\n")))
        line.append(safe)
    out().print(line, soft_wrap=True)


def remark(text: str) -> None:
    """Prints a line that is not part of the answer."""
    err().print(Text(readable(text), "dim"), soft_wrap=True)


def show_json(value: Any) -> None:
    """Prints one JSON document; in a stream of them, each on a line of its own."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def show_json_line(value: Any) -> None:
    """Prints one JSON document on one line, at once."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def done(answer: Mapping[str, Any], as_json: bool) -> None:
    """Prints what the service says of an order that it took."""
    if as_json:
        show_json(answer)
    else:
        say(answer["done"])


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], empty: str = "") -> None:
    """Prints aligned columns; on a terminal the last one gives way. Without rows, `empty`."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    if not cells:
        if empty:
            remark(empty)
        return
    head = [Text(header, "dim") for header in headers]
    lines = [head, *cells]
    widths = [max(cell_len(line[at].plain) for line in lines) for at in range(len(headers))]
    width = out().width if out().is_terminal else None
    for line in lines:
        out().print(_line(line, widths, width), soft_wrap=True)


def _cell(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(readable(cell))


def _line(cells: Sequence[Text], widths: Sequence[int], width: int | None) -> Text:
    line = Text()
    for at, (cell, size) in enumerate(zip(cells, widths, strict=True)):
        last = at == len(cells) - 1
        line.append(cell)
        if not last:
            line.append(" " * (size - cell_len(cell.plain) + _GAP))
    if width is not None:
        line.truncate(width, overflow="ellipsis")
    line.rstrip()
    return line


def facts(pairs: Mapping[str, Cell | None]) -> None:
    """Prints names and values below each other, leaving out what is not known."""
    known = {name: value for name, value in pairs.items() if value not in (None, "")}
    size = max((len(name) for name in known), default=0)
    for name, value in known.items():
        say(Text(f"{name:<{size + _GAP}}", "dim"), value or "")


def ago(at: str | None) -> str:
    """How long ago an instant was, briefly."""
    if not at:
        return ""
    return f"{span((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())} ago"


def between(start: str | None, end: str | None) -> str:
    """How long it was from one instant to another, if both are known."""
    if not start or not end:
        return ""
    return span((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def span(seconds: float) -> str:
    """A length of time, briefly: `3.2 ms`, `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `4 d`."""
    seconds = max(0.0, seconds)
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{hours // 24} d"


def count(n: int, noun: str) -> str:
    """`1 asset`, `3 assets`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
