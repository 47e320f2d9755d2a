"""`reactor demo`: the whole service on this machine, with real events to see it at work."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer

from reactor.cli.options import ListenPort
from reactor.cli.screen import Json, commands

app = commands()


@app.command()
def demo(
    exit: Annotated[bool, typer.Option("--exit", help="End after one round.")] = False,
    port: ListenPort = None,
    as_json: Json = False,
) -> None:
    """See it work: a broker, a folder, a database, 13 assets, and only those run that have to.

    Needs no server and leaves everything it made in .reactor/demo, to be looked at. With --exit it
    ends after one round, with 0 only if all happened as it says.
    """
    waiting = sys.stdout.isatty() and not as_json
    if waiting:
        sys.stdout.write("starting a broker, a service and its page ...")
        sys.stdout.flush()
    # It takes a second to import; by then something should be on the screen.
    perform = import_module("reactor.cli.performance").perform
    if waiting:
        sys.stdout.write("\r\x1b[K")
    if not perform(once=exit, port=port, as_json=as_json):
        raise typer.Exit(1)
