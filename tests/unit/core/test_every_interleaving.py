"""Small graphs, every way in which events, ends and failures can follow each other.

Each state of the reactor is loaded from its rows alone, and each move from it is made. Nothing goes
on for ever, since every move uses up an event, a failure or a step; so that nothing is left in the
last states is all there is to show of deadlock and starvation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from reactor.core.asset import Asset, Rule, Upstream
from reactor.core.decision import Arrived, Ending, Finished, Input, Restarted, Start
from reactor.core.field import field, path_of
from reactor.core.graph import Graph
from reactor.core.mapping import All
from reactor.core.partition import Static
from reactor.core.reactor import Reactor
from reactor.core.run import StepStatus
from reactor.core.state import State, Table
from tests.unit.core.stage import drawn
from tests.unit.core.tap import START, Tap

Place = tuple[str, str | None]
Origin = dict[Place, int]
"""The newest event of each source that data come from."""


class Going(NamedTuple):
    """An attempt that runs, with what it saw of its upstreams when it began."""

    start: Start
    seen: dict[Place, Origin]


class Moment(NamedTuple):
    """All there is: rows, what runs, what was written, and what may still happen."""

    rows: tuple[Any, ...]
    going: tuple[Going, ...]
    data: dict[Place, Origin]
    left: tuple[tuple[str, str | None], ...]
    failures: int
    deaths: int
    failed: bool = False


def _reads(graph: Graph, place: Place) -> list[Place]:
    found: list[Place] = []
    for up in graph.assets[place[0]].upstream:
        above = graph.assets[up.name].partitions
        if above is None or above == graph.assets[place[0]].partitions:
            found.append((up.name, place[1]))
        else:
            found += [(up.name, key) for key in ("x", "y")]
    return found


def _after(graph: Graph, moment: Moment, inputs: list[Input], **changes: Any) -> Moment:
    """What is there after a turn, checked."""
    reactor = Reactor(graph, State.of(moment.rows))
    decision = reactor.receive(inputs, START)
    going = list(changes.pop("going", moment.going))
    data: dict[Place, Origin] = changes.pop("data", moment.data)
    for start in decision.effects:
        if isinstance(start, Start):
            # A reader of a versioned asset that was delayed reads the newest one, as it must.
            whole = not moment.failed and not any(a.versioned for a in graph.assets.values())
            going.append(_begun(graph, start, going, data, whole=whole))
    rows = tuple(
        (t, key, row) for t, held in reactor.state.rows.items() for key, row in held.items()
    )
    return moment._replace(rows=rows, going=tuple(going), data=data, **changes)


def _begun(
    graph: Graph, start: Start, going: list[Going], data: dict[Place, Origin], *, whole: bool
) -> Going:
    """An attempt that begins: nobody writes what it reads or reads what it writes."""
    place = (start.asset, start.partition)
    reads = _reads(graph, place)
    for other in going:
        written = (other.start.asset, other.start.partition)
        assert written != place, "one place is written twice at once"
        assert written not in reads or graph.assets[written[0]].versioned, "a read is torn"
        if not graph.assets[start.asset].versioned:
            assert place not in _reads(graph, written), "what is being read is written"
    seen = {each: data[each] for each in reads if each in data}
    if whole:
        versions: Origin = {}
        for origin in seen.values():
            for source, version in origin.items():
                assert versions.setdefault(source, version) == version, "a diamond is torn"
    return Going(start, seen)


def _moves(graph: Graph, moment: Moment) -> Iterator[Moment]:
    for at, (tap, key) in enumerate(moment.left):
        if (tap, key) in moment.left[:at]:
            continue
        rest = moment.left[:at] + moment.left[at + 1 :]
        event = Tap(tap).event(f"{tap}/{key}/{len(moment.left)}", key=key)
        yield _after(graph, moment, [Arrived(tap, [event])], left=rest)
    for at, (start, seen) in enumerate(moment.going):
        rest = moment.going[:at] + moment.going[at + 1 :]
        origin: Origin = {}
        for each in seen.values():
            origin |= each
        newest = max((high for _, high in start.events), default=0)
        data = {**moment.data, (start.asset, start.partition): origin or {_at(start): newest}}
        ended = Finished(start.step, start.number, Ending.SUCCEEDED)
        yield _after(graph, moment, [ended], going=rest, data=data)
        if moment.failures:
            broke = Finished(start.step, start.number, Ending.FAILED, error="no luck")
            fewer = moment.failures - 1
            yield _after(graph, moment._replace(failed=True), [broke], going=rest, failures=fewer)

    if moment.deaths and moment.going:
        yield _after(graph, moment, [Restarted()], going=(), deaths=moment.deaths - 1)


def _at(start: Start) -> Place:
    return (start.asset, start.partition)


def explored(
    graph: Graph, events: list[tuple[str, str | None]], failures: int, deaths: int
) -> list[Moment]:
    """The moments in which nothing can happen any more, in every way that leads there."""
    first = Moment((), (), {}, tuple(events), failures, deaths)
    seen: set[Any] = set()
    stack, last = [first], []
    while stack:
        moment = stack.pop()
        following = list(_moves(graph, moment))
        if not following:
            last.append(moment)
        for each in following:
            rows = sorted(map(repr, each.rows))
            key = repr((rows, each.left, each.failures, each.deaths, each.data))
            if key not in seen:
                seen.add(key)
                stack.append(each)
    return last


PARTS = Static("x", "y")
GATHERING = Graph.of(
    "gathering",
    [
        Asset("raw", partitions=PARTS),
        Asset("clean", (Upstream("raw"),), partitions=PARTS),
        Asset("total", (Upstream("clean", mapping=All()),)),
    ],
    [Rule("raw", Tap("raw"), ("raw",), path_of(field.key))],
)


@pytest.mark.parametrize(
    ("graph", "events"),
    [
        (drawn("a, b(a), c(b)"), [("a", None)] * 4),
        (drawn("a, b(a), c(a), d(b c)"), [("a", None)] * 3),
        (drawn("a, b(a), c(a), d(b c)", a={"versioned": True}), [("a", None)] * 2),
        (drawn("a, b, c(a b), d(c a)"), [("a", None), ("b", None), ("a", None)]),
        (GATHERING, [("raw", "x"), ("raw", "y"), ("raw", "x")]),
    ],
    ids=["a chain", "a diamond", "versions that stay", "two sources", "partitions"],
)
@pytest.mark.parametrize(("failures", "deaths"), [(0, 0), (1, 0), (0, 1)])
def test_whatever_comes_first_nothing_is_torn_lost_or_left(
    graph: Graph, events: list[tuple[str, str | None]], failures: int, deaths: int
) -> None:
    # Deaths multiply the ways most.
    for moment in explored(graph, events[: len(events) - deaths], failures, deaths):
        live = [row for table, _, row in moment.rows if table is Table.STEP and not row.finished]
        if moment.failed:
            lacking = any(step.status is StepStatus.BLOCKED for step in live)
            assert lacking or live == [], "something waits, and for nothing that is missing"
            continue
        assert live == [], "something waits for ever"
        newest = {
            place: origin for place, origin in moment.data.items() if not _reads(graph, place)
        }
        for place, origin in moment.data.items():
            for (source, key), version in origin.items():
                assert newest[source, key] == {(source, key): version}, f"{place} missed an update"
