"""`reactor runs`: what was launched, why, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.text import Text

from reactor.cli.client import Client, Follow, Host, Limit, Port, follow
from reactor.cli.screen import (
    Json,
    ago,
    between,
    coloured,
    commands,
    count,
    done,
    explained,
    folded,
    out,
    readable,
    say,
    show_json,
    show_json_line,
    styled,
    table,
)

Id = Annotated[int, typer.Argument(metavar="ID", min=1, help="The number of a run.")]
GOING = ("running",)

app = commands("List, show, follow, cancel or resume runs; read their logs.")


@app.callback(invoke_without_command=True)
def runs(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_runs()


@app.command("list")
def list_runs(
    status: Annotated[str | None, typer.Option(help="Only those: running, failed ...")] = None,
    rule: Annotated[str | None, typer.Option(help="Only those of this rule.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only those of this asset.")] = None,
    limit: Limit = 20,
    following: Follow = False,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """List runs, the newest first; with --follow the newest last, and then as they come."""
    client = Client(host, port)
    found = client.get("/api/runs", status=status, rule=rule, asset=asset, limit=limit)["items"]
    if following:
        line = show_json_line if as_json else _print_line
        follow(client, "run", found[::-1], _wanted(status, rule, asset), line)
    elif as_json:
        show_json(found)
    else:
        rows = [_row(run) for run in found]
        table(("run", "status", "took", "when", "assets", "because"), rows, "there are no runs yet")


def _wanted(
    status: str | None, rule: str | None, asset: str | None
) -> Callable[[dict[str, Any]], bool]:
    return lambda run: (
        (status in (None, run["status"]))
        and (rule in (None, run["rule"]))
        and (asset is None or asset in run.get("assets", [asset]))
    )


def _row(run: dict[str, Any]) -> tuple[str | Text, ...]:
    took = between(run["created"], run["finished"]) if run["finished"] else ""
    return (
        str(run["id"]),
        coloured(run["status"]),
        took,
        ago(run["created"]),
        str(run["asset_count"]),
        _why(run),
    )


def _why(run: dict[str, Any]) -> str:
    """Why, with what was launched before it: `raw because inbox saw a.csv`."""
    return f"{', '.join(run['roots'])} {run['because']}".strip()


def _print_line(run: dict[str, Any]) -> None:
    took = f" in {between(run['created'], run['finished'])}" if run["finished"] else ""
    assets = run.get("asset_count") or len(run["assets"])
    what = f"  {count(assets, 'asset')}  {_why(run)}"
    say(f"run {run['id']}  ", coloured(run["status"]), took, what)


@app.command()
def show(
    id: Id,
    every: Annotated[
        bool, typer.Option("--all", help="Of every asset: why it ran, or did not.")
    ] = False,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Show one run: why it ran, and what became of each of its assets."""
    run = Client(host, port).get(f"/api/runs/{id}", explain="true" if every else None)
    if as_json:
        show_json(run)
        return
    took = between(run["created"], run["finished"]) if run["finished"] else "going on"
    head = styled(f"run {run['id']} ", "bold")
    say(head, coloured(run["status"]), f"  {took}, {ago(run['created'])}")
    for line in run["why"]:
        say(f"  {readable(line)}")
    say("")
    rows = [_step_row(step) for step in run["steps"]]
    table(("asset", "status", "attempts", "took", "because"), rows)
    if every:
        say("")
        empty = f"of the other assets nothing is told: {run['unexplained']}"
        folded(("asset", "", "because"), map(explained, run["explained"]), empty)
    for step in run["steps"]:
        for attempt in step["attempts"]:
            if attempt["error"]:
                head = f"{step['asset']}, attempt {attempt['number']}: "
                say(coloured("failed", head), attempt["error"])
    if run["event_count"]:
        say("")
        rows = [(str(e["seq"]), e["sensor"], e["subject"], ago(e["at"])) for e in run["events"]]
        table(("event", "sensor", "subject", "when"), rows)
        if run["event_count"] > len(run["events"]):
            say(f"and {run['event_count'] - len(run['events']):,} more events")


def _step_row(step: dict[str, Any]) -> tuple[str | Text, ...]:
    name = f"{step['asset']}[{step['partition']}]" if step["partition"] else step["asset"]
    took = between(step["started"], step["finished"]) if step["finished"] else ""
    note = f"; {step['note']}" if step["note"] else ""
    why = f"{step['because'].removeprefix('because ')}{note}"
    return name, coloured(step["status"]), str(len(step["attempts"]) or ""), took, why


@app.command()
def cancel(
    id: Id,
    reason: Annotated[str | None, typer.Option(help="Why; it is recorded.")] = None,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Stop a run: what runs of it is stopped, what waits is not started."""
    order = {"reason": reason} if reason else {}
    done(Client(host, port).post(f"/api/runs/{id}/cancel", order), as_json)


@app.command()
def resume(id: Id, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Let a failed or cancelled run go on from its failure; what succeeded is not done again."""
    done(Client(host, port).post(f"/api/runs/{id}/resume"), as_json)


@app.command()
def logs(
    id: Id,
    asset: Annotated[str | None, typer.Option(help="Only that asset's.")] = None,
    limit: Limit = 200,
    following: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Show what the steps of a run wrote."""
    client = Client(host, port)
    last: dict[int, dict[str, Any]] = {}
    while True:
        run = client.get(f"/api/runs/{id}")
        for step in run["steps"]:
            if asset in (None, step["asset"]) and step["attempts"]:
                path = f"/api/runs/{id}/log"
                lines = client.get(path, step=step["id"], limit=limit)["lines"]
                for line in _after(lines, last.get(step["id"])):
                    _print_output(step["asset"], line, as_json)
                    last[step["id"]] = line
        if not following or run["status"] not in GOING:
            return
        time.sleep(0.3)


def _after(lines: list[dict[str, Any]], last: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The lines behind the last one shown; all of them if it is no longer among them."""
    for at in range(len(lines) - 1, -1, -1):
        if lines[at] == last:
            return lines[at + 1 :]
    return lines


def _print_output(asset: str, line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json_line({"asset": asset, **line})
        return
    about = f"{asset}#{line['attempt']} {line['stream']:<6} "
    out().print(Text.assemble((about, "dim"), readable(line["text"])), soft_wrap=True)
