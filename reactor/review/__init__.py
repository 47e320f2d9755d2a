"""What is wrong, or only strange, about a pipeline that loads.

A *mistake* can never have been meant: a rule that looks for a field its sensor's model does not
have would wait for ever. A *hint* may be: an asset that nothing triggers can be launched by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from reactor.core.asset import Asset
from reactor.core.errors import Problem
from reactor.core.graph import Graph, nearest
from reactor.core.reader import sees_tables
from reactor.core.trigger.expression import leaves
from reactor.executors.local import NAMES as EXECUTORS
from reactor.pipeline import Definition
from reactor.review.fields import field_mistakes


def mistakes(definition: Definition) -> list[Problem]:
    """Fields that no event can have, and executors that there are not."""
    return [*field_mistakes(definition.graph), *_unknown_executors(definition)]


def _unknown_executors(definition: Definition) -> Iterator[Problem]:
    for name, work in definition.works.items():
        if work.executor not in EXECUTORS:
            hint = nearest(work.executor, EXECUTORS) or f"there are {', '.join(EXECUTORS)}"
            where = definition.graph.assets[name].where
            yield Problem(f"{name}: there is no executor {work.executor}", where, hint)


def hints(graph: Graph) -> list[Problem]:
    """What deserves a look: assets that nothing triggers or nobody owns, pools without a limit,
    and, where changes of tables are watched, assets that do not say which columns they read."""
    return [
        *_untriggered(graph),
        *_unowned(graph),
        *_pools(graph),
        *_unheard(graph),
        *_silent_of_columns(graph),
    ]


def _untriggered(graph: Graph) -> Iterator[Problem]:
    roots = {name for rule in graph.rules.values() if not rule.observe for name in rule.assets}
    reached = set(graph.affected(roots))
    for asset in graph.assets.values():
        if asset.name not in reached:
            hint = "say on=..., or let an asset that is triggered flow into it"
            yield Problem(f"nothing triggers {asset.name}: it runs only by hand", asset.where, hint)


def _unowned(graph: Graph) -> Iterator[Problem]:
    without = [asset for asset in graph.assets.values() if not asset.owner]
    if len(without) == len(graph.assets) > 1:
        hint = f"say Pipeline({graph.name!r}, owner=...)"
        yield Problem("no asset has an owner: nobody in particular is told of failures", "", hint)
        return
    for asset in without:
        yield Problem(f"{asset.name} has no owner", asset.where, "say owner=...")


def _pools(graph: Graph) -> Iterator[Problem]:
    used: dict[str, Asset] = {}
    for asset in graph.assets.values():
        if asset.pool:
            used.setdefault(asset.pool, asset)
    for pool, asset in used.items():
        if pool not in graph.pools:
            hint = nearest(pool, graph.pools) or f"say Pipeline(..., pools={{{pool!r}: 4}})"
            what = f"pool {pool} has no limit of its own: one step at a time"
            yield Problem(what, asset.where, hint)
    for pool in graph.pools:
        if pool not in used:
            yield Problem(f"no asset is in pool {pool}", "", nearest(pool, used))


def _unheard(graph: Graph) -> Iterator[Problem]:
    heard = {leaf.name for rule in graph.rules.values() for leaf in leaves(rule.trigger)}
    for sensor in graph.sensors:
        if sensor not in heard:
            yield Problem(f"no rule listens to sensor {sensor}", "", "drop it, or say on=...")


def _silent_of_columns(graph: Graph) -> Iterator[Problem]:
    """Assets that a change of a table goes past; those that listen to such changes ask for all."""
    watching = {name for name, sensor in graph.sensors.items() if sees_tables(sensor)}
    if not watching:
        return
    asking = {
        asset
        for rule in graph.rules.values()
        if watching & {leaf.name for leaf in leaves(rule.trigger)}
        for asset in rule.assets
    }
    reached = set(graph.affected(asking))
    hint = 'say reads={"public.orders": ["id", "amount"]}, or sql=...'
    silent = [
        asset
        for asset in graph.assets.values()
        if asset.lineage is None and asset.name not in reached
    ]
    if len(silent) == 1:
        what = f"{silent[0].name} does not say which columns it reads: no schema change holds it"
        yield Problem(what, silent[0].where, hint)
    elif silent:
        what = f"{len(silent)} assets do not say which columns they read, first {silent[0].name}"
        yield Problem(f"{what}: no schema change holds them", silent[0].where, hint)
