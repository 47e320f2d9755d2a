"""Mappings: which partitions of a downstream asset read which partitions of an upstream.

Knows: the mapping of an edge as a value, its default, and which make no sense. Refuses to know:
which partitions are known right now: where an answer is "all of them", it is None.

Law: where both answer keys, `down` and `up` are inverse of each other: a downstream key is in
`down(key)` exactly if `key` is in `up` of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from reactor.core.errors import Problem
from reactor.core.partition import Dynamic, Partitions, Static
from reactor.core.predicate import named
from reactor.core.tiling import Windowed

Places = Partitions | None
"""The partitions of one end of an edge; None if that asset has none."""
Function = Callable[[str], Any]

_SAMPLE = 100
"""How many windows are looked at to see which of two kinds are the longer ones."""


class Mapping(ABC):
    """How the partitions of a downstream asset follow from those of an upstream. A value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    @abstractmethod
    def down(self, key: str, above: Places, below: Places) -> tuple[str, ...] | None:
        """The downstream keys that read upstream partition `key`, in order; None: all known ones.

        A key that is no partition above leads nowhere. Raises what a user's function raises.
        """

    @abstractmethod
    def up(self, key: str, above: Places, below: Places) -> tuple[str, ...] | None:
        """The upstream keys that downstream `key` reads, in order.

        None: those known of which `down` answers None or has `key`.
        """

    @abstractmethod
    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""


@dataclass(frozen=True, slots=True, repr=False)
class Same(Mapping):
    """Each downstream partition reads the upstream partition of the same key."""

    def __str__(self) -> str:
        return "Same()"

    def down(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The same key, if there is such a partition below."""
        return (key,) if _has(above, key) and _has(below, key) else ()

    def up(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The same key, if there is such a partition above."""
        return self.down(key, above, below)

    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""
        if above is None or below is None:
            return _LONE
        alike = type(above) is type(below) or Dynamic in (type(above), type(below))
        if isinstance(above, Static) and isinstance(below, Static):
            alike = not set(above.names).isdisjoint(below.names)
        return "" if alike else "they have no key in common"


@dataclass(frozen=True, slots=True, repr=False)
class Rollup(Mapping):
    """Longer windows read the shorter ones that have time in common with them: days into a month.

    `complete` waits until all windows that a longer one reads are there.
    """

    complete: bool = False

    def __post_init__(self) -> None:
        if type(self.complete) is not bool:
            raise TypeError(f"Rollup(complete={self.complete!r}): say True or False")

    def __str__(self) -> str:
        return f"Rollup({'complete=True' if self.complete else ''})"

    def down(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The longer window, or the two that a shorter one lies across."""
        return _overlap(key, above, below)

    def up(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The shorter windows."""
        return _overlap(key, below, above)

    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""
        if not isinstance(above, Windowed) or not isinstance(below, Windowed):
            return "it is for time windows"
        if _length(above.plain) > _length(below.plain):
            return "the upstream windows are the longer ones: say Drilldown()"
        return ""


@dataclass(frozen=True, slots=True, repr=False)
class Drilldown(Mapping):
    """Shorter windows read the longer one that they lie in: each day reads its month."""

    def __str__(self) -> str:
        return "Drilldown()"

    def down(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The shorter windows."""
        return _overlap(key, above, below)

    def up(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The longer window, or the two that a shorter one lies across."""
        return _overlap(key, below, above)

    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""
        if not isinstance(above, Windowed) or not isinstance(below, Windowed):
            return "it is for time windows"
        if _length(above.plain) < _length(below.plain):
            return "the upstream windows are the shorter ones: say Rollup()"
        return ""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Offset(Mapping):
    """A window reads the upstream window `first` after it: `Offset(-1)` reads yesterday.

    With `last` a range of windows: `Offset(-6, 0)` reads the last seven days. What lies before the
    first upstream window is not there to be read.
    """

    first: int
    last: int

    def __init__(self, first: int, last: int | None = None) -> None:
        last = first if last is None else last
        if type(first) is not int or type(last) is not int:
            raise TypeError(f"Offset({first!r}, {last!r}): say how many windows, as whole numbers")
        if first > last:
            raise ValueError(f"Offset({first}, {last}) ends before it begins")
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "last", last)

    def __str__(self) -> str:
        more = f", {self.last}" if self.last != self.first else ""
        return f"Offset({self.first}{more})"

    def down(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The windows that read this one."""
        return _moved(key, -self.last, -self.first, above, below)

    def up(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The windows that this one reads."""
        return _moved(key, self.first, self.last, below, above)

    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""
        if not isinstance(above, Windowed) or not isinstance(below, Windowed):
            return "it is for time windows"
        return "" if above.grid == below.grid else "it is between windows of one kind and zone"


@dataclass(frozen=True, slots=True, repr=False)
class All(Mapping):
    """Each downstream partition (or the asset, if it has none) reads all upstream ones."""

    def __str__(self) -> str:
        return "All()"

    def down(self, key: str, above: Places, below: Places) -> None:
        """All that are known below; the asset itself if it has no partitions."""

    def up(self, key: str, above: Places, below: Places) -> None:
        """All that are known above."""

    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""
        return "the upstream has no partitions" if above is None else ""


class _Table:
    """Keys that lead to keys, as written in a dict or told by a function."""

    __slots__ = ()

    rows: tuple[tuple[str, tuple[str, ...]], ...] | Function

    def _set(self, table: Any) -> None:
        if isinstance(table, Dict):
            items = cast("Dict[Any, Any]", table).items()
            table = tuple((str(key), _several(value)) for key, value in items)
        elif not callable(table):
            raise TypeError(f"{type(self).__name__}({table!r}): say a dict, or a function of a key")
        object.__setattr__(self, "rows", table)

    def _of(self, key: str, below: Places) -> tuple[str, ...]:
        if below is None:
            return ()
        if callable(self.rows):
            values = _values(self.rows(key))
        else:
            values = next((values for above, values in self.rows if above == key), ())
        found = [below.key(value) for value in values]
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def _told(self) -> str:
        if callable(self.rows):
            return named(self.rows)
        shown = {key: each[0] if len(each) == 1 else list(each) for key, each in self.rows}
        return repr(shown)

    def _unknown(self, above: Places, below: Places) -> str:
        """What is wrong with the keys of a dict, or with a function for a key that there is."""
        if callable(self.rows):
            return self._raising(above)
        for key, values in self.rows:
            for end, name in [(above, key), *((below, value) for value in values)]:
                if end is not None and (problem := end.problem(name)):
                    return problem
        return ""

    def _raising(self, above: Places) -> str:
        keys = above.names if isinstance(above, Static) else ()
        for key in (above.start,) if isinstance(above, Windowed) else keys:
            try:
                cast("Function", self.rows)(key)
            except Exception as error:  # noqa: BLE001 - a user's function
                return f"it raises {type(error).__name__}: {error} for {key!r}"
        return ""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Mapped(_Table, Mapping):
    """An upstream key leads to the downstream key or keys that a dict or a function says.

    A function takes the upstream key and answers a key, a list of them, or None; it must be pure.
    """

    rows: tuple[tuple[str, tuple[str, ...]], ...] | Function

    def __init__(self, table: Dict[str, Any] | Function) -> None:
        self._set(table)

    def __str__(self) -> str:
        return f"Mapped({self._told()})"

    def down(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """What the dict or the function says, so far as there are such partitions below."""
        return self._of(key, below) if _has(above, key) else ()

    def up(self, key: str, above: Places, below: Places) -> tuple[str, ...] | None:
        """The upstream keys that lead there; None if a function decides."""
        if callable(self.rows):
            return None
        return tuple(each for each, _ in self.rows if key in self.down(each, above, below))

    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""
        if above is None:
            return "the upstream has no partitions: say Keys()"
        return _LONE if below is None else self._unknown(above, below)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Keys(_Table, Mapping):
    """The upstream has no partitions, and says which keys changed: `Output(changed=["eu"])`.

    Those partitions are affected; with a dict or a function of a key, those that it leads to.
    """

    rows: tuple[tuple[str, tuple[str, ...]], ...] | Function

    def __init__(self, table: Dict[str, Any] | Function | None = None) -> None:
        self._set(_itself if table is None else table)

    def __str__(self) -> str:
        return "Keys()" if self.rows is _itself else f"Keys({self._told()})"

    def down(self, key: str, above: Places, below: Places) -> tuple[str, ...]:
        """The partitions that a changed key leads to."""
        return self._of(key, below)

    def up(self, key: str, above: Places, below: Places) -> None:
        """None: each partition reads the upstream as it is."""

    def refusal(self, above: Places, below: Places) -> str:
        """Why it makes no sense between these; empty if it does."""
        if above is not None:
            return "the upstream has partitions of its own: say Mapped(...)"
        return (
            "the downstream asset has no partitions"
            if below is None
            else self._unknown(None, below)
        )


def resolve(above: Places, below: Places, chosen: Mapping | None) -> Mapping | Problem | None:
    """The mapping of an edge: the chosen one, else what follows from its ends; None if neither has
    partitions. What makes no sense, or does not follow, is a problem (without its place)."""
    if chosen is not None:
        refusal = chosen.refusal(above, below)
        what = f"{chosen} leads from {_shown(above)} to {_shown(below)}"
        return Problem(f"{what}, and {refusal}") if refusal else chosen
    if below is None:
        return None if above is None else All()
    if above is None:
        return Keys()
    return _SAME if above is below else _following(above, below)


@lru_cache(maxsize=1_024)
def _following(above: Partitions, below: Partitions) -> Mapping | Problem:
    """The mapping that follows from what both ends are."""
    above, below = above.plain, below.plain
    if above == below:
        return _SAME
    if isinstance(above, Windowed) and isinstance(below, Windowed):
        return _windows(above, below)
    return Problem(
        f"nothing says how {_shown(above)} lead to {_shown(below)}",
        hint="say mapping={...: Mapped({...})}, Mapped(function), All() or Same()",
    )


def _windows(above: Windowed, below: Windowed) -> Mapping | Problem:
    if above.grid == below.grid:
        return _SAME
    what = f"nothing says how {above} lead to {below}"
    if above.zone != below.zone:
        why = "their days begin at different instants"
        return Problem(f"{what}: {why}", hint="say mapping={...: Rollup()} to read what overlaps")
    longer = Rollup() if _length(above) <= _length(below) else Drilldown()
    short, long = (above, below) if isinstance(longer, Rollup) else (below, above)
    since = max(above.begins, below.begins)
    for begins in islice(long.starts(since), 1, _SAMPLE):
        if not short.cuts(begins):
            why = f"a {short.noun} may lie in two of the others"
            hint = f"say mapping={{...: {longer}}} to read all that overlap"
            return Problem(f"{what}: {why}", hint=hint)
    return longer


@lru_cache(maxsize=1_024)
def _length(windows: Windowed) -> timedelta:
    """How long the windows are, one with another."""
    starts = list(islice(windows.starts(windows.begins), _SAMPLE + 1))
    return (starts[-1] - starts[0]) / max(len(starts) - 1, 1)


def _overlap(key: str, here: Places, there: Places) -> tuple[str, ...]:
    if not isinstance(here, Windowed) or not isinstance(there, Windowed) or here.problem(key):
        return ()
    return there.overlapping(*here.span(key))


@lru_cache(maxsize=4_096)
def _moved(key: str, first: int, last: int, here: Places, there: Places) -> tuple[str, ...]:
    if not isinstance(here, Windowed) or not isinstance(there, Windowed) or here.problem(key):
        return ()
    moved = [here.moved(key, first)]
    for _ in range(last - first):
        moved.append(here.moved(moved[-1], 1) if moved[-1] is not None else None)
    return tuple(each for each in moved if each is not None and not there.problem(each))


def _has(end: Places, key: str) -> bool:
    return end is not None and not end.problem(key)


def _values(said: Any) -> tuple[Any, ...]:
    if said is None:
        return ()
    if isinstance(said, Iterable) and not isinstance(said, (str, bytes)):
        return tuple(cast("Iterable[Any]", said))
    return (said,)


def _several(said: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in _values(said))


def _itself(key: str) -> str:
    return key


def _shown(end: Places) -> str:
    return "an asset without partitions" if end is None else str(end.plain)


_SAME = Same()
_LONE = "one of them has no partitions"
