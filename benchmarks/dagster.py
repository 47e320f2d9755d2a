"""Dagster (PyPI: dagster) on our graphs: what it takes to say what is affected.

Its assets depend on each other as ours do, each with `AutomationCondition.eager()`, on its instance
in memory, and all of them were materialized once. Then one is materialized again. Nothing is run.

`python -m benchmarks.dagster SIZE WANTED` prints the seconds as JSON.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import warnings
from collections.abc import Iterable
from typing import Any

from benchmarks.core import took
from benchmarks.layered import digest, layered, root_above
from reactor.core.asset import Asset
from reactor.core.graph import Graph


def missing() -> str:
    """Why it cannot run on this machine, or an empty text."""
    return "" if importlib.util.find_spec("dagster") else "dagster is not installed: run make bench"


class Dagster:
    """A code location, its asset graph and its instance."""

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._api: Any = importlib.import_module("dagster")
        self._definitions = self._api.Definitions(assets=[self._asset(each) for each in assets])
        self._graph = self._definitions.resolve_asset_graph()
        self._instance = self._api.DagsterInstance.ephemeral()
        self._cursor: Any = None

    def _asset(self, asset: Asset) -> Any:
        eager = self._api.AutomationCondition.eager()
        above = [upstream.name for upstream in asset.upstream]

        def work() -> None: ...

        return self._api.asset(name=asset.name, deps=above, automation_condition=eager)(work)

    def select(self, root: str) -> set[str]:
        """An asset and all below it."""
        selection = self._api.AssetSelection.assets(root).downstream()
        return {key.path[-1] for key in selection.resolve(self._graph)}

    def update(self, name: str) -> None:
        """An asset was materialized."""
        self._instance.report_runless_asset_event(self._api.AssetMaterialization(name))

    def evaluate(self) -> set[str]:
        """One tick of the automation: what it would run."""
        found = self._api.evaluate_automation_conditions(
            defs=self._definitions, instance=self._instance, cursor=self._cursor
        )
        self._cursor = found.cursor
        return {each.key.path[-1] for each in found.results if each.true_subset.size}


def main() -> None:
    warnings.simplefilter("ignore")
    size, wanted = map(int, sys.argv[1:])
    assets = layered(size)
    root = root_above(Graph.of("bench", assets, []), wanted)
    dagster = Dagster(assets)
    selected: list[set[str]] = []
    once = took(lambda: selected.append(dagster.select(root)))
    again = took(lambda: selected.append(dagster.select(root)))
    for asset in assets:
        dagster.update(asset.name)
    if dagster.evaluate():
        raise RuntimeError("it would run what is up to date")
    dagster.update(root)
    requested: list[set[str]] = []
    evaluated = took(lambda: requested.append(dagster.evaluate()))
    if requested[0] | {root} != selected[0]:
        raise RuntimeError(f"it would run {len(requested[0])} of {len(selected[0]) - 1}")
    said = {
        "selected": once,
        "selected again": again,
        "evaluated": evaluated,
        "digest": digest(selected[0]),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
