"""From a firing to a plan: which assets would run, in which order, and why each.

Knows: the graph. Refuses to know: what is pending or running (scheduler.py joins plans with that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reactor.core.graph import Graph
from reactor.core.run import Work
from reactor.core.sentence import listed


@dataclass(frozen=True, slots=True)
class Plan:
    """What would run and why, before it runs: `works` in topological order, their steps unset (0).

    `pruned` are assets next to the affected ones that do not run, each with the reason.
    """

    rule: str
    partition: str | None
    works: tuple[Work, ...]
    pruned: tuple[tuple[str, str], ...] = ()


def plan(
    graph: Graph,
    rule: str,
    roots: Sequence[str],
    because: str,
    partition: str | None = None,
    downstream: bool = True,
) -> Plan:
    """The affected subgraph of `roots`: they and what follows from them.

    Cost: O(affected assets and their edges).
    """
    names = graph.affected(roots)
    if not downstream:
        names = tuple(name for name in names if name in set(roots))
    at = {name: position for position, name in enumerate(names)}
    chosen = set(roots)
    works: list[Work] = []
    pruned: dict[str, str] = {}
    for name in names:
        above = [upstream.name for upstream in graph.assets[name].upstream if upstream.name in at]
        reason = (
            because if name in chosen else f"because {listed(above, len(above))} {_changes(above)}"
        )
        works.append(Work(name, partition, 0, tuple(at[a] for a in above), reason, name in chosen))
        for child in graph.downstream[name]:
            if child not in at:
                why = (
                    "follow=False: only its own trigger launches it"
                    if downstream
                    else "not asked for"
                )
                pruned.setdefault(child, f"{name} changes, but {why}")
    return Plan(rule, partition, tuple(works), tuple(pruned.items()))


def _changes(names: Sequence[str]) -> str:
    return "changes" if len(names) == 1 else "change"
