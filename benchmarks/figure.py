"""Figures and the table they are printed in."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing. `aim` is what it should be; `met` is None where nothing is aimed at."""

    what: str
    value: str
    aim: str = ""
    met: bool | None = None
    note: str = ""


def spread(seconds: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile, in milliseconds."""
    ordered = sorted(seconds)
    last = min(len(ordered) - 1, round(len(ordered) * 0.99))
    return statistics.median(ordered) * 1e3, ordered[last] * 1e3


def shown(seconds: Sequence[float]) -> str:
    """`p50 / p99` in milliseconds."""
    median, tail = spread(seconds)
    return f"{median:.1f} / {tail:.1f} ms"


def publish(figures: Sequence[Figure], path: Path) -> None:
    """Prints the table and writes it as JSON."""
    table = Table(title="reactor benchmarks")
    for column in ("what", "figure", "aim", "met", "note"):
        table.add_column(column)
    for figure in figures:
        met = {True: "yes", False: "no", None: ""}[figure.met]
        table.add_row(figure.what, figure.value, figure.aim, met, figure.note)
    Console(width=130).print(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
