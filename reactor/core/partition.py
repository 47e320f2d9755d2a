"""Partitions: the parts that an asset is kept up to date by, and to which of them an event belongs.

Knows: the keys of static and dynamic partitions; how an event is mapped. Refuses to know: which
partitions exist right now, and what became of them. Time windows are in window.py, how partitions
of an upstream lead to those of a downstream asset in mapping.py.

Laws: partitions are values, equal and of equal text in every process; a key that `of`, `key`,
`listed` or `between` answers has no `problem`.
"""

from __future__ import annotations

import copy
import difflib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from reactor.core.event import Event
from reactor.core.field import path_of
from reactor.core.pattern import finder
from reactor.core.place import MISSING, Get, Path
from reactor.core.predicate import Named, named

LONGEST = 1_000
"""How many characters a key may have."""

_JOINS = {"week": "-W", "hour": "T", "minute": ":"}


@dataclass(frozen=True, slots=True)
class By:
    """How an event is mapped to a partition: by a place in it, a function, or its subject.

    `path` is a pattern on the subject. What its named groups take is joined by `-` in the order of
    the pattern, before a group called week by `-W`, before hour by `T`, before minute by `:`.
    `shift` goes on from the window that was found, by so many. Without the others it is the time of
    the event; of an asset's own event, the partition that it is about.
    """

    place: Path | Callable[[Any], Any] | None = None
    path: str = ""
    shift: int = 0
    get: Get = field(init=False, repr=False, compare=False)
    """The value that names the partition of an event, or MISSING."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "get", self._getter())

    def __str__(self) -> str:
        parts: list[str] = []
        if self.place is not None:
            parts.append(str(self.place) if isinstance(self.place, Path) else named(self.place))
        if self.path:
            parts.append(f"path={self.path!r}")
        if self.shift:
            parts.append(f"shift={self.shift}")
        return ", ".join(parts)

    @property
    def told(self) -> str:
        """What it looks at, in words."""
        if self.place is None:
            return "its path" if self.path else "its time"
        return str(self.place) if isinstance(self.place, Path) else named(self.place)

    def _getter(self) -> Get:
        if self.path:
            return _in_subject(self.path)
        if isinstance(self.place, Path):
            return self.place.getter()
        if self.place is not None:
            return self.place
        return _own


def _own(event: Event) -> Any:
    """The partition that an asset's own event is about; else when it happened."""
    about = event.key if event.source.startswith("asset:") else None
    return event.time if about is None else about


_PLAIN = By()


def _in_subject(path: str) -> Get:
    names, find = finder(path)
    joins = ["", *(_JOINS.get(name, "-") for name in names[1:])]

    def get(event: Event) -> Any:
        found = find(event.subject)
        if found is None:
            return MISSING
        return "".join([part for pair in zip(joins, found, strict=True) for part in pair])

    return get


class Partitions(Named):
    """The parts of an asset. A value: `by` answers a copy that maps events otherwise."""

    __slots__ = ()

    how: By | None
    """How events are mapped, if that was said."""
    _kind: ClassVar[str]

    def __repr__(self) -> str:
        return str(self)

    @property
    def maps(self) -> bool:
        """Whether it is known how an event is mapped."""
        return self.how is not None

    @property
    def plain(self) -> Self:
        """The same partitions, without saying how events are mapped."""
        return self._with(None)

    @property
    def called(self) -> str:
        """What they are called as a function of an event: without what may grow."""
        return f"{self._kind}.by({self.how})" if self.how is not None else self._kind

    def __call__(self, event: Event) -> str | None:
        return self.of(event)

    def by(self, place: Any = None, *, path: str = "", shift: int = 0) -> Self:
        """A copy that maps events by a field, a function of the event, or a pattern on its subject.

        `shift=-1` (windows only) takes the window before the one found: an event of today belongs
        to yesterday. Raises: ValueError, TypeError for what makes no sense.
        """
        if place is not None and path:
            raise ValueError("by() takes a field, a function or path=, and only one of them")
        found = path_of(place) or place
        if found is None and not path and not shift:
            raise ValueError("by() needs a field, a function, path= or shift=")
        if found is not None and not isinstance(found, Path) and not callable(found):
            raise TypeError(f"by({place!r}): say field.day, a function of the event, or path=")
        try:
            hash(found)
        except TypeError:
            raise TypeError(f"by({place!r}) cannot be compared with others: write a def") from None
        if type(shift) is not int:
            raise TypeError(f"by(shift={shift!r}): say how many windows, as a whole number")
        if shift:
            self._shiftable()
        return self._with(By(found, path, shift))

    def of(self, event: Event) -> str | None:
        """The partition that an event belongs to; None if none. Raises what a function raises."""
        return self.placed(event)[0]

    def placed(self, event: Event) -> tuple[str | None, str]:
        """The partition that an event belongs to, or why to none. Raises what a function raises."""
        how = self.how or _PLAIN
        value = how.get(event)
        if value is MISSING or value is None:
            return None, f"{how.told} names no partition"
        key = self.key(value)
        if key is None:
            return None, self._unnamed(value)
        if how.shift:
            shifted = self._shifted(key, how.shift)
            why = f"{key} shifted by {how.shift} is before the first"
            return shifted, "" if shifted is not None else why
        return key, ""

    def key(self, value: Any) -> str | None:
        """The key that a value names, be it text, a number or a date; None if none."""
        text = _text(value)
        return text if not self.problem(text) else None

    @abstractmethod
    def problem(self, key: str) -> str:
        """Why a key is none of these, and what to write; empty if it is one of them."""

    @abstractmethod
    def listed(self, until: datetime) -> tuple[str, ...] | None:
        """All keys that exist by then, in order; None if only those known can be told.

        A window exists from its start on: the window in which `until` lies is the last.
        """

    @abstractmethod
    def between(self, first: str, last: str) -> tuple[str, ...]:
        """The keys from `first` to `last`, both included.

        Raises: ValueError, with the reason and what to write.
        """

    def _with(self, how: By | None) -> Self:
        found = copy.copy(self)
        object.__setattr__(found, "how", how)
        return found

    def _shiftable(self) -> None:
        """Raises: ValueError, unless keys have an order."""
        raise ValueError(f"{self} has no order: shift= is for time windows")

    def _shifted(self, key: str, by: int) -> str | None:
        """The key so many further on, where keys have an order."""
        return self._shiftable()

    def _unnamed(self, value: Any) -> str:
        return self.problem(_text(value)) or f"{value!r} names none of {self.plain}"

    def _checked(self, *keys: str) -> None:
        for key in keys:
            if problem := self.problem(key):
                raise ValueError(problem)

    def _shown(self, *arguments: str) -> str:
        how = f".by({self.how})" if self.how is not None else ""
        return f"{self._kind}({', '.join(arguments)}){how}"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Static(Partitions):
    """Partitions that are known beforehand, in their order: `Static("eu", "us")`.

    Raises: ValueError for no name, a name twice, or a name that is no text.
    """

    names: tuple[str, ...]
    how: By | None
    _known: frozenset[str] = field(compare=False)

    _kind = "Static"

    def __init__(self, *names: str) -> None:
        for name in names:
            if problem := _mistake(name):
                raise ValueError(problem)
        if not names or len(set(names)) < len(names):
            raise ValueError("Static takes the names of partitions, each once: Static('eu', 'us')")
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "_known", frozenset(names))
        object.__setattr__(self, "how", None)

    def __str__(self) -> str:
        return self._shown(*map(repr, self.names))

    def problem(self, key: str) -> str:
        """Why a key is none of these, and what to write; empty if it is one of them."""
        if key in self._known:
            return ""
        return f"{key!r} is no partition{_meant(key, self.names)}"

    def listed(self, until: datetime) -> tuple[str, ...]:
        """All of them, in the order of declaration."""
        return self.names

    def between(self, first: str, last: str) -> tuple[str, ...]:
        """Those from `first` to `last` in the order of declaration, both included.

        Raises: ValueError, with the reason and what to write.
        """
        self._checked(first, last)
        low, high = self.names.index(first), self.names.index(last)
        if low > high:
            raise ValueError(f"{last} comes before {first}: the order is {', '.join(self.names)}")
        return self.names[low : high + 1]


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Dynamic(Partitions):
    """Partitions that come into being with the first event of each; `name` tells kinds apart.

    Two assets with `Dynamic("customer")` have partitions of the same keys.
    """

    name: str
    how: By | None

    _kind = "Dynamic"

    def __init__(self, name: str) -> None:
        if problem := _mistake(name):
            raise ValueError(problem)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "how", None)

    def __str__(self) -> str:
        return self._shown(repr(self.name))

    def problem(self, key: str) -> str:
        """Why no partition can be called so; empty if one can."""
        return _mistake(key)

    def listed(self, until: datetime) -> None:
        """None: only those that were seen are known."""

    def between(self, first: str, last: str) -> tuple[str, ...]:
        """Raises: ValueError, for they have no order; a single key is a range of one."""
        self._checked(first, last)
        if first == last:
            return (first,)
        raise ValueError(f"{self.plain} has no order: name each partition instead of a range")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _mistake(key: Any) -> str:
    """What is wrong with text as a key, of whatever kind of partition."""
    if not isinstance(key, str):
        return f"{key!r} is no key: a key is text"
    if not key or key != key.strip():
        return f"{key!r} is no key: it is empty, or begins or ends with a blank"
    if len(key) > LONGEST:
        return f"a key of {len(key):,} characters: at most {LONGEST:,}"
    if not key.isprintable():
        return f"{key!r} is no key: it has characters that cannot be shown"
    return ""


def _meant(key: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, names, 1)
    if close:
        return f": did you mean {close[0]}?"
    shown = ", ".join(names[:10])
    return f": there are {shown}{', ...' if len(names) > 10 else ''}"
