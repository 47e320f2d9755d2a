"""`reactor events`: what came in, what became of each event, and why it did no more."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.text import Text

from reactor.cli.client import Client, Follow, Host, Limit, Port, follow
from reactor.cli.complaint import BadUsage
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
from reactor.cli.target import parsed

_COLOURS = {
    "ran": "succeeded",
    "matched": "running",
    "waiting": "pending",
    "debounced": "pending",
    "throttled": "pending",
    "expired": "retried",
}
"""Which word of the vocabulary a status has its colour from; else its own, or it is dim."""

Seq = Annotated[int, typer.Argument(metavar="SEQ", min=1, help="The number of an event.")]

app = commands("List, show or follow events; ask why one did no more.")


@app.callback(invoke_without_command=True)
def events(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_events()


@app.command("list")
def list_events(
    sensor: Annotated[str | None, typer.Option(help="Only those of this sensor.")] = None,
    limit: Limit = 20,
    following: Follow = False,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """List accepted events, the newest first; with --follow the newest last, then as they come."""
    client = Client(host, port)
    found = client.get("/api/events", sensor=sensor, limit=limit)["items"]
    if following:
        line = show_json_line if as_json else _print_line
        follow(client, "event", found[::-1], lambda e: sensor in (None, e["sensor"]), line)
    elif as_json:
        show_json(found)
    else:
        rows = [
            (
                str(e["seq"]),
                e["sensor"],
                e["type"],
                became(e["status"]),
                ago(e["received"]),
                e["key"] or "",
                e["subject"],
            )
            for e in found
        ]
        heads = ("event", "sensor", "type", "status", "when", "key", "subject")
        table(heads, rows, "there are no events yet")


def became(status: str) -> Text:
    """A word for what became of an event, in its colour."""
    return coloured(
        _COLOURS.get(status, status if status in ("failed", "held") else "skipped"), status
    )


def _print_line(event: dict[str, Any]) -> None:
    more = event.get("count", 1) - 1
    before = f" (and {more} before it)" if more else ""
    saw = f" saw {event['subject']}{before}"
    say(f"event {event['seq']}  ", styled(event["sensor"], "cyan"), saw)


@app.command()
def show(seq: Seq, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Show one event: its envelope, its payload, and what became of it for each rule."""
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
    _print_fates(event)
    if event["runs"]:
        say("")
        rows = [(str(run["id"]), coloured(run["status"]), run["because"]) for run in event["runs"]]
        table(("run", "status", "because"), rows)


def _print_fates(event: dict[str, Any]) -> None:
    rows = [(fate["rule"], became(fate["status"]), fate["text"]) for fate in event["fates"]]
    table(("rule", "status", "it"), rows, "no rule of today listens to its sensor")
    more = event["fate_count"] - len(rows)
    if more:
        say(f"and {more:,} more rules")


@app.command()
def why(
    event: Annotated[
        str,
        typer.Argument(metavar="SEQ|JSON", help="The number of an event, or what one would hold."),
    ],
    rule: Annotated[str | None, typer.Option(help="Why it did not fire this rule.")] = None,
    asset: Annotated[str | None, typer.Option(help="Why it did not launch this asset.")] = None,
    sensor: Annotated[
        str | None, typer.Option(help="Which sensor would see JSON: it is matched anew.")
    ] = None,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Say why an event did not fire a rule, or launch an asset; without either, all it did."""
    if rule is not None and asset is not None:
        raise BadUsage("ask about a rule or an asset, not both", hint="--rule NAME or --asset NAME")
    client = Client(host, port)
    asked = {"rule": rule, "asset": asset}
    if sensor is not None:
        answer = _recomputed(client, sensor, parsed(event), asked)
    elif not event.isdecimal():
        raise BadUsage(
            f"{event[:40]!r} is no number of an event",
            hint="reactor events list shows them; for an event that was not kept, "
            "say JSON and its --sensor",
        )
    elif rule is None and asset is None:
        found = client.get(f"/api/events/{event}")
        if as_json:
            show_json(found["fates"])
        else:
            _print_fates(found)
        return
    else:
        answer = client.get(f"/api/events/{event}/why", **asked)
    if as_json:
        show_json(answer)
    else:
        say(answer["text"])


def _recomputed(client: Client, sensor: str, data: Any, asked: dict[str, str | None]) -> Any:
    """What an event that was not kept would do, or not."""
    if not any(asked.values()):
        raise BadUsage("which rule or asset?", hint="--rule NAME or --asset NAME")
    event = {"specversion": "1.0", "id": "asked", "source": sensor, "type": "reactor.asked"}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    path = f"/api/events/why?{query}"
    return client.post(path, {**event, "data": data}, "application/cloudevents+json")
