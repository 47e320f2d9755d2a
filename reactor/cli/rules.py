"""`reactor rules`: which events launch which assets."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from reactor.cli import pauses
from reactor.cli.client import Client, Host, Port, part
from reactor.cli.screen import (
    Json,
    ago,
    commands,
    count,
    facts,
    readable,
    say,
    show_json,
    styled,
    table,
)

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
    rows = [
        (rule["name"], _state(rule), ago(rule["fired"]) or "never", _assets(rule), rule["trigger"])
        for rule in found
    ]
    table(("rule", "state", "fired", "launches", "when"), rows, "there are no rules")


def _state(rule: dict[str, Any]) -> Text:
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
    """Show one rule, its last firings, and what each launched or, observing, would have."""
    rule = Client(host, port).get(f"/api/rules/{part(name)}")
    if as_json:
        show_json(rule)
        return
    say(styled(f"{rule['name']} ", "bold"), _state(rule))
    lost = ", ".join(f"{number:,} {word}" for word, number in rule["fates"].items())
    facts(
        {
            "when": rule["trigger"],
            "launches": _assets(rule),
            "since": ago(rule["since"]),
            "lost": f"{lost} in the last hour" if lost else "",
        }
    )
    say("")
    heads = ("firing", "when", "key", "events", "it")
    table(heads, [_firing(each) for each in rule["firings"]], "it never fired")
    for each in rule["raised"]:
        say(styled(f"its own code raised for {each['event']}: ", "red"), readable(each["error"]))


def _firing(firing: dict[str, Any]) -> tuple[str | Text, ...]:
    first = ", ".join(map(str, firing["events"][:5]))
    more = firing["event_count"] - min(5, len(firing["events"]))
    events = f"{first} and {more:,} more" if more else first
    often = f" ({count(firing['matches'], 'time')})" if firing["matches"] > 1 else ""
    text = styled(f"{firing['text']}{often}", "dim" if firing["observed"] else "")
    return str(firing["id"]), ago(firing["at"]), firing["key"] or "", events, text


pauses.add_to(app, "rule", "they launch nothing")
