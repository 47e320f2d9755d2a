"""Trigger expressions: immutable values that say when to launch.

Knows: how expressions are written, printed and combined. Refuses to know: how they are matched
(engine.py, operator.py) and where events come from.

Law: an expression has no state and no truth value; equal expressions have equal text, and the text
is what a rule's fingerprint is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal, NoReturn

from reactor.core.duration import Duration, duration, spoken
from reactor.core.field import Path, Predicate, named, path_of, predicate_of

Pair = Literal["latest", "oldest", "collect"]


def _window(value: Duration, what: str) -> timedelta:
    length = duration(value)
    if not length:
        raise ValueError(f"{what} is zero: nothing could ever match")
    return length


class Trigger:
    """When to launch. Build one from a sensor; combine with `|`, `&` and the methods below."""

    __slots__ = ()

    def where(self, predicate: Any) -> Trigger:
        """Only the events that satisfy `predicate`: a comparison on `field`, or a function."""
        return Where(self, predicate_of(predicate))

    def by(self, key: Any) -> Trigger:
        """Keeps the state of every operator per key: a `field` path, or a function of the event."""
        path = path_of(key)
        if path is None and not callable(key):
            raise TypeError(f"by takes a field or a function of the event, not {key!r}")
        return By(self, path if path is not None else key)

    def __or__(self, other: object) -> Trigger:
        if not isinstance(other, Trigger):
            return NotImplemented
        return Either((*_operands(self, Either), *_operands(other, Either)))

    def __and__(self, other: object) -> Both:
        if not isinstance(other, Trigger):
            return NotImplemented
        return Both((*_operands(self, Both), *_operands(other, Both)))

    def batch(self, n: int, max_wait: Duration) -> Trigger:
        """Once for every `n` events, or `max_wait` after the first of them, with all of them."""
        if n < 1:
            raise ValueError(f"a batch of {n} is never full: n is at least 1")
        return Batch(self, n, _window(max_wait, "max_wait"))

    def debounce(self, quiet: Duration, max_wait: Duration) -> Trigger:
        """Once with all events when none came for `quiet`, or `max_wait` after the first."""
        calm, limit = _window(quiet, "quiet"), _window(max_wait, "max_wait")
        if limit < calm:
            raise ValueError(f"max_wait {spoken(limit)} is shorter than quiet {spoken(calm)}")
        return Debounce(self, calm, limit)

    def throttle(self, every: Duration, trailing: bool = True) -> Trigger:
        """At most once per `every`; what was suppressed comes at the end of it if `trailing`."""
        return Throttle(self, _window(every, "the throttle"), trailing)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a trigger has no truth value: write a | b and (a & b).within('10m'), not and/or/not"
        )

    @property
    def children(self) -> tuple[Trigger, ...]:
        """The expressions this one is made of."""
        return ()


def _operands(trigger: Trigger, kind: type[Either] | type[Both]) -> tuple[Trigger, ...]:
    """Its operands if it is such an (unwindowed) pattern, so that `a & b & c` is one of three."""
    return trigger.of if isinstance(trigger, kind) else (trigger,)


class Source(Trigger):
    """A leaf: everything one sensor sees. Sensors are immutable values of subclasses of this.

    `kind` is the sensor's kind ("kafka"), `name` what it is called in a pipeline, `address` where
    it listens, without credentials; a changed address under the same name is refused at start.
    """

    __slots__ = ()
    kind: ClassVar[str] = ""
    name: str
    model: Any = None

    @property
    def address(self) -> str:
        """Where this sensor listens, without credentials."""
        return self.name

    @property
    def identity(self) -> str:
        """What its positions belong to: another one under the same name is refused at start."""
        return self.address

    @property
    def types(self) -> frozenset[str] | None:
        """The event types this leaf lets in, or None for all of them."""
        return None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AssetEvents(Source):
    """What happens to an asset, as events: `asset.materialized`, `asset.failed`."""

    asset: str
    what: str
    kind: ClassVar[str] = "asset"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"asset:{self.asset}"

    @property
    def types(self) -> frozenset[str] | None:
        return frozenset({self.what})

    def __str__(self) -> str:
        return f"{self.asset}.{self.what}"


@dataclass(frozen=True, slots=True)
class Where(Trigger):
    """Events of `of` that satisfy a predicate. Stateless; a repeat is judged anew."""

    of: Trigger
    predicate: Predicate

    @property
    def children(self) -> tuple[Trigger, ...]:
        return (self.of,)

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.where({self.predicate})"


@dataclass(frozen=True, slots=True)
class By(Trigger):
    """Keys the events that leave `of`; every stateful operator around it keeps state per key."""

    of: Trigger
    key: Path | Callable[[Any], Any]

    @property
    def children(self) -> tuple[Trigger, ...]:
        return (self.of,)

    def __str__(self) -> str:
        shown = str(self.key) if isinstance(self.key, Path) else named(self.key)
        return f"{_wrapped(self.of)}.by({shown})"


@dataclass(frozen=True, slots=True)
class Either(Trigger):
    """Fires once for each event that completes any operand, saying which."""

    of: tuple[Trigger, ...]

    @property
    def children(self) -> tuple[Trigger, ...]:
        return self.of

    def __str__(self) -> str:
        return " | ".join(_wrapped(part) for part in self.of)


@dataclass(frozen=True, slots=True)
class Both(Trigger):
    """A join that still needs its window: `(a & b).within("2h")`."""

    of: tuple[Trigger, ...]

    @property
    def children(self) -> tuple[Trigger, ...]:
        return self.of

    def within(self, window: Duration, pair: Pair = "latest") -> Trigger:
        """Fires when all operands have an unconsumed match with event times in `window`."""
        return Join(self.of, _window(window, "the window"), len(self.of), _pair(pair))

    def __str__(self) -> str:
        return " & ".join(_wrapped(part) for part in self.of)


@dataclass(frozen=True, slots=True)
class AtLeast(Trigger):
    """`at_least(2, a, b, c)`, which still needs its window."""

    n: int
    of: tuple[Trigger, ...]

    @property
    def children(self) -> tuple[Trigger, ...]:
        return self.of

    def within(self, window: Duration, pair: Pair = "latest") -> Trigger:
        """Fires when `n` different operands have an unconsumed match within `window`."""
        return Join(self.of, _window(window, "the window"), self.n, _pair(pair))

    def __str__(self) -> str:
        return f"at_least({self.n}, {', '.join(map(str, self.of))})"


@dataclass(frozen=True, slots=True)
class Join(Trigger):
    """Fires when `n` of its operands have an unconsumed match within `window` of event time.

    Attached are the events of the chosen matches. `pair` says which match of an operand is taken:
    the latest (earlier ones are superseded by it), the oldest, or all (collect). State: per key,
    the unconsumed matches of each operand, at most 1,000; one that the watermark has left behind
    by more than the window is dropped. A late event may complete a match that is still there.
    Restart: state continues.
    """

    of: tuple[Trigger, ...]
    window: timedelta
    n: int
    pair: Pair = "latest"

    @property
    def children(self) -> tuple[Trigger, ...]:
        return self.of

    def __str__(self) -> str:
        pair = f", pair={self.pair!r}" if self.pair != "latest" else ""
        tail = f".within({spoken(self.window)!r}{pair})"
        if self.n == len(self.of):
            return f"({' & '.join(_wrapped(part) for part in self.of)}){tail}"
        return f"at_least({self.n}, {', '.join(map(str, self.of))}){tail}"


@dataclass(frozen=True, slots=True)
class Batch(Trigger):
    """Fires with the collected events at `n` of them, or `max_wait` after the first.

    Time: the arrival of events and `now`, not event time. State: per key, the collected events.
    Restart: a started batch goes on, and its wait with it.
    """

    of: Trigger
    n: int
    max_wait: timedelta

    @property
    def children(self) -> tuple[Trigger, ...]:
        return (self.of,)

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.batch({self.n}, max_wait={spoken(self.max_wait)!r})"


@dataclass(frozen=True, slots=True)
class Debounce(Trigger):
    """Fires once with all collected events when it was quiet for `quiet`, or at `max_wait`.

    Time: arrival and `now`. State: per key, the collected events. Restart: goes on.
    """

    of: Trigger
    quiet: timedelta
    max_wait: timedelta

    @property
    def children(self) -> tuple[Trigger, ...]:
        return (self.of,)

    def __str__(self) -> str:
        quiet, limit = spoken(self.quiet), spoken(self.max_wait)
        return f"{_wrapped(self.of)}.debounce({quiet!r}, max_wait={limit!r})"


@dataclass(frozen=True, slots=True)
class Throttle(Trigger):
    """Fires at once, then not for `every`; with `trailing`, what came meanwhile fires at its end.

    Time: arrival and `now`. State: per key, until when it is shut and what it keeps back.
    Restart: goes on. Nothing kept back is lost; without `trailing` it is counted as throttled.
    """

    of: Trigger
    every: timedelta
    trailing: bool = True

    @property
    def children(self) -> tuple[Trigger, ...]:
        return (self.of,)

    def __str__(self) -> str:
        tail = "" if self.trailing else ", trailing=False"
        return f"{_wrapped(self.of)}.throttle({spoken(self.every)!r}{tail})"


def at_least(n: int, *of: Trigger) -> AtLeast:
    """`n` of these within a window: `at_least(2, a, b, c).within("1h")`."""
    for each in of:
        if not isinstance(each, Trigger):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"at_least takes triggers, not {each!r}")
    if not 1 <= n <= len(of):
        raise ValueError(f"at_least({n}, ...) of {len(of)} triggers can never be met")
    return AtLeast(n, of)


def leaves(trigger: Trigger) -> tuple[Source, ...]:
    """The sources of an expression, in the order written, each once."""
    if isinstance(trigger, Source):
        return (trigger,)
    found: dict[str, Source] = {}
    for child in trigger.children:
        for leaf in leaves(child):
            found.setdefault(f"{leaf.kind}/{leaf.name}/{leaf}", leaf)
    return tuple(found.values())


def _pair(pair: str) -> Pair:
    if pair not in ("latest", "oldest", "collect"):
        raise ValueError(f"pair is latest, oldest or collect, not {pair!r}")
    return pair


def _wrapped(trigger: Trigger) -> str:
    return f"({trigger})" if isinstance(trigger, (Either, Both)) else str(trigger)


def same_sensor(one: Source, other: Source) -> bool:
    """Whether two leaves are the same sensor, so that it is read once."""
    return type(one) is type(other) and bool(one == other)
