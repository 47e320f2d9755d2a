"""The parameters of a query, in the form that a driver takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reactor.core.errors import StepError
from reactor.sql.parse import parameter_places


def filled(
    sql: str, dialect: str, values: Mapping[str, Any], mark: str
) -> tuple[str, dict[str, Any]]:
    """The query with `mark` (`$name`, `:name`, `%(name)s`) for its parameters, and their values.

    Raises: StepError if it asks for something that this step does not have.
    """
    text = sql.strip().rstrip(";")
    places = parameter_places(text, dialect)
    parts: list[str] = []
    used: dict[str, Any] = {}
    at = 0
    percent = mark.startswith("%") and bool(places)
    for start, end, name in places:
        if values.get(name) is None:
            what = f"its SQL asks for :{name}, and the step has none"
            raise StepError(what, hint="say partitions=Daily(...), or another kind of partitions")
        used[name] = values[name]
        parts += [_literal(text[at:start], percent), mark.replace("{}", name)]
        at = end
    return "".join([*parts, _literal(text[at:], percent)]), used


def _literal(text: str, percent: bool) -> str:
    return text.replace("%", "%%") if percent else text
