"""`reactor backfill`: a range of partitions, launched by hand as one thing."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reactor import load
from reactor.cli.backfills import watch
from reactor.cli.client import Client, Host, Port
from reactor.cli.complaint import BadUsage
from reactor.cli.screen import Json, commands, count, remark, say, show_json
from reactor.cli.target import Target

app = commands()


@app.command()
def backfill(
    target: Target,
    assets: Annotated[list[str], typer.Argument(metavar="ASSET...", help="Which.")],
    partitions: Annotated[
        str, typer.Option("--partitions", "-p", help="A..B, a,b,c, all, or missing: never made.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="So many at once.")] = 4,
    only: Annotated[bool, typer.Option("--only", help="Without what follows from them.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Bring partitions up to date on the running service of a pipeline, a few at a time.

    Live events go first. Follows it to its end; Ctrl-C leaves it to the service.
    """
    client = Client(host, port)
    _same(target, client)
    order: dict[str, Any] = {
        "assets": assets,
        "partitions": partitions,
        "limit": limit,
        "downstream": not only,
        "reason": reason,
    }
    fill = client.post("/api/backfills", order)
    if detach:
        if as_json:
            show_json(fill)
        else:
            say(f"backfill {fill['id']} of {count(fill['total'], 'partition')} has begun")
            remark(f"reactor backfills show {fill['id']} --follow shows how far it is")
        return
    if not as_json:
        say(f"backfill {fill['id']} of {count(fill['total'], 'partition')}")
    watch(client, fill["id"], as_json)


def _same(target: str, client: Client) -> None:
    """Raises: BadUsage if the service serves another pipeline; what loading the target raises."""
    meant, served = load.define([target]).graph.name, client.get("/api/status")["name"]
    if meant != served:
        raise BadUsage(
            f"{client.url} serves {served}, not {meant}",
            hint="say where its service is: --host, --port",
        )
