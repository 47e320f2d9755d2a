"""What a simulated life begins with: what it hears, whether it only observes, what was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reactor.core.graph import Graph
from reactor.core.state import Key, Node, State, Table, frozen
from reactor.core.trigger.expression import AssetEvents, Source, leaves


def heard(graph: Graph) -> dict[str, Source]:
    """The sensors that some rule listens to, in the order in which they are named."""
    used = [leaf for rule in graph.rules.values() for leaf in leaves(rule.trigger)]
    return {leaf.name: leaf for leaf in used if not isinstance(leaf, AssetEvents)}


def observing(graph: Graph) -> Graph:
    """The same graph, whose rules all say what they would launch, and launch nothing."""
    rules = {name: replace(rule, observe=True) for name, rule in graph.rules.items()}
    return replace(graph, rules=rules)


def recorded(state: State) -> Iterator[tuple[Table, Key, Any]]:
    """The rows as a store gives them back: in the order of their keys, data through JSON."""
    for table, rows in state.rows.items():
        for key in sorted(rows, key=lambda key: [(part is not None, str(part)) for part in key]):
            row = rows[key]
            if isinstance(row, Node):
                row = row._replace(data=frozen(json.loads(json.dumps(row.data))))
            yield table, key, row
