"""`reactor ack`: breaking schema changes that are dealt with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reactor.cli.client import Client, Host, Port
from reactor.cli.complaint import BadUsage
from reactor.cli.screen import Json, commands, done, show_json, span, table
from reactor.core.sentence import listed

app = commands()


@app.command()
def ack(
    hold: Annotated[
        str | None,
        typer.Argument(metavar="[HOLD]", help="The number of a hold, or the table it is on."),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="What was done; it is recorded.")] = "",
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Let go on what a breaking schema change holds; without HOLD, list what is held."""
    client = Client(host, port)
    holds = client.get("/api/holds")
    if hold is not None:
        order = {"note": note} if note else {}
        done(client.post(f"/api/holds/{_meant(hold, holds)}/ack", order), as_json)
    elif as_json:
        show_json(holds)
    else:
        heads = ("hold", "table", "since", "what", "held")
        table(heads, map(_row, holds), "nothing is held")


def _row(hold: dict[str, Any]) -> tuple[str, ...]:
    held = listed(hold["assets"])
    return str(hold["id"]), hold["table"], span(hold["age_seconds"]), hold["text"], held


def _meant(hold: str, holds: list[dict[str, Any]]) -> int:
    """The hold of that number, or the only one on that table.

    Raises: BadUsage.
    """
    if hold.isdecimal():
        return int(hold)
    found = [each["id"] for each in holds if each["table"] == hold]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadUsage(f"{hold} has holds {listed(list(map(str, found)))}", hint="say which")
    tables = listed([each["table"] for each in holds])
    hint = f"there are holds on {tables}" if tables else "nothing is held"
    raise BadUsage(f"there is no hold on {hold}", hint=hint)
