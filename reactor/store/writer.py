"""One thread that all writing goes through, in the order asked for.

Knows: a queue and a thread. Refuses to know: what a job does.

Laws: a job runs to its end, whoever stops waiting for it; between jobs the thread may tidy up.
A hop by queue and `call_soon_threadsafe` is the cheapest there is: it lies on the way from an event
to the first line of its asset.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import anyio

from reactor.core.errors import StoreUnavailable

Result = TypeVar("Result")

TIDY_AFTER = 0.25
"""Seconds without a job before the thread tidies up."""


class _Job(NamedTuple):
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    last: bool


class Writer:
    """The thread. `untidy` says whether there is something to tidy up, `tidy` does it."""

    def __init__(self, name: str, untidy: Callable[[], bool], tidy: Callable[[], None]) -> None:
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._closed = False
        self._untidy, self._tidy = untidy, tidy
        self._thread.start()

    async def run(self, work: Callable[[], Result], *, last: bool = False) -> Result:
        """What `work` returns or raises; cancelling the call does not cut the work short.

        Args: last, if the thread ends with this.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._closed = last
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.put(_Job(work, loop, future, last))
        with anyio.CancelScope(shield=True):
            await future
        return future.result()

    def _work(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=TIDY_AFTER if self._untidy() else None)
            except queue.Empty:
                self._tidy()
                continue
            try:
                settle = _result(job.future, job.work())
            except BaseException as error:  # noqa: BLE001  it is the caller's, on another thread
                settle = _failure(job.future, error)
            # The loop may have ended meanwhile; the work is done all the same.
            with suppress(RuntimeError):
                job.loop.call_soon_threadsafe(settle)
            if job.last:
                return
            del job, settle  # or the last turn would be kept for as long as nothing happens


def _result(future: asyncio.Future[Any], result: Any) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(result)


def _failure(future: asyncio.Future[Any], error: BaseException) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_exception(error)
