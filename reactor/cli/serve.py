"""`reactor serve`: the service."""

from __future__ import annotations

import os
from typing import Annotated

import anyio
import typer

from reactor import load, logs, settings
from reactor.cli import options
from reactor.cli.screen import commands
from reactor.cli.service import heed_signals, running
from reactor.cli.target import Targets
from reactor.pipeline import Definition
from reactor.settings import Settings

app = commands()


@app.command()
def serve(
    targets: Targets,
    store: options.StoreUrl = None,
    host: options.ListenHost = None,
    port: options.ListenPort = None,
    kafka: options.Kafka = None,
    log: options.Level = None,
    profile: options.Profile = None,
    grace: options.Grace = None,
    slots: options.Slots = None,
    as_json: Annotated[bool, typer.Option("--json/--pretty", help="How logs are written.")] = True,
    gate: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the service, until SIGTERM or Ctrl-C stops it in an orderly way.

    Listens on 127.0.0.1:8321 unless told otherwise; beyond this machine only with REACTOR_TOKEN.
    """
    chosen = settings.read(
        store=store, host=host, port=port, kafka=kafka, log=log, profile=profile, grace=grace,
        slots=slots,
    )  # fmt: skip
    logs.configure("json" if as_json else "pretty", chosen.log)
    definition = load.define(targets)
    if gate is None or _let_through(gate):
        anyio.run(_serve, definition, chosen, gate is not None)


async def _serve(definition: Definition, chosen: Settings, gated: bool) -> None:
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        await tasks.start(heed_signals, stop.set)
        if gated:
            tasks.start_soon(_until_alone, stop)
        async with running(definition, chosen) as service:
            logs.logger().info("listening", url=service.url)
            await stop.wait()
        tasks.cancel_scope.cancel()


def _let_through(gate: int) -> bool:
    """Says that the pipeline is loaded, and waits at the gate that `reactor dev` keeps."""
    os.write(gate, b"loaded")
    os.close(gate)
    return os.read(0, 1) != b""


async def _until_alone(stop: anyio.Event) -> None:
    """Stops the service when whoever keeps the gate is gone."""
    await anyio.wait_readable(0)
    stop.set()
