"""Predicates: what holds, or does not hold, of one event, as values.

Knows: comparisons and how they combine, how to evaluate them, and how to say why one does not hold.
Refuses to know: rules, sensors, state. A comparison with something that is missing, or of another
type, is false.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from reactor.core.event import Event
from reactor.core.place import MISSING, Get, Path
from reactor.core.value import judge

Test = Callable[[Event], bool]

SHOWN = 80
"""How many characters of a value are shown where a predicate is explained."""

TOLD = 200
"""How many characters of a predicate are shown there: it may be a list of thousands."""


class Build:
    """How the parts of a predicate become functions; an index shares what several have."""

    def get(self, path: Path) -> Get:
        """A function from an event to the value at a path."""
        return path.getter()

    def test(self, predicate: Predicate) -> Test:
        """A function that evaluates a part."""
        return predicate.test(self)


ALONE = Build()


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

    @property
    def parts(self) -> Sequence[Predicate]:
        """What it is made of."""
        return ()

    def test(self, build: Build = ALONE) -> Test:
        """A function that evaluates this predicate; it raises only what a user's code raises."""
        raise TypeError("a predicate is a comparison, &, |, ~ or a callable")

    def why_not(self, event: Event) -> str | None:
        """Why it does not hold of an event, in a sentence; None if it holds. Raises nothing."""
        try:
            if self.test()(event):
                return None
        except Exception as error:  # noqa: BLE001 - a user's code
            return self._raised(event, f"{type(error).__name__}: {error}")
        return self._refusal(event)

    def _refusal(self, event: Event) -> str:
        """Why it does not hold, given that it does not."""
        return f"{brief(self)} is false"

    def _raised(self, event: Event, error: str) -> str:
        """What raised the error that it raised."""
        for part in self.parts:
            try:
                part.test()(event)
            except Exception as raised:  # noqa: BLE001 - a user's code
                return part._raised(event, f"{type(raised).__name__}: {raised}")
        return f"{brief(self)} raised {error}"


def _parts(predicate: Predicate, kind: type[All] | type[AnyOf]) -> tuple[Predicate, ...]:
    return predicate.parts if isinstance(predicate, kind) else (predicate,)


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

    def test(self, build: Build = ALONE) -> Test:
        get, holds = build.get(self.path), judge(self.op, self.value)

        def test(event: Event) -> bool:
            value = get(event)
            return value is not MISSING and holds(value)

        return test

    def _refusal(self, event: Event) -> str:
        return _seen(self, self.path, event)


@dataclass(frozen=True, slots=True)
class Exists(Predicate):
    """The path leads to a value; if `null`, to null."""

    path: Path
    null: bool = False

    def __str__(self) -> str:
        return f"{self.path}.is_null()" if self.null else f"{self.path}.exists()"

    def test(self, build: Build = ALONE) -> Test:
        get = build.get(self.path)
        if self.null:
            return lambda event: get(event) is None
        return lambda event: get(event) is not MISSING

    def _refusal(self, event: Event) -> str:
        return _seen(self, self.path, event)


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a list in the place of an event."""

    data: Any


@dataclass(frozen=True, slots=True)
class AnyItem(Predicate):
    """At least one item of the list at a path satisfies a predicate, in which `field` is the item.

    Of nothing, and of what is no list, tuple or set, it is false.
    """

    path: Path
    predicate: Predicate

    def __str__(self) -> str:
        return f"{self.path}.any({self.predicate})"

    def test(self, build: Build = ALONE) -> Test:
        # The items of one list are no events: what is shared by event does not hold for them.
        get, holds = build.get(self.path), cast("Callable[[Any], bool]", self.predicate.test())
        return lambda event: any(holds(Item(item)) for item in _items(get(event)))

    def _refusal(self, event: Event) -> str:
        value = self.path.getter()(event)
        if not isinstance(value, (list, tuple, set, frozenset)):
            return _seen(self, self.path, event)
        number = len(_items(value))
        return f"{brief(self)} is false of {f'all {number} items' if number else 'an empty list'}"


def _items(value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        return ()
    return tuple(cast("Iterable[Any]", value))


@dataclass(frozen=True, slots=True)
class All(Predicate):
    """Every part holds."""

    parts: tuple[Predicate, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    def __str__(self) -> str:
        return " & ".join(_bracketed(part) for part in self.parts)

    def test(self, build: Build = ALONE) -> Test:
        return every([build.test(part) for part in self.parts])

    def _refusal(self, event: Event) -> str:
        return next(why for part in self.parts if (why := part.why_not(event)) is not None)


@dataclass(frozen=True, slots=True)
class AnyOf(Predicate):
    """At least one part holds."""

    parts: tuple[Predicate, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    def __str__(self) -> str:
        return " | ".join(_bracketed(part) for part in self.parts)

    def test(self, build: Build = ALONE) -> Test:
        tests = [build.test(part) for part in self.parts]
        return lambda event: any(test(event) for test in tests)

    def _refusal(self, event: Event) -> str:
        return "; ".join(why for part in self.parts if (why := part.why_not(event)) is not None)


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """The part does not hold."""

    part: Predicate

    def __str__(self) -> str:
        return f"~{_bracketed(self.part)}"

    @property
    def parts(self) -> Sequence[Predicate]:
        return (self.part,)

    def test(self, build: Build = ALONE) -> Test:
        inner = build.test(self.part)
        return lambda event: not inner(event)

    def _refusal(self, event: Event) -> str:
        if isinstance(self.part, (Compare, Exists, AnyItem)):
            return _seen(self, self.part.path, event)
        if isinstance(self.part, Callback):
            return f"the function {self.part} said yes"
        return f"{brief(self)} is false"


@dataclass(frozen=True, slots=True)
class Callback(Predicate):
    """A plain function of the event; it must be pure, and it is not indexed."""

    function: Callable[[Event], Any]

    def __str__(self) -> str:
        return named(self.function)

    def test(self, build: Build = ALONE) -> Test:
        function = self.function
        return lambda event: bool(function(event))

    def _refusal(self, event: Event) -> str:
        return f"the function {self} said no"

    def _raised(self, event: Event, error: str) -> str:
        return f"the function {self} raised {error}"


def every(tests: Sequence[Test]) -> Test:
    """A function that asks tests one after the other, as long as they hold."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        one, two = tests
        return lambda event: one(event) and two(event)

    def holds(event: Event) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost as much as the tests
            if not test(event):
                return False
        return True

    return holds


def _seen(predicate: Predicate, path: Path, event: Event) -> str:
    value = path.getter()(event)
    if value is MISSING:
        return f"{path} is missing"
    return f"{brief(predicate)} is false: it is {_cut(repr(value), SHOWN)}"


def brief(predicate: Predicate) -> str:
    """The text of a predicate, or its beginning."""
    return _cut(str(predicate), TOLD)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def _bracketed(predicate: Predicate) -> str:
    return f"({predicate})" if isinstance(predicate, (All, AnyOf, Compare)) else str(predicate)


def predicate_of(condition: Any) -> Predicate:
    """A predicate from what a user may write in `where`: a predicate or a callable.

    Raises: TypeError for anything else, with the reason.
    """
    if isinstance(condition, Predicate):
        return condition
    if callable(condition):
        return Callback(condition)
    raise TypeError(
        "where takes a predicate on field or a function of the event:"
        f" {condition!r} alone is not a condition"
    )


class Named(ABC):
    """A value that is a function of the event, and says itself what it is called."""

    __slots__ = ()

    @property
    @abstractmethod
    def called(self) -> str:
        """What it is called, the same in every process."""


def named(function: Callable[..., Any]) -> str:
    """What a function is called, the same in every process."""
    if isinstance(function, partial):
        return f"partial({named(cast('Callable[..., Any]', function.func))})"
    if isinstance(function, Named):
        return function.called
    return getattr(function, "__qualname__", type(function).__qualname__)


def conjuncts(predicate: Predicate) -> tuple[Predicate, ...]:
    """The parts that must all hold; the predicate itself if it is not a conjunction."""
    return predicate.parts if isinstance(predicate, All) else (predicate,)


def compared(predicate: Predicate) -> Iterable[Compare | Exists | AnyItem]:
    """Every question about a place in a predicate, in the order written."""
    if isinstance(predicate, (Compare, Exists, AnyItem)):
        yield predicate
    for part in predicate.parts:
        yield from compared(part)


def membership(predicate: Predicate) -> tuple[Path, tuple[Any, ...]] | None:
    """The path and the constants if it holds exactly of what equals one of them."""
    match predicate:
        case Compare(path, "==", value):
            return path, (value,)
        case Compare(path, "in", values):
            return path, tuple(values)
        case Exists(path, True):
            return path, (None,)
        case AnyOf(parts):
            each = [membership(part) for part in parts]
            paths = {one[0] for one in each if one is not None}
            if None in each or len(paths) != 1:
                return None
            return paths.pop(), tuple(value for one in each if one is not None for value in one[1])
        case _:
            return None
