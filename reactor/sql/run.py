"""The executor called `sql`: carries out statements, each in a thread, and can stop them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from reactor.core.errors import StepError
from reactor.definition import Output
from reactor.ports import Job
from reactor.sql.statement import WRITABLE, Statement
from reactor.sql.writing import Order, Writing

_BACKENDS = {
    "postgresql": ("reactor.sql.postgres", "PostgresWriting", "postgres"),
    "postgres": ("reactor.sql.postgres", "PostgresWriting", "postgres"),
    "sqlite": ("reactor.sql.sqlite", "SqliteWriting", ""),
    "duckdb": ("reactor.sql.duck", "DuckWriting", "duckdb"),
}
_AGAIN = 0.02
"""Seconds between two tries to interrupt: one that comes before the query begins does nothing."""


class SqlExecutor:
    """Runs the query of a SQL asset and puts its answer into its table, whole or not at all.

    At most `limit` at once. The handle is the table's name. Cancelling `run` interrupts the query
    in the database, and returns when its connection is closed; what had been committed by then
    stays.
    """

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, job: Job) -> Any:
        statement: Any = job.call
        if not isinstance(statement, Statement):
            raise StepError(f"{job.asset} is no SQL", hint="the executor sql is for assets of sql=")
        writing = _writing(_order(statement, job.arguments["context"]))
        rows = await self._carried_out(writing)
        job.emit("log", f"{rows} rows in {statement.table}")
        return Output(statement.table, metadata={"rows": rows})

    async def aclose(self) -> None:
        """Nothing is kept."""

    async def _carried_out(self, writing: Writing) -> int:
        limiter = self._limiter = self._limiter or anyio.CapacityLimiter(self._limit)
        rows, error, done = 0, None, False

        async def stop_when_cancelled() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    while not done:
                        await anyio.to_thread.run_sync(writing.interrupt)
                        await anyio.sleep(_AGAIN)

        await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_when_cancelled)
            try:
                # It is not left behind: a cancellation waits for the thread, which is interrupted.
                with anyio.CancelScope(shield=True):
                    rows = await anyio.to_thread.run_sync(writing.perform, limiter=limiter)
            except Exception as wrong:  # noqa: BLE001 - raised again below, out of the group
                error = wrong
            done = True
            tasks.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()
        if error is not None:
            raise error
        return rows


def _order(statement: Statement, context: Any) -> Order:
    url = statement.database
    if "://" not in url:
        try:
            url = context.connection(url)
        except KeyError as error:
            hint = "say database= on the asset, or name the connection in the settings"
            raise StepError(str(error.args[0]), hint=hint) from error
    window = context.window
    values = {"partition": context.partition}
    if window is not None:
        values |= {"window_start": window.start, "window_end": window.end}
    start, end = (window.start, window.end) if window is not None else (None, None)
    return Order(statement, url, values, context.partition, start, end)


def _writing(order: Order) -> Writing:
    try:
        backend = make_url(order.url).get_backend_name()
    except (ArgumentError, ValueError) as error:
        # Not the error's own words: they may quote a password.
        raise StepError("the URL of its database cannot be read") from error
    if backend not in _BACKENDS:
        what = f"a table in {backend} cannot be replaced whole: its DDL is not part of transactions"
        hint = f"SQL assets run on {', '.join(WRITABLE)}"
        raise StepError(what, hint=f"{hint}; elsewhere, let a command or a function run the SQL")
    module, kind, extra = _BACKENDS[backend]
    try:
        make: Any = getattr(import_module(module), kind)
    except ModuleNotFoundError as error:
        wanted = ",".join(filter(None, ["sql", extra]))
        hint = f"pip install 'reactor-orchestrator[{wanted}]'"
        raise StepError(
            f"{backend} needs {error.name}, which is not installed", hint=hint
        ) from error
    return make(order)
