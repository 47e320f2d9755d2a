"""`reactor serve`: the service."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer

from reactor import load, logs, settings
from reactor.cli.screen import commands
from reactor.cli.service import (
    Grace,
    Kafka,
    Level,
    ListenHost,
    ListenPort,
    Profile,
    Slots,
    StoreUrl,
    running,
    until_told,
)
from reactor.cli.target import Targets
from reactor.pipeline import Definition
from reactor.settings import Settings

app = commands()


@app.command()
def serve(
    targets: Targets,
    store: StoreUrl = None,
    host: ListenHost = None,
    port: ListenPort = None,
    kafka: Kafka = None,
    log: Level = None,
    profile: Profile = None,
    grace: Grace = None,
    slots: Slots = None,
    as_json: Annotated[bool, typer.Option("--json/--pretty", help="How logs are written.")] = True,
) -> None:
    """Run the service, until SIGTERM or Ctrl-C stops it in an orderly way.

    Listens on 127.0.0.1:8321 unless told otherwise; beyond this machine only with REACTOR_TOKEN.
    """
    chosen = settings.read(
        store=store, host=host, port=port, kafka=kafka, log=log, profile=profile, grace=grace,
        slots=slots,
    )  # fmt: skip
    logs.configure("json" if as_json else "pretty", chosen.log)
    anyio.run(_serve, load.define(targets), chosen)


async def _serve(definition: Definition, chosen: Settings) -> None:
    async with running(definition, chosen) as service:
        logs.logger().info("listening", url=service.url)
        await until_told(service)
