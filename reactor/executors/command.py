"""Commands: a program as a subprocess, never through a shell."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

from anyio import CancelScope

from reactor.core.errors import StepError
from reactor.executors.ending import Ending, OutOfMemory
from reactor.executors.guarded import Launch, Running, Warden
from reactor.executors.output import Output
from reactor.ports import Job

INHERITED = frozenset((
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_MONETARY",
    "LC_NUMERIC", "LC_TIME", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy",
))  # fmt: skip
"""What a command sees of the service's environment; `Job.env` comes on top, and nothing else."""

GRACE = timedelta(seconds=5)


class CommandExecutor:
    """Runs `Job.argv`; its handle is `{"exit": 0, "stdout": <the last line that is not blank>}`.

    A last line that is JSON is handed on as the value it stands for, any other as text, and one of
    more than 65,536 characters as its beginning, with an ellipsis. Both outputs go to `Job.emit`
    line by line.

    Args:
        grace: between SIGTERM and SIGKILL, when a command is cancelled; both go to everything the
            command started, in whatever session it is by now.
        inherit: the names of the variables that commands see of the service's own.

    Restart: nothing survives. When the service is gone, its commands and all that they started are
    killed at once, so that the next service does not meet them.
    """

    def __init__(
        self,
        *,
        grace: timedelta = GRACE,
        inherit: Collection[str] = INHERITED,
        warden: Warden | None = None,
    ) -> None:
        self.running: dict[tuple[int, int], Running] = {}
        """What runs now, by step and number of the attempt."""
        self._grace, self._inherit = grace, inherit
        self._warden = warden or Warden()
        self._memory = OutOfMemory()

    async def run(self, job: Job) -> Any:
        if not job.argv:
            raise StepError("there is no command to run")
        with ExitStack() as outputs:
            try:
                out = outputs.enter_context(closing(Output("stdout", job.emit)))
                err = outputs.enter_context(closing(Output("stderr", job.emit)))
            except OSError as error:
                raise StepError(f"cannot start {job.argv[0]}: {error}") from error
            ending = await self._carry_out(job, out, err)
        if ending.status != 0:
            raise self._failed(job, ending, err)
        return {"exit": 0, "stdout": _last_line(out)}

    async def aclose(self) -> None:
        await self._warden.aclose()

    async def _carry_out(self, job: Job, out: Output, err: Output) -> Ending:
        environment = {name: os.environ[name] for name in self._inherit if name in os.environ}
        launch = Launch(job.argv, environment | {**job.env}, job.cwd or os.getcwd())
        try:
            process = await self._warden.start(launch, [out.inlet, err.inlet])
        except OSError as error:
            raise StepError(f"cannot start {job.argv[0]}: {error}") from error
        finally:
            out.close_inlet()
            err.close_inlet()
        key = job.step, job.number
        self.running[key] = Running(job.argv[0], process.pid, process.started)
        try:
            ending = await process.ended()
        finally:
            with CancelScope(shield=True):
                await process.stop(self._grace)
            del self.running[key]
        if ending.left:
            what = "1 process" if ending.left == 1 else f"{ending.left} processes"
            job.emit("stderr", f"{job.argv[0]} had left {what} behind, now ended")
        return ending

    def _failed(self, job: Job, ending: Ending, err: Output) -> StepError:
        what = f"{job.argv[0]} {ending}"
        hint = ""
        if ending.refused and ending.what == job.argv[0]:
            what = f"{job.argv[0]} could not be started: {ending.refused}"
            hint = "is it installed, and on the PATH of the service?"
        elif self._memory.explains(ending):
            hint = "the kernel ran out of memory and killed something just then"
        if err.tail:
            what += "; the end of its stderr:\n" + "\n".join(err.tail)
        return StepError(what, hint=hint)


def _last_line(out: Output) -> Any:
    if not out.tail:
        return ""
    line = out.tail[-1]
    if out.cut:
        return line + "\N{HORIZONTAL ELLIPSIS}"
    try:
        value = json.loads(line)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return line
    return value
