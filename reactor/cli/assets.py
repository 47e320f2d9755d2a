"""`reactor assets`: what is kept up to date, and how it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from reactor.cli import pauses
from reactor.cli.client import Client, Host, Port, part
from reactor.cli.screen import (
    Json,
    ago,
    coloured,
    commands,
    facts,
    run_rows,
    say,
    show_json,
    styled,
    table,
)

_WELL = (None, "materialized", "unchanged")

app = commands("List assets and how they are; pause or resume one.")


@app.callback(invoke_without_command=True)
def assets(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_assets()


@app.command("list")
def list_assets(host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """List assets, in the order of declaration."""
    found = Client(host, port).get("/api/assets")
    if as_json:
        show_json(found)
        return
    rows = [
        (each["name"], _state(each), ago(each["last"]), each["owner"], _reads(each))
        for each in found
    ]
    table(("asset", "state", "up to date", "owner", "reads"), rows, "there are no assets")


def _state(asset: dict[str, Any]) -> Text:
    if asset["paused"]:
        return coloured("held", "paused")
    if asset["held"]:
        return coloured("held")
    if asset["active"]:
        return coloured(asset["active"][0]["status"])
    if asset["stale_count"] and (asset["ended"] or {}).get("status") in _WELL:
        return coloured("held", "out of date")
    if asset["ended"]:
        return coloured(asset["ended"]["status"])
    return coloured("materialized") if asset["last"] else Text("never built", "dim")


def _stale(asset: dict[str, Any]) -> list[tuple[str, str]]:
    """The partitions that are out of date, and why."""
    rows = [(each["partition"] or asset["name"], each["why"]) for each in asset["stale"]]
    more = asset["stale_count"] - len(rows)
    return [*rows, (f"and {more:,} more", "")] if more else rows


def _reads(asset: dict[str, Any]) -> str:
    return ", ".join(asset["upstream"])


def _read(asset: dict[str, Any], name: str) -> str:
    """An upstream, and how its partitions are read."""
    mapping = asset["mapping"].get(name)
    return f"{name} ({mapping})" if mapping else name


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of an asset.")],
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Show one asset: what it is, what it holds, and what launched it last."""
    asset = Client(host, port).get(f"/api/assets/{part(name)}")
    if as_json:
        show_json(asset)
        return
    say(styled(f"{asset['name']} ", "bold"), _state(asset))
    if asset["doc"]:
        say(f"  {asset['doc'].splitlines()[0]}")
    facts(
        {
            "held by": asset["held"],
            "owner": asset["owner"],
            "partitions": asset["partitioned"],
            "reads": ", ".join(_read(asset, name) for name in asset["upstream"]),
            "read by": ", ".join(asset["downstream"]),
            "rules": ", ".join(asset["rules"]),
            "up to date": ago(asset["last"]),
        }
    )
    say("")
    if asset["stale_count"]:
        table(("out of date", "because"), _stale(asset))
        say("")
    made = [
        (m["partition"] or "", ago(m["at"]), str(m["handle"])) for m in asset["materializations"]
    ]
    table(("partition", "when", "handle"), made, "it was never built")
    say("")
    heads = ("run", "status", "when", "because")
    table(heads, run_rows(asset["runs"]), "nothing launched it yet")


pauses.add_to(app, "asset", "nothing launches them")
