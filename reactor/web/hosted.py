"""A running host as the web layer sees it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from reactor.core.decision import Ack, Input, Materialize, ResumeRun, RetryBackfill, SetPaused
from reactor.core.engine import Waiting
from reactor.core.errors import SensorError, StoreError
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.plan import Root
from reactor.core.run import Step
from reactor.core.stale import Stale, stale
from reactor.core.state import Hold, State, Table
from reactor.core.upkeep import chosen
from reactor.host import Host
from reactor.metrics import Metrics
from reactor.ports import Batch, Clock, DeadLetter, Sensor
from reactor.store import Reading
from reactor.store.database import Database
from reactor.web.declared import Described, declared
from reactor.web.service import News, SensorState

LOOKS = 50_000
"""How many rows of what rules remember are looked at for one list."""

_REST = 10
"""A look at all that was made is taken again after so many times as long as the last one took."""


class Hosted:
    """Fulfils `Service` for one host and its store."""

    def __init__(self, host: Host, store: Database) -> None:
        self.host, self._store = host, store
        self._described = _described(host.graph)
        self._stale: Sequence[Stale] = ()
        self._stale_until = -math.inf

    @property
    def name(self) -> str:
        return self.host.graph.name

    @property
    def clock(self) -> Clock:
        return self.host.clock

    @property
    def metrics(self) -> Metrics:
        return self.host.metrics

    @property
    def read(self) -> Reading:
        return self._store.read

    @property
    def graph(self) -> Graph:
        return self.host.graph

    @property
    def leader(self) -> bool:
        return self.host.started.is_set()

    def describe(self) -> Mapping[str, Any]:
        paused = self._paused()
        found = {
            kind: [{**each, "paused": (kind[:-1], each["name"]) in paused} for each in described]
            for kind, described in self._described.items()
        }
        if self.host.started.is_set() and (holds := self.host.reactor.holds).held:
            assets = found["assets"]
            found["assets"] = [{**each, "held": holds.why(each["name"])} for each in assets]
        return found

    def sensor(self, name: str) -> Sensor | None:
        post = self.host.intake.posts.get(name)
        return post.sensor if post is not None else None

    def sensors(self) -> Sequence[SensorState]:
        paused = self._paused()
        return [
            SensorState(
                post.name,
                post.sensor.kind,
                post.sensor.address,
                post.health.up,
                post.health.why,
                post.health.lag,
                ("sensor", post.name) in paused,
                post.health.last_event,
            )
            for post in self.host.intake.posts.values()
        ]

    def steps(self) -> Collection[Step]:
        if not self.host.started.is_set():
            return ()
        rows = self.host.reactor.state.rows[Table.STEP].values()
        return [step for step in rows if step.finished is None]

    def holds(self) -> Sequence[Hold]:
        return self.host.reactor.holds.open if self.host.started.is_set() else ()

    async def stale(self) -> Sequence[Stale]:
        began = anyio.current_time()
        if began >= self._stale_until and self.host.started.is_set():
            looked = partial(stale, self.graph, self._copied())
            self._stale = await anyio.to_thread.run_sync(looked)
            self._stale_until = began + _REST * (anyio.current_time() - began)
        return self._stale

    async def chosen(self, command: Materialize) -> Mapping[Root, str]:
        now, state = self.clock.now(), self._copied()
        return await anyio.to_thread.run_sync(chosen, self.graph, state, command, now)

    def _copied(self) -> State:
        """What a look at all that was made needs of the state, while turns go on."""
        rows = self.host.reactor.state.rows
        tables = (Table.MATERIALIZATION, Table.PART, Table.STEP)
        return State({table: dict(rows[table]) if table in tables else {} for table in Table})

    def waiting(self, seq: int) -> Sequence[Waiting]:
        if not self.host.started.is_set():
            return ()
        return self.host.reactor.waiting_for(seq)

    def briefly_waiting(self, seqs: Sequence[int]) -> Mapping[int, Sequence[Waiting]]:
        if not self.host.started.is_set():
            return {}
        reactor = self.host.reactor
        asked = seqs[: LOOKS // (len(reactor.state.rows[Table.NODE]) or 1)]
        return {seq: reactor.waiting_for(seq) for seq in asked}

    def made(self, asset: str) -> Collection[str]:
        return tuple(self.host.reactor.made(asset)) if self.host.started.is_set() else ()

    def ready(self) -> tuple[bool, Sequence[str]]:
        reasons: list[str] = []
        if not self.host.started.is_set():
            reasons.append("starting")
        if self.host.store_trouble:
            reasons.append(f"the store: {self.host.store_trouble}")
        for post in self.host.intake.posts.values():
            if not post.health.up:
                reasons.append(f"{post.name}: {post.health.why or 'down'}")
        return not reasons, reasons

    def news(self) -> AbstractAsyncContextManager[AsyncIterator[News]]:
        return self.host.news()

    async def submit(self, batch: Batch) -> None:
        await self.host.submit(batch)

    async def command(self, command: Input) -> None:
        await self.host.command(command)
        match command:
            case Ack():
                about = ("ack", f"hold {command.hold}", {"reason": command.reason})
            case SetPaused():
                verb = "pause" if command.paused else "resume"
                about = (verb, f"{command.kind} {command.name}", None)
            case _:
                return
        await self._store.record_audit(self.clock.now(), "api", *about)

    async def replay(self, letter: int) -> str:
        taken = await self._store.take_dead_letters([letter])
        if not taken:
            return "it does not wait any more"
        batch, wrong = self._read_again(taken[0])
        await self.host.submit(batch)
        await self._store.settle_dead_letters([letter])
        return wrong

    def _read_again(self, dead: DeadLetter) -> tuple[Batch, str]:
        """The batch that a dead letter makes today: its event, or itself with today's error."""
        sensor = self.sensor(dead.sensor)
        now = self.clock.now()
        try:
            if sensor is None:
                raise SensorError(f"the pipeline has no sensor {dead.sensor} any more")
            data = sensor.restore(dead.raw)
        except (SensorError, ValueError) as error:
            wrong = error.what if isinstance(error, SensorError) else str(error)
            again = replace(dead, error=wrong)
            return Batch(dead.sensor, dead=[again], repeats=True), wrong
        event = Event(
            id=dead.id,
            source=dead.sensor,
            type="reactor.replayed",
            subject=dead.subject,
            time=dead.at,
            received=now,
            data=data,
            headers=dict(dead.headers),
            raw=dead.raw,
        )
        return Batch(dead.sensor, [event], repeats=True), ""

    async def drop(self, letter: int) -> None:
        await self._store.drop_dead_letters([letter])

    async def retry_backfill(self, id: int) -> None:
        row = await self._store.recall_backfill(id)
        if row is None:
            raise StoreError(f"there is no backfill {id}")
        await self.host.command(RetryBackfill(row))

    async def resume(self, run: int) -> None:
        found = await self._store.recall(run)
        if found is None:
            raise StoreError(f"there is no run {run}")
        await self.host.command(ResumeRun(*found))

    def _paused(self) -> set[tuple[str, str]]:
        if not self.host.started.is_set():
            return set()
        return set(self.host.reactor.state.rows[Table.PAUSE])  # type: ignore[arg-type]


def _described(graph: Graph) -> Described:
    described = declared(graph)
    described["assets"] = [{**each, "group": graph.name} for each in described["assets"]]
    return described
