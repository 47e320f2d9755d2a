"""Work in warm worker processes, which can be stopped."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import anyio
from anyio import CancelScope, create_task_group, to_thread

from reactor.core.errors import StepError
from reactor.executors import reference, wire
from reactor.executors.ending import Ending, OutOfMemory
from reactor.executors.guarded import Running, Warden
from reactor.executors.warm import Worker
from reactor.ports import Job

GRACE = timedelta(seconds=2)
_CONTEXT = (
    "run", "runs", "step", "asset", "partition", "attempt", "run_key", "causes", "previous",
    "connections", "because", "changed", "window",
)  # fmt: skip
_INLINE_ITEMS = 256
"""Arguments longer than this are encoded in a thread, not on the loop."""


class ProcessExecutor:
    """Calls the function in a worker process that stays warm for the next one.

    The function is imported there by `Job.locate`. What it is given and what it returns cross as
    JSON: handles as they are, events as `Event` values with their payload rebuilt (a model from its
    JSON, anything else as JSON data or bytes, `raw` beside it), `context` as a value whose `log`
    and `progress` come out here. Prints, what libraries log, and the output of its own subprocesses
    go to `Job.emit`. An exception comes back as a StepError with its name, its message and, as a
    note, its traceback.

    Threads and module globals that a function leaves behind live on in its worker; processes end
    the worker, so that nothing outlives the step.

    Args:
        limit: workers at most; more jobs wait.
        warm: idle workers kept at most.
        idle: how long an idle worker is kept.
        grace: between SIGTERM, at which `finally` blocks run, and SIGKILL, when a job is cancelled.
    """

    def __init__(
        self,
        *,
        limit: int = 64,
        warm: int | None = None,
        idle: timedelta = timedelta(minutes=10),
        grace: timedelta = GRACE,
        warden: Warden | None = None,
    ) -> None:
        self.running: dict[tuple[int, int], Running] = {}
        """The worker of what runs now, by step and number of the attempt."""
        self._slots = anyio.Semaphore(limit, fast_acquire=True)
        self._warm = (os.cpu_count() or 2) if warm is None else warm
        self._idle_for, self._grace = idle, grace
        self._warden = warden or Warden()
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._memory = OutOfMemory()

    async def run(self, job: Job) -> Any:
        message = await self._message(job)
        async with self._slots:
            worker = self._take(job)
            try:
                answer = await self._carry_out(worker, job, message)
            except BaseException:
                with CancelScope(shield=True):
                    await worker.stop(self._grace)
                raise
            if answer is None or answer["left"]:
                with CancelScope(shield=True):
                    await worker.stop(self._grace)
            else:
                self._keep(worker)
        if answer is None:
            raise self._died(worker)
        if "error" in answer:
            raise _raised(worker, answer["error"])
        return wire.unpack(answer["value"], load=False)

    async def aclose(self) -> None:
        """Ends the idle workers and waits for them."""
        async with create_task_group() as tasks:
            for worker in [*self._idle]:
                self._idle.pop(worker).cancel()
                tasks.start_soon(worker.stop, self._grace)
        await self._warden.aclose()

    async def _carry_out(self, worker: Worker, job: Job, message: bytes) -> dict[str, Any] | None:
        if worker.process is None:
            try:
                await worker.start(self._warden)
            except OSError as error:
                raise StepError(f"cannot start a worker process: {error}") from error
        assert worker.process is not None
        key = job.step, job.number
        self.running[key] = Running("reactor-worker", worker.process.pid, worker.process.started)
        try:
            return await worker.carry_out(job, message)
        finally:
            del self.running[key]

    def _take(self, job: Job) -> Worker:
        """An idle worker, best one that has imported from this place before; else a new one."""
        for worker in [worker for worker in self._idle if not worker.alive]:
            self._retire(worker)
        place = job.locate.rpartition(":")[0]
        fitting = [worker for worker in self._idle if place in worker.loaded]
        idle = fitting or [*self._idle]
        if idle:
            self._idle.pop(idle[-1]).cancel()
        try:
            worker = idle[-1] if idle else Worker()
        except OSError as error:
            raise StepError(f"cannot start a worker process: {error}") from error
        worker.loaded.add(place)
        return worker

    def _keep(self, worker: Worker) -> None:
        if len(self._idle) >= self._warm:
            worker.retire(self._grace)
            return
        loop = asyncio.get_running_loop()
        self._idle[worker] = loop.call_later(self._idle_for.total_seconds(), self._retire, worker)

    def _retire(self, worker: Worker) -> None:
        self._idle.pop(worker).cancel()
        worker.retire(self._grace)

    async def _message(self, job: Job) -> bytes:
        context = job.arguments.get("context")
        values = [*job.arguments.values(), getattr(context, "causes", ())]
        if any(isinstance(value, Collection) and len(value) > _INLINE_ITEMS for value in values):
            return await to_thread.run_sync(_encoded, job)
        return _encoded(job)

    def _died(self, worker: Worker) -> StepError:
        assert worker.process is not None
        ending = worker.process.ending or Ending()
        what = f"its worker process {worker.process.pid} {ending}"
        if worker.last_lines:
            what += "; the end of its stderr:\n" + "\n".join(worker.last_lines)
        hint = ""
        if self._memory.explains(ending):
            hint = "the kernel ran out of memory and killed something just then"
        return StepError(what, hint=hint)


def _encoded(job: Job) -> bytes:
    """The job as a worker gets it.

    Raises: StepError if the function cannot be imported by name or an argument is not JSON data.
    """
    try:
        function = reference.located(job.locate, job.call)
        arguments = {**job.arguments}
        context = arguments.pop("context", None)
        message: dict[str, Any] = {
            "function": dataclasses.astuple(function),
            "arguments": {name: wire.pack(value) for name, value in arguments.items()},
            "env": {**job.env},
            "cwd": job.cwd,
            "path": sys.path,
        }
        if context is not None:
            about = {name: getattr(context, name) for name in _CONTEXT if hasattr(context, name)}
            for name, value in arguments.items():
                if value is about.get("causes"):
                    # Not sent twice.
                    message["causes"] = name
                    del about["causes"]
            message["context"] = {name: wire.pack(value) for name, value in about.items()}
        return wire.frame({"job": message})
    except (TypeError, ValueError) as error:
        raise StepError(
            f"cannot be handed to another process: {error}",
            hint="give it executor='thread', or hand on a path, a name, an id",
        ) from error


def _raised(worker: Worker, told: dict[str, str]) -> StepError:
    assert worker.process is not None
    error = StepError(f"{told['type']}: {told['message']}")
    error.add_note(f"In worker process {worker.process.pid}:\n{told['traceback']}")
    return error
