"""What a user writes against: a pipeline, its assets, checks and rules.

Knows: how functions become assets, parameters edges, and `>>` rules. Refuses to know: how anything
is run or scheduled. There is no global registry: a pipeline holds what was declared on it, and
`Pipeline.definition()` checks it whole and answers every problem at once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, overload

from reactor.core.asset import Asset, Pending, Retry, Rule, Upstream
from reactor.core.duration import Duration, duration
from reactor.core.errors import DefinitionError, Problem
from reactor.core.field import path_of
from reactor.core.graph import Graph
from reactor.core.trigger.compile import compile_trigger
from reactor.core.trigger.expression import AssetEvents, Source, Trigger

INJECTED = ("event", "events", "partition", "context")
"""What a function may ask for by name, beside its upstream assets."""

ExecutorName = Literal["async", "thread", "process", "command"] | str
Version = Literal["value", "file"] | Callable[[Any], str]
Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Output:
    """What an asset may return instead of a bare handle, to say more about it.

    An equal `version` as last time stops the cascade here. `metadata` is small JSON data that is
    recorded and shown.
    """

    value: Any = None
    version: str | None = None
    changed: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A gate on an asset's new handle; a blocking one that fails is the failure of its step."""

    name: str
    asset: str
    function: Function
    blocking: bool
    where: str


@dataclass(frozen=True, slots=True)
class Work:
    """How an asset is brought up to date: what the host needs and the core must not know."""

    asset: str
    function: Function
    parameters: tuple[str, ...]
    executor: ExecutorName
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: {})
    cwd: str | None = None
    version: Version | None = None
    locate: str = ""
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A checked pipeline: the graph that is reasoned about, and the work that is done."""

    graph: Graph
    works: Mapping[str, Work]


class Edge:
    """What `x >> y` answers: an edge or a rule that ends at `y`, so that `x >> y >> z` goes on."""

    def __init__(self, end: DeclaredAsset) -> None:
        self._end = end

    def __rshift__(self, other: DeclaredAsset) -> Edge:
        return self._end >> other

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("put the trigger in parentheses: (a | b) >> asset, since >> binds tighter")

    __or__ = __ror__ = __and__ = __rand__ = _refuse

    def __bool__(self) -> NoReturn:
        raise TypeError("x >> y has no truth value: it declares an edge or a rule")


class DeclaredAsset:
    """An asset as its author sees it: still the function it decorates, and a place for arrows."""

    def __init__(self, pipeline: Pipeline, name: str, function: Function, where: str) -> None:
        functools.update_wrapper(self, function)
        self.pipeline, self.name, self.function, self.where = pipeline, name, function, where
        self.options: dict[str, Any] = {}
        self.extra: list[str] = []

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


@dataclass(frozen=True, slots=True)
class _DeclaredRule:
    """A rule as written: names are given when the whole pipeline is known."""

    name: str | None
    trigger: Trigger
    assets: tuple[str, ...]
    partition: Any
    pending: str
    priority: int
    observe: bool
    where: str


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
        self._assets: list[DeclaredAsset] = []
        self._checks: list[Check] = []
        self._rules: list[_DeclaredRule] = []
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
    ) -> Callable[[Function], DeclaredAsset]: ...
    def asset(self, function: Function | None = None, /, **options: Any) -> Any:  # pyright: ignore[reportInconsistentOverload]
        """Declares an asset: the function's name is its name, its parameters are its inputs.

        A parameter named after another asset is an edge and receives that asset's handle; one with
        a default value is an input that may be missing. `event`, `events`, `partition` and
        `context` are handed in when asked for. With `command=[...]` the function only declares: the
        command is run, with `{parameter}` in its words replaced.
        """
        if function is not None:
            return self._declare(function, {})
        return lambda decorated: self._declare(decorated, options)

    def _declare(self, function: Function, options: dict[str, Any]) -> DeclaredAsset:
        code = inspect.unwrap(function).__code__
        where = f"{code.co_filename}:{code.co_firstlineno}"
        asset = DeclaredAsset(self, options.pop("name", None) or function.__name__, function, where)
        asset.options = options
        self._assets.append(asset)
        trigger = options.pop("on", None)
        if trigger is not None:
            asset.options["triggered"] = True
            self._add_rule(None, trigger, (asset.name,), where=where)
        return asset

    def check(
        self, asset: DeclaredAsset | str, *, blocking: bool = True, name: str | None = None
    ) -> Callable[[Function], Function]:
        """Declares a check: given the new handle, it passes unless it raises or returns False.

        A blocking check that fails makes the step fail: nothing is recorded as materialized. One
        that does not block only reports.
        """

        def declare(function: Function) -> Function:
            code = inspect.unwrap(function).__code__
            where = f"{code.co_filename}:{code.co_firstlineno}"
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
            hint = "an asset's own events are asset.materialized and asset.failed"
            raise TypeError(f"{trigger!r} is not a trigger: {hint}")
        rule = _DeclaredRule(
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
        problems: list[Problem] = []
        assets: list[Asset] = []
        works: dict[str, Work] = {}
        checks = [check for member in whole for check in member._checks]
        for member in whole:
            for declared in member._assets:
                asset, work = _built(declared, member, checks, problems)
                assets.append(asset)
                works[asset.name] = work
        names = {asset.name for asset in assets}
        for check in checks:
            if check.asset not in names:
                text = f"check {check.name} is on {check.asset}, which is no asset"
                problems.append(Problem(text, check.where))
        rules = _named([rule for member in whole for rule in member._rules], problems)
        sensors = [sensor for member in whole for sensor in member._sensors]
        pools = {pool: limit for member in reversed(whole) for pool, limit in member.pools.items()}
        try:
            graph = Graph.of(self.name, assets, rules, sensors, pools)
        except DefinitionError as error:
            raise DefinitionError([*problems, *error.problems]) from None
        if problems:
            raise DefinitionError(problems)
        return Definition(graph, works)

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


def _built(
    declared: DeclaredAsset, pipeline: Pipeline, checks: Sequence[Check], problems: list[Problem]
) -> tuple[Asset, Work]:
    options, where = declared.options, declared.where

    def wrong(what: str, hint: str = "") -> None:
        problems.append(Problem(f"{declared.name}: {what}", where, hint))

    parameters = _parameters(declared, wrong)
    upstream = {
        name: Upstream(name, optional)
        for name, optional in parameters.items()
        if name not in INJECTED
    }
    for name in declared.extra:
        upstream.setdefault(name, Upstream(name))
    follow = options.get("follow")
    if options.get("triggered") and upstream and follow is None:
        wrong(
            f"has a trigger of its own and reads {', '.join(upstream)}",
            "say follow=True (either launches it) or follow=False (only its trigger does)",
        )
    retry = options.get("retry")
    asset = Asset(
        declared.name,
        tuple(upstream.values()),
        follow=True if follow is None else follow,
        retry=Retry(retry) if isinstance(retry, int) else retry or Retry(0),
        timeout=_timeout(options.get("timeout"), wrong),
        pool=options.get("pool"),
        priority=options.get("priority", 0),
        versioned=options.get("versioned", False),
        max_events=options.get("max_events", 10_000),
        owner=options.get("owner") or pipeline.owner,
        doc=inspect.cleandoc(declared.function.__doc__ or ""),
        where=where,
    )
    executor = _executor(declared, asset, wrong)
    work = Work(
        declared.name,
        declared.function,
        tuple(parameters),
        executor,
        tuple(options.get("command") or ()),
        dict(options.get("env") or {}),
        options.get("cwd"),
        options.get("version"),
        f"{declared.function.__code__.co_filename}:{declared.function.__qualname__}",
        tuple(check for check in checks if check.asset == declared.name),
    )
    return asset, work


Wrong = Callable[..., None]


def _parameters(declared: DeclaredAsset, wrong: Wrong) -> dict[str, bool]:
    """What the function asks for by name, and whether it can do without."""
    found: dict[str, bool] = {}
    for parameter in inspect.signature(declared.function).parameters.values():
        if parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
            parameter.POSITIONAL_ONLY,
        ):
            wrong(
                f"cannot fill the parameter {parameter}",
                f"name each input: an asset, or one of {', '.join(INJECTED)}",
            )
            continue
        found[parameter.name] = parameter.default is not parameter.empty
    return found


def _timeout(value: Duration | None, wrong: Wrong) -> Any:
    try:
        return duration(value) if value is not None else None
    except ValueError as error:
        wrong(f"timeout {error}")
        return None


def _executor(declared: DeclaredAsset, asset: Asset, wrong: Wrong) -> ExecutorName:
    chosen: str | None = declared.options.get("executor")
    if declared.options.get("command"):
        return "command"
    if inspect.iscoroutinefunction(declared.function):
        return chosen or "async"
    if chosen == "async":
        wrong("is a plain function, which would stop the loop", "write async def, or use a thread")
    if chosen is None and asset.timeout is not None:
        chosen = "process"
        if "<" in declared.function.__qualname__:
            wrong(
                "has a timeout, so it runs in a process, which cannot import it by name",
                "move it to the top of its module, make it async, or say executor='thread'",
            )
    return chosen or "thread"


def _named(declared: Sequence[_DeclaredRule], problems: list[Problem]) -> list[Rule]:
    """The rules, each with a name: its own, or that of the first asset it launches, numbered."""
    taken = {rule.name for rule in declared if rule.name}
    rules: list[Rule] = []
    for each in declared:
        name = each.name or _free("-".join(each.assets[:1]) or "rule", taken)
        taken.add(name)
        if not each.assets:
            problems.append(Problem(f"rule {name} launches nothing", each.where, "name an asset"))
        try:
            compile_trigger(each.trigger)
            pending = Pending(each.pending)
        except (DefinitionError, ValueError) as error:
            hint = error.problems[0].hint if isinstance(error, DefinitionError) else ""
            what = error.problems[0].what if isinstance(error, DefinitionError) else str(error)
            problems.append(Problem(f"rule {name}: {what}", each.where, hint))
            continue
        path = path_of(each.partition)
        partition = path if path is not None else each.partition
        rules.append(
            Rule(
                name,
                each.trigger,
                each.assets,
                partition,
                pending,
                each.priority,
                each.observe,
                each.where,
            )
        )
    return rules


def _free(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
