"""Which rules an event may concern, without asking each of them.

Knows: the leaves of compiled rules, by source and by what they ask of one place: equality and
membership, prefixes, ranges. Refuses to know: state, time, what a match leads to.

Law: the index lets in exactly what asking every leaf would let in; it only asks fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reactor.core.event import Event
from reactor.core.listener import Listener
from reactor.core.place import Path
from reactor.core.predicate import Callback, Predicate, Test, every
from reactor.core.sharing import Sharing
from reactor.core.shelf import finder
from reactor.core.trigger.compile import Entry
from reactor.core.way import Choice, Way, ways

Types = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Hit:
    """One leaf in the index."""

    rule: Listener
    entry: Entry


Found = tuple[list[Hit], list[tuple[Hit, Exception]]]


@dataclass(eq=False, slots=True)
class Gate:
    """The leaves that ask the same: they are asked once."""

    hits: list[Hit]
    conditions: tuple[Predicate, ...]
    types: Types


class Index:
    """The leaves of one source."""

    def __init__(self) -> None:
        self._gates: dict[object, Gate] = {}
        self._look: Callable[[Event], Found] | None = None

    def add(self, rule: Listener, entry: Entry) -> None:
        """Takes in a leaf of a rule."""
        types, conditions = entry.source.types, entry.conditions
        gate = self._gates.setdefault(_same(conditions, types), Gate([], conditions, types))
        gate.hits.append(Hit(rule, entry))
        self._look = None

    def build(self) -> None:
        """Puts the leaves in order; else the first event that is looked for pays for it.

        Cost: O(n log n).
        """
        self._look = _build(list(self._gates.values()))

    def find(self, event: Event) -> Found:
        """The leaves that let an event in, and those whose predicate raised, each with its error.

        In no order; the lists belong to the index and are not to be changed. Cost: O(log n, and the
        leaves that match as far as the index can tell: by the most selective of their conditions
        that can be looked up).
        """
        while (look := self._look) is None:
            self.build()
        return look(event)


def _same(conditions: Sequence[Predicate], types: Types) -> object:
    """What leaves have in common that ask the same."""
    try:
        if any(map(_calls, conditions)):
            # What is written first may guard a function from what it cannot take.
            hash(key := (tuple(conditions), types))
        else:
            hash(key := (frozenset(conditions), types))
    except TypeError:
        return object()
    return key


def _calls(predicate: Predicate) -> bool:
    return isinstance(predicate, Callback) or any(map(_calls, predicate.parts))


_Candidate = tuple[list[Hit], Test | None]
"""Leaves with what is left to ask of an event."""


def _candidate(gate: Gate, tests: list[Test]) -> _Candidate:
    types = gate.types
    if types is not None:
        tests = [lambda event: event.type in types, *tests]
    return gate.hits, every(tests) if tests else None


def _build(gates: Sequence[Gate]) -> Callable[[Event], Found]:
    if all(not gate.conditions and gate.types is None for gate in gates):
        hits = [hit for gate in gates for hit in gate.hits]
        return lambda event: (hits, [])
    known = [list(ways(gate.conditions)) for gate in gates]
    choice = Choice(known)
    placed = [(gate, choice.best(several)) for gate, several in zip(gates, known, strict=True)]
    sharing = Sharing(
        (each for gate, way in placed for each in _rest(gate, way)),
        {way.path for _, way in placed if way is not None},
    )
    always: list[_Candidate] = []
    by_path: dict[Path, list[tuple[Way, _Candidate]]] = {}
    for gate, way in placed:
        candidate = _candidate(gate, [sharing.test(each) for each in _rest(gate, way)])
        if way is None:
            always.append(candidate)
        else:
            by_path.setdefault(way.path, []).append((way, candidate))
    finders = _finders(placed, by_path, sharing)
    if always:
        finders.append((lambda event: always, _Whole(())))
    return _looker(finders)


def _rest(gate: Gate, way: Way | None) -> list[Predicate]:
    """What is left to ask when a gate was found by a way."""
    answered = way.answers if way is not None else ()
    return [each for number, each in enumerate(gate.conditions) if number not in answered]


class _Whole:
    """The leaves of one shelf, to be asked everything; made when they are first needed."""

    def __init__(self, gates: Iterable[Gate]) -> None:
        self._gates = list(gates)
        self._made: list[_Candidate] = []

    def __call__(self) -> Sequence[_Candidate]:
        if not self._made:
            self._made = [
                _candidate(gate, [each.test() for each in gate.conditions]) for gate in self._gates
            ]
        return self._made


_Finder = tuple[Callable[[Event], Sequence[_Candidate]], _Whole]
"""What finds candidates, and all of them for when it cannot."""


def _finders(
    placed: Sequence[tuple[Gate, Way | None]],
    by_path: dict[Path, list[tuple[Way, _Candidate]]],
    sharing: Sharing,
) -> list[_Finder]:
    gates: dict[Path, list[Gate]] = {}
    for gate, way in placed:
        if way is not None:
            gates.setdefault(way.path, []).append(gate)
    found: list[_Finder] = []
    for path, entries in by_path.items():
        whole = _Whole(gates[path])
        found.append((finder(sharing.get(path), entries, whole), whole))
    return found


def _looker(finders: Sequence[_Finder]) -> Callable[[Event], Found]:
    def look(event: Event) -> Found:
        found: list[Hit] = []
        failed: list[tuple[Hit, Exception]] = []
        for find, whole in finders:
            try:
                candidates = find(event)
            except Exception:  # noqa: BLE001 - a property of a user's model; each leaf will tell
                candidates = whole()
            for hits, test in candidates:
                try:
                    if test is None or test(event):
                        found += hits
                except Exception as error:  # noqa: BLE001 - a user's predicate stops nothing else
                    failed += [(hit, error) for hit in hits]
        return found, failed

    return look
