"""What a pipeline declares, as plain data: the same for the API and for a terminal."""

from __future__ import annotations

from typing import Any

from reactor.core.graph import Graph
from reactor.core.mapping import Same
from reactor.core.trigger.expression import AssetEvents, leaves

Described = dict[str, list[dict[str, Any]]]


def declared(graph: Graph) -> Described:
    """The `sensors`, `rules` and `assets` of a graph, without what changes while it runs."""
    rules_of: dict[str, list[str]] = {name: [] for name in graph.assets}
    for rule in graph.rules.values():
        for name in rule.assets:
            rules_of[name].append(rule.name)
    rules: list[dict[str, Any]] = []
    for rule in graph.rules.values():
        heard = leaves(rule.trigger)
        rules.append(
            {
                "name": rule.name,
                "trigger": str(rule.trigger),
                "sensors": [leaf.name for leaf in heard if not isinstance(leaf, AssetEvents)],
                "after": [leaf.asset for leaf in heard if isinstance(leaf, AssetEvents)],
                "assets": list(rule.assets),
                "observe": rule.observe,
                "implicit": rule.schema,
            }
        )
    return {
        "sensors": [
            {"name": sensor.name, "kind": sensor.kind, "address": sensor.address}
            for sensor in graph.sensors.values()
        ],
        "rules": rules,
        "assets": [
            {
                "name": asset.name,
                "upstream": [upstream.name for upstream in asset.upstream],
                "rules": rules_of[asset.name],
                "owner": asset.owner,
                "doc": asset.doc,
                "partitioned": "" if asset.partitions is None else str(asset.partitions),
                "mapping": {
                    upstream.name: str(upstream.mapping)
                    for upstream in asset.upstream
                    if upstream.mapping not in (None, Same())
                },
            }
            for asset in graph.assets.values()
        ],
    }
