"""Predicates on events that stay readable, checkable and indexable.

`field.amount > 1_000` is a value, not a result: the engine reads it to build its index, `check`
compares it with the sensor's model, and the story prints it. `field` looks into the payload, `meta`
at the envelope. A comparison with something that is missing, or of another type, is false.

Knows: paths, comparisons, how to evaluate them. Refuses to know: rules, sensors, state.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NoReturn, cast

from reactor.core.event import Event

Step = str | int
Root = Literal["field", "meta"]
Test = Callable[[Event], bool]
Get = Callable[[Event], Any]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


@dataclass(frozen=True, slots=True)
class Path:
    """Where in an event a value lies: `field.customer.tags[0]`, `meta.key`."""

    root: Root
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        text: str = self.root
        for step in self.steps:
            text += f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
        return text

    def getter(self) -> Get:
        """A function from an event to the value here, or MISSING."""
        steps = self.steps
        if self.root == "meta":
            return _meta_getter(steps)
        if len(steps) == 1:
            only = steps[0]
            return lambda event: _descend(event.data, only)

        def walk(event: Event) -> Any:
            value = event.data
            for step in steps:
                value = _descend(value, step)
                if value is MISSING:
                    return MISSING
            return value

        return walk


def _meta_getter(steps: tuple[Step, ...]) -> Get:
    match steps:
        case ("header", str(name)):
            return lambda event: event.headers.get(name, MISSING)
        case (str(attribute),) if attribute in META:
            return operator.attrgetter(attribute)
        case _:
            shown = str(Path("meta", steps))
            raise ValueError(f"meta has {', '.join(META)} and header['name'], not {shown}")


def _descend(value: Any, step: Step) -> Any:
    if isinstance(step, int):
        items = cast("list[Any]", value) if isinstance(value, (list, tuple)) else []
        return items[step] if -len(items) <= step < len(items) else MISSING
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).get(step, MISSING)
    if isinstance(value, (str, bytes, int, float, list, tuple, set)) or value is None:
        return MISSING
    found = getattr(value, step, MISSING)
    return MISSING if callable(found) else found


class Predicate:
    """Something that holds or does not hold of one event. Combine with `&`, `|`, `~`."""

    __slots__ = ()

    def __and__(self, other: Any) -> Predicate:
        return All((*_parts(self, All), *_parts(predicate_of(other), All)))

    def __rand__(self, other: Any) -> Predicate:
        return predicate_of(other) & self

    def __or__(self, other: Any) -> Predicate:
        return AnyOf((*_parts(self, AnyOf), *_parts(predicate_of(other), AnyOf)))

    def __ror__(self, other: Any) -> Predicate:
        return predicate_of(other) | self

    def __invert__(self) -> Predicate:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a predicate has no truth value of its own: combine with &, |, ~")

    def test(self) -> Test:
        """A function that evaluates this predicate; it raises only what a callable raises."""
        raise TypeError("a predicate is a comparison, &, |, ~ or a callable")


def _parts(predicate: Predicate, kind: type[All] | type[AnyOf]) -> tuple[Predicate, ...]:
    return predicate.parts if isinstance(predicate, kind) else (predicate,)


def _contains(value: Any, item: Any) -> bool:
    return item in value


def _within(value: Any, items: Any) -> bool:
    return value in items


def _between(value: Any, bounds: Any) -> bool:
    low, high = bounds
    return low <= value <= high


def _starts(value: Any, prefix: Any) -> bool:
    return isinstance(value, str) and value.startswith(prefix)


def _matches(value: Any, pattern: Any) -> bool:
    return isinstance(value, str) and re.search(pattern, value) is not None


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": _within,
    "between": _between,
    "contains": _contains,
    "startswith": _starts,
    "matches": _matches,
}


@dataclass(frozen=True, slots=True)
class Compare(Predicate):
    """One comparison of the value at a path with a constant."""

    path: Path
    op: str
    value: Any

    def __str__(self) -> str:
        if self.op in ("between", "contains", "startswith", "matches"):
            shown = ", ".join(map(repr, self.value)) if self.op == "between" else repr(self.value)
            return f"{self.path}.{self.op}({shown})"
        return f"{self.path} {self.op} {self.value!r}"

    def test(self) -> Test:
        get, compare, constant = self.path.getter(), _OPERATORS[self.op], self.value

        def holds(event: Event) -> bool:
            value = get(event)
            if value is MISSING:
                return False
            try:
                return bool(compare(value, constant))
            except TypeError:
                return False

        return holds


@dataclass(frozen=True, slots=True)
class Exists(Predicate):
    """The path leads to a value; `null` says which: any, only null, or only not null."""

    path: Path
    null: bool | None = None

    def __str__(self) -> str:
        return f"{self.path}.exists()" if self.null is None else f"{self.path}.is_null()"

    def test(self) -> Test:
        get, null = self.path.getter(), self.null
        if null is None:
            return lambda event: get(event) is not MISSING
        return lambda event: (get(event) is None) is null


@dataclass(frozen=True, slots=True)
class All(Predicate):
    """Every part holds."""

    parts: tuple[Predicate, ...]

    def __str__(self) -> str:
        return " & ".join(_bracketed(part) for part in self.parts)

    def test(self) -> Test:
        tests = [part.test() for part in self.parts]
        return lambda event: all(test(event) for test in tests)


@dataclass(frozen=True, slots=True)
class AnyOf(Predicate):
    """At least one part holds."""

    parts: tuple[Predicate, ...]

    def __str__(self) -> str:
        return " | ".join(_bracketed(part) for part in self.parts)

    def test(self) -> Test:
        tests = [part.test() for part in self.parts]
        return lambda event: any(test(event) for test in tests)


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """The part does not hold."""

    part: Predicate

    def __str__(self) -> str:
        return f"~{_bracketed(self.part)}"

    def test(self) -> Test:
        inner = self.part.test()
        return lambda event: not inner(event)


@dataclass(frozen=True, slots=True)
class Callback(Predicate):
    """A plain function of the event; it must be pure, and it is not indexed."""

    function: Callable[[Event], Any]

    def __str__(self) -> str:
        return named(self.function)

    def test(self) -> Test:
        function = self.function
        return lambda event: bool(function(event))


def _bracketed(predicate: Predicate) -> str:
    return f"({predicate})" if isinstance(predicate, (All, AnyOf, Compare)) else str(predicate)


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
        return Field(Path(self._path.root, (*self._path.steps, step)))

    def __str__(self) -> str:
        return str(self._path)

    def __eq__(self, other: object) -> Predicate:  # type: ignore[override]
        return Compare(self._path, "==", other)

    def __ne__(self, other: object) -> Predicate:  # type: ignore[override]
        return Compare(self._path, "!=", other)

    def __lt__(self, other: Any) -> Predicate:
        return Compare(self._path, "<", other)

    def __le__(self, other: Any) -> Predicate:
        return Compare(self._path, "<=", other)

    def __gt__(self, other: Any) -> Predicate:
        return Compare(self._path, ">", other)

    def __ge__(self, other: Any) -> Predicate:
        return Compare(self._path, ">=", other)

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

    def isin(self, items: Sequence[Any]) -> Predicate:
        """The value is one of `items`."""
        return Compare(self._path, "in", tuple(items))

    def between(self, low: Any, high: Any) -> Predicate:
        """`low <= value <= high`."""
        return Compare(self._path, "between", (low, high))

    def contains(self, item: Any) -> Predicate:
        """The value, a list, a mapping or text, contains `item`."""
        return Compare(self._path, "contains", item)

    def startswith(self, prefix: str) -> Predicate:
        """The value is text that begins with `prefix`."""
        return Compare(self._path, "startswith", prefix)

    def matches(self, pattern: str) -> Predicate:
        """The value is text in which the regular expression `pattern` is found."""
        re.compile(pattern)
        return Compare(self._path, "matches", pattern)

    def exists(self) -> Predicate:
        """The payload has this place, whatever its value."""
        return Exists(self._path)

    def is_null(self) -> Predicate:
        """The value is there and is null."""
        return Exists(self._path, null=True)


META = ("id", "source", "type", "subject", "time", "received", "key")
"""What `meta` offers beside `header["name"]`."""

field: Any = Field(Path("field"))
meta: Any = Field(Path("meta"))


def path_of(place: Any) -> Path | None:
    """The path a `field...` expression stands for, or None if it is something else."""
    return place._path if isinstance(place, Field) else None  # pyright: ignore[reportPrivateUsage]


def predicate_of(condition: Any) -> Predicate:
    """A predicate from what a user may write in `where`: a predicate or a callable.

    Raises: TypeError for anything else, with the reason.
    """
    if isinstance(condition, Predicate):
        return condition
    if isinstance(condition, Field):
        raise TypeError(f"{condition} alone is not a condition: compare it, or use .exists()")
    if callable(condition):
        return Callback(condition)
    raise TypeError(
        f"where takes a predicate on field or a function of the event, not {condition!r}"
    )


def named(function: Callable[..., Any]) -> str:
    """What a function is called, the same in every process."""
    if isinstance(function, partial):
        return f"partial({named(cast('Callable[..., Any]', function.func))})"
    return getattr(function, "__qualname__", type(function).__qualname__)


def conjuncts(predicate: Predicate) -> tuple[Predicate, ...]:
    """The parts that must all hold; the predicate itself if it is not a conjunction."""
    return predicate.parts if isinstance(predicate, All) else (predicate,)


def paths_in(predicate: Predicate) -> tuple[Compare | Exists, ...]:
    """Every comparison in a predicate, in the order written."""
    match predicate:
        case Compare() | Exists():
            return (predicate,)
        case All(parts) | AnyOf(parts):
            return tuple(found for part in parts for found in paths_in(part))
        case Not(part):
            return paths_in(part)
        case _:
            return ()
