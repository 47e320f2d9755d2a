"""Carrying out one attempt: from `Start` to `Finished`.

Hands the asset what it asked for by name, runs it and its checks, and turns what it returned into
JSON data. A user's exception becomes the attempt's error; it never reaches the loop.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
from pydantic_core import PydanticSerializationError, to_jsonable_python

from reactor.core.decision import Ending, Finished, Start
from reactor.core.errors import ReactorError, StepError
from reactor.core.event import Event
from reactor.core.ranges import Ranges
from reactor.core.tiling import Window, Windowed
from reactor.host.context import Context, Events, StepLog
from reactor.pipeline import Check, Output, Work
from reactor.ports import Executor, Job, Log

_ROOMS = Path(__file__).parent.parent
_OURS = (f"{_ROOMS / 'host'}/", f"{_ROOMS / 'executors'}/")
EVENTS_LIMIT = 64 * 1024
"""Bytes of events that a command gets in its environment at most."""

Load = Callable[[Ranges], Any]


class _CheckFailed(StepError):
    """A blocking check refused the new handle."""

    def __init__(self, check: str, what: str, where: str) -> None:
        super().__init__(what, where=where)
        self.check = check


@dataclass(frozen=True, slots=True)
class Workshop:
    """What attempts are carried out with.

    `events` answers the events of some ranges; `emit` takes one line of output of a step's attempt.
    """

    works: Mapping[str, Work]
    executors: Mapping[str, Executor]
    events: Callable[[Ranges], Any]
    emit: Callable[[int, int, str, str], None]
    log: Callable[..., Log]
    connections: Mapping[str, str]
    begun: Callable[[Start], None]

    async def carry_out(self, start: Start) -> Finished:
        """Runs the attempt to its end. Cancelling it stops the work for real."""
        work = self.works[start.asset]
        try:
            executor = self._executor(work)
            events = await self._events(start, work)
            arguments = self._arguments(start, work, events)
            job = self._job(start, work, arguments, events)
            self.begun(start)
            value = await executor.run(job)
            output = value if isinstance(value, Output) else Output(value)
            handle = _plain(output.value, start)
            await self._check(work, executor, job, output.value)
            version = await _version(work, output, handle)
            changed = tuple(output.changed) if output.changed is not None else None
        except Exception as error:  # noqa: BLE001 - the boundary to a user's code: recorded as the step's error
            return self._failed(start, error)
        return Finished(
            start.step, start.number, Ending.SUCCEEDED, handle, version, changed, output.metadata
        )

    def _executor(self, work: Work) -> Executor:
        found = self.executors.get(work.executor)
        if found is None:
            known = ", ".join(self.executors)
            raise StepError(f"there is no executor {work.executor}", hint=f"there are {known}")
        return found

    async def _events(self, start: Start, work: Work) -> Events:
        wanted = work.executor == "command" or {"event", "events", "context"} & set(work.parameters)
        return Events(await self.events(start.events)) if wanted else Events(())

    def _arguments(self, start: Start, work: Work, events: Events) -> dict[str, Any]:
        offered: dict[str, Any] = {"events": events, "partition": start.partition}
        if "event" in work.parameters:
            offered["event"] = events[-1] if events else None
        if "context" in work.parameters:
            offered["context"] = self._context(start, work, events)
        return {
            name: offered[name] if name in offered else start.upstream[name]
            for name in work.parameters
            if name in offered or name in start.upstream
        }

    def _context(self, start: Start, work: Work, events: Events) -> Context:
        return Context(
            start.runs[-1],
            start.runs,
            start.step,
            start.asset,
            start.partition,
            start.attempt,
            start.run_key,
            events,
            start.previous,
            StepLog(
                self.log(asset=start.asset, step=start.step, attempt=start.attempt),
                partial(self.emit, start.step, start.number, "log"),
            ),
            partial(self.emit, start.step, start.number, "progress"),
            self.connections,
            start.because,
            start.changed,
            _window(work, start),
        )

    def _job(self, start: Start, work: Work, arguments: Mapping[str, Any], events: Events) -> Job:
        argv: tuple[str, ...] = ()
        env: dict[str, str] = {}
        if work.command:
            argv = tuple(_filled(word, start, arguments) for word in work.command)
            env = {**work.env, **_environment(start, events, _window(work, start))}
        return Job(
            start.asset,
            start.step,
            start.number,
            None if work.command else work.function,
            arguments,
            argv,
            env,
            work.cwd,
            work.locate,
            partial(self.emit, start.step, start.number),
        )

    async def _check(self, work: Work, executor: Executor, job: Job, handle: Any) -> None:
        for check in work.checks:
            error = await self._one_check(check, job, handle)
            if error is None:
                continue
            text = f"check {check.name} failed" + (f": {error}" if error else "")
            if check.blocking:
                raise _CheckFailed(check.name, text, check.where)
            job.emit("check", text)
            self.log(asset=work.asset).warning("check failed", check=check.name, error=error)

    async def _one_check(self, check: Check, job: Job, handle: Any) -> str | None:
        """Why the check fails, or None if it passes."""
        wanted = inspect.signature(check.function).parameters
        offered = {**job.arguments, check.asset: handle}
        arguments = {name: offered[name] for name in wanted if name in offered}
        try:
            if inspect.iscoroutinefunction(check.function):
                result = await check.function(**arguments)
            else:
                result = await anyio.to_thread.run_sync(partial(check.function, **arguments))
        except Exception as error:  # noqa: BLE001 - a check fails by raising
            return str(error) or type(error).__name__
        return "" if result is False else None

    def _failed(self, start: Start, error: Exception) -> Finished:
        number = start.number
        for line in "".join(_shown(error)).rstrip().splitlines():
            self.emit(start.step, number, "stderr", line)
        known = isinstance(error, ReactorError)
        check = error.check if isinstance(error, _CheckFailed) else ""
        text = str(error) if known else f"{type(error).__name__}: {error}"
        return Finished(start.step, number, Ending.FAILED, error=text[:4_000], check=check)


def _shown(error: Exception) -> Iterator[str]:
    """The traceback less the frames that are ours: a user's error begins in the user's code."""
    told: traceback.TracebackException | None = traceback.TracebackException.from_exception(error)
    whole = told
    while told is not None:
        theirs = [frame for frame in told.stack if not frame.filename.startswith(_OURS)]
        told.stack = traceback.StackSummary.from_list(theirs)
        told = told.__cause__ or told.__context__
    return whole.format() if whole is not None else iter(())


def _plain(value: Any, start: Start) -> Any:
    """The handle as JSON data.

    Raises: StepError if it is not small, JSON-able data but, say, a data frame.
    """
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise StepError(
            f"{start.asset} returned {type(value).__name__}, which is not JSON data",
            hint="return a handle: a path, a table name, an id, a count",
        ) from error


async def _version(work: Work, output: Output, handle: Any) -> str | None:
    if output.version is not None or work.version is None:
        return output.version
    if work.version == "value":
        text = json.dumps(handle, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
    if work.version == "file":
        return await anyio.to_thread.run_sync(_digest, str(output.value))
    told: object = await anyio.to_thread.run_sync(work.version, output.value)  # type: ignore[arg-type]
    if told is None:
        raise StepError(
            f"the version of {work.asset} is None",
            hint="have the function of version= return something that differs when the data do",
        )
    return str(told)


def _digest(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _filled(word: str, start: Start, arguments: Mapping[str, Any]) -> str:
    if "{" not in word:
        return word
    offered = {
        **start.upstream,
        **arguments,
        "asset": start.asset,
        "partition": start.partition or "",
        "run_key": start.run_key,
        "attempt": start.attempt,
    }
    try:
        return word.format_map(offered)
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        known = ", ".join(offered)
        raise StepError(
            f"the command's word {word!r} cannot be filled in: {error}", hint=f"it may name {known}"
        ) from error


def _window(work: Work, start: Start) -> Window | None:
    """The window of the partition, if it is one: a changed pipeline may no longer have it."""
    kind, key = work.partitions, start.partition
    if not isinstance(kind, Windowed) or key is None or kind.problem(key):
        return None
    return kind.window(key)


BECAUSE_LIMIT = 4_096
"""How many characters of the reasons a command is told."""


def _environment(
    start: Start, events: Sequence[Event], window: Window | None = None
) -> dict[str, str]:
    """What a command is told: see docs/guide.md for the list."""
    env = {
        "REACTOR_ASSET": start.asset,
        "REACTOR_RUN": str(start.runs[-1]),
        "REACTOR_STEP": str(start.step),
        "REACTOR_ATTEMPT": str(start.attempt),
        "REACTOR_RUN_KEY": start.run_key,
        "REACTOR_BECAUSE": start.because[:BECAUSE_LIMIT],
        "REACTOR_PARTITION": start.partition or "",
        "REACTOR_WINDOW_START": window.start.isoformat() if window is not None else "",
        "REACTOR_WINDOW_END": window.end.isoformat() if window is not None else "",
        "REACTOR_UPSTREAM": json.dumps(start.upstream),
        "REACTOR_CHANGED": json.dumps(dict(start.changed)),
        "REACTOR_EVENT_COUNT": str(len(events)),
    }
    text = json.dumps([_told(event) for event in events])
    if len(text) <= EVENTS_LIMIT:
        env["REACTOR_EVENTS"] = text
    return env


def _told(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.isoformat(),
        "key": event.key,
        "data": to_jsonable_python(event.data, fallback=repr, bytes_mode="base64"),
    }


def cancelled(start: Start) -> Finished:
    """The attempt was stopped, and its work with it."""
    return Finished(start.step, start.number, Ending.CANCELLED)
