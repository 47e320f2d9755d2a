"""Names in a query, as the database knows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlglot import exp

EXACT = frozenset({"postgres", "materialize", "risingwave"})
"""The dialects in which a quoted name differs from one in another case."""


class Names:
    """Reads names from the tree of a query in one dialect."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def _name(self, node: Any) -> str:
        """A name as the database knows it."""
        text: str = node if isinstance(node, str) else node.name
        quoted = isinstance(node, exp.Identifier) and node.args.get("quoted")
        return text if quoted and self._dialect in EXACT else text.lower()

    def _qualifier(self, node: exp.Column) -> tuple[str, ...]:
        parts = (node.args.get("catalog"), node.args.get("db"), node.args.get("table"))
        return tuple(self._name(part) for part in parts if part is not None)

    def _alias(self, node: exp.Expr) -> str:
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            return self._name(alias.this) if alias.this is not None else ""
        return self._name(alias) if alias is not None else ""

    def _alias_columns(self, node: exp.Expr) -> list[str]:
        alias = node.args.get("alias")
        listed: Iterable[Any] = (
            alias.args.get("columns") or () if isinstance(alias, exp.TableAlias) else ()
        )
        return [
            self._name(each.this if isinstance(each, exp.ColumnDef) else each) for each in listed
        ]
