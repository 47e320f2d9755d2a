"""`reactor materialize`: assets launched by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from reactor.cli.client import Client, Host, Port
from reactor.cli.screen import Json, commands, done

app = commands()


@app.command()
def materialize(
    assets: Annotated[list[str] | None, typer.Argument(metavar="ASSET...", help="Which.")] = None,
    partition: Annotated[str | None, typer.Option(help="Only this partition of them.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Without what follows from them.")] = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="What is out of date of them; without ASSET, of all.")
    ] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="Those partitions of them that were never made.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also what is held, and what needs nothing new.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it is recorded.")] = None,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Launch assets by hand, and what follows from them."""
    order = {
        "assets": assets or [],
        "partition": partition,
        "downstream": not only,
        "force": force,
        "stale": stale,
        "missing": missing,
    }
    if reason:
        order["reason"] = reason
    done(Client(host, port).post("/api/materialize", order), as_json)
