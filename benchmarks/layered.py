"""Seeded graphs of any size: layered, deep, wide.

Each asset of a layered graph reads assets of the layer above, drawn by chance, so that on the mean
each is read by `degree` others; what lies below one roughly doubles with each layer.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence

from reactor.core.asset import Asset, Upstream
from reactor.core.graph import Graph

LAYERS = 20
DEGREE = 2


def layered(size: int, *, seed: int = 4, layers: int = LAYERS, degree: int = DEGREE) -> list[Asset]:
    """So many assets, upstreams first: `a0`, `a1` and on."""
    chance = random.Random(seed)
    width = max(1, size // layers)
    upstreams = [Upstream(f"a{number}") for number in range(size)]
    assets: list[Asset] = []
    for number in range(size):
        first = (number // width - 1) * width
        above: Sequence[Upstream] = ()
        if first >= 0:
            drawn = {first + int(chance.random() * width) for _ in range(degree)}
            above = [upstreams[each] for each in sorted(drawn)]
        assets.append(Asset(f"a{number}", tuple(above)))
    return assets


def chain(size: int) -> list[Asset]:
    """One asset below the other."""
    above: list[tuple[Upstream, ...]] = [(), *((Upstream(f"a{n}"),) for n in range(size - 1))]
    return [Asset(f"a{number}", upstream) for number, upstream in enumerate(above)]


def fan(size: int) -> list[Asset]:
    """One asset, and all others right below it."""
    above = (Upstream("a0"),)
    return [Asset("a0"), *(Asset(f"a{number}", above) for number in range(1, size))]


def root_above(graph: Graph, wanted: int, layers: int = LAYERS) -> str:
    """The asset of a layered graph with as nearly `wanted` assets affected by it, itself included,
    as with any of a thousand that lie at about the right depth.
    """
    names = list(graph.assets)
    width = max(1, len(names) // layers)
    first = max(0, layers - wanted.bit_length()) * width
    some = names[first : first + 2 * width][:1_000]
    return min(some, key=lambda name: abs(len(graph.affected([name])) - wanted))


def digest(names: Iterable[str]) -> str:
    """Names a set of assets."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
