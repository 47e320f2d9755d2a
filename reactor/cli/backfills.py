"""`reactor backfills`: what is brought up to date partition by partition, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from reactor.cli.client import Client, Host, Limit, Port
from reactor.cli.screen import (
    Json,
    ago,
    between,
    coloured,
    commands,
    count,
    done,
    facts,
    out,
    remark,
    say,
    show_json,
    span,
    styled,
    table,
)

Id = Annotated[int, typer.Argument(metavar="ID", min=1, help="The number of a backfill.")]

_LOOK_S = 0.3
_NAMED = 20

app = commands("List, show, pause, resume, cancel or retry backfills.")


@app.callback(invoke_without_command=True)
def backfills(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_backfills()


@app.command("list")
def list_backfills(
    limit: Limit = 20, host: Host = None, port: Port = None, as_json: Json = False
) -> None:
    """List backfills, the newest first."""
    found = Client(host, port).get("/api/backfills", limit=limit)["items"]
    if as_json:
        show_json(found)
        return
    heads = ("backfill", "status", "done", "failed", "left", "when", "assets")
    table(heads, [_row(fill) for fill in found], "there are no backfills yet")


def _row(fill: dict[str, Any]) -> tuple[Any, ...]:
    return (
        str(fill["id"]),
        _status(fill),
        f"{fill['done']:,}/{fill['total']:,}",
        coloured("failed", f"{fill['failed']:,}") if fill["failed"] else "",
        _left(fill),
        ago(fill["created"]),
        ", ".join(fill["assets"]),
    )


def _status(fill: dict[str, Any]) -> Text:
    status = str(fill["status"])
    return coloured("held" if status == "paused" else status, status)


def _left(fill: dict[str, Any]) -> str:
    return f"about {span(fill['eta_seconds'])}" if fill["eta_seconds"] else ""


@app.command()
def show(
    id: Id,
    following: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until it has ended.")
    ] = False,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Show one backfill: how far it is, what runs, and what failed."""
    client = Client(host, port)
    if following:
        watch(client, id, as_json)
        return
    fill = client.get(f"/api/backfills/{id}")
    if as_json:
        show_json(fill)
        return
    held = f", {fill['held']:,} of them held" if fill["held"] else ""
    head = styled(f"backfill {id} ", "bold")
    say(head, _status(fill))
    facts(
        {
            "assets": ", ".join(fill["assets"])
            + (" and what follows" if fill["downstream"] else ""),
            "partitions": f"{fill['total']:,}, from {fill['first']} to {fill['last']}",
            "done": f"{fill['done']:,}, of which {fill['failed']:,} failed",
            "running": f"{fill['running']:,} of at most {fill['limit']:,}{held}",
            "left": _left(fill),
            "reason": fill["reason"],
            "begun": ago(fill["created"]),
            "took": between(fill["created"], fill["finished"]),
        }
    )
    for part in fill["live"]:
        status = coloured("held" if part["text"] else "running")
        say(f"  run {part['run']}  ", status, f"  {part['partition']}  {part['text']}".rstrip())
    _show_failures(fill)


@app.command()
def pause(id: Id, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Launch no more of it until it is resumed; what runs goes on."""
    _set("pause", id, Client(host, port), as_json)


@app.command()
def resume(id: Id, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Let a paused one go on."""
    _set("resume", id, Client(host, port), as_json)


@app.command()
def cancel(id: Id, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Launch no more of it, and stop what runs."""
    _set("cancel", id, Client(host, port), as_json)


@app.command()
def retry(id: Id, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Let an ended one go on with what failed and what was never launched."""
    _set("retry", id, Client(host, port), as_json)


def _set(order: str, id: int, client: Client, as_json: bool) -> None:
    done(client.post(f"/api/backfills/{id}/{order}"), as_json)


def watch(client: Client, id: int, as_json: bool) -> None:
    """Follows a backfill to its end.

    Raises: typer.Exit with 1 if not all of it went well, with 130 if interrupted: it goes on then.
    """
    try:
        if out().is_terminal and not as_json:
            fill = _with_bar(client, id)
        else:
            fill = _followed(client, id, lambda fill: None)
    except KeyboardInterrupt:
        remark(f"backfill {id} goes on: reactor backfills show {id} --follow")
        raise typer.Exit(130) from None
    if as_json:
        show_json(fill)
    else:
        _show_end(fill)
    if fill["status"] != "succeeded":
        raise typer.Exit(1)


def _followed(client: Client, id: int, show: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    while True:
        fill = client.get(f"/api/backfills/{id}")
        show(fill)
        if fill["finished"]:
            return fill
        time.sleep(_LOOK_S)


def _with_bar(client: Client, id: int) -> dict[str, Any]:
    columns = (
        TextColumn("backfill {task.fields[id]}"),
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,}"),
        TextColumn("{task.fields[told]}"),
    )
    fill = client.get(f"/api/backfills/{id}")
    with Progress(*columns, console=out(), transient=True) as progress:
        task = progress.add_task("", total=fill["total"], id=id, told=_told(fill))
        return _followed(
            client,
            id,
            lambda fill: progress.update(task, completed=fill["done"], told=_told(fill)),
        )


def _told(fill: dict[str, Any]) -> str:
    """What runs, what failed, and how long the rest takes: in a few words."""
    parts = [
        fill["status"] if fill["status"] != "running" else "",
        f"{fill['running']:,} running" if fill["running"] else "",
        f"{fill['failed']:,} failed" if fill["failed"] else "",
        f"{_left(fill)} left" if fill["eta_seconds"] else "",
    ]
    return ", ".join(filter(None, parts))


def _show_end(fill: dict[str, Any]) -> None:
    well = fill["done"] - fill["failed"]
    of = f"{well:,} of {count(fill['total'], 'partition')}"
    took = between(fill["created"], fill["finished"])
    say(f"backfill {fill['id']} ", coloured(fill["status"]), f": {of} in {took}")
    _show_failures(fill)
    if fill["status"] != "succeeded":
        remark(f"reactor backfills retry {fill['id']} goes on with what is left")


def _show_failures(fill: dict[str, Any]) -> None:
    for part in fill["failures"][:_NAMED]:
        run = f"  run {part['run']}" if part["run"] else ""
        say("  ", coloured("failed"), f"  {part['partition']}{run}  {part['text']}".rstrip())
    if fill["failed"] > _NAMED:
        say(f"  and {fill['failed'] - _NAMED:,} more")
