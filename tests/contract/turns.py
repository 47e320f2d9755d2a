"""Turns to record, made of as little as a test needs to say."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from reactor.core.decision import Facts, Fired
from reactor.core.event import Event
from reactor.core.run import Run, RunStatus, Step, StepStatus, Work
from reactor.core.state import Change, Table
from reactor.ports import DeadLetter, Move, Turn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def event(seq: int, source: str = "orders", **changes: Any) -> Event:
    given = {
        "id": f"{source}/{seq}",
        "source": source,
        "type": "test",
        "subject": f"subject {seq}",
        "time": at(seq),
        "received": at(seq + 0.5),
        "raw": b"{}",
    }
    return Event(**{**given, **changes})


def turn(
    *,
    accepted: Iterable[Event] = (),
    first: int = 1,
    moves: Iterable[tuple[str, Move]] = (),
    dead: Iterable[DeadLetter] = (),
    inbox: Sequence[int] = (),
    when: datetime = NOON,
    **facts: Any,
) -> Turn:
    """A turn; the events are numbered from `first` on."""
    numbered = list(enumerate(accepted, first))
    return Turn(when, Facts(accepted=numbered, **facts), list(moves), list(dead), inbox)


def moved(part: str, before: str | None, after: str | None, sensor: str = "kafka/orders"):
    return sensor, Move(part, before, after)


def letter(id: str, sensor: str = "orders", **changes: Any) -> DeadLetter:
    given = {"subject": "orders/3", "error": "not JSON", "at": NOON, "raw": b"\xff{"}
    return DeadLetter(id, sensor, **{**given, **changes})


def run(id: int, *steps: Step, **changes: Any) -> Run:
    """A run whose works are these steps, one after the other."""
    works = tuple(
        Work(each.asset, each.partition, each.id, (n - 1,) if n else (), "because", not n)
        for n, each in enumerate(steps)
    )
    given = {"rule": "daily", "status": RunStatus.RUNNING, "created": at(id), "works": works}
    return Run(id, **{**given, **changes})


def step(id: int, asset: str = "raw", runs: tuple[int, ...] = (1,), **changes: Any) -> Step:
    given = {"partition": None, "status": StepStatus.PENDING, "order": id, "created": at(id)}
    return Step(id=id, asset=asset, runs=runs, **{**given, **changes})


def fired(id: int, run: int | None, *matches: tuple[int, ...], **changes: Any) -> Fired:
    given = {"rule": "daily", "key": None, "partition": None, "at": at(id)}
    return Fired(id=id, run=run, matches=matches, **{**given, **changes})


def put(table: Table, key: tuple[Any, ...], row: Any, before: Any = None) -> Change:
    return Change(table, key, before, row)


def rows(*given: Run | Step) -> list[Change]:
    """New runs and steps."""
    return [
        put(Table.RUN if isinstance(each, Run) else Table.STEP, (each.id,), each) for each in given
    ]
