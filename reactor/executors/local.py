"""The executors that need no server, by the names a pipeline uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import anyio

from reactor.ports import Executor

NAMES: Mapping[str, tuple[str, str]] = {
    "async": ("reactor.executors.async_", "AsyncExecutor"),
    "thread": ("reactor.executors.thread", "ThreadExecutor"),
    "process": ("reactor.executors.process", "ProcessExecutor"),
    "command": ("reactor.executors.command", "CommandExecutor"),
    "sql": ("reactor.sql.run", "SqlExecutor"),
}


@asynccontextmanager
async def local(names: Iterable[str] = NAMES) -> AsyncGenerator[dict[str, Executor]]:
    """Those of these names that we have, closed at the end; only what is asked for is imported."""
    made: dict[str, Executor] = {}
    wanted = sorted(set(names) & set(NAMES))
    guarded = {"process", "command"} & set(wanted)
    warden: Any = import_module("reactor.executors.guarded").Warden() if guarded else None
    for name in wanted:
        module, kind = NAMES[name]
        make: Any = getattr(import_module(module), kind)
        made[name] = make(warden=warden) if name in guarded else make()
    try:
        yield made
    finally:
        with anyio.CancelScope(shield=True):
            for executor in made.values():
                await executor.aclose()
