"""What writing a table owes, whatever database it is in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from reactor.core.errors import StepError
from reactor.sql.statement import Statement

NEW = "_reactor_new"
"""The temporary table that a query's answer is put into before anything is replaced."""


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt at a statement: where, and for which partition.

    `values` are the parameters that the query names, by name; `start` and `end` are set if the
    partition is a window of time.
    """

    statement: Statement
    url: str
    values: Mapping[str, Any] = field(default_factory=lambda: {})
    partition: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def replaces_a_part(self) -> bool:
        """Whether only the rows of one partition are replaced."""
        return bool(self.statement.partition_column) and self.partition is not None


class Writing(Protocol):
    """One attempt, in a thread. Readers of the table see its old rows or its new ones.

    `perform` answers how many rows were written. It raises StepError, and then the table is as it
    was. `interrupt` may be called from any thread and as often as one likes: it makes `perform`
    raise soon, unless that has committed.
    """

    backend: ClassVar[str]

    def __init__(self, order: Order) -> None: ...

    def perform(self) -> int: ...

    def interrupt(self) -> None: ...


class Stop:
    """A flag that one thread raises and another looks at while it waits."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        """Raises the flag."""
        self._asked.set()

    def wait(self, seconds: float) -> None:
        """Waits so long. Raises: StepError as soon as the flag is raised."""
        if self._asked.wait(seconds):
            raise StepError("was interrupted")


def quoted(name: str, mark: str = '"') -> str:
    """A table's name, each part of it in quotes: `sales.orders` is `"sales"."orders"`."""
    return ".".join(mark + part.replace(mark, mark * 2) + mark for part in name.split("."))


def belongs(order: Order, type_: str, value: str) -> tuple[str, list[Any]]:
    """The condition by which a row is one of the partition, and its parameters.

    Args: `type_` is the column's, in lower case; `value` the mark of a parameter. A window of time
    is one of instants where the column has a time of day, and of days where it has not.

    Raises: StepError if the column is too coarse for the window.
    """
    column = quoted(order.statement.partition_column)
    if order.start is None or order.end is None or not type_.startswith(("date", "timestamp")):
        return f"{column} = {value}", [order.partition]
    start, end = order.start, order.end
    if type_.startswith("timestamp") or type_ == "datetime":
        if "with time zone" not in type_ and type_ != "timestamptz":
            start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
        return f"({column} >= {value} AND {column} < {value})", [start, end]
    if end.date() <= start.date():
        name = order.statement.partition_column
        what = f"{name} is a date, and the partition {order.partition} is shorter than a day"
        raise StepError(what, hint="let the partition column have the time of day")
    return f"({column} >= {value} AND {column} < {value})", [start.date(), end.date()]


def strays(order: Order, count: int) -> StepError:
    """The query answered rows that are not of the partition."""
    column = order.statement.partition_column
    what = f"{count} of its rows are not of the partition {order.partition} by {column}"
    return StepError(what, hint=f"filter the query by {column}, with :partition or :window_start")


def missing(order: Order) -> StepError:
    """The query's answer has no partition column."""
    column = order.statement.partition_column
    return StepError(f"its answer has no column {column}, which tells partitions apart")
