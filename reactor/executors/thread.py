"""Work in threads of this process."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import queue
import threading
from dataclasses import dataclass, field
from typing import Any

import anyio

from reactor.core.errors import StepError
from reactor.ports import Job


@dataclass(slots=True, eq=False)
class _Ticket:
    """One call on its way through a thread; `done` is set on the loop."""

    job: Job
    loop: asyncio.AbstractEventLoop
    done: anyio.Event = field(default_factory=anyio.Event)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    value: Any = None
    error: BaseException | None = None


class ThreadExecutor:
    """Calls the function in a thread, at most `limit` of them at once; more wait for their turn.

    A thread cannot be stopped. When `run` is cancelled it returns at once and leaves the thread
    behind: it no longer counts against the limit, stands in `stray` until the function has really
    returned, and `returned` waits for that. The threads are daemons, so that one which hangs does
    not keep the service from ending. (A pool of its own for these two reasons, and because it
    starts the function in half the time that `anyio.to_thread` takes.)
    """

    def __init__(self, limit: int = 64) -> None:
        self._slots = anyio.Semaphore(limit, fast_acquire=True)
        self._tickets: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._idle = 0
        self._stray: dict[tuple[int, int], _Ticket] = {}

    @property
    def stray(self) -> frozenset[tuple[int, int]]:
        """The (step, number) of cancelled attempts whose thread still runs."""
        return frozenset(self._stray)

    async def returned(self, step: int, number: int) -> None:
        """Returns once no thread runs this attempt any more."""
        if ticket := self._stray.get((step, number)):
            await ticket.done.wait()

    async def run(self, job: Job) -> Any:
        async with self._slots:
            ticket = _Ticket(job, asyncio.get_running_loop())
            self._begin(ticket)
            try:
                await ticket.done.wait()
            finally:
                if not ticket.done.is_set():
                    self._stray[job.step, job.number] = ticket
        if ticket.error is not None:
            raise ticket.error
        return ticket.value

    async def aclose(self) -> None:
        """Ends idle threads; strays end when their function returns."""
        while self._idle:
            self._idle -= 1
            self._tickets.put(None)

    def _begin(self, ticket: _Ticket) -> None:
        if self._idle:
            self._idle -= 1
        else:
            threading.Thread(target=self._work, name="reactor-step", daemon=True).start()
        self._tickets.put(ticket)

    def _work(self) -> None:
        """A thread's life."""
        while ticket := self._tickets.get():
            _call(ticket)
            try:
                ticket.loop.call_soon_threadsafe(self._finish, ticket)
            except RuntimeError:
                # The loop has been closed: the service is ending, and nobody waits any more.
                return
            del ticket

    def _finish(self, ticket: _Ticket) -> None:
        self._idle += 1
        key = ticket.job.step, ticket.job.number
        if self._stray.get(key) is ticket:
            del self._stray[key]
        ticket.done.set()


def _call(ticket: _Ticket) -> None:
    """Calls the function; what it raises is kept for the loop, which some of it must not reach."""
    job = ticket.job
    try:
        ticket.value = ticket.context.run(_outcome, job)
    except Exception as error:  # noqa: BLE001  raised again on the loop
        ticket.error = error
    except BaseException as error:  # noqa: BLE001  would end the loop there
        what = (
            f"asked to exit with {error.code!r}" if isinstance(error, SystemExit) else repr(error)
        )
        ticket.error = StepError(what)
        ticket.error.__cause__ = error


def _outcome(job: Job) -> Any:
    assert job.call is not None
    value = job.call(**job.arguments)
    return asyncio.run(value) if inspect.iscoroutine(value) else value
