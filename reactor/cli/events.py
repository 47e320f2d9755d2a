"""`reactor events`: what came in, and what each event launched."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from reactor.cli.client import Client, Host, Limit, Port, follow
from reactor.cli.screen import (
    Json,
    ago,
    coloured,
    commands,
    facts,
    say,
    show_json,
    show_json_line,
    styled,
    table,
)

Seq = Annotated[int, typer.Argument(metavar="SEQ", min=1, help="The number of an event.")]

app = commands("List, show or follow events.")


@app.callback(invoke_without_command=True)
def events(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_events()


@app.command("list")
def list_events(
    sensor: Annotated[str | None, typer.Option(help="Only those of this sensor.")] = None,
    limit: Limit = 20,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """List accepted events, the newest first; with --follow the newest last, then as they come."""
    client = Client(host, port)
    found = client.get("/api/events", sensor=sensor, limit=limit)["items"]
    if following:
        _follow(client, found[::-1], as_json, sensor)
    elif as_json:
        show_json(found)
    else:
        rows = [
            (
                str(e["seq"]),
                e["sensor"],
                e["type"],
                ago(e["received"]),
                e["key"] or "",
                e["subject"],
            )
            for e in found
        ]
        heads = ("event", "sensor", "type", "when", "key", "subject")
        table(heads, rows, "there are no events yet")


def _follow(client: Client, known: list[dict[str, Any]], as_json: bool, sensor: str | None) -> None:
    def show(event: dict[str, Any]) -> None:
        if sensor not in (None, event["sensor"]):
            return
        if as_json:
            show_json_line(event)
            return
        more = event.get("count", 1) - 1
        before = f" (and {more} before it)" if more else ""
        saw = f" saw {event['subject']}{before}"
        say(f"event {event['seq']}  ", styled(event["sensor"], "cyan"), saw)

    for event in known:
        show(event)
    follow(client, ("event",), show)


@app.command()
def show(seq: Seq, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Show one event: its envelope, its payload, and the runs it caused."""
    event = Client(host, port).get(f"/api/events/{seq}")
    if as_json:
        show_json(event)
        return
    say(styled(f"event {event['seq']} ", "bold"), f"{event['sensor']} saw {event['subject']}")
    facts({name: event[name] for name in ("id", "type", "key", "at", "received")})
    facts({f"header {name}": value for name, value in event["headers"].items()})
    say("")
    data = event["data"]
    if data is None and event["size_bytes"]:
        say(styled(f"a payload of {event['size_bytes']:,} bytes is too long to be shown", "dim"))
    else:
        say(data if isinstance(data, str) else json.dumps(data, indent=2))
    say("")
    rows = [(str(run["id"]), coloured(run["status"]), run["because"]) for run in event["runs"]]
    table(("run", "status", "because"), rows, "it launched nothing")
