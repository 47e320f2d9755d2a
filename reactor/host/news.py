"""What happens, told live to whoever listens: the page, a terminal, a test.

A slow listener never holds the host up: it misses news, and is told to read everything anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import anyio

from reactor.core.decision import Decision, Fate, Fired
from reactor.core.event import Event
from reactor.core.ranges import count
from reactor.core.run import Run, Step
from reactor.core.state import Alert, Backfill, Change, Pause, Table

News = Mapping[str, Any]

RELOAD: News = {"kind": "reload"}


class _Listener:
    """What one listener has not taken yet. Behind by more than `room`, it has to read anew."""

    def __init__(self, room: int) -> None:
        self._room, self._news = room, deque[News]()
        self._missed = self._closed = False
        self._bell = anyio.Event()

    def tell(self, news: Sequence[News]) -> None:
        self._missed = self._missed or len(self._news) + len(news) > self._room
        if not self._missed:
            self._news.extend(news)
        self._bell.set()

    def close(self) -> None:
        self._closed = True
        self._bell.set()

    def __aiter__(self) -> _Listener:
        return self

    async def __anext__(self) -> News:
        while True:
            if self._news:
                return self._news.popleft()
            if self._missed:
                self._missed = False
                return RELOAD
            if self._closed:
                raise StopAsyncIteration
            self._bell = anyio.Event()
            await self._bell.wait()


class Newsroom:
    """Hands each piece of news to every listener."""

    def __init__(self, room: int = 1_000) -> None:
        self._room = room
        self._listeners: set[_Listener] = set()

    @property
    def heard(self) -> bool:
        """Whether anybody listens, so that news is worth making."""
        return bool(self._listeners)

    def publish(self, news: Iterable[News]) -> None:
        """Tells the listeners; returns at once."""
        told = list(news)
        for listener in self._listeners:
            listener.tell(told)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[News]]:
        """The news from now on; ends when the host does."""
        listener = _Listener(self._room)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Ends every listener's news."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()


def news_of(decision: Decision, now: datetime) -> list[News]:
    """What a decision is worth telling, in the order things happened."""
    facts = decision.facts
    return [
        *_events(facts.accepted, now),
        *_fired(facts.fired),
        *_fates(facts.fates),
        *(told for change in sorted(facts.changes, key=_place) for told in _changed(change, now)),
    ]


def _place(change: Change) -> int:
    """Runs begin before their steps, and end after them."""
    if change.table is Table.RUN:
        return 0 if change.before is None else 2
    return 1 if change.table is Table.STEP else 3


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


def _fates(fates: Sequence[Fate]) -> Iterable[News]:
    for each in fates:
        number = count(each.events)
        yield {"kind": "fate", "rule": each.rule, "word": str(each.word), "count": number}


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
        case Table.BACKFILL:
            yield _backfill(row)
        case Table.HOLD:
            closed = row.closed.isoformat() if row.closed else None
            yield {"kind": "hold", "id": row.id, "table": row.table, "closed": closed}
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


def _backfill(row: Backfill) -> News:
    return {
        "kind": "backfill",
        "id": row.id,
        "assets": list(row.assets),
        "status": str(row.status),
        "total": len(row.partitions),
        "done": row.done,
        "running": row.running,
        "failed": len(row.failed),
        "limit": row.limit,
        "created": row.created.isoformat(),
        "finished": row.finished.isoformat() if row.finished else None,
        "reason": row.reason,
    }


def _pause(pause: Pause, paused: bool) -> News:
    return {"kind": "paused", "what": pause.kind, "name": pause.name, "paused": paused}
