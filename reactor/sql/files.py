"""Assets that are files: one query each, with what else is to be said in comments above it."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reactor.core.errors import DefinitionError
from reactor.core.graph import nearest
from reactor.sql.declared import beside


@dataclass(frozen=True, slots=True)
class Model:
    """An asset that no function declares."""

    name: str
    where: str
    doc: str = ""
    upstream: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=lambda: {})


_SAID = re.compile(r"--\s*([a-z_]+)\s*:\s*(.+?)\s*")
_WHOLE = frozenset({"retry", "priority"})
KEYS = (
    "owner", "table", "database", "dialect", "timeout", "retry", "pool", "priority",
)  # fmt: skip
"""What the comments above a query may say, as `-- key: value`."""


def sql_files(pattern: str, where: str) -> list[Model]:
    """One model for each file that matches, in the order of their paths.

    `pattern` is meant from the file of the declaration, or from the current folder; `**` is any
    number of folders. Raises: DefinitionError if there is none, or if two have one name.
    """
    near = str(beside(where, Path(".")) / pattern)
    paths = sorted(glob.glob(near, recursive=True)) or sorted(glob.glob(pattern, recursive=True))
    if not paths:
        hint = "say where the .sql files are, from this file or the current folder"
        raise DefinitionError(f"no file matches {pattern}", where=where, hint=hint)
    return [_model(Path(path)) for path in paths]


def _model(path: Path) -> Model:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path} cannot be read: {error}", where=f"{path}:1") from error
    options: dict[str, Any] = {"sql": path.absolute()}
    doc: list[str] = []
    for number, line in _comments(lines):
        said = _SAID.fullmatch(line)
        if said is None or (said[1] not in KEYS and not nearest(said[1], KEYS)):
            doc.append(line[2:].strip())
            continue
        key, value = said[1], said[2]
        if key not in KEYS:
            what = f"the comment says {key}, which is nothing an asset has"
            raise DefinitionError(what, where=f"{path}:{number}", hint=nearest(key, KEYS))
        options[key] = _value(key, value, f"{path}:{number}")
    return Model(path.stem, f"{path}:1", "\n".join(doc).strip(), options=options)


def _comments(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The comments above the query, with their lines."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("--"):
            return
        if text:
            yield number, text


def _value(key: str, text: str, where: str) -> Any:
    if key not in _WHOLE:
        return text
    try:
        return int(text)
    except ValueError:
        raise DefinitionError(f"{key} is {text!r}, which is no whole number", where=where) from None
