"""`reactor doctor`: what is not well with a running service."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from reactor.cli.client import Client, Host, Port
from reactor.cli.screen import Json, ago, commands, count, say, show_json, span, styled, table
from reactor.core.sentence import listed

BEHIND_S = 60.0
LATELY = timedelta(days=1)
"""How long it is worth saying that a rule started afresh."""

app = commands()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at: `grave` if the service does not do its work."""

    about: str
    what: str
    grave: bool = False


@app.command()
def doctor(host: Host = None, port: Port = None, as_json: Json = False) -> None:
    """Say what is not well with a running service; ends with 1 if it does not do its work."""
    client = Client(host, port)
    alerts = client.get("/api/alerts", open="true")
    status = client.get("/api/status")
    found = [
        *(Finding("service", reason, True) for reason in status["reasons"]),
        *_sensors(client.get("/api/sensors")),
        *about_assets(client.get("/api/assets"), {each["asset"] for each in alerts}),
        *about_holds(client.get("/api/holds")),
        *_alerts(alerts),
        *about_backfills(client.get("/api/backfills", limit=100)["items"]),
        *about_rules(client.get("/api/rules")),
    ]
    if status["deadletters"]:
        letters = count(status["deadletters"], "dead letter")
        found.append(Finding("dead letters", f"{letters}: reactor deadletters list"))
    if as_json:
        show_json({"status": status, "findings": [asdict(each) for each in found]})
    else:
        role = "leader" if status["leader"] else "stand-by"
        work = f"{status['running']} running, {status['waiting']} waiting"
        say(styled(f"{status['name']} ", "bold"), f"at {client.url}, {role}: {work}")
        colours = {True: "red", False: "yellow"}
        rows = [(styled(each.about, colours[each.grave]), each.what) for each in found]
        table(("about", "what"), rows, "all is well")
    if any(each.grave for each in found):
        raise typer.Exit(1)


def _sensors(sensors: list[dict[str, Any]]) -> list[Finding]:
    found: list[Finding] = []
    for each in sensors:
        name = f"sensor {each['name']}"
        if each["paused"]:
            found.append(Finding(name, "is paused"))
        elif not each["up"]:
            found.append(Finding(name, f"is down: {each['why']}", True))
        elif each["lag_seconds"] > BEHIND_S:
            found.append(Finding(name, f"is {span(each['lag_seconds'])} behind"))
        elif each["why"]:
            found.append(Finding(name, each["why"]))
    return found


def about_assets(assets: list[dict[str, Any]], alerted: Collection[str]) -> list[Finding]:
    """What is not well with assets, as the API lists them; `alerted` have an open alert."""
    found: list[Finding] = []
    for each in assets:
        name = f"asset {each['name']}"
        if each["paused"]:
            found.append(Finding(name, "is paused"))
        found.extend(_stuck(name, each["active"]))
        if each["ended"] and each["ended"]["status"] == "failed":
            note = f": {each['ended']['note']}" if each["ended"]["note"] else ""
            found.append(Finding(name, f"failed {ago(each['ended']['at'])}{note}"))
        elif not (each["last"] or each["active"] or each["held"] or each["name"] in alerted):
            found.append(Finding(name, "was never built"))
        if number := each["stale_count"]:
            first = each["stale"][0]
            of = f" ({first['partition']})" if first["partition"] else ""
            more = f", and {number - 1:,} more" if number > 1 else ""
            found.append(Finding(name, f"is out of date{of}: {first['why']}{more}"))
    return found


def _stuck(name: str, active: list[dict[str, Any]]) -> list[Finding]:
    """The live steps that do not go on, those of one reason together."""
    reasons: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for step in active:
        if step["status"] in ("blocked", "retrying"):
            reasons.setdefault((step["status"], step["note"]), []).append(step)
    found: list[Finding] = []
    for (status, note), steps in reasons.items():
        keys = [step["partition"] for step in steps if step["partition"]]
        of = f" ({listed(keys)})" if keys else ""
        since = ago(min(step["at"] for step in steps))
        found.append(Finding(name, f"{status}{of} since {since}{f': {note}' if note else ''}"))
    return found


def about_holds(holds: list[dict[str, Any]]) -> list[Finding]:
    """What breaking schema changes hold, as the API lists them."""
    return [
        Finding(
            f"hold {each['id']}",
            f"{each['table']}: {each['text']}, {ago(each['opened'])}:"
            f" {listed(each['assets'])} held until reactor ack {each['id']}",
        )
        for each in holds
    ]


def _alerts(alerts: list[dict[str, Any]]) -> list[Finding]:
    return [
        Finding("alert", f"{each['text']} ({ago(each['opened'])})")
        for each in alerts
        if not each["key"].startswith("hold ")
    ]


def about_backfills(backfills: list[dict[str, Any]]) -> list[Finding]:
    """Which backfills ended as failed lately, as the API lists them."""
    return [
        Finding(
            f"backfill {each['id']}",
            f"failed {ago(each['finished'])}: {each['failed']:,} of"
            f" {count(each['total'], 'partition')} of {listed(each['assets'])}:"
            f" reactor backfills retry {each['id']}",
        )
        for each in backfills
        if each["status"] == "failed" and each["finished"] and _lately(each["finished"])
    ]


def about_rules(rules: list[dict[str, Any]]) -> list[Finding]:
    """What is odd about rules, as the API lists them."""
    found: list[Finding] = []
    for rule in rules:
        name = f"rule {rule['name']}"
        if rule["paused"]:
            found.append(Finding(name, "is paused"))
        if not rule["fired"] and not rule["implicit"]:
            known = f", as it is since {ago(rule['since'])}" if rule["since"] else ""
            found.append(Finding(name, f"has never fired{known}"))
        if expired := rule["fates"].get("expired"):
            events = count(expired, "event")
            found.append(Finding(name, f"gave up {events} in the last hour: the rest did not come"))
        if rule["changes"] and rule["since"] and _lately(rule["since"]):
            found.append(Finding(name, f"was changed, and started afresh {ago(rule['since'])}"))
    return found


def _lately(at: str) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(at) < LATELY
