"""An update is never swallowed, whenever it lands.

While what reads it is running, just after that ended, in the same turn, between two of its
upstreams: the next step of the reader sees it, and no step sees what the one before it saw. A level
that is reset when its reader is made would lose such an update until another one comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from reactor.core.decision import Arrived, Ending, Finished, Input, Start
from reactor.core.graph import Graph
from tests.unit.core.stage import Stage, at, drawn

Turn = tuple[str, ...]
"""What comes in one turn, in order: `fire raw`, `end clean`."""


class Seeing(Stage):
    """A stage whose data are numbered: each attempt that ends makes the next number."""

    def __init__(self, graph: Graph, reader: str) -> None:
        super().__init__(graph)
        self.reader = reader
        self.made: Counter[str] = Counter()
        self.updates: list[tuple[str, int, int]] = []
        """Of each upstream's update its number, and how often the reader had started by then."""

    def turn(self, *moves: str) -> None:
        """Some events and ends, all in one turn."""
        inputs: list[Input] = []
        for move in moves:
            verb, name = move.split()
            if verb == "fire":
                inputs.append(Arrived(name, [self.event(name)]))
            else:
                inputs.append(self._ended(name))
        self.receive(*inputs)

    def _ended(self, name: str) -> Finished:
        [start] = self.going.pop(name)
        self.made[name] += 1
        number = self.made[name]
        if any(up.name == name for up in self.graph.assets[self.reader].upstream):
            self.updates.append((name, number, len(self.sights)))
        return Finished(start.step, start.number, Ending.SUCCEEDED, number)

    @property
    def sights(self) -> list[Start]:
        """The starts of the reader; `upstream` has the numbers that each saw."""
        return [start for start in self.starts if start.asset == self.reader]

    def play_out(self) -> None:
        """Everything ends, the oldest first."""
        while self.going:
            self.turn(f"end {next(iter(self.going))}")

    def check(self) -> None:
        """Every update was seen by the next step of the reader, and no step saw nothing new."""
        saw = [start.upstream for start in self.sights]
        for name, number, before in self.updates:
            assert len(saw) > before, f"{name} {number} was swallowed"
            assert saw[before][name] >= number, f"{name} {number} came too late for the next step"
        assert all(one != other for one, other in pairwise(saw)), "a step had nothing new to see"
        assert all(step.finished for step in self.steps)


def played(graph: Graph, reader: str, turns: Sequence[Turn]) -> Seeing:
    stage = Seeing(graph, reader)
    for moves in turns:
        stage.turn(*moves)
    return stage


def lives(
    graph: Graph, reader: str, events: tuple[str, ...], turns: tuple[Turn, ...] = ()
) -> Iterator[Seeing]:
    """Every way in which events and ends can follow each other, or fall into one turn."""
    stage = played(graph, reader, turns)
    ends = [f"end {name}" for name in stage.going]
    if not events and not ends:
        yield stage
        return
    for at_, name in enumerate(events):
        if name in events[:at_]:
            continue
        rest, fire = events[:at_] + events[at_ + 1 :], f"fire {name}"
        for moves in ((fire,), *((fire, end) for end in ends), *((end, fire) for end in ends)):
            yield from lives(graph, reader, rest, (*turns, moves))
    for end in ends:
        yield from lives(graph, reader, events, (*turns, (end,)))


@pytest.mark.parametrize("versioned", [False, True])
def test_an_update_lands_while_its_reader_runs(versioned: bool) -> None:
    graph = drawn("raw, clean(raw)", raw={"versioned": versioned})
    stage = played(graph, "clean", [("fire raw",), ("end raw",), ("fire raw",)])
    assert stage.running == (["clean", "raw"] if versioned else ["clean"])
    stage.play_out()
    assert [start.upstream["raw"] for start in stage.sights] == [1, 2]


@pytest.mark.parametrize("turn", [("end clean", "fire raw"), ("fire raw", "end clean")])
def test_an_update_lands_just_as_its_reader_ends_in_the_same_turn(turn: Turn) -> None:
    graph = drawn("raw, clean(raw)")
    stage = played(graph, "clean", [("fire raw",), ("end raw",), turn])
    assert stage.running == ["raw"]
    stage.play_out()
    assert [start.upstream["raw"] for start in stage.sights] == [1, 2]


def test_an_update_lands_just_after_its_reader_ended() -> None:
    graph = drawn("raw, clean(raw)")
    stage = played(graph, "clean", [("fire raw",), ("end raw",), ("end clean",), ("fire raw",)])
    stage.play_out()
    assert [start.upstream["raw"] for start in stage.sights] == [1, 2]


def test_an_update_lands_between_two_upstreams_of_its_reader() -> None:
    graph = drawn("left, right, report(left right)")
    stage = played(graph, "report", [("fire left", "fire right"), ("end left",), ("fire left",)])
    stage.play_out()
    stage.check()
    assert dict(stage.sights[-1].upstream) == {"left": 2, "right": 1}


@pytest.mark.parametrize(
    ("drawing", "reader", "events", "versioned"),
    [
        ("raw, clean(raw)", "clean", "raw raw raw", ""),
        ("raw, clean(raw)", "clean", "raw raw raw", "raw"),
        ("raw, clean(raw), report(clean)", "report", "raw raw", ""),
        ("left, right, report(left right)", "report", "left left right", ""),
        ("left, right, report(left right)", "report", "left left right", "left right"),
        ("left, right, report(left right?)", "report", "left left right", ""),
        ("raw, left(raw), right(raw), report(left right)", "report", "raw raw", ""),
        ("raw, prices, clean(raw), report(clean prices)", "report", "raw raw prices", ""),
    ],
)
def test_every_interleaving_is_seen_by_the_next_step(
    drawing: str, reader: str, events: str, versioned: str
) -> None:
    options: dict[str, Any] = {name: {"versioned": True} for name in versioned.split()}
    ways = 0
    for stage in lives(drawn(drawing, **options), reader, tuple(events.split())):
        stage.check()
        ways += 1
    assert ways > 15


def test_every_event_from_outside_is_handed_to_exactly_one_step() -> None:
    ways = 0
    for stage in lives(drawn("raw, clean(raw)"), "raw", ("raw",) * 3):
        handed = [seq for start in stage.sights for seq in at(start)]
        assert sorted(handed) == [1, 2, 3]
        ways += 1
    assert ways > 15
