"""The loop: take all that waits, decide once, record it in one transaction, then carry it out.

Laws: never a decision upon an uncommitted one; no effect of a decision that was not recorded; when
recording fails, the decision is taken back by its own rows and its inputs wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup

from reactor import logs
from reactor.core.decision import (
    Decision,
    Finished,
    Input,
    Notify,
    Restarted,
    Start,
    Stop,
)
from reactor.core.errors import (
    SettingsError,
    StoreBroken,
    StoreConflict,
    StoreUnavailable,
)
from reactor.core.reactor import Reactor
from reactor.core.stale import given_up
from reactor.core.state import Table
from reactor.host.account import Accounts
from reactor.host.attempt import Workshop, cancelled
from reactor.host.hand import Hand
from reactor.host.intake import Intake
from reactor.host.journal import Journal
from reactor.host.news import News, Newsroom
from reactor.host.notice import Notices
from reactor.host.retention import Retention, retain
from reactor.host.turn import Posted, Request, Taken, owed, unseen
from reactor.metrics import Metrics
from reactor.pipeline import Definition
from reactor.ports import (
    Batch,
    Channel,
    Clock,
    Executor,
    Log,
    Logger,
    Store,
    Turn,
)

TURN_EVENTS = 1_000
"""Events that one turn takes at most."""


class MachineClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, at: datetime) -> None:
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - it is time itself
            await anyio.sleep(left)


@dataclass(frozen=True, slots=True)
class Options:
    """How a host behaves. `grace` is how long a stop waits for running steps; `catch_up` whether
    what is out of date at the start is brought up to date.
    """

    slots: int = 64
    retain: Retention | None = None
    grace: timedelta = timedelta(seconds=30)
    connections: Mapping[str, str] = field(default_factory=lambda: {})
    catch_up: bool = True


class Host:
    """A running pipeline: owns the reactor, the sensors and the attempts."""

    def __init__(
        self,
        definition: Definition,
        store: Store,
        executors: Mapping[str, Executor],
        *,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
        log: Logger | None = None,
        channels: Sequence[Channel] = (),
        options: Options | None = None,
    ) -> None:
        self.definition, self.store = definition, store
        self.graph = definition.graph
        self.clock: Clock = clock or MachineClock()
        self.options = options or Options()
        self.metrics = metrics or Metrics(
            sensors=self.graph.sensors, rules=self.graph.rules, assets=self.graph.assets
        )
        self.log: Logger = log or structlog.get_logger()
        self.newsroom = Newsroom()
        self.started = anyio.Event()
        self.store_trouble = ""
        self._notices = Notices(channels, self.log)
        self._executors = executors
        self._bell = anyio.Event()
        self._outcomes: list[Finished] = []
        self._requests: deque[Request] = deque()
        self._held: list[Posted] = []
        self._attempts: dict[tuple[int, int], anyio.CancelScope] = {}
        self._hand = Hand(store, self.graph.sensors)
        self._last_now = datetime.min.replace(tzinfo=UTC)
        self._stopping = False
        self._reactor: Reactor | None = None
        sensors: dict[str, Any] = dict(self.graph.sensors)
        self.intake = Intake(
            sensors,
            store,
            self.clock,
            self.log,
            self.metrics,
            self.ring,
            lambda news: self.newsroom.publish([news]),
        )
        self.journal = Journal(store, self.log)
        self._accounts = Accounts(self.metrics, self.log, self.newsroom, self.intake)
        self._workshop = Workshop(
            definition.works,
            executors,
            self._hand.events,
            self.journal.write,
            self._step_log,
            self.options.connections,
            self._begun,
        )

    @property
    def reactor(self) -> Reactor:
        """The brain, once the state is loaded."""
        if self._reactor is None:
            raise StoreUnavailable("the state is not loaded yet")
        return self._reactor

    def ring(self) -> None:
        """Wakes the loop."""
        self._bell.set()

    def stop(self) -> None:
        """Begins a graceful stop: no new events or steps; `run` returns when all is recorded."""
        self._stopping = True
        self.ring()

    async def run(self) -> None:
        """Serves until `stop`. Cancelling it instead leaves what runs to the next start.

        Raises: SettingsError if a sensor of a known name now listens elsewhere; StoreError if the
        state cannot be loaded.
        """
        await self._check_addresses()
        self._reactor = Reactor(self.graph, await self.store.load(), self.options.slots)
        self._accounts.open(self.reactor)
        self._pause_sensors()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.journal.run)
            if (retention := self.options.retain) is not None:
                tasks.start_soon(retain, retention, self.store, self.clock, self.log)
            restarted = await self._restarted()
            await self._turn(tasks, Taken(requests=[Request(command=restarted)]))
            async with anyio.create_task_group() as sensors:
                self.intake.start(sensors)
                self.metrics.leading(True)
                self.log.info("serving", pipeline=self.graph.name, assets=len(self.graph.assets))
                self.started.set()
                while not self._stopping:
                    await self._next(tasks)
                sensors.cancel_scope.cancel()
            await self._wind_down(tasks)
            tasks.cancel_scope.cancel()
        await self.journal.flush()
        self.newsroom.close()
        self.log.info("stopped", pipeline=self.graph.name)

    async def _restarted(self) -> Restarted:
        """The first input: with what is not to be caught up with, as the store knows it."""
        if not self.options.catch_up:
            return Restarted()
        places = [each.place for each in self.reactor.stale()]
        return Restarted(True, given_up(await self.store.ended(places))) if places else Restarted()

    async def _check_addresses(self) -> None:
        """A position belongs to an address: another one under the same name is not resumed."""
        known = await self.store.addresses(self.graph.name)
        for sensor in self.graph.sensors.values():
            place = (sensor.kind, sensor.name)
            if known.get(place, sensor.identity) != sensor.identity:
                raise SettingsError(
                    f"sensor {sensor.name} listened to {known[place]} and now to {sensor.identity}",
                    hint="its position would not fit: give it another name with name=, or go back",
                )
            if place not in known:
                await self.store.set_address(self.graph.name, *place, sensor.identity)

    async def _wind_down(self, tasks: TaskGroup) -> None:
        """Lets running steps finish within the grace period; the rest is recorded as pending."""
        self.reactor.drain()
        self.log.info("stopping", running=self.reactor.running)
        with anyio.move_on_after(self.options.grace.total_seconds()):
            while self._attempts or self._outcomes:
                await self._next(tasks)
        for scope in self._attempts.values():
            scope.cancel()
        while self._attempts or self._outcomes:
            await self._next(tasks)
        for request in self._requests:
            request.refuse(StoreUnavailable("the service is stopping"))

    async def submit(self, batch: Batch) -> None:
        """Records a batch from outside; returns when it is durable. Raises: StoreUnavailable."""
        await self._ask(Request(batch=batch))

    async def command(self, command: Input) -> None:
        """Records an operator's command; returns when it is durable. Raises: StoreUnavailable."""
        await self._ask(Request(command=command))

    async def _ask(self, request: Request) -> None:
        if self._stopping:
            raise StoreUnavailable("the service is stopping")
        self._requests.append(request)
        self.ring()
        await request.done.wait()
        if request.error is not None:
            raise request.error

    def news(self) -> AbstractAsyncContextManager[AsyncIterator[News]]:
        """What happens from now on."""
        return self.newsroom.listen()

    async def _next(self, tasks: TaskGroup) -> None:
        """Waits until there is something to decide, then takes one turn."""
        taken = self._take()
        wake = self.reactor.wake_at()
        if not taken:
            left = (wake - self.clock.now()).total_seconds() if wake else None
            if left is None or left > 0:
                with anyio.move_on_after(left):
                    await self._bell.wait()
                self._bell = anyio.Event()
                return
        await self._turn(tasks, taken)

    def _take(self) -> Taken:
        outcomes, self._outcomes = self._outcomes, []
        requests = [self._requests.popleft() for _ in range(min(len(self._requests), TURN_EVENTS))]
        batches: list[Posted] = self._held
        self._held = []
        if not batches and not self._stopping:
            batches.extend(self.intake.take(TURN_EVENTS))
        batches.extend((None, request.batch) for request in requests if request.batch is not None)
        # A sensor may have read past what a request that is left over brings.
        behind = self._requests or self._stopping
        names = (batch.sensor for _, batch in batches)
        marks = {} if behind else self.intake.marks(names, self.clock.now())
        return Taken(batches, requests, outcomes, marks)

    async def _turn(self, tasks: TaskGroup, taken: Taken) -> None:
        batches = await unseen(taken.batches, self.store, self.metrics.duplicate)
        now = self._last_now = max(self._last_now, self.clock.now())
        decision = self.reactor.receive(taken.inputs(batches), now)
        try:
            await self._record(decision, batches, now)
        except StoreConflict as error:
            self._conflict(taken, decision, error)
            return
        except StoreUnavailable as error:
            self.reactor.undo(decision)
            await self._hold(taken, error)
            return
        self.store_trouble = ""
        self._heed_pauses(decision)
        self._perform(tasks, decision)
        self.intake.told(taken.marks)
        self.intake.wait_for(self.reactor.awaits)
        for request in taken.requests:
            request.done.set()
        ours = [(post, batch) for post, batch in taken.batches if post is not None]
        for post, _ in ours:
            self.intake.done(post)
        self._accounts.settle(decision, (batch for _, batch in batches), self.reactor, now)
        if ours:
            await self.intake.recorded(ours)

    def _heed_pauses(self, decision: Decision) -> None:
        if any(change.table is Table.PAUSE for change in decision.facts.changes):
            self._pause_sensors()

    def _pause_sensors(self) -> None:
        rows = self.reactor.state.rows[Table.PAUSE].values()
        self.intake.paused = frozenset(row.name for row in rows if row.kind == "sensor")
        self.ring()

    async def _record(self, decision: Decision, batches: Sequence[Posted], now: datetime) -> None:
        moves, dead = owed(batches)
        facts = decision.facts
        matter = (facts.accepted, facts.changes, facts.fired, facts.filtered, facts.fates)
        if not (moves or dead or any(matter)):
            return
        began = anyio.current_time()
        await self.store.commit(Turn(now, facts, moves, dead))
        self.metrics.committed(anyio.current_time() - began)

    def _conflict(self, taken: Taken, decision: Decision, error: StoreConflict) -> None:
        """A sensor's position is not what the store holds: those sensors start again."""
        self.reactor.undo(decision)
        self.log.warning("position conflict", error=str(error))
        self._outcomes = taken.outcomes + self._outcomes
        for post, _ in taken.batches:
            if post is not None:
                self.intake.refuse(post)
        for request in taken.requests:
            if request.batch is not None:
                request.refuse(error)
        orders = [request for request in taken.requests if request.batch is None]
        self._requests.extendleft(reversed(orders))
        self.ring()

    async def _hold(self, taken: Taken, error: StoreUnavailable) -> None:
        """The store cannot be written: requests are told, all else waits and is tried again.

        Raises: StoreBroken if trying again in this process cannot help.
        """
        if not self.store_trouble:
            self.log.error("store unavailable", error=str(error))
        self.store_trouble = str(error)
        self._outcomes = taken.outcomes + self._outcomes
        self._held = [(post, batch) for post, batch in taken.batches if post is not None]
        for request in taken.requests:
            request.refuse(error)
        if isinstance(error, StoreBroken) or not self.started.is_set():
            raise error
        await anyio.sleep(0.5)
        self.ring()

    def _perform(self, tasks: TaskGroup, decision: Decision) -> None:
        self._hand.keep(decision.facts.accepted)
        for effect in decision.effects:
            match effect:
                case Start():
                    tasks.start_soon(self._attempt, effect, name=f"step {effect.step}")
                case Stop(step, number):
                    scope = self._attempts.get((step, number))
                    if scope is not None:
                        scope.cancel()
                case Notify():
                    self._notices.send(tasks, effect)

    async def _attempt(self, start: Start) -> None:
        place = (start.step, start.number)
        outcome = cancelled(start)
        with anyio.CancelScope() as scope, logs.about(run=start.runs[-1], step=start.step):
            self._attempts[place] = scope
            outcome = await self._workshop.carry_out(start)
        if scope.cancelled_caught and not self._stopping:
            await self._let_return(start)
        del self._attempts[place]
        self._outcomes.append(outcome)
        self.ring()

    async def _let_return(self, start: Start) -> None:
        """A thread cannot be stopped: what it writes stays claimed until it returned."""
        executor: Any = self._executors.get(self.definition.works[start.asset].executor)
        if (start.step, start.number) in getattr(executor, "stray", ()):
            self.log.warning("thread goes on after its stop", asset=start.asset, step=start.step)
            await executor.returned(start.step, start.number)

    def _begun(self, start: Start) -> None:
        """An attempt is about to run: how long ago was its newest event received?"""
        event = self._hand.newest(start.events)
        if event is not None and start.number == 1:
            self.metrics.event_to_launch((self.clock.now() - event.received).total_seconds())

    def _step_log(self, **about: Any) -> Log:
        return structlog.get_logger().bind(**about)
