"""A page of documentation as data: its fenced blocks and its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPLIT = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is that of its first line."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table below `heading`; cells without backticks."""

    heading: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """The cells of a column, downwards."""
        at = self.head.index(name)
        return [row[at] for row in self.rows]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1)
        for found in _FENCE.finditer(text)
    ]


def headings(page: Path) -> list[str]:
    """The headings of a page, without backticks."""
    return [line.lstrip("# ").replace("`", "") for line in _prose(page) if line.startswith("#")]


def table(page: Path, heading: str, first: str = "") -> Table:
    """The first table below a heading; of several, the one whose first column is called `first`."""
    found = [each for each in _tables(page) if each.heading == heading]
    chosen = [each for each in found if first in ("", each.head[0])]
    assert chosen, f"{page.name} has no table {first!r} below {heading!r}"
    return chosen[0]


def _tables(page: Path) -> list[Table]:
    found: list[Table] = []
    heading, lines = "", []
    for line in [*_prose(page), ""]:
        if line.startswith("|"):
            lines.append(_cells(line))
            continue
        if lines:
            found.append(Table(heading, lines[0], tuple(lines[2:])))
            lines = []
        if line.startswith("#"):
            heading = line.lstrip("# ").replace("`", "")
    return found


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip().replace("`", "").replace("\\|", "|") for cell in _SPLIT.split(inner))


def _prose(page: Path) -> list[str]:
    """The lines outside fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8")).splitlines()
