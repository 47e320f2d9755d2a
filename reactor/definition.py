"""From what was declared to a checked pipeline: every mistake at once, each with its place.

Knows: what a declaration may say. Refuses to know: how one is written (pipeline.py) or carried out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from reactor.core.asset import INJECTED, Asset, Pending, Retry, Rule, Upstream
from reactor.core.duration import duration
from reactor.core.errors import DefinitionError, Problem
from reactor.core.field import path_of
from reactor.core.graph import Graph, nearest
from reactor.core.place import Path
from reactor.core.trigger.compile import compile_trigger
from reactor.core.trigger.expression import By, Trigger

ExecutorName = Literal["async", "thread", "process", "command"] | str
Version = Literal["value", "file"] | Callable[[Any], str]
Function = Callable[..., Any]


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


@dataclass(frozen=True, slots=True)
class AssetDeclaration:
    """An asset as written. `options` are those given; `extra` its upstreams by `>>`."""

    name: str
    function: Function
    where: str
    options: Mapping[str, Any]
    extra: tuple[str, ...] = ()
    triggered: bool = False
    owner: str = ""


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
        owner=options.get("owner") or declared.owner,
        doc=inspect.cleandoc(declared.function.__doc__ or ""),
        where=where,
    )
    work = Work(
        declared.name,
        declared.function,
        tuple(parameters),
        _executor(declared, asset, wrong),
        _command(options.get("command"), wrong),
        dict(options.get("env") or {}),
        options.get("cwd"),
        options.get("version"),
        f"{code_of(declared.function).co_filename}:{declared.function.__qualname__}",
        tuple(check for check in checks if check.asset == declared.name),
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


def named(declared: Sequence[RuleDeclaration]) -> tuple[list[Rule], list[Problem]]:
    """The rules, each with a name: its own, or that of the first asset it launches, numbered.

    A rule that makes no sense is left out, and among the problems.
    """
    taken = {rule.name for rule in declared if rule.name}
    rules: list[Rule] = []
    problems: list[Problem] = []
    for each in declared:
        name = each.name or _free("-".join(each.assets[:1]) or "rule", taken)
        taken.add(name)
        wrong = _mistakes(each, name)
        problems.extend(wrong)
        if not wrong:
            path = path_of(each.partition)
            rules.append(
                Rule(
                    name,
                    each.trigger,
                    each.assets,
                    path if path is not None else each.partition,
                    Pending(each.pending),
                    each.priority,
                    each.observe,
                    each.where,
                )
            )
    return rules, problems


def _mistakes(rule: RuleDeclaration, name: str) -> list[Problem]:
    found: list[Problem] = []

    def wrong(what: str, hint: str = "") -> None:
        found.append(Problem(f"rule {name}: {what}", rule.where, hint))

    if not rule.assets:
        found.append(Problem(f"rule {name} launches nothing", rule.where, "name an asset"))
    if rule.pending not in list(Pending):
        wrong(f"pending is {rule.pending!r}", f"it is {', '.join(Pending)}")
    path = path_of(rule.partition)
    if rule.partition is not None and path is None and not callable(rule.partition):
        wrong(f"partition is {rule.partition!r}", "say field.day, or a function of the event")
    try:
        program = compile_trigger(rule.trigger)
    except DefinitionError as error:
        wrong(error.problems[0].what, error.problems[0].hint)
    except ValueError as error:
        wrong(str(error))
    else:
        key = path if path is not None else rule.partition
        if key is not None and not program.stateless and key not in list(_keys(rule.trigger)):
            shown = str(key) if isinstance(key, Path) else "the same function"
            what = f"{rule.trigger} collects events, and their partitions may differ"
            wrong(what, f"key it by the partition: .by({shown})")
    return found


def _keys(trigger: Trigger) -> Iterable[Any]:
    """Everything that an expression is keyed by."""
    if isinstance(trigger, By):
        yield trigger.key
    for child in trigger.children:
        yield from _keys(child)


def _free(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
