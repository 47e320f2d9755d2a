"""Assets whose first line writes down when it ran, and for what."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from reactor import Event, Pipeline
from sensors import FileArrivals, KafkaTopic, SchemaChanges, Webhook

_out = os.open(os.environ["BENCH_OUT"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)

bench = Pipeline("bench", owner="bench")
KINDS = os.environ["BENCH_KINDS"].split(",")


def stamp(kind: str, events: Sequence[Event], at: int) -> None:
    """One line an event: what it was about, and when the asset began."""
    lines = "".join(f"{kind} {_about(kind, event.data, event)} {at}\n" for event in events)
    os.write(_out, lines.encode())


def _about(kind: str, data: Any, event: Event) -> str:
    if kind in ("kafka", "webhook"):
        return str(data["n"])
    if kind == "file":
        return event.subject.rsplit("/", 1)[-1].removesuffix(".csv")
    return ",".join(change.column or "" for change in data.changes)


if "kafka" in KINDS:

    @bench.asset(on=KafkaTopic("latency", start="earliest"))
    async def kafka(events: Sequence[Event]) -> None:
        stamp("kafka", events, time.time_ns())


if "file" in KINDS:

    @bench.asset(on=FileArrivals("in/*.csv"))
    async def file(events: Sequence[Event]) -> None:
        stamp("file", events, time.time_ns())


if "webhook" in KINDS:

    @bench.asset(on=Webhook("hook"))
    async def webhook(events: Sequence[Event]) -> None:
        stamp("webhook", events, time.time_ns())


if "schema" in KINDS:
    shop = SchemaChanges(
        os.environ.get("BENCH_DATABASE", "sqlite:///shop.db"),
        every=os.environ.get("BENCH_EVERY", "100ms"),
    )

    @bench.asset(on=shop)
    async def schema(events: Sequence[Event]) -> None:
        stamp("schema", events, time.time_ns())
