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
    found = dict(assets)
    problems: list[Problem] = []
    for name, asset in assets.items():
        for each in asset.upstream:
            if each.mapping is not None or each.name in parted or name in parted:
                found[name] = _mapped(asset, assets, problems)
                break
    return found, problems


def _mapped(asset: Asset, assets: Mapping[str, Asset], problems: list[Problem]) -> Asset:
    edges: list[Upstream] = []
    for each in asset.upstream:
        above, said = assets.get(each.name), each.mapping
        if above is not None:
            answer = resolve(above.partitions, asset.partitions, said)
            if isinstance(answer, Problem):
                what = f"{asset.name} reads {each.name}: {answer.what}"
                hint = answer.hint.replace("{...:", f"{{{each.name!r}:")
                problems.append(Problem(what, asset.where, hint))
            else:
                said = answer
        edges.append(Upstream(each.name, each.optional, said))
    return replace(asset, upstream=tuple(edges))
