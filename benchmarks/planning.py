"""What a firing costs on large graphs: building them, planning what it affects, deciding upon it.

Each size runs in a process of its own. On the sizes that Dagster can do in the time, it gets the
same graph and the same change, and has to find the same assets affected.

`python -m benchmarks.planning SIZE WANTED` prints the seconds of one size as JSON.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks import dagster
from benchmarks.core import took
from benchmarks.engine import ORDERS
from benchmarks.figure import Figure
from benchmarks.layered import digest, layered, root_above
from benchmarks.matching import spawned
from benchmarks.stepping import Stepping
from reactor.core.asset import Rule
from reactor.core.graph import Graph
from reactor.core.plan import plan

AFFECTED = 1_000
ROUNDS = 5
BUILT_SECONDS = 1.0
SIZES: Mapping[int, float] = {100_000: 5.0, 1_000_000: 10.0}
"""Assets, and the milliseconds that planning may take."""
BESIDE: Mapping[int, int] = {1_000: 100, 2_000: 200}
"""Assets of the graphs that Dagster gets as well, and how many of them are affected."""


def measure() -> Iterator[Figure]:
    """Building, planning and deciding; then the same beside Dagster."""
    for size, limit in SIZES.items():
        took = _run(size, AFFECTED)
        if size == min(SIZES):
            built = took["built"]
            words = f"graph of {size:,} assets, checked and built"
            yield Figure(
                words, f"{built:.2f} s", f"<= {BUILT_SECONDS:.0f} s", built <= BUILT_SECONDS
            )
        planned = took["planned"] * 1e3
        words = f"planned: a firing that affects {AFFECTED:,} of {size:,} assets"
        note = f"with all steps put in line, and the first started: {took['decided'] * 1e3:.1f} ms"
        yield Figure(words, f"{planned:.1f} ms", f"<= {limit:.0f} ms", planned <= limit, note)
    absent = dagster.missing()
    if absent:
        yield Figure("Dagster", "left out", note=absent)
        return
    for size, affected in BESIDE.items():
        yield from _beside(size, affected)


def _beside(size: int, affected: int) -> Iterator[Figure]:
    ours, theirs = _run(size, affected), spawned("benchmarks.dagster", size, affected)
    if theirs["digest"] != ours["digest"]:
        raise RuntimeError(f"{size} assets: Dagster finds others affected")
    words = f"{ours['affected']:,} of {size:,} assets"
    selected, again = theirs["selected"] * 1e3, theirs["selected again"] * 1e3
    note = f"Dagster's selection {selected:,.1f} ms, and {again:,.2f} ms when asked again"
    yield Figure(f"found affected: {words}", f"{ours['found'] * 1e3:.2f} ms", note=note)
    note = f"Dagster's evaluation of eager() {theirs['evaluated'] * 1e3:,.0f} ms"
    yield Figure(f"one update decided upon: {words}", f"{ours['decided'] * 1e3:.1f} ms", note=note)


def _run(size: int, affected: int) -> Any:
    return spawned("benchmarks.planning", size, affected)


def main() -> None:
    size, wanted = map(int, sys.argv[1:])
    assets = layered(size)
    root = root_above(Graph.of("bench", assets, []), wanted)
    rules, graphs = [Rule("rule", ORDERS, (root,))], list[Graph]()
    built: list[float] = []
    for _ in range(ROUNDS if size < max(SIZES) else 1):
        graphs.clear()
        built.append(took(lambda: graphs.append(Graph.of("bench", assets, rules))))
    graph = graphs[0]
    stepping = Stepping(graph)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # as the service does
    names = graph.affected([root])
    decided: list[float] = []
    for _ in range(ROUNDS):
        decided.append(took(stepping.fire))
        stepping.carry_out()
    said = {
        "built": statistics.median(built),
        "found": _median(lambda: graph.affected([root])),
        "planned": _median(lambda: plan(graph, "rule", [(root, None)], "because it was")),
        "decided": statistics.median(decided),
        "affected": len(names),
        "digest": digest(names),
    }
    print(json.dumps(said))


def _median(work: Callable[[], object], times: int = 50) -> float:
    return statistics.median(took(work) for _ in range(times))


if __name__ == "__main__":
    main()
