"""What several rules ask is asked once for each event.

Knows: which parts of predicates, and which places, occur more than once. Refuses to know: rules.

Law: an event does not change and what is shared is pure, so that asking once is as good as asking
each time; an error is raised for each that asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from reactor.core.event import Event
from reactor.core.place import Get, Path
from reactor.core.predicate import AnyItem, Build, Compare, Exists, Predicate, Test


class Sharing(Build):
    """Makes functions that remember their answer on the latest event, for what several ask."""

    def __init__(self, predicates: Iterable[Predicate], paths: Iterable[Path] = ()) -> None:
        self._uses: Counter[Hashable] = Counter(paths)
        self._made: dict[Hashable, Callable[[Event], Any]] = {}
        for predicate in predicates:
            self._count(predicate)

    def _count(self, predicate: Predicate) -> None:
        if _hashable(predicate):
            self._uses[predicate] += 1
            if self._uses[predicate] > 1:
                return
        if isinstance(predicate, (Compare, Exists, AnyItem)):
            self._uses[predicate.path] += 1
        for part in predicate.parts:
            self._count(part)

    def get(self, path: Path) -> Get:
        return self._shared(path, path.getter)

    def test(self, predicate: Predicate) -> Test:
        return self._shared(predicate, lambda: predicate.test(self))

    def _shared(self, key: Hashable, make: Callable[[], Callable[[Event], Any]]) -> Any:
        if not _hashable(key) or self._uses[key] < 2:
            return make()
        if key not in self._made:
            self._made[key] = _once(make())
        return self._made[key]


def _hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def _once(ask: Callable[[Event], Any]) -> Callable[[Event], Any]:
    asked: Event | None = None
    answer: Any = None
    error: Exception | None = None

    def answered(event: Event) -> Any:
        nonlocal asked, answer, error
        if event is asked:
            if error is not None:
                raise error
            return answer
        asked, error = event, None
        try:
            answer = ask(event)
        except Exception as raised:
            error = raised
            raise
        return answer

    return answered
