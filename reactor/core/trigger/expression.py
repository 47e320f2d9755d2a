"""Trigger expressions: immutable values that say when to launch.

Knows: how expressions are written, printed and combined, and what each means. Refuses to know: how
they are matched (engine.py, operator.py) and where events come from.

Laws: an expression has no state and no truth value; equal expressions have equal text, and the text
is what a rule's fingerprint is made of. What every operator shares: a match is the events that
satisfied an expression, with the event time of the latest; windows and order follow event time,
and at the same instant the order of arrival; a match that is used is used up for its rule only; a
repeated event (same source and id) never gets this far; state is kept per key (`by`), survives a
restart, and starts afresh when the text of the rule changes. What concludes that something did
*not* happen waits until its sensors have been read past the deadline, and for what operators below
it may still keep back (a delay, a batch, a debounce, a throttle). What is given up (a bound, a
window that passed) is recorded as the fate of its events. What is due at one instant acts in the
order written, the inner before the outer, then by key.

This module is long because each method builds a class and each class has the methods.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, NoReturn

from reactor.core.calendar import Calendar
from reactor.core.duration import Duration, duration, spoken
from reactor.core.event import Event
from reactor.core.field import path_of
from reactor.core.place import Path
from reactor.core.predicate import Compare, Predicate, named, predicate_of
from reactor.core.timetable import Cron, Timetable, timetable

Pair = Literal["latest", "oldest", "collect"]
Outside = Literal["hold", "drop"]
MILLISECOND = timedelta(milliseconds=1)
Value = Path | Callable[[Any], Any]
"""Where in an event something is: a place, or a function of the event."""


def _window(value: Duration | None, what: str, else_: str = "it would wait for ever") -> timedelta:
    if value is None:
        raise ValueError(f"{what} is missing: without one {else_}; say '10m'")
    length = duration(value)
    if not length:
        raise ValueError(f"{what} is zero: nothing could ever match")
    if length < MILLISECOND:
        raise ValueError(f"{what} is shorter than a millisecond, which is the least there is")
    return length


def _whole(n: Any, what: str) -> int:
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"{what} takes a whole number, not {n!r}")
    return n


class Arrow:
    """What `trigger >> asset` answers. It is no trigger, and stands in no expression."""

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("put the trigger in parentheses: (a | b) >> asset, since >> binds tighter")

    __or__ = __ror__ = __and__ = __rand__ = _refuse


def _not_for_us(other: object) -> Any:
    """What `|` and `&` answer for what is no trigger: an arrow says itself what is wrong."""
    return NotImplemented if isinstance(other, Arrow) else _refuse(other)


def _refuse(other: object) -> NoReturn:
    hint = "; what happens to an asset is asset.materialized, asset.failed and asset.held"
    raise TypeError(f"{other!r} is not a trigger{hint if hasattr(other, 'materialized') else ''}")


def _value(place: Any, what: str) -> Value:
    path = path_of(place)
    if path is None and not callable(place):
        raise TypeError(f"{what} takes a field or a function of the event, not {place!r}")
    return path if path is not None else place


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, Path) else named(value)


class Trigger:
    """When to launch. Build one from a sensor; combine with `|`, `&` and the methods below."""

    __slots__ = ()

    def where(self, predicate: Any) -> Trigger:
        """Only the events that satisfy `predicate`: a comparison on `field`, or a function."""
        return Where(self, predicate_of(predicate))

    def by(self, key: Any) -> Trigger:
        """Keeps the state of every operator per key: a `field` path, or a function of the event.

        `by(None)` lets go of the key: `a.by(field.id).unless(b.by(field.id), "1h").by(None)` goes
        on as one.
        """
        return By(self, None if key is None else _value(key, "by"))

    def __or__(self, other: object) -> Trigger:
        if not isinstance(other, Trigger):
            return _not_for_us(other)
        return Either((*_operands(self, Either), *_operands(other, Either)))

    def __and__(self, other: object) -> Both:
        if not isinstance(other, Trigger):
            return _not_for_us(other)
        return Both((*_operands(self, Both), *_operands(other, Both)))

    def then(self, other: Trigger) -> Following:
        """This, and later that: `a.then(b).then(c).within("2h")`."""
        if not isinstance(other, Trigger):  # pyright: ignore[reportUnnecessaryIsInstance]
            _refuse(other)
        return Following((*_operands(self, Following), other))

    def unless(self, other: Trigger, within: Duration | None = None) -> Trigger:
        """This, and none of `other` for `within` after it."""
        if not isinstance(other, Trigger):  # pyright: ignore[reportUnnecessaryIsInstance]
            _refuse(other)
        return Unless((self, other), _window(within, "the time in which the other must not come"))

    def incomplete(self) -> Trigger:
        """When this pattern started and did not finish in its window."""
        if isinstance(self, (Join, Then, Complete)):
            return Incomplete(self)
        raise ValueError(
            f"{self} cannot stay incomplete: only (a & b), at_least, a.then(b) and a.complete(...)"
            " with their window can"
        )

    def silent_for(self, length: Duration) -> Trigger:
        """When none of these came for `length`."""
        return Silent(self, _window(length, "the silence"))

    def overdue(
        self, schedule: Any, grace: Duration = 0, tz: str = "UTC", early: Duration | None = None
    ) -> Trigger:
        """When none of these came for a tick of `schedule` until `grace` after it.

        Args: `schedule` is a cron expression in the time zone `tz`, `"every 10m"`, or a `Schedule`;
            what came more than `early` before a tick does not count for it.
        """
        ticks = getattr(schedule, "timetable", None)
        if ticks is None:
            if not isinstance(schedule, str):
                raise TypeError(f"overdue takes a cron expression or a Schedule, not {schedule!r}")
            interval = schedule.startswith("every ") and schedule[6:7].isdigit()
            every = duration(schedule[6:]) if interval else None
            ticks = timetable(schedule if every is None else None, every, tz)
        before = None if early is None else duration(early)
        return Overdue(self, ticks, duration(grace), before)

    def complete(
        self, expected: Any, within: Duration | None = None, member: Any = None
    ) -> Trigger:
        """When these cover a set: `files.complete(["eu", "us"], "2h", member=field.region)`.

        Args: `expected` is the members, or how many there are, or where an event says so (a place
        with a list or a number, such as a manifest's); `field.region.isin([...])` says both.
        `member` is what an event is of them; else its key, else its subject.
        """
        if isinstance(expected, Compare) and expected.op == "in":
            member, expected = expected.path, expected.value
        else:
            member = None if member is None else _value(member, "member")
        return Complete(self, _expected(expected), _window(within, "the window"), member)

    def count(self, n: int, within: Duration | None = None) -> Trigger:
        """The n-th of these within a sliding window, with all n."""
        if _whole(n, "count") < 2:
            raise ValueError(f"a count of {n} is each event by itself: n is at least 2")
        return Count(self, n, _window(within, "the window"))

    def aggregate(
        self,
        within: Duration | None = None,
        *,
        avg: Any = None,
        sum: Any = None,
        min: Any = None,
        max: Any = None,
        of_at_least: int = 1,
    ) -> Trigger:
        """When an average, sum, least or greatest crosses a bound in a sliding window.

        `orders.aggregate("10m", sum=field.amount > 1_000)`; `of_at_least` is how many values there
        must be.
        """
        given = {"avg": avg, "sum": sum, "min": min, "max": max}
        asked = [(name, bound) for name, bound in given.items() if bound is not None]
        if len(asked) != 1:
            raise ValueError("aggregate takes one of avg=, sum=, min=, max=: sum=field.amount > 10")
        name, bound = asked[0]
        if not isinstance(bound, Compare) or bound.op not in BOUNDS:
            raise TypeError(f"{name}= takes a comparison such as field.amount > 10, not {bound}")
        limits = bound.value if bound.op == "between" else (bound.value,)
        if any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in limits):
            raise TypeError(f"{name}= compares numbers: {bound} does not")
        if _whole(of_at_least, "of_at_least") < 1:
            raise ValueError(f"of_at_least is at least 1, not {of_at_least}")
        return Aggregate(self, name, bound, _window(within, "the window"), of_at_least)

    def batch(self, n: int, max_wait: Duration | None = None) -> Trigger:
        """Once for every `n` events, or `max_wait` after the first of them, with all of them."""
        if _whole(n, "batch") < 1:
            raise ValueError(f"a batch of {n} is never full: n is at least 1")
        return Batch(self, n, _window(max_wait, "max_wait"))

    def debounce(self, quiet: Duration, max_wait: Duration | None = None) -> Trigger:
        """Once with all events when none came for `quiet`, or `max_wait` after the first."""
        calm, limit = _window(quiet, "quiet"), _window(max_wait, "max_wait")
        if limit < calm:
            raise ValueError(f"max_wait {spoken(limit)} is shorter than quiet {spoken(calm)}")
        return Debounce(self, calm, limit)

    def throttle(self, every: Duration, trailing: bool = True) -> Trigger:
        """At most once per `every`; what was suppressed comes at the end of it if `trailing`."""
        if trailing not in (True, False):
            raise TypeError(f"trailing is True or False, not {trailing!r}")
        return Throttle(self, _window(every, "the throttle"), trailing)

    def delay(self, length: Duration) -> Trigger:
        """Each of these, `length` later."""
        return Delay(self, _window(length, "the delay"))

    def distinct(self, key: Any, ttl: Duration | None = None) -> Trigger:
        """The first of each `key` in `ttl`: a `field` path, or a function of the event."""
        return Distinct(
            self,
            _value(key, "distinct"),
            _window(ttl, "ttl", "a value would pass once and never again"),
        )

    def changed(self, value: Any) -> Trigger:
        """Only when `value` differs from the last one: a `field` path, or a function."""
        return Changed(self, _value(value, "changed"))

    def during(self, calendar: Any, outside: Outside = "hold") -> Trigger:
        """Only while `calendar` is open; what comes `outside` is held until it opens, or dropped.

        Args: `calendar` is a `Calendar` or its text: `"mon-fri 09:00-17:00"`, in UTC.
        """
        if outside not in ("hold", "drop"):
            raise ValueError(f"outside is hold or drop, not {outside!r}")
        if isinstance(calendar, str):
            calendar = Calendar(calendar)
        if not isinstance(calendar, Calendar):
            raise TypeError(f"during takes a Calendar or its text, not {calendar!r}")
        return During(self, calendar, outside)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a trigger has no truth value: write a | b and (a & b).within('10m'), not and/or/not"
        )

    def __invert__(self) -> NoReturn:
        raise TypeError(
            "there is no ~trigger: absence needs a window;"
            " write a.unless(b, '10m'), a.silent_for('10m') or a.overdue('0 6 * * *', '30m')"
        )

    @property
    def children(self) -> tuple[Trigger, ...]:
        """The expressions this one is made of."""
        return ()

    @property
    def places(self) -> tuple[Value | Predicate, ...]:
        """What this operator itself looks at in the events of its operands."""
        return ()


BOUNDS = ("<", "<=", ">", ">=", "between")
"""How an aggregate may be compared."""


def _expected(expected: Any) -> tuple[str, ...] | int | Value:
    if isinstance(expected, bool) or expected is None:
        raise TypeError(f"complete expects members, a number of them or a place, not {expected!r}")
    if isinstance(expected, int):
        if expected < 2:
            raise ValueError(f"complete with {expected} expected is each event by itself")
        return expected
    if isinstance(expected, Collection) and not isinstance(expected, str):
        members = tuple(dict.fromkeys(str(each) for each in expected))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if not members:
            raise ValueError("complete expects nothing: an empty set is always covered")
        return tuple(sorted(members))
    return _value(expected, "complete")


def _operands(
    trigger: Trigger, kind: type[Either] | type[Both] | type[Following]
) -> tuple[Trigger, ...]:
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
    lateness: timedelta = timedelta(0)
    """How much later than others of its time an event may still come."""

    @property
    def address(self) -> str:
        """Where this sensor listens, without credentials."""
        return self.name

    @property
    def database(self) -> str:
        """The database whose tables it sees, as one text for all its spellings; empty if that
        cannot be told, or it sees none.
        """
        return ""

    @property
    def identity(self) -> str:
        """What its positions belong to: another one under the same name is refused at start."""
        return self.address

    @property
    def types(self) -> frozenset[str] | None:
        """The event types this leaf lets in, or None for all of them."""
        return None

    def ticks(self, after: datetime) -> Iterator[Event]:
        """The events after an instant, if nothing but the clock makes them (a schedule's)."""
        return iter(())

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AssetEvents(Source):
    """What happens to an asset: `asset.materialized`, `asset.failed`, `asset.held`."""

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
class Over(Trigger):
    """What all operators on one operand share."""

    of: Trigger

    @property
    def children(self) -> tuple[Trigger, ...]:
        return (self.of,)


@dataclass(frozen=True, slots=True)
class Where(Over):
    """Matches of `of` that satisfy a predicate.

    Stateless. On a pattern of several events it judges the latest of them; what it turns away then
    is filtered, and used up.
    """

    predicate: Predicate

    @property
    def places(self) -> tuple[Value | Predicate, ...]:
        return (self.predicate,)

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.where({self.predicate})"


@dataclass(frozen=True, slots=True)
class By(Over):
    """Keys the events that leave `of`; every stateful operator around it keeps state per key.

    On a composite it is shorthand for each leaf. Without a key (`by(None)`), what is around it is
    one again, whatever was keyed inside. An event without the key shares the state of all
    such events. An operator keeps at most 100,000 keys: the ones that act first are let go of.
    """

    key: Value | None

    @property
    def places(self) -> tuple[Value | Predicate, ...]:
        return () if self.key is None else (self.key,)

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.by({None if self.key is None else _shown(self.key)})"


@dataclass(frozen=True, slots=True)
class Several(Trigger):
    """What all operators on several operands share."""

    of: tuple[Trigger, ...]

    @property
    def children(self) -> tuple[Trigger, ...]:
        return self.of


@dataclass(frozen=True, slots=True)
class Either(Several):
    """Fires for each match of an operand, saying which. Stateless.

    Operands that one event gives the same match give one.
    """

    def __str__(self) -> str:
        return " | ".join(_wrapped(part) for part in self.of)


@dataclass(frozen=True, slots=True)
class Both(Several):
    """A join that still needs its window: `(a & b).within("2h")`."""

    def within(self, window: Duration | None = None, pair: Pair = "latest") -> Trigger:
        """Fires when all operands have an unconsumed match with event times in `window`."""
        return Join(self.of, _window(window, "the window"), len(self.of), _pair(pair))

    def __str__(self) -> str:
        return " & ".join(_wrapped(part) for part in self.of)


@dataclass(frozen=True, slots=True)
class AtLeast(Several):
    """`at_least(2, a, b, c)`, which still needs its window."""

    n: int

    def within(self, window: Duration | None = None, pair: Pair = "latest") -> Trigger:
        """Fires when `n` different operands have an unconsumed match within `window`."""
        return Join(self.of, _window(window, "the window"), self.n, _pair(pair))

    def __str__(self) -> str:
        return f"at_least({self.n}, {', '.join(map(str, self.of))})"


@dataclass(frozen=True, slots=True)
class Following(Several):
    """A sequence that still needs its window: `a.then(b).within("2h")`."""

    def within(self, window: Duration | None = None, pair: Pair = "latest") -> Trigger:
        """Fires when the operands match one after the other, all within `window`."""
        return Then(self.of, _window(window, "the window"), _pair(pair))

    def __str__(self) -> str:
        return _sequence(self.of)


@dataclass(frozen=True, slots=True)
class Join(Several):
    """Fires when `n` of its operands have an unconsumed match within `window` of event time.

    Attached: the events of the chosen matches. `pair` says which match of an operand is taken: the
    latest that fits (earlier ones are superseded when it is used, or once sensors have been read so
    far that it will do for all that comes), the oldest, or all that fit (collect). One event fills
    every side it satisfies, and may complete the join alone. What has just come is always part of
    what completes; of several windows that would do, the newest (`oldest`: the
    oldest) is taken. A match that is used is used up on every side that it filled. Order does not
    matter, so a late event joins as long as what it joins is kept: until newer matches of its key
    and the watermark of its sources have left it behind by the window and the allowed lateness (or
    the watermark alone, if nothing came for that long); then it is expired. So it does not matter
    which of its sensors is read first. State: per key, the unconsumed matches, at most 1,000 an
    operand (beyond, the oldest expires), for a day if a sensor says nothing. Restart: goes on.
    """

    window: timedelta
    n: int
    pair: Pair = "latest"

    def __str__(self) -> str:
        tail = f".within({spoken(self.window)!r}{_paired(self.pair)})"
        if self.n == len(self.of):
            return f"({' & '.join(_wrapped(part) for part in self.of)}){tail}"
        return f"at_least({self.n}, {', '.join(map(str, self.of))}){tail}"


@dataclass(frozen=True, slots=True)
class Then(Several):
    """Fires when its operands match in event-time order, the last at most `window` after the first.

    Unrelated events between are allowed (skip till next match); the order at one instant is that of
    arrival; an event does not follow itself. Attached: one match of each operand. `pair` says
    which: the latest that still makes a sequence (an earlier one is superseded when that is used,
    or once all that could part the two has been read), the oldest, or all between the first that
    they follow and the last that follows them (collect). A late event takes its place in the order,
    and may complete what is still kept; matches are kept and expire as those of a join. What is
    used, and what came before it of the same operand, is used up: each firing has new events
    throughout. State: per key, the unconsumed matches, at most 1,000 an operand. Restart: goes on.
    """

    window: timedelta
    pair: Pair = "latest"

    def __str__(self) -> str:
        return f"{_sequence(self.of)}.within({spoken(self.window)!r}{_paired(self.pair)})"


@dataclass(frozen=True, slots=True)
class Unless(Several):
    """Fires for a match of the first operand if none of the second came for `window` after it.

    "After" is event time in (t, t + window], and at the same instant the order of arrival; an event
    does not call itself off. Attached: the match of the first. It fires at t + window, or as soon
    as the sensors of both have been read until then; a late one of the second calls off what has
    not fired, and never un-fires. What was called off is filtered. State: per key, the matches that
    wait, and when the second came (a match that comes late, or of a sensor that lags behind, may
    already be called off) until the watermark has left it behind, at most 1,000 each. Restart: goes
    on, and concludes nothing before the backlog is read.
    """

    window: timedelta

    def __str__(self) -> str:
        first, second = self.of
        return f"{_wrapped(first)}.unless({second}, within={spoken(self.window)!r})"


@dataclass(frozen=True, slots=True)
class Incomplete(Over):
    """Fires when the pattern `of` started and did not finish in its window.

    At t + window, where t is the event time of the earliest unconsumed match (of a sequence: of its
    first operand; of a set: of any member), once the sensors have been read until then. Attached:
    all matches that came in that window, which are used up by it; its label says what came and what
    is missing. A pattern that finishes fires nothing here, and uses up what it would have used.
    What comes after that window finishes nothing that began in it, and waits until it is over:
    sensors that are read far ahead tell the same as sensors that are read all the while. State and
    restart: as the pattern's, but earlier matches are not superseded as later ones come.
    """

    of: Join | Then | Complete  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.of}.incomplete()"


@dataclass(frozen=True, slots=True)
class Silent(Over):
    """Fires when `length` of event time passed after the latest match without another.

    Once per silence: the next match starts anew. Without a key it counts from the start of the rule
    too, so that a heartbeat that never comes is missed; a key is listened to from its first match
    on. Attached: the last match before the silence, if any. It waits until its sensors have been
    read past the deadline: a broker that is down is no silence, and a silence within a backlog is
    told as if somebody had listened all the while. A match that comes late into a silence that is
    not told yet parts it; one before all that is known, or in a silence that was told, changes
    nothing. State: per key, the silences that may be one, most often the last match only, at most
    1,000; a key that stays silent is let go of. Restart: goes on.
    """

    length: timedelta

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.silent_for({spoken(self.length)!r})"


@dataclass(frozen=True, slots=True)
class Overdue(Over):
    """Fires `grace` after a tick of a schedule if nothing came for that tick.

    A match counts for the first tick whose deadline (tick + grace) is not before its event time: in
    (last deadline, deadline]. So one that is too late counts for the next tick, unless that is more
    than `early` away: then it counts for none, and is filtered. Attached: nothing,
    since nothing came. It waits until its sensors have been read past the deadline; deadlines that
    passed while nobody looked are concluded one by one. Without a key it counts from the start of
    the rule; a key is expected from its first match on, at every tick, until nothing came for it in
    30 days, which the last firing says. State: per key, the deadline and what came for it. Restart:
    goes on.
    """

    schedule: Timetable
    grace: timedelta
    early: timedelta | None = None

    def __str__(self) -> str:
        text, zone = str(self.schedule), ""
        if isinstance(self.schedule, Cron) and self.schedule.zone.key != "UTC":
            text, zone = self.schedule.expression, f", tz={self.schedule.zone.key!r}"
        early = "" if self.early is None else f", early={spoken(self.early)!r}"
        return f"{_wrapped(self.of)}.overdue({text!r}, {spoken(self.grace)!r}{zone}{early})"


@dataclass(frozen=True, slots=True)
class Complete(Over):
    """Fires when matches cover a set within `window` of event time, with one match a member.

    The set is given, or a number of different members, or read from the event at a place (a list
    or a number; the latest that says so within the window holds for its key, and an event without a
    member is only a manifest). A member is the event's value at `member`, else its key, else its
    subject. Of several of one member the latest is taken, and the earlier is superseded; one that
    is not expected is filtered. Fired members are used up, and their manifest and what else waits
    with them. A late event counts as long as it is within the window of the newest. State: per key,
    a match a member, at most 10,000. Restart: goes on.
    """

    expected: tuple[str, ...] | int | Value
    window: timedelta
    member: Value | None = None

    @property
    def places(self) -> tuple[Value | Predicate, ...]:
        asked = (self.member, self.expected)
        return tuple(each for each in asked if isinstance(each, Path) or callable(each))

    def __str__(self) -> str:
        match self.expected:
            case tuple():
                expected = f"[{', '.join(map(repr, self.expected))}]"
            case int():
                expected = str(self.expected)
            case _:
                expected = _shown(self.expected)
        member = f", member={_shown(self.member)}" if self.member is not None else ""
        return f"{_wrapped(self.of)}.complete({expected}, within={spoken(self.window)!r}{member})"


@dataclass(frozen=True, slots=True)
class Count(Over):
    """Fires when the n-th match falls in a sliding window of event time, with those n.

    They are used up, and so is what came before them. A late event takes its place in the order and
    counts if n with it lie within the window. State: per key, fewer than n matches a window; they
    expire as those of a join. Restart: goes on.
    """

    n: int
    window: timedelta

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.count({self.n}, within={spoken(self.window)!r})"


@dataclass(frozen=True, slots=True)
class Aggregate(Over):
    """Fires when `function` of the numbers in a sliding window comes to satisfy a bound.

    Edge, not level: it fires when the bound comes to hold, and again only after it did not hold,
    which a window that was empty in between never does. Looked at when a match comes: the window is
    [newest - window, newest] in event time. Attached: the events in the window. A match without a
    number there is filtered. A late event counts within the window of the newest. State: per key,
    the numbers in the window, at most 10,000 (beyond, the oldest expires), and whether the bound
    holds. Restart: goes on.
    """

    function: str
    bound: Compare
    window: timedelta
    of_at_least: int = 1

    @property
    def places(self) -> tuple[Value | Predicate, ...]:
        return (self.bound,)

    def __str__(self) -> str:
        least = f", of_at_least={self.of_at_least}" if self.of_at_least > 1 else ""
        asked = f"{self.function}={self.bound}"
        return f"{_wrapped(self.of)}.aggregate({spoken(self.window)!r}, {asked}{least})"


@dataclass(frozen=True, slots=True)
class Batch(Over):
    """Fires with the collected events at `n` of them, or `max_wait` after the first.

    Time: arrival and `now`, not event time. State: per key, the collected events, as stretches (at
    10,000 stretches it fires early). Late events are events like others. Restart: a started batch
    goes on, and its wait with it.
    """

    n: int
    max_wait: timedelta

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.batch({self.n}, max_wait={spoken(self.max_wait)!r})"


@dataclass(frozen=True, slots=True)
class Debounce(Over):
    """Fires once with all collected events when it was quiet for `quiet`, or at `max_wait`.

    Time: arrival and `now`. State: per key, the collected events, as those of a batch. Late events
    are events like others. Restart: goes on; quiet while nobody looked counts as quiet.
    """

    quiet: timedelta
    max_wait: timedelta

    def __str__(self) -> str:
        quiet, limit = spoken(self.quiet), spoken(self.max_wait)
        return f"{_wrapped(self.of)}.debounce({quiet!r}, max_wait={limit!r})"


@dataclass(frozen=True, slots=True)
class Throttle(Over):
    """Fires at once, then not for `every`; with `trailing`, what came meanwhile fires at its end.

    Time: arrival and `now`. State: per key, until when it is shut and what it keeps back, as
    stretches (beyond 10,000 the oldest expires). Nothing kept back is lost; without `trailing` it
    is throttled. Late events are events like others. Restart: goes on.
    """

    every: timedelta
    trailing: bool = True

    def __str__(self) -> str:
        tail = "" if self.trailing else ", trailing=False"
        return f"{_wrapped(self.of)}.throttle({spoken(self.every)!r}{tail})"


@dataclass(frozen=True, slots=True)
class Delay(Over):
    """Fires for each match, `length` after it came.

    Time: arrival and `now`. State: the matches that wait, a row for those of one turn and key. Late
    events are events like others. Restart: goes on; what came due meanwhile fires at once.
    """

    length: timedelta

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.delay({spoken(self.length)!r})"


@dataclass(frozen=True, slots=True)
class Distinct(Over):
    """Passes a match if none with its value passed less than `ttl` of event time away.

    The value is that of the latest event of a match. What does not pass is deduplicated. A late
    event is compared with the passed ones still kept. State: per key and value, when the last
    passed, for `ttl`; at most 100,000 values (beyond, the oldest is let go of). Restart: goes on.
    """

    key: Value
    ttl: timedelta

    @property
    def places(self) -> tuple[Value | Predicate, ...]:
        return (self.key,)

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.distinct({_shown(self.key)}, ttl={spoken(self.ttl)!r})"


@dataclass(frozen=True, slots=True)
class Changed(Over):
    """Passes a match if its value differs from that of the last one; the first passes.

    The value is that of the latest event of a match; the last one is by event time, so a late event
    that lies before it is superseded. What does not differ is deduplicated. State: per key, the
    last value; a key for which nothing comes in 30 days is forgotten, and its next match passes.
    Restart: goes on.
    """

    value: Value

    @property
    def places(self) -> tuple[Value | Predicate, ...]:
        return (self.value,)

    def __str__(self) -> str:
        return f"{_wrapped(self.of)}.changed({_shown(self.value)})"


@dataclass(frozen=True, slots=True)
class During(Over):
    """Passes matches while a calendar is open; outside, holds them until it opens, or drops them.

    Time: `now`. What was held fires when it opens, match by match, in the order it came; what is
    dropped is filtered. State: the held matches, a row for those of one turn and key. Late events
    are events like others. Restart: goes on; if it opened meanwhile, they fire at once.
    """

    calendar: Calendar
    outside: Outside = "hold"

    def __str__(self) -> str:
        tail = "" if self.outside == "hold" else f", outside={self.outside!r}"
        return f"{_wrapped(self.of)}.during({self.calendar}{tail})"


def at_least(n: int, *of: Trigger) -> AtLeast:
    """`n` of these within a window: `at_least(2, a, b, c).within("1h")`."""
    for each in of:
        if not isinstance(each, Trigger):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"at_least takes triggers, not {each!r}")
    if _whole(n, "at_least") < 1:
        raise ValueError("at_least(0, ...) is always met: n is at least 1")
    if n > len(of):
        raise ValueError(f"at_least({n}, ...) of {len(of)} triggers can never be met")
    return AtLeast(of, n)


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


def _paired(pair: Pair) -> str:
    return f", pair={pair!r}" if pair != "latest" else ""


def _sequence(of: tuple[Trigger, ...]) -> str:
    first, *others = of
    return _wrapped(first) + "".join(f".then({other})" for other in others)


def _wrapped(trigger: Trigger) -> str:
    return f"({trigger})" if isinstance(trigger, (Either, Both)) else str(trigger)


def same_sensor(one: Source, other: Source) -> bool:
    """Whether two leaves are the same sensor, so that it is read once."""
    return type(one) is type(other) and bool(one == other)
