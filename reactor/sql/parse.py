"""From the text of a query to its lineage. Needs the extra `sql`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from reactor.core.lineage import Lineage
from reactor.sql.expression import Unknown
from reactor.sql.relation import Catalogue, Table
from reactor.sql.resolve import Resolver

PARAMETERS = ("partition", "window_start", "window_end")
"""What a query may ask for as `:partition`."""


class QueryError(ValueError):
    """A text that is not the one query it should be: what is wrong, and at which line of it."""

    def __init__(self, what: str, line: int = 0, place: int = 0, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.line, self.place, self.hint = what, line, place, hint


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. `tables` are the names of all that it reads from, in the order written."""

    tree: exp.Expr
    dialect: str
    tables: tuple[str, ...]
    parameters: frozenset[str]


@lru_cache(maxsize=4_096)
def parsed(sql: str, dialect: str = "") -> Query:
    """The one query of a text.

    Raises: QueryError if there is none, or more than one, or something other than a query.
    """
    try:
        text, parameters = _without_parameters(sql, dialect)
        trees = [tree for tree in sqlglot.parse(text, dialect=dialect or None) if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        near = str(first.get("highlight") or "")
        what = str(first.get("description") or error).rstrip(".").rpartition(" / ")[2]
        if what.startswith("Required keyword"):
            what = "Something is missing here"
        said = f"{what[:1].lower()}{what[1:]}{f', at {near!r}' if near else ''}"
        hint = "" if dialect else "if your database understands it, say dialect="
        raise QueryError(said, first.get("line") or 0, first.get("col") or 0, hint) from error
    except (SqlglotError, RecursionError) as error:
        said = str(error).partition("\n")[0]
        raise QueryError(f"{said[:1].lower()}{said[1:]}") from error
    except ValueError as error:
        raise QueryError(str(error)) from error
    if not trees:
        raise QueryError("there is no query in it", hint="write a select")
    if len(trees) > 1:
        hint = "an asset is one select; put the others into assets of their own"
        raise QueryError(f"there are {len(trees)} statements in it", hint=hint)
    tree = trees[0]
    _only_reads(tree)
    names = dict.fromkeys(_tables(tree))
    return Query(tree, dialect, tuple(names), parameters)


def lineage(query: Query, catalogue: Catalogue) -> tuple[Lineage, list[Unknown]]:
    """What a query reads and derives, and the columns that it names and that are not there.

    Raises: QueryError if the query behind a view cannot be read.
    """
    resolver = Resolver(catalogue, query.dialect)
    try:
        return resolver.lineage(query.tree), list(resolver.unknown.values())
    except SqlglotError as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise QueryError(f"the query of a view cannot be read: {said}") from error


def lineage_of(
    sql: str,
    dialect: str = "",
    *,
    columns: Mapping[str, tuple[str, ...] | list[str]] | None = None,
    views: Mapping[str, str] | None = None,
    schema: str = "",
) -> Lineage:
    """The lineage of a query by itself.

    Args: `columns` has all columns of the tables whose columns are known; `views` the queries
    behind views; `schema` is where names without a schema are.

    Raises: QueryError if the text is no query.
    """
    tables = {name: Table(name, tuple(own), closed=True) for name, own in (columns or {}).items()}
    return lineage(parsed(sql, dialect), Catalogue(tables, views, schema))[0]


def parameter_places(sql: str, dialect: str) -> list[tuple[int, int, str]]:
    """Where a text has `:partition` and the like: start, end, name. Never in quotes or comments."""
    tokens = sqlglot.tokenize(sql, dialect=dialect or None)
    found: list[tuple[int, int, str]] = []
    for before, colon, name in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if (
            colon.token_type == TokenType.COLON
            and name.text in PARAMETERS
            and sql[colon.start : name.end + 1] == f":{name.text}"
            and not _slices(before, colon)
        ):
            found.append((colon.start, name.end + 1, name.text))
    return found


def unfilled(query: Query, sql: str) -> list[tuple[str, int, int]]:
    """The parameters of a query that are none of `PARAMETERS`: as written, line, column."""
    tokens = sqlglot.tokenize(sql, dialect=query.dialect or None)
    places: dict[str, int] = {}
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        places.setdefault(sql[token.start : token.end + 1], token.start)
        if after is not None:
            places.setdefault(sql[token.start : after.end + 1], token.start)
    found: dict[str, tuple[str, int, int]] = {}
    for node in query.tree.find_all(exp.Placeholder, exp.Parameter):
        if isinstance(node.parent, exp.Bracket):
            continue  # `list[:last]` is a slice
        named = node.name if node.this else ""
        for text in [mark + named for mark in _marks(query.dialect)] if named else ["?"]:
            if (at := places.get(text)) is not None:
                found[text] = text, sql.count("\n", 0, at) + 1, at - sql.rfind("\n", 0, at)
    return list(found.values())


def _marks(dialect: str) -> str:
    # In PostgreSQL `@a` is a number without its sign.
    return ":$@" if dialect in ("sqlite", "duckdb") else ":$"


def _slices(before: Token | None, colon: Token) -> bool:
    """Whether the colon hangs on what is before it, as in `list[1:partition]`."""
    return (
        before is not None
        and before.end + 1 == colon.start
        and before.token_type
        in (TokenType.NUMBER, TokenType.VAR, TokenType.COLON, TokenType.R_BRACKET)
    )


def _without_parameters(sql: str, dialect: str) -> tuple[str, frozenset[str]]:
    """The text with a literal of the same length where a parameter stands: not every dialect has
    parameters of this form."""
    parts: list[str] = []
    at = 0
    places = parameter_places(sql, dialect)
    for start, end, _ in places:
        parts += [sql[at:start], "'", "0" * (end - start - 2), "'"]
        at = end
    return "".join([*parts, sql[at:]]), frozenset(name for _, _, name in places)


def _only_reads(tree: exp.Expr) -> None:
    if not isinstance(tree, (exp.Query, exp.Subquery, exp.Values)):
        kind = tree.key if isinstance(tree, exp.Expr) else type(tree).__name__
        raise QueryError(f"it is no query but {kind.upper()}", hint="write a select")
    for node in tree.walk():
        if isinstance(node, (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into)):
            hint = "an asset's table is written by the asset, from what its select answers"
            raise QueryError(f"it writes ({node.key.upper()})", hint=hint)


def _tables(tree: exp.Expr) -> list[str]:
    """Every table that is named and may be no CTE."""
    return [
        ".".join(
            part.name
            for part in (table.args.get("catalog"), table.args.get("db"), table.this)
            if part is not None
        )
        for table in tree.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier)
    ]
