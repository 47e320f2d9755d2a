"""`reactor deadletters`: what could not become an event, and what to do with it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reactor.cli.client import Client, Host, Limit, Port
from reactor.cli.screen import (
    Json,
    ago,
    coloured,
    commands,
    done,
    facts,
    say,
    show_json,
    styled,
    table,
)

Seqs = Annotated[list[int], typer.Argument(metavar="SEQ...", min=1, help="Their numbers.")]

app = commands("List, show, replay or drop input that could not be read.")


@app.callback(invoke_without_command=True)
def deadletters(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_dead_letters()


@app.command("list")
def list_dead_letters(
    sensor: Annotated[str | None, typer.Option(help="Only those of this sensor.")] = None,
    status: Annotated[
        str, typer.Option(help="waiting, taken, replayed, dropped, all.")
    ] = "waiting",
    limit: Limit = 20,
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first."""
    client = Client(host, port)
    found = client.get("/api/deadletters", sensor=sensor, status=status, limit=limit)["items"]
    if as_json:
        show_json(found)
        return
    rows = [
        (str(d["seq"]), d["sensor"], d["status"], ago(d["at"]), d["subject"], d["error"])
        for d in found
    ]
    heads = ("letter", "sensor", "status", "when", "subject", "error")
    table(heads, rows, "there are no dead letters")


@app.command()
def show(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="Its number.")],
    host: Host = None,
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Show one dead letter: what came, and why it could not be read."""
    letter = Client(host, port).get(f"/api/deadletters/{seq}")
    if as_json:
        show_json(letter)
        return
    say(styled(f"dead letter {letter['seq']} ", "bold"), coloured("failed", letter["error"]))
    facts({name: letter[name] for name in ("sensor", "subject", "id", "at", "status")})
    facts({f"header {name}": value for name, value in letter["headers"].items()})
    say("")
    say(letter["text"] if letter["text"] is not None else f"base64: {letter['base64']}")


@app.command()
def replay(seqs: Seqs, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Let their sensor read them again, as they came: after its model was corrected, say."""
    _settle("replay", seqs, Client(host, port), as_json)


@app.command()
def drop(seqs: Seqs, host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Put them away for good."""
    _settle("drop", seqs, Client(host, port), as_json)


def _settle(what: str, seqs: list[int], client: Client, as_json: bool) -> None:
    answers: list[dict[str, Any]] = [
        client.post(f"/api/deadletters/{seq}/{what}") for seq in dict.fromkeys(seqs)
    ]
    if as_json:
        show_json(answers)
        return
    for answer in answers:
        done(answer, as_json)
