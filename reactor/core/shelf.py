"""What leaves ask of one place in an event, looked up by the value that is there.

Law: by a value, exactly the candidates are found whose way (way.py) holds of it. Of a value whose
equality and order are not known here, all are found, with all of their conditions to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, Generic, TypeVar

from reactor.core.event import Event
from reactor.core.interval import Interval, Intervals
from reactor.core.place import MISSING, Get
from reactor.core.prefix import Prefixes
from reactor.core.value import Kind, kind_of, plain, spelled
from reactor.core.way import Begins, Equal, Way, Within

T = TypeVar("T")

_BY_EQUALITY_ONLY = frozenset({NoneType, tuple, bytes, frozenset})
_EQUAL_TO_NO_KEY = frozenset({list, dict})


def finder(
    get: Get, entries: Iterable[tuple[Way, T]], unknown: Callable[[], Sequence[T]]
) -> Callable[[Event], Sequence[T]]:
    """A function that finds the candidates of an event by one place, which it reads once.

    Each candidate is found once; what is found is not to be changed. It raises what reading the
    place raises. Args: `unknown` answers all of them, to be asked everything. Cost of the function:
    O(log n, and how many are found).
    """
    shelf = Shelf(entries, unknown)
    equal, texts, numbers, dated = shelf.equal, shelf.texts, shelf.numbers, shelf.dated

    def find(event: Event) -> Sequence[T]:
        value: object = get(event)
        # The two kinds of value that are most looked for are spared all other questions.
        kind = type(value)
        if kind is str and not dated:
            more = texts
        elif kind is float or kind is int:
            more = numbers
        else:
            return shelf.holding(value)
        found = equal.get(value, ())
        if more is None:
            return found
        return [*found, *more(value)] if found else more(value)

    return find


class Shelf(Generic[T]):
    """The candidates by the values that they look for."""

    def __init__(
        self, entries: Iterable[tuple[Way, T]], unknown: Callable[[], Sequence[T]]
    ) -> None:
        self._unknown = unknown
        self.equal: dict[Any, list[T]] = {}
        self._moments: dict[datetime, list[T]] = {}
        prefixes: list[tuple[str, T]] = []
        ranges: dict[Kind, list[tuple[Interval, T]]] = {}
        spelled_ranges: list[tuple[Interval, T]] = []
        for way, item in entries:
            match way:
                case Equal(keys=keys):
                    for key, moment in keys:
                        self.equal.setdefault(key, []).append(item)
                        if moment is not None:
                            self._moments.setdefault(moment, []).append(item)
                case Begins(prefix=prefix):
                    prefixes.append((prefix, item))
                case Within(kind=kind, interval=interval, moments=moments):
                    ranges.setdefault(kind, []).append((interval, item))
                    if moments is not None:
                        spelled_ranges.append((moments, item))
        held: dict[Kind, Callable[[Any], list[T]]] = {
            kind: Intervals(each).holding for kind, each in ranges.items()
        }
        self.numbers, self._spans = held.get("number"), held.get("span")
        self._instants = held.get("instant")
        self._spelled = Intervals(spelled_ranges).holding
        self.texts = _both(Prefixes(prefixes).of if prefixes else None, held.get("text"))
        self.dated = bool(self._instants) or any(isinstance(key, datetime) for key in self.equal)

    def holding(self, value: object) -> Sequence[T]:
        """The candidates that look for a value."""
        if value is MISSING:
            return ()
        value = plain(value)
        match kind_of(value):
            case "text":
                return self._text(str(value))
            case "number":
                return self._found(value, self.numbers)
            case "span":
                return self._found(value, self._spans)
            case "instant" if isinstance(value, datetime):
                moments = self._moments.get(value, ())
                return self._dated(value, [*moments, *self._spelled(value)])
            case _:
                return self._odd(value)

    def _found(self, value: object, more: Callable[[Any], list[T]] | None) -> Sequence[T]:
        found = self.equal.get(value, ())
        return found if more is None else [*found, *more(value)]

    def _text(self, value: str) -> Sequence[T]:
        found = self._found(value, self.texts)
        moment = spelled(value) if self.dated else None
        return found if moment is None else self._dated(moment, found)

    def _dated(self, moment: datetime, found: Sequence[T]) -> Sequence[T]:
        """With what is found by an instant: by a text and by the instant it may be the same."""
        both = (*found, *self._found(moment, self._instants))
        return [*{id(each): each for each in both}.values()]

    def _odd(self, value: object) -> Sequence[T]:
        if type(value) in _EQUAL_TO_NO_KEY:
            return ()
        if type(value) in _BY_EQUALITY_ONLY:
            try:
                return self.equal.get(value, ())
            except TypeError:
                pass  # a tuple with a list in it
        return self._unknown()


def _both(
    one: Callable[[Any], list[T]] | None, other: Callable[[Any], list[T]] | None
) -> Callable[[Any], list[T]] | None:
    if one is None or other is None:
        return one or other
    return lambda value: [*one(value), *other(value)]
