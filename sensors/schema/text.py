"""The schema that the head of a CSV or JSON lines file shows. Pure: bytes in, a schema out.

Names are exact; types are what the first rows show, carefully:

- CSV: `integer`, `number`, `boolean`, `date`, `timestamp` only where every value is written so that
  nothing is lost (`007` and `+1` are text); two kinds in one column make `number`, `timestamp` or
  `text`. Any column may be empty.
- JSON lines: the JSON type, several joined by ` | `; nullable if it was null or missing in a line.
- A column of which no value was seen is `unknown`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic_core import from_json

from reactor.core.contract import Column, TableSchema
from sensors.schema.ledger import UNKNOWN

HEAD_BYTES = 1024 * 1024
ROWS = 1000

_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_WRITTEN = {
    "integer": re.compile(r"-?(?:0|[1-9]\d{0,17})"),
    "number": re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?"),
    "boolean": re.compile(r"(?i:true|false)"),
    "date": re.compile(_DATE),
    "timestamp": re.compile(
        _DATE + r"[T ][012]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
    ),
}
_WIDER = (({"integer", "number"}, "number"), ({"date", "timestamp"}, "timestamp"))
_JSON = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    list: "array",
    dict: "object",
}


def csv_schema(head: bytes, cut: bool) -> TableSchema:
    """The schema of a CSV file, from its head.

    Args:
        cut: whether the file goes on after `head`, so that the last row may lack its end.

    Raises: ValueError if there is no header.
    """
    lines = head.decode("utf-8-sig", "replace").splitlines(keepends=True)
    if not lines:
        raise ValueError("it has no header")
    try:
        rows = list(islice(csv.reader(lines, delimiter=_delimiter(lines[0])), ROWS + 1))
    except csv.Error as error:
        raise ValueError(f"it is not CSV: {error}") from error
    if cut and len(rows) > 1:
        rows.pop()
    seen: list[set[str]] = [set() for _ in rows[0]]
    for row in rows[1:]:
        for kinds, cell in zip(seen, row, strict=False):
            if value := cell.strip():
                kinds.add(_kind(value))
    names = _unique(rows[0])
    return TableSchema(
        tuple(Column(name, _joined(kinds)) for name, kinds in zip(names, seen, strict=True))
    )


def json_lines_schema(head: bytes, cut: bool) -> TableSchema:
    """The schema of a JSON lines file, from its head; lines that are no JSON object do not count.

    Args:
        cut: whether the file goes on after `head`, so that the last line may lack its end.

    Raises: ValueError if no line is an object.
    """
    lines = head.split(b"\n")
    if cut:
        lines.pop()
    objects = list(islice(_objects(lines), ROWS))
    if not objects:
        raise ValueError("none of its first lines is a JSON object")
    kinds: dict[str, set[str]] = {}
    filled: dict[str, int] = {}
    for one in objects:
        for name, value in one.items():
            known = kinds.setdefault(name, set())
            if value is not None:
                known.add(_JSON[type(value)])
                filled[name] = filled.get(name, 0) + 1
    return TableSchema(
        tuple(
            Column(name, _listed(known), filled.get(name, 0) < len(objects))
            for name, known in kinds.items()
        )
    )


def _delimiter(header: str) -> str:
    """The one of the usual delimiters that the header has most of outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=bare.count)


def _unique(names: Iterable[str]) -> Iterator[str]:
    """Each name once: an empty one says its place, a repeated one which of its kind it is."""
    taken: set[str] = set()
    for at, name in enumerate(names, 1):
        base = only = name.strip() or f"column {at}"
        again = 1
        while only in taken:
            again += 1
            only = f"{base} ({again})"
        taken.add(only)
        yield only


def _kind(value: str) -> str:
    return next((kind for kind, form in _WRITTEN.items() if form.fullmatch(value)), "text")


def _joined(kinds: set[str]) -> str:
    if len(kinds) < 2:
        return next(iter(kinds), UNKNOWN)
    return next((wider for both, wider in _WIDER if kinds == both), "text")


def _listed(kinds: set[str]) -> str:
    if kinds == {"integer", "number"}:
        return "number"
    return " | ".join(sorted(kinds)) or UNKNOWN


def _objects(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            value = from_json(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
