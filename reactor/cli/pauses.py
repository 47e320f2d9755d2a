"""Pausing and resuming, alike for assets, rules and sensors."""

from __future__ import annotations

from typing import Annotated

import typer

from reactor.cli.client import Client, Host, Port
from reactor.cli.screen import Json, done

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Which.")]


def add_to(app: typer.Typer, kind: str, effect: str) -> None:
    """Gives a group the commands `pause` and `resume`."""

    @app.command(help=f"Pause {kind}s: {effect} until they are resumed.")
    def pause(names: Names, host: Host = None, port: Port = None, as_json: Json = False) -> None:
        _set(kind, names, True, Client(host, port), as_json)

    @app.command(help=f"Let paused {kind}s go on.")
    def resume(names: Names, host: Host = None, port: Port = None, as_json: Json = False) -> None:
        _set(kind, names, False, Client(host, port), as_json)


def _set(kind: str, names: list[str], paused: bool, client: Client, as_json: bool) -> None:
    for name in names:
        order = {"kind": kind, "name": name, "paused": paused}
        done(client.post("/api/pauses", order), as_json)
