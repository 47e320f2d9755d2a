"""What commands that look at a pipeline take: TARGET, SENSOR and JSON."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from reactor.cli.complaint import BadUsage
from reactor.core.errors import ReactorError
from reactor.core.event import Event
from reactor.core.graph import Graph, nearest

HELP = "path/to/pipeline.py, path.py:name or module:name"

Target = Annotated[str, typer.Argument(metavar="TARGET", help=HELP)]
Targets = Annotated[list[str], typer.Argument(metavar="TARGET...", help=HELP)]
SensorName = Annotated[str, typer.Argument(metavar="SENSOR", help="The name of a sensor.")]
Payload = Annotated[
    str,
    typer.Argument(metavar="JSON", help="What it saw; a path may stand bare, - reads stdin."),
]


def parsed(text: str) -> Any:
    """The JSON of a command line; a bare word, such as a path, stands for itself; `-` is stdin.

    Raises: BadUsage if it is neither.
    """
    text = sys.stdin.read() if text == "-" else text
    try:
        return json.loads(text)
    except ValueError as error:
        if text[:1] in ("{", "[", '"', ""):
            raise BadUsage(f"this is no JSON: {error}", hint=f"it begins {text[:40]!r}") from None
        return text


def sensor_of(graph: Graph, name: str) -> Any:
    """The sensor of that name.

    Raises: BadUsage if there is none.
    """
    found = graph.sensors.get(name)
    if found is None:
        known = nearest(name, graph.sensors) or f"there are {', '.join(graph.sensors) or 'none'}"
        raise BadUsage(f"{graph.name} has no sensor {name}", hint=known)
    return found


def made(graph: Graph, sensor: str, text: str) -> Event:
    """The event that a sensor would make of what it saw.

    Raises: BadUsage if there is no such sensor, or it could not have seen that.
    """
    source = sensor_of(graph, sensor)
    value = parsed(text)
    try:
        return source.event(value)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadUsage(f"sensor {sensor} cannot see this: {said}") from None
    except (ReactorError, TypeError, ValueError) as error:
        raise BadUsage(f"sensor {sensor} cannot see this: {error}") from None
