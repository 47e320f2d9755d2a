"""From what was declared to a checked pipeline: every mistake at once, each with its place.

Knows: what a declaration may say. Refuses to know: how one is written (pipeline.py) or carried out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal, cast

from reactor.core.asset import INJECTED, Asset, Pending, Retry, Rule, Upstream
from reactor.core.division import Division, divided, keys
from reactor.core.duration import duration
from reactor.core.errors import DefinitionError, Problem
from reactor.core.field import path_of
from reactor.core.graph import Graph, nearest
from reactor.core.lineage import ALL, Lineage
from reactor.core.mapping import Mapping as PartitionMapping
from reactor.core.partition import Partitions
from reactor.core.place import Path
from reactor.core.trigger.compile import compile_trigger
from reactor.core.trigger.expression import Trigger

ExecutorName = Literal["async", "thread", "process", "command", "sql"] | str
Version = Literal["value", "file"] | Callable[[Any], str]
Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Output:
    """What an asset may return instead of a bare handle, to say more about it.

    An equal `version` as last time stops the cascade here. `changed` are the keys that changed, if
    it was not all of it: partitions below follow from them, and an empty list stops the cascade.
    `metadata` is small JSON data that is recorded and shown.

    Raises: TypeError for keys that are no list of text.
    """

    value: Any = None
    version: str | None = None
    changed: Iterable[str] | None = None
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.version is not None:
            object.__setattr__(self, "version", str(self.version))
        if self.changed is None:
            return
        keys = () if isinstance(self.changed, str) else tuple(dict.fromkeys(self.changed))
        if isinstance(self.changed, str) or not all(isinstance(key, str) for key in keys):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f'Output(changed={self.changed!r}): say a list of keys, ["eu", "us"]')
        object.__setattr__(self, "changed", keys)


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
    partitions: Partitions | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A checked pipeline: the graph that is reasoned about, and the work that is done."""

    graph: Graph
    works: Mapping[str, Work]


@dataclass(frozen=True, slots=True)
class AssetDeclaration:
    """An asset as written. `options` are those given; `extra` its upstreams by `>>`.

    `lineage` and `statement` are what its SQL or its `reads=` say, once the whole pipeline is
    known; the statement is carried out instead of the function.
    """

    name: str
    function: Function
    where: str
    options: Mapping[str, Any]
    extra: tuple[str, ...] = ()
    triggered: bool = False
    owner: str = ""
    lineage: Lineage | None = None
    statement: Function | None = None


@dataclass(frozen=True, slots=True)
class RuleDeclaration:
    """A rule as written: names are given when the whole pipeline is known."""

    name: str | None
    trigger: Trigger
    assets: tuple[str, ...]
    partition: Any = None
    pending: str = "coalesce"
    priority: int = 0
    observe: bool = False
    where: str = ""


def code_of(function: Function) -> Any:
    """The code of a function, under whatever decorates it.

    Raises: TypeError if it is no function.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        raise TypeError(f"an asset or a check is a function (def or async def), not {function!r}")
    return code


def built(declared: AssetDeclaration, checks: Iterable[Check]) -> tuple[Asset, Work, list[Problem]]:
    """An asset, the work behind it, and what is wrong with them."""
    options, where = declared.options, declared.where
    problems: list[Problem] = []

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
    if declared.triggered and upstream and follow is None:
        wrong(
            f"has a trigger of its own and reads {', '.join(upstream)}",
            "say follow=True (either launches it) or follow=False (only its trigger does)",
        )
    upstream |= _mapped(upstream, options.get("mapping"), wrong)
    _check_options(declared, wrong)
    asset = Asset(
        declared.name,
        tuple(upstream.values()),
        follow=True if follow is None else follow,
        retry=_retry(options.get("retry"), wrong),
        timeout=_timeout(options.get("timeout"), wrong),
        pool=options.get("pool"),
        priority=options.get("priority", 0),
        versioned=options.get("versioned", False),
        max_events=options.get("max_events", 10_000),
        partitions=_partitions(options.get("partitions"), wrong),
        lineage=_lineage(declared.lineage, upstream),
        owner=options.get("owner") or declared.owner,
        doc=inspect.cleandoc(declared.function.__doc__ or ""),
        where=where,
    )
    work = Work(
        declared.name,
        declared.statement or declared.function,
        tuple(parameters) if declared.statement is None else ("context",),
        _executor(declared, asset, wrong),
        _command(options.get("command"), wrong),
        dict(options.get("env") or {}),
        options.get("cwd"),
        options.get("version"),
        f"{code_of(declared.function).co_filename}:{declared.function.__qualname__}",
        tuple(check for check in checks if check.asset == declared.name),
        asset.partitions,
    )
    return asset, work, problems


Wrong = Callable[..., None]

OPTIONS = (
    "name",
    "on",
    "follow",
    "retry",
    "timeout",
    "pool",
    "priority",
    "executor",
    "command",
    "env",
    "cwd",
    "owner",
    "versioned",
    "version",
    "max_events",
    "partitions",
    "mapping",
    "reads",
    "columns",
    "sql",
    "dialect",
    "database",
    "table",
    "partition_column",
    "views",
)
"""What `@asset(...)` may be told."""


def _check_options(declared: AssetDeclaration, wrong: Wrong) -> None:
    options = declared.options
    for name in options:
        if name not in OPTIONS:
            known = nearest(name, OPTIONS) or f"there are {', '.join(OPTIONS)}"
            wrong(f"there is no option {name}", known)
    if declared.name in INJECTED:
        wrong("is a name that functions ask for otherwise", "give it another one with name=")
    most = options.get("max_events", 1)
    if not isinstance(most, int) or most < 1:
        wrong(f"max_events is {most!r}", "it is the number of events that one step takes at most")
    priority = options.get("priority", 0)
    if not isinstance(priority, int):
        wrong(f"priority is {priority!r}", "it is a whole number; what is higher goes first")
    version = options.get("version")
    if version not in (None, "value", "file") and not callable(version):
        wrong(f"version is {version!r}", 'say "value", "file" or a function of the handle')


def _parameters(declared: AssetDeclaration, wrong: Wrong) -> dict[str, bool]:
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


def _partitions(value: Any, wrong: Wrong) -> Partitions | None:
    if value is None or isinstance(value, Partitions):
        return value
    wrong(
        f"partitions is {value!r}",
        "say Daily('2026-01-01'), Static('eu', 'us'), Dynamic('customer') or another kind",
    )
    return None


def _mapped(upstream: Mapping[str, Upstream], value: Any, wrong: Wrong) -> dict[str, Upstream]:
    """The upstreams of which a mapping is said, with it."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        wrong(f"mapping is {value!r}", "say of which upstream: mapping={'orders': Offset(-1)}")
        return {}
    found: dict[str, Upstream] = {}
    for key, mapping in cast("Mapping[Any, Any]", value).items():
        name = getattr(key, "name", key)
        if name not in upstream:
            reads = f"it reads {', '.join(upstream)}" if upstream else "it reads no asset"
            wrong(f"mapping names {name!r}", nearest(str(name), upstream) or reads)
        elif not isinstance(mapping, PartitionMapping):
            wrong(
                f"mapping of {name} is {mapping!r}",
                "say Same(), Rollup(), Drilldown(), Offset(-1), All(), Mapped(...) or Keys()",
            )
        else:
            found[name] = replace(upstream[name], mapping=mapping)
    return found


def _lineage(lineage: Lineage | None, upstream: Iterable[str]) -> Lineage | None:
    """With the upstreams that it does not speak of: of them all may be read."""
    silent = [name for name in upstream if lineage is not None and name not in lineage.reads]
    if lineage is None or not silent:
        return lineage
    whole = {(name, ALL) for name in silent}
    reads = {**lineage.reads, **dict.fromkeys(silent, ALL)}
    return replace(lineage, reads=reads, shaping=lineage.shaping | whole)


def _retry(value: Any, wrong: Wrong) -> Retry:
    if isinstance(value, Retry):
        return value
    if value is None:
        return Retry(0)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Retry(value)
    wrong(f"retry is {value!r}", "say how many more tries, or Retry(3, backoff='1s')")
    return Retry(0)


def _timeout(value: Any, wrong: Wrong) -> timedelta | None:
    if value is None:
        return None
    try:
        length = duration(value)
    except ValueError as error:
        wrong(f"timeout {error}")
        return None
    if not length:
        wrong("timeout is zero: it could never end in time", "leave it out for no timeout")
        return None
    return length


def _command(value: Any, wrong: Wrong) -> tuple[str, ...]:
    if value is None:
        return ()
    words = None if isinstance(value, str) else tuple(value)
    if not words or not all(isinstance(word, str) for word in words):
        wrong(f"command is {value!r}", 'a command is a list of words: ["sync", "--table", "{x}"]')
        return ()
    return words


def _executor(declared: AssetDeclaration, asset: Asset, wrong: Wrong) -> ExecutorName:
    chosen: str | None = declared.options.get("executor")
    function = inspect.unwrap(declared.function)
    if declared.options.get("command") is not None:
        return "command"
    if declared.statement is not None:
        return chosen or "sql"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        wrong("yields, and an asset returns its handle once", "write return, or a list")
    if inspect.iscoroutinefunction(declared.function):
        return chosen or "async"
    if chosen == "async":
        wrong("is a plain function, which would stop the loop", "write async def, or use a thread")
    if chosen is None and asset.timeout is not None:
        chosen = "process"
    if chosen == "process" and "<" in declared.function.__qualname__:
        why = "has a timeout, so it runs" if asset.timeout is not None else "runs"
        wrong(
            f"{why} in a process, which cannot import it by name",
            "move it to the top of its module, make it async, or say executor='thread'",
        )
    return chosen or "thread"


def named(
    declared: Sequence[RuleDeclaration], assets: Mapping[str, Asset]
) -> tuple[list[Rule], list[Problem]]:
    """The rules, each with a name: its own, or that of the first asset it launches, numbered.

    A rule that makes no sense is left out, and among the problems.
    """
    taken = {rule.name for rule in declared if rule.name}
    rules: list[Rule] = []
    problems: list[Problem] = []
    for each in declared:
        name = each.name or _free("-".join(each.assets[:1]) or "rule", taken)
        taken.add(name)
        wrong: list[Problem] = []
        found = _division(each, assets, wrong)
        if found is not None and not wrong:
            rules.append(
                Rule(
                    name,
                    found.trigger,
                    each.assets,
                    found.partition,
                    Pending(each.pending),
                    each.priority,
                    each.observe,
                    each.where,
                    written=found.written,
                )
            )
        for problem in wrong:
            problems.append(replace(problem, what=f"rule {name}{problem.what}", where=each.where))
    return rules, problems


def _division(
    rule: RuleDeclaration, assets: Mapping[str, Asset], problems: list[Problem]
) -> Division | None:
    """What matching needs of a rule; None, and what is wrong, if it makes no sense."""

    def wrong(what: str, hint: str = "") -> None:
        problems.append(Problem(f": {what}", hint=hint))

    if not rule.assets:
        problems.append(Problem(" launches nothing", hint="name an asset"))
    if rule.pending not in list(Pending):
        wrong(f"pending is {rule.pending!r}", f"it is {', '.join(Pending)}")
    partition = path_of(rule.partition) or rule.partition
    if partition is not None and not isinstance(partition, Path) and not callable(partition):
        wrong(f"partition is {rule.partition!r}", "say field.day, or a function of the event")
        partition = None
    try:
        program = compile_trigger(rule.trigger)
        parts = {name: assets[name].partitions for name in rule.assets if name in assets}
        found = divided(rule.trigger, partition, parts)
        if isinstance(found, Problem):
            wrong(found.what, found.hint)
            return None
        if found.trigger is not rule.trigger:
            program = compile_trigger(found.trigger)
    except DefinitionError as error:
        wrong(error.problems[0].what, error.problems[0].hint)
        return None
    except (TypeError, ValueError) as error:
        wrong(str(error))
        return None
    key = found.partition
    known = program.stateless or (program.root.keyed and key in list(keys(found.trigger)))
    if key is not None and not known:
        what = f"{rule.trigger} collects events, and their partitions may differ"
        wrong(what, _to_key(key))
    return found


def _to_key(key: Path | Callable[[Any], Any]) -> str:
    if isinstance(key, Partitions):
        return "leave .by(...) out: its state is kept for each partition by itself"
    shown = str(key) if isinstance(key, Path) else "the same function"
    return f"key it by the partition: .by({shown})"


def _free(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
