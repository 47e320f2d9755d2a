"""`reactor sensors`: where events come from, and how that is."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from reactor import load
from reactor.cli import pauses
from reactor.cli.client import Client, Host, Port
from reactor.cli.complaint import BadUsage
from reactor.cli.screen import Json, ago, commands, done, say, show_json, span, styled, table
from reactor.cli.target import SensorName, Target, sensor_of
from sensors.schema import SchemaChanges
from sensors.schema.address import parsed

app = commands("List sensors and how they are; pause or resume one; let PostgreSQL tell at once.")

Shown = Annotated[bool, typer.Option("--print", help="Print the SQL, for a superuser to run.")]


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


@app.command()
def install(target: Target, sensor: SensorName, show: Shown = False, as_json: Json = False) -> None:
    """Let PostgreSQL tell a schema sensor at once what changes: installs an event trigger.

    It is put into the database that the sensor watches, by the role of its URL, which must be a
    superuser; --print shows what to run otherwise. Doing it again is fine. A running service
    notices within a minute.
    """
    _change(target, sensor, True, show, as_json)


@app.command()
def uninstall(
    target: Target, sensor: SensorName, show: Shown = False, as_json: Json = False
) -> None:
    """Remove the event trigger that install made: the sensor only polls then."""
    _change(target, sensor, False, show, as_json)


def _change(target: str, name: str, wanted: bool, show: bool, as_json: bool) -> None:
    sensor = sensor_of(load.define([target]).graph, name)
    if not isinstance(sensor, SchemaChanges) or not parsed(sensor.target).postgres:
        raise BadUsage(f"sensor {name} does not watch the schema of a PostgreSQL database")
    # SQLAlchemy takes longer to import than the rest, and most come for the list.
    from sensors.schema import event_trigger  # noqa: PLC0415

    if show:
        say((event_trigger.INSTALL if wanted else event_trigger.UNINSTALL).rstrip("\n"))
        return
    before = (event_trigger.install if wanted else event_trigger.uninstall)(sensor.target)
    word = "is in" if wanted else "is gone from"
    answer = {"done": f"the event trigger {word} {sensor.address}", "before": before.name.lower()}
    done(answer, as_json)


def _behind(sensor: dict[str, Any]) -> str:
    return span(sensor["lag_seconds"]) if sensor["lag_seconds"] else ""


def state(sensor: dict[str, Any]) -> Text:
    """How a sensor is, in a word or with the reason."""
    if sensor["paused"]:
        return Text("paused", "yellow")
    if not sensor["up"]:
        return styled(f"down: {sensor['why']}"[:60], "red")
    remark = sensor["why"].partition(":")[0]
    return styled(f"up, {remark}" if remark else "up", "green")


pauses.add_to(app, "sensor", "what they see waits")
