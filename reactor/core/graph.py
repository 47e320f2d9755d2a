"""The checked graph of a pipeline: assets, edges, rules and sensors.

Knows: who is upstream of whom, and in which order. Refuses to know: what is pending, what ran.

Laws: a graph that exists is free of cycles and dangling names; finding what is affected costs what
is affected, not what exists.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TypeVar

from reactor.core.asset import INJECTED, Asset, Rule, Upstream
from reactor.core.edge import mapped
from reactor.core.errors import DefinitionError, Problem
from reactor.core.trigger.expression import AssetEvents, Source, leaves, same_sensor


@dataclass(frozen=True, slots=True)
class Graph:
    """A pipeline, checked. Build it with `Graph.of`."""

    name: str
    assets: Mapping[str, Asset]
    rules: Mapping[str, Rule]
    sensors: Mapping[str, Source]
    downstream: Mapping[str, tuple[str, ...]]
    place: Mapping[str, int]
    """Each asset's place in the order of declaration."""
    pools: Mapping[str, int] = field(default_factory=lambda: {})
    fingerprint: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        assets: Sequence[Asset],
        rules: Sequence[Rule],
        sensors: Sequence[Source] = (),
        pools: Mapping[str, int] | None = None,
    ) -> Graph:
        """Checks and builds a graph.

        Raises: DefinitionError with every problem found: duplicate, unknown and misspelt names,
        cycles, two different sensors of one name, partitions that do not follow from another.
        """
        problems: list[Problem] = []
        by_name = _unique(assets, "asset", problems)
        rules_by_name = _unique(rules, "rule", problems)
        down = _downstream(by_name, problems)
        by_name, unmapped = mapped(by_name)
        problems.extend(unmapped)
        _check_rules(rules_by_name, by_name, problems)
        found = _sensors(sensors, rules_by_name, problems)
        if not problems:
            problems.extend(_cycles(by_name))
        if problems:
            raise DefinitionError(problems)
        place = {asset: number for number, asset in enumerate(by_name)}
        fingerprint = _fingerprint(by_name.values(), rules_by_name.values())
        return cls(name, by_name, rules_by_name, found, down, place, dict(pools or {}), fingerprint)

    def affected(self, roots: Iterable[str]) -> tuple[str, ...]:
        """The roots and all that follows from them, each once, upstreams first.

        An asset that does not follow its upstreams (`follow=False`) is left out unless it is a
        root. Cost: O(affected assets and their edges).
        """
        wanted = dict.fromkeys(sorted(set(roots), key=self.place.__getitem__))
        done: set[str] = set()
        order: list[str] = []
        entered: list[str] = []
        for root in reversed(wanted):
            stack: list[str | None] = [root]
            while stack:
                asset = stack.pop()
                if asset is None:
                    order.append(entered.pop())
                elif asset not in done:
                    done.add(asset)
                    entered.append(asset)
                    stack.append(None)  # here it is left again, with all below it
                    for child in self.downstream[asset]:
                        if child not in done and (self.assets[child].follow or child in wanted):
                            stack.append(child)
        order.reverse()
        return tuple(order)

    def heard(self) -> frozenset[str]:
        """The assets whose own events some rule listens to."""
        found = (leaf for rule in self.rules.values() for leaf in leaves(rule.trigger))
        return frozenset(leaf.asset for leaf in found if isinstance(leaf, AssetEvents))

    def ancestors(self, asset: str) -> tuple[str, ...]:
        """Everything the asset is made from, in the order of declaration."""
        seen: set[str] = set()
        stack = [asset]
        while stack:
            for upstream in self.assets[stack.pop()].upstream:
                if upstream.name not in seen:
                    seen.add(upstream.name)
                    stack.append(upstream.name)
        return tuple(sorted(seen, key=self.place.__getitem__))


def _fingerprint(assets: Iterable[Asset], rules: Iterable[Rule]) -> str:
    """Names all that a plan follows from, and nothing that changes with the process or the file.

    Cost: of the policies, which many assets share, each is written out once.
    """
    policy = [attrgetter(each.name) for each in fields(Asset) if each.name not in _APART]
    edge = [attrgetter(each.name) for each in fields(Upstream) if each.name != "name"]
    known: dict[tuple[int, ...], str] = {}
    lines: list[str] = []
    for asset in assets:
        above = asset.upstream
        values = [read(asset) for read in policy]
        for read in edge:
            values += map(read, above)
        # By identity: the values outlive the call, and hashing them would cost as much as this.
        key = tuple(map(id, values))
        text = known.get(key)
        if text is None:
            text = known[key] = str(values)
        lines.append(f"{asset.name!r} {[*map(_NAME, above)]} {text}")
    for rule in rules:
        about = (rule.fingerprint, rule.assets, rule.pending.value, rule.priority, rule.observe)
        lines.append(f"{rule.name!r} {about}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


_NAME = attrgetter("name")
_APART = ("name", "upstream", "owner", "doc", "where")
"""What of an asset is written by itself, or is nothing that a plan follows from."""


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint that names the nearest known name, or an empty text."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


Named = TypeVar("Named", Asset, Rule)


def _unique(items: Sequence[Named], what: str, problems: list[Problem]) -> dict[str, Named]:
    found: dict[str, Named] = {}
    for item in items:
        first = found.setdefault(item.name, item)
        if first is not item:
            also = f"the other is at {first.where}" if first.where else "names are unique"
            problems.append(Problem(f"two {what}s are called {item.name}", item.where, also))
    return found


def _check_rules(
    rules: Mapping[str, Rule], assets: Mapping[str, Asset], problems: list[Problem]
) -> None:
    for rule in rules.values():
        for name in rule.assets:
            if name not in assets:
                hint = nearest(name, assets)
                problems.append(
                    Problem(
                        f"rule {rule.name} launches {name}, which is no asset", rule.where, hint
                    )
                )
        for leaf in leaves(rule.trigger):
            if isinstance(leaf, AssetEvents) and leaf.asset not in assets:
                hint = nearest(leaf.asset, assets)
                problems.append(
                    Problem(
                        f"rule {rule.name} listens to {leaf.asset}, which is no asset",
                        rule.where,
                        hint,
                    )
                )


def _sensors(
    extra: Sequence[Source], rules: Mapping[str, Rule], problems: list[Problem]
) -> dict[str, Source]:
    found: dict[str, Source] = {}
    used = [(leaf, rule.where) for rule in rules.values() for leaf in leaves(rule.trigger)]
    for leaf, where in [*((sensor, "") for sensor in extra), *used]:
        if isinstance(leaf, AssetEvents):
            continue
        if leaf.name.startswith("asset:"):
            what = f"a sensor is called {leaf.name}, which means the events of an asset"
            problems.append(Problem(what, where, "give it another name with name="))
        first = found.setdefault(leaf.name, leaf)
        if not same_sensor(first, leaf):
            problems.append(
                Problem(
                    f"two different sensors are called {leaf.name}: {first.kind} {first.address}"
                    f" and {leaf.kind} {leaf.address}",
                    where,
                    "give one of them a name with name=, or make their settings equal",
                )
            )
    return found


def _downstream(assets: Mapping[str, Asset], problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    """Who reads each asset, in the order of declaration."""
    down: dict[str, list[str]] = {name: [] for name in assets}
    for name, asset in assets.items():
        for upstream in asset.upstream:
            readers = down.get(upstream.name)
            if readers is not None:
                readers.append(name)
                continue
            what = f"{name} asks for {upstream.name}, which is no asset"
            hint = nearest(upstream.name, [*assets, *INJECTED])
            problems.append(Problem(what, asset.where, hint))
    return {name: tuple(readers) for name, readers in down.items()}


def _cycles(assets: Mapping[str, Asset]) -> list[Problem]:
    """One problem for each cycle that a depth-first walk closes, with the cycle printed."""
    if _upstreams_first(assets):
        return []
    problems: list[Problem] = []
    done: set[str] = set()
    for start in assets:
        path: dict[str, None] = {}
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, left = stack.pop()
            if left:
                path.pop(name)
                done.add(name)
            elif name in path:
                cycle = list(path)[list(path).index(name) :]
                shown = " -> ".join([cycle[0], *reversed(cycle)])
                problems.append(
                    Problem(f"these assets go round in a circle: {shown}", assets[name].where)
                )
            elif name not in done:
                path[name] = None
                stack.append((name, True))
                stack.extend((upstream.name, False) for upstream in assets[name].upstream)
    return problems


def _upstreams_first(assets: Mapping[str, Asset]) -> bool:
    """Whether all assets were declared below what they read, so that no walk is needed."""
    above: set[str] = set()
    for asset in assets.values():
        for upstream in asset.upstream:
            if upstream.name not in above:
                return False
        above.add(asset.name)
    return True
