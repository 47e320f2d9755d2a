"""One trigger that listens, and what it heard: for stories about operators."""

from __future__ import annotations

from typing import Any

from reactor.core.asset import Asset, Rule
from reactor.core.decision import Arrived, Decision, Restarted
from reactor.core.graph import Graph
from reactor.core.ranges import count, numbers
from reactor.core.state import Table
from reactor.core.trigger.expression import Trigger
from tests.unit.core.stage import Stage, seconds
from tests.unit.core.tap import START, Tap, at


class Ear(Stage):
    """A stage with one rule that only observes; matches are told by the subjects of their events,
    and one that has no event as `(nothing)`.

    Subjects are `a1`, `a2`, `b1`, ... in the order they come from the taps `a` and `b`.
    """

    def __init__(self, trigger: Trigger) -> None:
        rule = Rule("r", trigger, ("x",), observe=True)
        super().__init__(Graph.of("ear", [Asset("x")], [rule]))
        self.subjects: dict[int, str] = {}
        self.counts: dict[str, int] = {}
        self.lost: dict[str, int] = {}
        self.fates: list[str] = []
        self.receive(Restarted())

    def hears(self, *taps: str, late: float = 0, **data: Any) -> list[str]:
        """An event of each tap, all at once; answers what fired. `late` is how long ago it was."""
        inputs: list[Arrived] = []
        for tap in taps:
            number = self.counts[tap] = self.counts.get(tap, 0) + 1
            ago = (self.now - START).total_seconds() - late
            inputs.append(Arrived(tap, [Tap(tap).event(f"{tap}{number}", ago, **data)]))
        return self.told_by(self.receive(*inputs))

    def reads(self, *taps: str, until: float | None = None) -> list[str]:
        """The taps have been read up to now, or until then; answers what fired."""
        upto = self.now if until is None else at(until)
        return self.told_by(self.receive(*(Arrived(tap, (), upto) for tap in taps)))

    def waits(self, until: float, *reading: str) -> list[str]:
        """Time passes, up to so many seconds after the start; answers what fired, and when.

        The taps that it is `reading` are read up to now all the while.
        """
        heard: list[str] = []
        while (wake := self.reactor.wake_at()) is not None and wake <= at(until):
            if wake > self.now:
                self.now = wake
            heard += [f"{each} at {seconds(self.now):g}" for each in self.reads(*reading)]
        self.now = at(until)
        if reading:
            heard += [f"{each} at {until:g}" for each in self.reads(*reading)]
        return heard

    def told_by(self, decision: Decision) -> list[str]:
        """The matches of a decision, each as the subjects of its events, with its key."""
        self.subjects.update((seq, event.subject) for seq, event in decision.facts.accepted)
        for fate in decision.facts.fates:
            self.lost[fate.word] = self.lost.get(fate.word, 0) + count(fate.events)
            some = " ".join(self.subjects[seq] for seq in numbers(fate.events))
            self.fates.append(f"{some} {fate.word}: {fate.why}")
        told: list[str] = []
        for fired in decision.facts.fired:
            key = f"{fired.key}: " if fired.key is not None else ""
            for match in fired.matches:
                told.append(key + (" ".join(self.subjects[seq] for seq in match) or "(nothing)"))
        return told

    def again(self) -> Ear:
        """The process dies, and another one goes on from the rows."""
        self.reactor = self.loaded()
        return self

    @property
    def waiting(self) -> list[str]:
        """What each event so far still waits for."""
        return [
            f"{subject} {waiting.text}"
            for seq, subject in self.subjects.items()
            for waiting in self.reactor.waiting_for(seq)
        ]

    @property
    def remembers(self) -> int:
        """How many rows of operator state there are."""
        return len(self.reactor.state.rows[Table.NODE])
