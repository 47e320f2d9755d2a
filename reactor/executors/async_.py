"""Work on the service's own loop."""

from __future__ import annotations

import inspect
from typing import Any

import anyio

from reactor.core.errors import StepError
from reactor.ports import Job


class AsyncExecutor:
    """Awaits the function on the loop. Cancelling `run` cancels the coroutine.

    A coroutine that blocks, blocks the service: what computes or calls blocking libraries belongs
    in a thread or a process.
    """

    async def run(self, job: Job) -> Any:
        assert job.call is not None
        try:
            value = job.call(**job.arguments)
            return await value if inspect.isawaitable(value) else value
        except SystemExit as asked:
            raise StepError(f"asked to exit with {asked.code!r}") from asked
        except anyio.get_cancelled_exc_class() as cancelled:
            if anyio.get_current_task().has_pending_cancellation():
                raise
            what = "was cancelled, and not by the service"
            hint = "something that it awaited had been cancelled"
            raise StepError(what, hint=hint) from cancelled

    async def aclose(self) -> None:
        """Nothing is kept."""
