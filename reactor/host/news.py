"""What happens, told live to whoever listens: the page, a terminal, a test.

A slow listener never holds the host up: it misses news, and is told to read everything anew.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from reactor.core.decision import Decision, Fired
from reactor.core.event import Event
from reactor.core.run import Run, Step
from reactor.core.state import Alert, Change, Pause, Table

News = Mapping[str, Any]

RELOAD: News = {"kind": "reload"}


class Newsroom:
    """Hands each piece of news to every listener."""

    def __init__(self, buffer: int = 1_000) -> None:
        self._buffer = buffer
        self._listeners: dict[MemoryObjectSendStream[News], bool] = {}

    @property
    def heard(self) -> bool:
        """Whether anybody listens, so that news is worth making."""
        return bool(self._listeners)

    def publish(self, news: Iterable[News]) -> None:
        """Tells the listeners; returns at once."""
        told = list(news)
        for listener, missed in list(self._listeners.items()):
            try:
                if missed:
                    listener.send_nowait(RELOAD)
                    self._listeners[listener] = False
                for each in told:
                    listener.send_nowait(each)
            except anyio.WouldBlock:
                self._listeners[listener] = True
            except anyio.BrokenResourceError:
                self._listeners.pop(listener, None)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[News]]:
        """The news from now on; ends when the host does."""
        send, receive = anyio.create_memory_object_stream[News](self._buffer)
        self._listeners[send] = False
        try:
            async with receive:
                yield receive
        finally:
            self._listeners.pop(send, None)
            send.close()

    def close(self) -> None:
        """Ends every listener's news."""
        for listener in list(self._listeners):
            listener.close()
        self._listeners.clear()


def news_of(decision: Decision, now: datetime) -> list[News]:
    """What a decision is worth telling, in the order things happened."""
    facts = decision.facts
    return [
        *_events(facts.accepted, now),
        *_fired(facts.fired),
        *(told for change in facts.changes for told in _changed(change, now)),
    ]


def _events(accepted: Sequence[tuple[int, Event]], now: datetime) -> Iterable[News]:
    newest: dict[str, tuple[int, Event, int]] = {}
    for seq, event in accepted:
        count = newest[event.source][2] if event.source in newest else 0
        newest[event.source] = (seq, event, count + 1)
    for seq, event, count in newest.values():
        yield {
            "kind": "event",
            "seq": seq,
            "sensor": event.source,
            "subject": event.subject,
            "type": event.type,
            "at": now.isoformat(),
            "count": count,
        }


def _fired(fired: Sequence[Fired]) -> Iterable[News]:
    for each in fired:
        yield {"kind": "fired", "rule": each.rule, "run": each.run, "count": len(each.matches)}


def _changed(change: Change, now: datetime) -> Iterable[News]:
    row: Any = change.after if change.after is not None else change.before
    match change.table:
        case Table.RUN if change.before is None or change.before.status is not row.status:
            yield _run(row)
        case Table.STEP if change.before is None or change.before.status is not row.status:
            yield _step(row, now)
        case Table.ALERT:
            yield _alert(row)
        case Table.PAUSE:
            yield _pause(row, change.after is not None)
        case _:
            return


def _run(run: Run) -> News:
    return {
        "kind": "run",
        "id": run.id,
        "rule": run.rule,
        "status": str(run.status),
        "because": run.because,
        "created": run.created.isoformat(),
        "finished": run.finished.isoformat() if run.finished else None,
        "partition": run.partition,
        "key": run.key,
        "assets": [work.asset for work in run.works],
        "roots": [work.asset for work in run.works if work.root],
    }


def _step(step: Step, now: datetime) -> News:
    return {
        "kind": "step",
        "step": step.id,
        "asset": step.asset,
        "partition": step.partition,
        "status": str(step.status),
        "runs": list(step.runs),
        "at": now.isoformat(),
        "note": step.note,
    }


def _alert(alert: Alert) -> News:
    return {
        "kind": "alert",
        "key": alert.key,
        "asset": alert.asset,
        "text": alert.text,
        "opened": alert.opened.isoformat(),
        "resolved": alert.resolved.isoformat() if alert.resolved else None,
    }


def _pause(pause: Pause, paused: bool) -> News:
    return {"kind": "paused", "what": pause.kind, "name": pause.name, "paused": paused}
