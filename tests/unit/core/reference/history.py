"""Random histories, and how the engine and a reference live through them.

A history is honest: no event is older than its sensor's word less the sensor's lateness. Times are
in minutes after the start. The subject of an event is its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st

from reactor.core.asset import Asset, Rule
from reactor.core.decision import Arrived, Input, Restarted
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.ranges import numbers
from reactor.core.trigger.expression import Trigger
from tests.unit.core.reference.meaning import model_of
from tests.unit.core.reference.model import Key
from tests.unit.core.stage import Stage
from tests.unit.core.tap import START, Tap

MINUTE = timedelta(minutes=1)
END = 40
"""How long after the last event it is waited for what still fires."""


@dataclass(frozen=True)
class LateTap(Tap):
    """A tap whose events may come two minutes after its word."""

    kind: ClassVar[str] = "late tap"
    lateness = 2 * MINUTE


TAPS = {"a": Tap("a"), "b": Tap("b"), "c": LateTap("c")}

_EVENT = st.tuples(
    st.just("event"),
    st.sampled_from("aabbc"),
    st.sampled_from([0, 0, 0, 0.5, 1, 2.5, 4, 6, 9]),
    st.sampled_from([0, 0, 1, 1, 2, 3]),
    st.sampled_from(["x", "x", "x", "y", "y", None]),
    st.sampled_from([None, 1, 1, 2, 5]),
    st.sampled_from([None, None, None, ["0", "1"], ["2"], 2]),
)
_READ = st.tuples(
    st.just("read"),
    st.sampled_from(["a", "a", "b", "b", "c", "abc"]),
    st.sampled_from([0.01, 0.5, 2, 4, 9]),
)
MOVES = st.tuples(
    st.sampled_from([0, 0, 0.5, 0.5, 1, 1, 2.5, 6]),
    st.lists(st.one_of(_EVENT, _EVENT, _EVENT, _EVENT, _READ), min_size=1, max_size=5),
)
HISTORIES = st.lists(MOVES, min_size=3, max_size=16)

Turn = tuple[datetime, tuple[Input, ...]]
Heard = list[tuple[datetime, dict[Key, list[tuple[int, ...]]]]]


@dataclass
class Writer:
    """Makes turns of moves, and keeps them honest; if `strict`, without any lateness; if `prompt`,
    each event comes as it happens.

    What comes at one instant comes in a turn each, or all `at_once`.
    """

    strict: bool = False
    prompt: bool = False
    at_once: bool = False
    now: datetime = START
    events: int = 0
    word: dict[str, datetime] = field(default_factory=dict)

    def turns(self, history: Sequence[Any]) -> list[Turn]:
        turns: list[Turn] = []
        for wait, acts in history:
            self.now += wait * MINUTE
            inputs = [made for act in acts for made in self._inputs(act)]
            if self.at_once and turns and turns[-1][0] == self.now:
                inputs = [*turns.pop()[1], *inputs]
            turns.append((self.now, tuple(inputs)))
        for _ in range(END // 4):
            self.now += 4 * MINUTE
            turns.append((self.now, tuple(Arrived(tap, (), self.now) for tap in TAPS)))
        return turns

    def _inputs(self, act: Any) -> list[Input]:
        if act[0] == "read":
            _, taps, lag = act
            return [self._read(tap, self.now - lag * MINUTE) for tap in taps]
        _, tap, late, n, k, v, m = act
        lateness = timedelta(0) if self.strict else TAPS[tap].lateness
        oldest = self.word.get(tap, START - 99 * MINUTE) - lateness
        time = self.now if self.prompt else self.now - late * MINUTE
        if time <= oldest:
            time = self.now
        if time <= oldest:
            return []
        self.events += 1
        data: dict[str, Any] = {"n": n, "k": k, "v": v, "m": m}
        name = str(self.events)
        return [Arrived(tap, [Event(name, tap, "tap", name, time, self.now, data)])]

    def _read(self, tap: str, upto: datetime) -> Input:
        self.word[tap] = max(upto, self.word.get(tap, upto))
        return Arrived(tap, (), self.word[tap])


class Live:
    """The engine, with one rule that observes."""

    def __init__(self, *triggers: Trigger) -> None:
        rules = [Rule(f"r{n}", each, ("x",), observe=True) for n, each in enumerate(triggers)]
        self.stage = Stage(Graph.of("live", [Asset("x")], rules))
        self.numbers: dict[int, int] = {}
        self.told: set[int] = set()
        self.word: dict[str, datetime] = {}
        self.turns: list[Turn] = []
        self.heard: Heard = []
        self.turn(START, (Restarted(),))

    def turn(self, now: datetime, inputs: Sequence[Input]) -> None:
        """One turn, and what it fired of the first rule."""
        self.stage.now = now
        for each in inputs:
            if isinstance(each, Arrived) and each.upto is not None:
                self.word[each.sensor] = max(each.upto, self.word.get(each.sensor, each.upto))
        decision = self.stage.receive(*inputs)
        self.told |= {seq for each in decision.facts.fired for m in each.matches for seq in m}
        self.told |= {seq for fate in decision.facts.fates for seq in numbers(fate.events)}
        self.turns.append((now, tuple(inputs)))
        self.numbers |= {seq: int(event.subject) for seq, event in decision.facts.accepted}
        fired: dict[Key, list[tuple[int, ...]]] = {}
        for each in decision.facts.fired:
            if each.rule == "r0":
                some = [tuple(sorted(self.numbers[seq] for seq in m)) for m in each.matches]
                fired.setdefault(each.key, []).extend(some)
        if fired:
            self.heard.append((now, fired))

    def wakes(self, until: datetime) -> None:
        """It is asked again whenever it wants to be."""
        for _ in range(1_000):
            wake = self.stage.reactor.wake_at()
            if wake is None or wake > until:
                return
            self.turn(max(wake, self.stage.now), ())
        raise AssertionError("it wants to be asked again and again")

    def restart(self) -> None:
        """The process dies; the next goes on from the rows, and the sensors say again what they
        had said."""
        self.stage.reactor = self.stage.loaded()
        again = [Arrived(tap, (), upto) for tap, upto in self.word.items()]
        self.turn(self.stage.now, (Restarted(), *again))

    def tries(self, now: datetime, inputs: Sequence[Input]) -> None:
        """A turn that could not be recorded."""
        self.stage.reactor.undo(self.stage.reactor.receive(inputs, now))


def lived(trigger: Trigger, turns: Sequence[Turn], steps: bool) -> Live:
    """The engine's life; `steps`: it is woken in between, else it only acts at the turns."""
    live = Live(trigger)
    for now, inputs in turns:
        if steps:
            live.wakes(now)
        live.turn(now, inputs)
    return live


def by_time(heard: Heard) -> dict[datetime, dict[Key, list[tuple[int, ...]]]]:
    """What was heard at each instant, in however many turns."""
    told: dict[datetime, dict[Key, list[tuple[int, ...]]]] = {}
    for now, fired in heard:
        for key, matches in fired.items():
            told.setdefault(now, {}).setdefault(key, []).extend(matches)
    return told


def expected(trigger: Trigger, turns: Sequence[Turn]) -> Heard:
    """What the reference fires at those turns."""
    model, heard = model_of(trigger, START), Heard()
    for now, inputs in turns:
        before = len(model.fired)
        model.passes(now)
        for each in inputs:
            if isinstance(each, Arrived):
                for event in each.events:
                    model.comes(int(event.subject), event)
                if each.upto is not None:
                    model.reads(each.sensor, each.upto)
        fired: dict[Key, list[tuple[int, ...]]] = {}
        for firing in model.fired[before:]:
            fired.setdefault(firing.key, []).append(firing.events)
        if fired:
            heard.append((now, fired))
    return heard
