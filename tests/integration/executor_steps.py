"""Steps that run in a worker process."""

import asyncio
import ctypes
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from reactor.core.event import Event
from reactor.pipeline import Output, Pipeline


class Order(BaseModel):
    """A payload that only survives if it is rebuilt by the rules of its model."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    order_id: int = Field(alias="orderId")
    placed: datetime
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    first: datetime
    rows: int


shop = Pipeline("shop")


@shop.asset
def declared(n: int) -> int:
    return n + 1


def pid() -> int:
    return os.getpid()


def kinds(event: Event, events: Sequence[Event]) -> dict[str, Any]:
    """What became of the events on their way here."""
    first = events[0]
    return {
        "data": [type(each.data).__name__ for each in events],
        "tags": list(event.data.tags),
        "again": len([*events]) + len([*events]),
        "times": [each.time.isoformat() for each in events],
        "raw": [None if each.raw is None else each.raw.decode("latin-1") for each in events],
        "headers": dict(first.headers),
        "equal": first == event,
        "type": type(events).__name__,
    }


def window(window: Window) -> Window:
    assert isinstance(window, Window)
    return window


def output() -> Output:
    return Output({"path": Path("lake") / "a"}, changed=["2026-11-01"])


def plain() -> dict[str, Any]:
    return {"path": Path("lake/a.parquet"), "when": date(2026, 11, 1), "ids": {7}}


def count(events: Sequence[Event]) -> int:
    return len(events)


def tell(context: Any, events: Sequence[Event]) -> dict[str, Any]:
    context.log.info("loading", rows=3, where=Path("x"))
    context.progress(1, 2, "half")
    return {
        "asset": context.asset,
        "partition": context.partition,
        "run": context.run,
        "run_key": context.run_key,
        "attempt": context.attempt,
        "causes": context.causes == events,
        "previous": context.previous,
        "url": context.connection("warehouse"),
    }


def no_connection(context: Any) -> None:
    context.connection("lake")


def speak() -> None:
    print("printed")
    print("warned", file=sys.stderr)
    logging.getLogger("library").info("opened %s", "a.csv")
    logging.getLogger("library").debug("not this")
    subprocess.run(["echo", "from a process"], check=True)
    print("no end", end="")


async def on_a_loop(value: int) -> int:
    await asyncio.sleep(0)
    return value


def frame() -> object:
    return object()


def boom() -> None:
    try:
        int("seven")
    except ValueError as error:
        raise KeyError("amount") from error


def unprintable() -> None:
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    raise Bad


def crash() -> None:
    print("about to read nothing", file=sys.stderr)
    ctypes.string_at(0)


def leave_at_once() -> None:
    os._exit(9)


def close_everything() -> None:
    os.closerange(3, 100)
    time.sleep(60)


def clean_up(folder: str) -> None:
    here = Path(folder)
    try:
        (here / "pid").write_text(str(os.getpid()))
        (here / "begun").touch()
        time.sleep(60)
    finally:
        (here / "clean").touch()


async def clean_up_on_a_loop(folder: str) -> None:
    here = Path(folder)
    try:
        (here / "pid").write_text(str(os.getpid()))
        (here / "begun").touch()
        await asyncio.sleep(60)
    finally:
        (here / "clean").touch()


def stubborn(folder: str) -> None:
    """Holds on to everything: swallows what ends it, and has a child that ignores signals."""
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 71 & wait"], start_new_session=True)
    (Path(folder) / "child").write_text(str(child.pid))
    (Path(folder) / "pid").write_text(str(os.getpid()))
    (Path(folder) / "begun").touch()
    while True:
        try:
            time.sleep(60)
        except BaseException as swallowed:  # noqa: BLE001  that is the point
            (Path(folder) / "swallowed").write_text(repr(swallowed))


def orphan(folder: str) -> str:
    """Leaves a process behind, twice forked and in a session of its own."""
    path = Path(folder) / "orphan"
    subprocess.run(["sh", "-c", 'setsid sleep 72 & echo $! > "$0"', path], check=True)
    return path.read_text()


def move(folder: str) -> dict[str, Any]:
    """Tells where it is and what it is told, and changes both."""
    told = {
        "cwd": os.getcwd(),
        "key": os.environ.get("REACTOR_RUN_KEY"),
        "own": os.environ.get("OWN"),
    }
    os.chdir(folder)
    os.environ["OWN"] = "changed"
    return told


def leave_a_thread() -> int:
    threading.Thread(target=time.sleep, args=[600], daemon=True).start()
    return os.getpid()
