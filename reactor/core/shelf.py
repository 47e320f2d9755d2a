"""What leaves ask of one place in an event, looked up by the value that is there.

Law: by a value, exactly the candidates are found whose way (way.py) holds of it. Of a value whose
equality and order are not known here, all are found, with all of their conditions to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, Generic, TypeVar, cast

from reactor.core.event import Event
from reactor.core.interval import Interval, Intervals
from reactor.core.place import MISSING, Get
from reactor.core.prefix import Prefixes
from reactor.core.value import SIMPLE, Kind, kind_of, plain, spelled
from reactor.core.way import Begins, Equal, Way, Within

T = TypeVar("T")

_BY_EQUALITY_ONLY = frozenset({NoneType, tuple, bytes, frozenset})
_EQUAL_TO_NO_KEY = frozenset({list, dict})


class Shelf(Generic[T]):
    """The candidates that are found by one place, which is read once for an event."""

    def __init__(
        self, get: Get, entries: Iterable[tuple[Way, T]], unknown: Callable[[], Sequence[T]]
    ) -> None:
        self._get, self._unknown = get, unknown
        self._equal: dict[Any, list[T]] = {}
        self._moments: dict[datetime, list[T]] = {}
        prefixes: list[tuple[str, T]] = []
        ranges: dict[Kind, list[tuple[Interval, T]]] = {}
        spelled_ranges: list[tuple[Interval, T]] = []
        for way, item in entries:
            match way:
                case Equal(keys=keys):
                    for key, moment in keys:
                        self._equal.setdefault(key, []).append(item)
                        if moment is not None:
                            self._moments.setdefault(moment, []).append(item)
                case Begins(prefix=prefix):
                    prefixes.append((prefix, item))
                case Within(kind=kind, interval=interval, moments=moments):
                    ranges.setdefault(kind, []).append((interval, item))
                    if moments is not None:
                        spelled_ranges.append((moments, item))
        self._prefixes = Prefixes(prefixes) if prefixes else None
        self._ranges = {kind: Intervals(each) for kind, each in ranges.items()}
        self._spelled = Intervals(spelled_ranges)
        self._dated = "instant" in ranges or any(isinstance(key, datetime) for key in self._equal)
        self._plain = not (self._dated or prefixes or ranges)
        self._numbers = self._ranges.get("number")

    def find(self, event: Event) -> Sequence[T]:
        """The candidates of an event, each once; raises what reading the place raises.

        Cost: O(log n, and how many there are).
        """
        value = self._get(event)
        kind = cast("type[object]", type(value))
        if self._plain and kind in SIMPLE:
            return self._equal.get(value, ())
        if kind is float or kind is int:
            return self._number(value)
        if value is MISSING:
            return ()
        value = plain(value)
        match kind_of(value):
            case "number":
                return self._number(value)
            case "text":
                return self._text(value)
            case "instant":
                return self._instant(value)
            case "span" if "span" in self._ranges:
                return [*self._equal.get(value, ()), *self._ranges["span"].holding(value)]
            case "span":
                return self._equal.get(value, ())
            case _:
                return self._odd(value)

    def _number(self, value: Any) -> Sequence[T]:
        found = self._equal.get(value)
        # Nothing compares with what does not equal itself (NaN).
        more = self._numbers.holding(value) if self._numbers and value == value else ()
        return [*found, *more] if found else more

    def _text(self, value: str) -> Sequence[T]:
        found = [*self._equal.get(value, ())]
        if self._prefixes is not None:
            found += self._prefixes.of(value)
        if "text" in self._ranges:
            found += self._ranges["text"].holding(value)
        moment = spelled(value) if self._dated else None
        if moment is None:
            return found
        found += self._equal.get(moment, ())
        if "instant" in self._ranges:
            found += self._ranges["instant"].holding(moment)
        return [*dict.fromkeys(found)]

    def _instant(self, value: datetime) -> Sequence[T]:
        found = [*self._equal.get(value, ()), *self._moments.get(value, ())]
        if "instant" in self._ranges:
            found += self._ranges["instant"].holding(value)
        found += self._spelled.holding(value)
        return [*dict.fromkeys(found)]

    def _odd(self, value: Any) -> Sequence[T]:
        if type(value) in _EQUAL_TO_NO_KEY:
            return ()
        if type(value) in _BY_EQUALITY_ONLY:
            try:
                return self._equal.get(value, ())
            except TypeError:
                pass  # a tuple with a list in it
        return self._unknown()
