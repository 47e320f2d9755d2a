"""`reactor emit`: an event for a running service, as if its sensor had seen it."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from reactor.cli.client import Client, Host, Port
from reactor.cli.screen import Json, commands, say, show_json
from reactor.cli.target import Payload, SensorName, parsed

app = commands()


@app.command()
def emit(
    sensor: SensorName,
    payload: Payload,
    key: Annotated[str | None, typer.Option(help="The event's key.")] = None,
    id: Annotated[
        str | None, typer.Option(help="Its id; one that the service knows is dropped.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="What it is about.")] = None,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Hand an event to a running service; returns when it is recorded."""
    event = {
        "specversion": "1.0",
        "id": id or str(uuid.uuid4()),
        "source": sensor,
        "type": "reactor.emitted",
        "data": parsed(payload),
        **({"partitionkey": key} if key else {}),
        **({"subject": subject} if subject else {}),
    }
    answer = Client(host, port).post("/api/events", event, "application/cloudevents+json")
    if as_json:
        show_json(answer)
    else:
        say(f"recorded: {sensor} saw event {event['id']}")
