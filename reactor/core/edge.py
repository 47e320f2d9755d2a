"""The mapping of each edge, from what was chosen and what follows from its ends.

Knows: both ends of an edge. Refuses to know: which partitions there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reactor.core.asset import Asset, Upstream
from reactor.core.errors import Problem
from reactor.core.mapping import resolve


def mapped(assets: Mapping[str, Asset]) -> tuple[dict[str, Asset], list[Problem]]:
    """The assets, with a mapping on every edge of which an end has partitions; what is wrong.

    Cost: O(edges).
    """
    parted = {asset.name for asset in assets.values() if asset.partitions is not None}
    found: dict[str, Asset] = {}
    problems: list[Problem] = []
    for name, asset in assets.items():
        plain = asset.partitions is None and parted.isdisjoint(each.name for each in asset.upstream)
        if plain and all(each.mapping is None for each in asset.upstream):
            found[name] = asset
            continue
        edges: list[Upstream] = []
        for each in asset.upstream:
            above = assets.get(each.name)
            said = each.mapping
            if above is not None:
                answer = resolve(above.partitions, asset.partitions, each.mapping)
                if isinstance(answer, Problem):
                    what = f"{name} reads {each.name}: {answer.what}"
                    hint = answer.hint.replace("{...:", f"{{{each.name!r}:")
                    problems.append(Problem(what, asset.where, hint))
                else:
                    said = answer
            edges.append(each if said is each.mapping else replace(each, mapping=said))
        found[name] = replace(asset, upstream=tuple(edges))
    return found, problems
