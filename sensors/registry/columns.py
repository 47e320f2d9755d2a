"""Fields of nested records as the columns of a table, by dotted names. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from reactor.core.contract import Column, TableSchema
from sensors.registry.schema import Unusable

VALUE = "value"
"""The one column of a schema that is no record."""
ANY = "any"
_MOST = 10_000


class Columns:
    """Columns as they are found, each name once.

    A field of a record that may be null, or that is one of several, may be null itself. A name that
    is found twice (in two branches of a union) has the types of both.
    """

    def __init__(self) -> None:
        self._types: dict[str, set[str]] = {}
        self._nullable: dict[str, bool] = {}
        self._numbers: dict[str, int] = {}
        self._taken: set[int] = set()

    def add(self, name: str, types: Iterable[str], nullable: bool, origin: str = "") -> None:
        """Notes a column.

        Args:
            origin: by what its number goes, which outlives a rename; none if empty.

        Raises: Unusable if there are too many.
        """
        self._types.setdefault(name, set()).update(types)
        self._nullable[name] = self._nullable.get(name, False) or nullable
        if len(self._types) > _MOST:
            raise Unusable(f"it has more than {_MOST} fields")
        if origin:
            number = int.from_bytes(sha256(origin.encode()).digest()[:6], "big")
            if number not in self._taken:
                self._taken.add(number)
                self._numbers[name] = number

    def table(self, identity: str | None = None) -> TableSchema:
        """All of them, in the order in which they were found."""
        return TableSchema(
            tuple(
                Column(name, either(types) or ANY, self._nullable[name], self._numbers.get(name))
                for name, types in self._types.items()
            ),
            identity=identity,
        )


def either(types: Iterable[str]) -> str:
    """Several types as one text."""
    return " | ".join(sorted(set(types)))
