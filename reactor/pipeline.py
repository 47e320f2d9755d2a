"""What a user writes against: a pipeline, its assets, checks and rules.

Knows: how functions become assets, parameters edges, and `>>` rules. Refuses to know: how anything
is run or scheduled. There is no global registry: a pipeline holds what was declared on it, and
`Pipeline.definition()` checks it whole and answers every problem at once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, overload

from reactor.core.asset import Asset, Retry
from reactor.core.duration import Duration
from reactor.core.errors import DefinitionError, Problem
from reactor.core.graph import Graph, nearest
from reactor.core.mapping import Mapping as PartitionMapping
from reactor.core.partition import Partitions
from reactor.core.reader import schema_rules
from reactor.core.trigger.expression import Arrow, AssetEvents, Source, Trigger
from reactor.definition import (
    INJECTED,
    AssetDeclaration,
    Check,
    Definition,
    ExecutorName,
    Function,
    Output,
    RuleDeclaration,
    Version,
    Work,
    built,
    code_of,
    named,
)
from reactor.sql.database import database_of
from reactor.sql.dbt import BUILD, dbt_models
from reactor.sql.declared import understood
from reactor.sql.files import Model, sql_files

__all__ = [
    "INJECTED",
    "Check",
    "DeclaredAsset",
    "Definition",
    "Edge",
    "Output",
    "Pipeline",
    "Work",
]


class Edge(Arrow):
    """What `x >> y` answers: an edge or a rule that ends at `y`, so that `x >> y >> z` goes on."""

    def __init__(self, end: DeclaredAsset) -> None:
        self._end = end

    def __rshift__(self, other: DeclaredAsset) -> Edge:
        return self._end >> other

    def __bool__(self) -> NoReturn:
        raise TypeError("x >> y has no truth value: it declares an edge or a rule")


class DeclaredAsset:
    """An asset as its author sees it: still the function it decorates, and a place for arrows."""

    def __init__(self, pipeline: Pipeline, name: str, function: Function, where: str) -> None:
        functools.update_wrapper(self, function)
        self.pipeline, self.name, self.function, self.where = pipeline, name, function, where
        self.options: dict[str, Any] = {}
        self.extra: list[str] = []
        self.triggered = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<asset {self.name}>"

    @property
    def materialized(self) -> AssetEvents:
        """Each time this asset was brought up to date with new data."""
        return AssetEvents(self.name, "materialized")

    @property
    def failed(self) -> AssetEvents:
        """Each time a step of this asset failed for good."""
        return AssetEvents(self.name, "failed")

    @property
    def held(self) -> AssetEvents:
        """Each time a breaking schema change begins to hold this asset."""
        return AssetEvents(self.name, "held")

    def stale(self, length: Duration) -> Trigger:
        """When this asset was not brought up to date for `length`, counted from the rule's start
        too."""
        return self.materialized.silent_for(length)

    def __rshift__(self, other: object) -> Edge:
        if not isinstance(other, DeclaredAsset):
            return NotImplemented
        other.extra.append(self.name)
        return Edge(other)

    def __rrshift__(self, trigger: object) -> Edge:
        if not isinstance(trigger, Trigger):
            return NotImplemented
        self.pipeline.rule(trigger, self)
        return Edge(self)

    def declaration(self) -> AssetDeclaration:
        """All that was said of this asset."""
        return AssetDeclaration(
            self.name,
            self.function,
            self.where,
            self.options,
            tuple(self.extra),
            self.triggered,
            self.pipeline.owner,
        )


class Pipeline:
    """A project's assets, rules and sensors.

    Args: `owner` is told of failures unless an asset names its own; `pools` says how many steps of
    a pool may run at once (one, if it is not named here).
    """

    def __init__(
        self,
        name: str,
        *,
        owner: str = "",
        pools: Mapping[str, int] | None = None,
        sensors: Sequence[Source] = (),
    ) -> None:
        self.name, self.owner, self.pools = name, owner, dict(pools or {})
        self.where = _caller()
        self._assets: list[DeclaredAsset] = []
        self._checks: list[Check] = []
        self._rules: list[RuleDeclaration] = []
        self._sensors: list[Source] = list(sensors)
        self._included: list[Pipeline] = []

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    @overload
    def asset(self, function: Function, /) -> DeclaredAsset: ...
    @overload
    def asset(
        self,
        *,
        on: Trigger | None = None,
        follow: bool | None = None,
        name: str | None = None,
        retry: Retry | int | None = None,
        timeout: Duration | None = None,
        pool: str | None = None,
        priority: int = 0,
        executor: ExecutorName | None = None,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        owner: str | None = None,
        versioned: bool = False,
        version: Version | None = None,
        max_events: int = 10_000,
        partitions: Partitions | None = None,
        mapping: Mapping[DeclaredAsset | str, PartitionMapping] | None = None,
        reads: Mapping[Any, Iterable[str]] | None = None,
        columns: Mapping[str, Iterable[str]] | None = None,
        sql: str | Path | None = None,
        dialect: str | None = None,
        database: str | None = None,
        table: str | None = None,
        partition_column: str | None = None,
        views: Mapping[str, str] | None = None,
    ) -> Callable[[Function], DeclaredAsset]: ...
    def asset(self, function: Function | None = None, /, **options: Any) -> Any:  # pyright: ignore[reportInconsistentOverload]
        """Declares an asset: the function's name is its name, its parameters are its inputs.

        A parameter named after another asset is an edge and receives that asset's handle; one with
        a default value is an input that may be missing. `event`, `events`, `partition` and
        `context` are handed in when asked for. With `command=[...]` the function only declares: the
        command is run, with `{parameter}` in its words replaced.

        With `partitions=Daily("2026-01-01")` the asset is kept up to date day by day; `mapping=
        {"orders": Offset(-1)}` says which partitions of an upstream are read, where that does not
        follow from what both are.

        `reads={"public.orders": ["id", "amount"]}` says which columns of tables and of other assets
        it reads, `columns={"total": ["public.orders.amount"]}` what its own derive from: a schema
        change then concerns it only if it reads what changed. With `sql="select ..."` (or the Path
        of a file) the query tells all that, and which assets are upstream; its answer becomes the
        rows of `table` in `database`, and the function only declares. See docs/lineage.md.
        """
        if function is not None:
            return self._declare(function, {})
        return lambda decorated: self._declare(decorated, options)

    def _declare(self, function: Function, options: dict[str, Any]) -> DeclaredAsset:
        where = _written(function)
        asset = DeclaredAsset(self, options.get("name") or function.__name__, function, where)
        asset.options = options
        self._assets.append(asset)
        trigger = options.get("on")
        if trigger is not None:
            asset.triggered = True
            self._add_rule(None, trigger, (asset.name,), where=where)
        return asset

    def sql(
        self, pattern: str, *, database: str | None = None, dialect: str | None = None
    ) -> list[DeclaredAsset]:
        """Declares one asset for each .sql file that matches, called like the file.

        Comments above the query say more, as `-- owner: data@shop.example`: owner, table, database,
        dialect, timeout, retry, pool, priority. `pattern` is meant from the file that says it.
        """
        said = {"database": database, "dialect": dialect}
        given = {name: value for name, value in said.items() if value is not None}
        return [self._model(model, given) for model in sql_files(pattern, _caller())]

    def dbt(self, manifest: str, *, command: Sequence[str] = BUILD) -> list[DeclaredAsset]:
        """Declares one asset for each model of a dbt project, from `target/manifest.json`.

        Edges are what the models depend on, lineage is read from their compiled SQL (`dbt compile`
        writes it), and `command` runs one, with `{asset}` replaced by its name.
        """
        return [self._model(model, {}) for model in dbt_models(manifest, command, _caller())]

    def _model(self, model: Model, given: Mapping[str, Any]) -> DeclaredAsset:
        """An asset that is declared by a file."""

        def declares() -> None:
            """Nothing to call: the query is the work."""

        declares.__name__, declares.__doc__ = model.name, model.doc
        asset = DeclaredAsset(self, model.name, declares, model.where)
        asset.options = {**given, **model.options}
        asset.extra.extend(model.upstream)
        self._assets.append(asset)
        return asset

    def check(
        self, asset: DeclaredAsset | str, *, blocking: bool = True, name: str | None = None
    ) -> Callable[[Function], Function]:
        """Declares a check: given the new handle, it passes unless it raises or returns False.

        A blocking check that fails makes the step fail: nothing is recorded as materialized. One
        that does not block only reports.
        """

        def declare(function: Function) -> Function:
            where = _written(function)
            target = asset if isinstance(asset, str) else asset.name
            self._checks.append(Check(name or function.__name__, target, function, blocking, where))
            return function

        return declare

    def rule(
        self,
        trigger: Trigger,
        *assets: DeclaredAsset | str,
        name: str | None = None,
        partition: Any = None,
        pending: Literal["coalesce", "queue", "replace"] = "coalesce",
        priority: int = 0,
        observe: bool = False,
    ) -> None:
        """The long form of `trigger >> asset`.

        Args: `partition` maps an event to a partition key, by a `field` path or a function;
        `pending` says what happens when it fires again before its run has ended: `coalesce` into
        the step that waits, `queue` a step of its own, or `replace` what is going; `observe`
        records what it would launch and launches nothing.
        """
        names = tuple(each if isinstance(each, str) else each.name for each in assets)
        self._add_rule(name, trigger, names, partition, pending, priority, observe)

    def _add_rule(
        self,
        name: str | None,
        trigger: Trigger,
        assets: tuple[str, ...],
        partition: Any = None,
        pending: str = "coalesce",
        priority: int = 0,
        observe: bool = False,
        where: str = "",
    ) -> None:
        if not isinstance(trigger, Trigger):  # pyright: ignore[reportUnnecessaryIsInstance]
            hint = "an asset's own events are asset.materialized, asset.failed and asset.held"
            raise TypeError(f"{trigger!r} is not a trigger: {hint}")
        rule = RuleDeclaration(
            name, trigger, assets, partition, pending, priority, observe, where or _caller()
        )
        self._rules.append(rule)

    def include(self, other: Pipeline) -> None:
        """Makes another pipeline's assets, checks, rules and pools part of this one."""
        self._included.append(other)

    def definition(self) -> Definition:
        """Checks everything that was declared.

        Raises: DefinitionError with every problem found, each with its file and line.
        """
        whole = self.members()
        checks = [check for member in whole for check in member._checks]
        written = [each.declaration() for member in whole for each in member._assets]
        declarations, problems = understood(written)
        problems += [problem for member in whole for problem in member._pools_of_nobody()]
        assets: list[Asset] = []
        works: dict[str, Work] = {}
        for declared in declarations:
            asset, work, wrong = built(declared, checks)
            problems.extend(wrong)
            assets.append(asset)
            works[asset.name] = work
        spoken = [rule for member in whole for rule in member._rules]
        rules, wrong = named(spoken, {asset.name: asset for asset in assets})
        problems = [*wrong, *problems]
        for check in checks:
            if check.asset not in works:
                text = f"check {check.name} is on {check.asset}, which is no asset"
                problems.append(Problem(text, check.where, nearest(check.asset, works)))
        sensors = [sensor for member in whole for sensor in member._sensors]
        databases = {
            each.name: database_of(str(each.options.get("database") or "")) for each in declarations
        }
        rules += schema_rules(assets, rules, sensors, databases)
        pools = {pool: limit for member in reversed(whole) for pool, limit in member.pools.items()}
        try:
            graph = Graph.of(self.name, assets, rules, sensors, pools)
        except DefinitionError as error:
            raise DefinitionError([*problems, *error.problems]) from None
        if problems:
            raise DefinitionError(problems)
        return Definition(graph, works)

    def _pools_of_nobody(self) -> list[Problem]:
        hint = "a pool lets one step or more run at once"
        return [
            Problem(f"pool {pool} lets {limit!r} steps run", self.where, hint)
            for pool, limit in self.pools.items()
            if not isinstance(limit, int) or limit < 1  # pyright: ignore[reportUnnecessaryIsInstance]
        ]

    def members(self) -> list[Pipeline]:
        """This pipeline and all that are part of it, each once, itself first."""
        found: list[Pipeline] = [self]
        for member in found:
            found.extend(other for other in member._included if other not in found)
        return found


def _caller() -> str:
    """Where, outside this module, the declaration was written."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""


def _written(function: Function) -> str:
    code = code_of(function)
    return f"{code.co_filename}:{code.co_firstlineno}"
