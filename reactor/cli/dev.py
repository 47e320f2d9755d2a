"""`reactor dev`: the service, loaded anew on each save.

The service is a process of its own. On a save the next one is started beside it: it loads the
pipeline and waits at a gate. Only if that went well is the old one stopped and the new one let
through, so that a mistake costs nothing but a complaint.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import anyio
import typer
from anyio import to_thread
from anyio.abc import TaskGroup, TaskStatus
from anyio.lowlevel import checkpoint
from anyio.streams.memory import MemoryObjectSendStream
from watchfiles import DefaultFilter, awatch

from reactor import settings
from reactor.cli import options
from reactor.cli.screen import commands, count, remark
from reactor.cli.target import Targets
from reactor.load import source_file

app = commands()


@app.command()
def dev(
    targets: Targets,
    store: options.StoreUrl = None,
    host: options.ListenHost = None,
    port: options.ListenPort = None,
    kafka: options.Kafka = None,
    log: options.Level = None,
    profile: options.Profile = None,
    grace: options.Grace = None,
    slots: options.Slots = None,
    as_json: Annotated[bool, typer.Option("--json/--pretty", help="How logs are written.")] = False,
) -> None:
    """Serve a pipeline and load it anew on each save, with readable logs.

    A save with a mistake in it only says so: the service goes on with what it had.
    """
    given = {
        "store": store, "host": host, "port": port, "kafka": kafka, "log": log,
        "profile": profile, "grace": grace, "slots": slots,
    }  # fmt: skip
    settings.read(**given)
    flags = [f"--{name}={value}" for name, value in given.items() if value is not None]
    style = "--json" if as_json else "--pretty"
    code = anyio.run(_dev, targets, [*targets, *flags, style])
    if code:
        raise typer.Exit(code)


class Child:
    """One service process: loads the pipeline, waits at its gate, serves once it is let through."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._loaded, gate = os.pipe()
        argv = [sys.executable, "-m", "reactor.cli", "serve", f"--gate={gate}", *arguments]
        # In a session of its own: Ctrl-C is for us, and we stop it.
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, pass_fds=[gate], start_new_session=True
        )
        os.close(gate)

    async def loaded(self) -> bool:
        """Whether the pipeline could be loaded; if not, it has said why and is ending."""
        try:
            return bool(await to_thread.run_sync(os.read, self._loaded, 6, abandon_on_cancel=True))
        finally:
            os.close(self._loaded)

    def let_through(self) -> None:
        """Lets it serve. It ends by itself if this process does."""
        gate = self._process.stdin
        with suppress(BrokenPipeError):
            if gate is not None:
                gate.write(b".")
                gate.flush()

    async def ended(self) -> int:
        """Its exit code, when it has ended."""
        return await to_thread.run_sync(self._process.wait, abandon_on_cancel=True)

    async def stop(self) -> None:
        """Stops it in an orderly way."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        await self.ended()


async def _dev(targets: Sequence[str], arguments: Sequence[str]) -> int:
    folders = [folder for folder in map(_folder, targets) if folder.is_dir()]
    session = _Session(arguments)
    outlet, saved = anyio.create_memory_object_stream[Sequence[str]](0)
    async with anyio.create_task_group() as tasks, saved:
        session.tasks = tasks
        await tasks.start(_until_interrupted, session)
        tasks.start_soon(_tell_saves, [*dict.fromkeys(folders)], outlet)
        # It watches before the pipeline is read: what is saved from then on is not missed.
        await checkpoint()
        await session.start()
        async for names in saved:
            remark(f"saved: {', '.join(names[:3])}{_more(names)}")
            await session.start()
    return session.code


async def _tell_saves(
    folders: Sequence[Path], outlet: MemoryObjectSendStream[Sequence[str]]
) -> None:
    """Sends what is saved, from the first step on."""
    async with outlet:
        async for changes in awatch(*folders, watch_filter=_Sources(), debounce=300, step=50):
            await outlet.send(sorted({Path(path).name for _, path in changes}))


def _more(names: Sequence[str]) -> str:
    return f" and {count(len(names) - 3, 'more file')}" if len(names) > 3 else ""


class _Session:
    """The service that runs now, if one does."""

    tasks: TaskGroup

    def __init__(self, arguments: Sequence[str]) -> None:
        self.code = 0
        self._arguments = arguments
        self._child: Child | None = None

    async def start(self) -> None:
        """Puts a new service in the place of the old one, if the pipeline can be loaded."""
        child = Child(self._arguments)
        if not await child.loaded():
            await child.ended()
            goes_on = "the service goes on as it was" if self._child else "nothing is served yet"
            remark(f"{goes_on}; save again to try again")
            return
        old, self._child = self._child, child
        if old is not None:
            await old.stop()
        child.let_through()
        self.tasks.start_soon(self._watch, child)

    async def _watch(self, child: Child) -> None:
        """Ends with a service that ends by itself: its port is taken, say."""
        code = await child.ended()
        if child is self._child:
            self.code = code
            self.tasks.cancel_scope.cancel()

    async def end(self) -> None:
        """Stops the service, and with it the session."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop()
        self.tasks.cancel_scope.cancel()


async def _until_interrupted(session: _Session, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            await session.end()
            return


class _Sources(DefaultFilter):
    """Python files and settings; nothing of an environment or a cache."""

    def __call__(self, change: object, path: str) -> bool:
        chosen = path.endswith(".py") or Path(path).name == "pyproject.toml"
        return chosen and super().__call__(change, path)  # type: ignore[arg-type]


def _folder(target: str) -> Path:
    """The folder to watch for a target: where its file, or its top package, stands."""
    file = source_file(target)
    if file is None:
        sys.path.append(os.getcwd())
        spec = find_spec(target.partition(":")[0].partition(".")[0])
        file = Path(spec.origin) if spec is not None and spec.origin else Path.cwd() / "x"
    return file.parent
