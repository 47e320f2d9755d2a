"""What is launched because it is out of date: after a restart, or because an operator asks for it.

Knows: what is out of date (stale.py), what has a step that has not ended, who was told of what.
Refuses to know: rules and events.

Law: what a step that has not ended will do is left to that one, so nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from reactor.core.asset import Pending
from reactor.core.decision import Materialize, Restarted
from reactor.core.demand import Launch
from reactor.core.graph import Graph
from reactor.core.plan import Known, Root, plan
from reactor.core.run import Step
from reactor.core.stale import CATCH_UP, Stale, due, given_up, missing, stale
from reactor.core.state import Alert, State, Table


class Line(Protocol):
    """What upkeep needs of the scheduler."""

    @property
    def known(self) -> Known: ...

    def launch(self, launch: Launch, now: datetime) -> int: ...


class Upkeep:
    """Launches what is out of date. Remembers nothing of its own."""

    def __init__(self, graph: Graph, state: State, line: Line) -> None:
        self._graph, self._state, self._line = graph, state, line

    def asked(self, command: Materialize, rule: str, now: datetime) -> None:
        """Launches what an operator wants of what is out of date, or was never made.

        Cost: O(what was made, and what each of it reads).
        """
        self._launch(rule, chosen(self._graph, self._state, command, now), command, now)

    def restarted(self, restarted: Restarted, now: datetime) -> None:
        """Launches, once, what nobody else would before its next change.

        Cost: O(what was made, and what each of it reads), if it is wanted at all.
        """
        if not restarted.catch_up:
            return
        alerts: Iterable[Alert] = self._state.rows[Table.ALERT].values()
        told = {alert.key for alert in alerts}
        found = stale(self._graph, self._state)
        left = restarted.left | given_up(self._state.rows[Table.STEP].values())
        left |= {each.place for each in found if each.called in told}
        roots = _reasons(due(self._graph, found, _live(self._state), left))
        many = f"{len(roots):,} asset partitions were" if len(roots) > 1 else "it was"
        command = Materialize((), reason=f"because {many} out of date at the start")
        self._launch(CATCH_UP, roots, command, now)

    def _launch(
        self, rule: str, roots: Mapping[Root, str], command: Materialize, now: datetime
    ) -> None:
        """Launches asset partitions, each with a reason of its own."""
        if not roots:
            return
        below, known = command.downstream, self._line.known
        made = plan(self._graph, rule, roots, "", downstream=below, known=known)
        works = tuple(
            replace(work, because=roots[work.asset, work.partition]) if work.root else work
            for work in made.works
        )
        plan_of = replace(made, works=works)
        self._line.launch(
            Launch(plan_of, (), None, command.reason, 0, Pending.QUEUE, command.forced), now
        )


def chosen(graph: Graph, state: State, command: Materialize, now: datetime) -> dict[Root, str]:
    """What a command for what is out of date, or was never made, launches; each with the reason.

    Cost: O(what was made, and what each of it reads). Changes nothing.
    """
    names = command.assets or tuple(graph.assets)
    known = {name: None for name in names if name in graph.assets}
    roots: dict[Root, str] = {}
    if command.missing:
        roots |= dict.fromkeys(missing(graph, state, known, now), "because it was never made")
    if command.stale:
        found = stale(graph, state)
        roots |= _reasons(each for each in found if each.root and each.asset in known)
    live = _live(state)
    return {root: why for root, why in roots.items() if root not in live}


def _live(state: State) -> set[Root]:
    """The asset partitions that have a step that has not ended."""
    steps: Iterable[Step] = state.rows[Table.STEP].values()
    return {(step.asset, step.partition) for step in steps if not step.finished}


def _reasons(found: Iterable[Stale]) -> dict[Root, str]:
    return {each.place: f"because it was out of date: {each.why}" for each in found}
