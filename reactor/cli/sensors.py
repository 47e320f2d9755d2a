"""`reactor sensors`: where events come from, and how that is."""

from __future__ import annotations

from typing import Any

import typer
from rich.text import Text

from reactor.cli import pauses
from reactor.cli.client import Client, Host, Port
from reactor.cli.screen import Json, ago, commands, show_json, span, styled, table

app = commands("List sensors and how they are; pause or resume one.")


@app.callback(invoke_without_command=True)
def sensors(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_sensors()


@app.command("list")
def list_sensors(host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """List sensors: whether each reaches what it listens to, and how far it is behind."""
    found = Client(host, port).get("/api/sensors")
    if as_json:
        show_json(found)
        return
    rows = [
        (each["name"], state(each), _behind(each), ago(each["last"]), each["address"])
        for each in found
    ]
    heads = ("sensor", "state", "behind", "last event", "listens to")
    table(heads, rows, "there are no sensors")


def _behind(sensor: dict[str, Any]) -> str:
    return span(sensor["lag_seconds"]) if sensor["lag_seconds"] else ""


def state(sensor: dict[str, Any]) -> Text:
    """How a sensor is, in a word or with the reason."""
    if sensor["paused"]:
        return Text("paused", "yellow")
    return Text("up", "green") if sensor["up"] else styled(f"down: {sensor['why']}"[:60], "red")


pauses.add_to(app, "sensor", "what they see waits")
