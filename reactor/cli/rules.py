"""`reactor rules`: which events launch which assets."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from reactor.cli import pauses
from reactor.cli.client import Client, Host, Port, part
from reactor.cli.screen import Json, commands, facts, run_rows, say, show_json, styled, table

app = commands("List rules; pause or resume one.")


@app.callback(invoke_without_command=True)
def rules(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_rules()


@app.command("list")
def list_rules(host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """List rules, in the order of declaration."""
    found = Client(host, port).get("/api/rules")
    if as_json:
        show_json(found)
        return
    rows = [(rule["name"], _state(rule), _assets(rule), rule["trigger"]) for rule in found]
    table(("rule", "state", "launches", "when"), rows, "there are no rules")


def _state(rule: dict[str, object]) -> Text:
    if rule["paused"]:
        return Text("paused", "yellow")
    return Text("observes", "dim") if rule["observe"] else Text("active", "green")


def _assets(rule: dict[str, list[str]]) -> str:
    return ", ".join(rule["assets"])


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a rule.")],
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Show one rule and what it launched last."""
    rule = Client(host, port).get(f"/api/rules/{part(name)}")
    if as_json:
        show_json(rule)
        return
    say(styled(f"{rule['name']} ", "bold"), _state(rule))
    facts({"when": rule["trigger"], "launches": _assets(rule)})
    say("")
    heads = ("run", "status", "when", "because")
    table(heads, run_rows(rule["runs"]), "it never fired")


pauses.add_to(app, "rule", "they launch nothing")
