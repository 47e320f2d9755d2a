"""What a user writes predicates with: `field` looks into the payload, `meta` at the envelope.

`field.amount > 1_000` is a value, not a result: the engine reads it to build its index, `check`
compares it with the sensor's model, and the story prints it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from reactor.core.pattern import searcher
from reactor.core.place import Path, Step
from reactor.core.predicate import AnyItem, Callback, Compare, Exists, Predicate, compared


class Field:
    """A place in the event, written as an attribute path; comparing it makes a predicate."""

    __slots__ = ("_path",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):
            raise AttributeError(name)
        return Field(Path(self._path.root, (*self._path.steps, name)))

    def __getitem__(self, step: Step) -> Field:
        if not isinstance(step, (str, int)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{self}[...] takes a name or the number of an item, not {step!r}")
        return Field(Path(self._path.root, (*self._path.steps, step)))

    def __str__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        return str(self._path)

    def __eq__(self, other: object) -> Predicate:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> Predicate:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: Any) -> Predicate:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Predicate:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Predicate:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Predicate:
        return self._compare(">=", other)

    def _compare(self, op: str, value: Any) -> Predicate:
        several: Iterable[Any] = value if op in ("in", "between") else (value,)
        if any(isinstance(each, (Field, Predicate)) for each in several):
            raise TypeError(
                f"{self} is compared with constants only: of two places write a function,"
                " where(lambda event: event.data.a == event.data.b)"
            )
        return Compare(self._path, op, value)

    def __bool__(self) -> bool:
        raise TypeError(f"{self} has no truth value: compare it, or write {self}.exists()")

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self} is a place, not a value: write {self}.contains(...) or .isin(...)")

    def __contains__(self, item: object) -> NoReturn:
        self.__iter__()

    def _refuse(self, _other: Any) -> NoReturn:
        raise TypeError(
            f"compare {self} in parentheses, ({self} == ...) & (...): & and | bind tighter than =="
        )

    __and__ = __rand__ = __or__ = __ror__ = _refuse

    def isin(self, items: Iterable[Any]) -> Predicate:
        """The value is one of `items`."""
        if isinstance(items, (str, bytes)):
            raise TypeError(f"{self}.isin takes a list of values: isin([{items!r}])")
        # A set has another order in every process, and the text of a rule must not.
        ordered = sorted(items, key=repr) if isinstance(items, (set, frozenset)) else items
        return self._compare("in", tuple(ordered))

    def between(self, low: Any, high: Any) -> Predicate:
        """`low <= value <= high`."""
        return self._compare("between", (low, high))

    def contains(self, item: Any) -> Predicate:
        """The value, a list, a mapping or text, contains `item`."""
        return self._compare("contains", item)

    def any(self, condition: Any) -> Predicate:
        """An item of the list here satisfies `condition`, in which `field` is the item."""
        if not isinstance(condition, Predicate):
            raise TypeError(
                f"{self}.any takes a comparison on field, which is then the item:"
                f" {self}.any(field.name == 'x'), {self}.any(field > 5)"
            )
        if self._path.root == "meta" or any(True for _ in _outside(condition)):
            raise TypeError(f"{self}.any looks at items of the payload: meta and functions cannot")
        return AnyItem(self._path, condition)

    def startswith(self, prefix: str) -> Predicate:
        """The value is text that begins with `prefix`."""
        if not isinstance(prefix, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{self}.startswith takes one text, not {prefix!r}")
        return self._compare("startswith", prefix)

    def matches(self, pattern: str) -> Predicate:
        """The value is text in which the regular expression `pattern` (RE2's syntax) is found."""
        if not isinstance(pattern, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{self}.matches takes a regular expression as text, not {pattern!r}")
        searcher(pattern)
        return self._compare("matches", pattern)

    def exists(self) -> Predicate:
        """The payload has this place, whatever its value."""
        return Exists(self._path)

    def is_true(self) -> Predicate:
        """The value is true."""
        return Compare(self._path, "==", True)

    def is_false(self) -> Predicate:
        """The value is false."""
        return Compare(self._path, "==", False)

    def is_null(self) -> Predicate:
        """The value is there and is null."""
        return Exists(self._path, null=True)


field: Any = Field(Path("field"))
meta: Any = Field(Path("meta"))


def _outside(condition: Predicate) -> Iterable[Predicate]:
    """The parts of a predicate that look at something else than the item they are about."""
    yield from (each for each in compared(condition) if each.path.root == "meta")
    if isinstance(condition, Callback):
        yield condition
    for part in condition.parts:
        yield from _outside(part)


def path_of(place: Any) -> Path | None:
    """The path a `field...` expression stands for, or None if it is something else."""
    return place._path if isinstance(place, Field) else None  # pyright: ignore[reportPrivateUsage]
