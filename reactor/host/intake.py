"""Sensors, supervised: each is opened, offers batches, and is opened again when the world breaks.

One sensor's trouble is its own: it backs off alone, and its state shows. A sensor is opened again
only when all it offered is recorded or refused, so that the durable position is where it resumes.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import anyio
from anyio.abc import TaskGroup

from reactor.core.errors import ReactorError, SensorError, SensorRefused
from reactor.host.news import News
from reactor.metrics import Metrics
from reactor.ports import Batch, Clock, Log, Logger, RunningSensor, Sensor, Store

QUEUE = 2
"""Batches of one sensor that wait at most: one being recorded, one decoded meanwhile."""
LONGEST_PAUSE = 30.0


@dataclass(slots=True)
class Health:
    """How a sensor is, for the page, /readyz and `doctor`."""

    up: bool = False
    why: str = "starting"
    lag: float = 0.0
    since: datetime | None = None
    stopped: bool = False
    last_event: datetime | None = None


@dataclass(slots=True)
class Post:
    """One sensor of the pipeline, its queue and its health."""

    name: str
    key: str
    sensor: Sensor
    health: Health = field(default_factory=Health)
    queue: deque[Batch] = field(default_factory=deque[Batch])
    room: anyio.Event = field(default_factory=anyio.Event)
    running: RunningSensor | None = None
    scope: anyio.CancelScope | None = None
    pending: int = 0


class _Desk:
    """The `Desk` of one opening of one sensor."""

    def __init__(self, intake: Intake, post: Post, positions: Mapping[str, str], log: Log) -> None:
        self._intake, self._post = intake, post
        self.positions = positions
        self.clock: Clock = intake.clock
        self.log = log

    async def offer(self, batch: Batch) -> None:
        post = self._post
        while len(post.queue) >= QUEUE:
            post.room = anyio.Event()
            await post.room.wait()
        post.queue.append(batch)
        post.pending += 1
        self._intake.ring()

    def up(self, well: bool, why: str = "") -> None:
        self._intake.set_up(self._post, well, why)

    def lag(self, seconds: float) -> None:
        self._post.health.lag = seconds
        self._intake.metrics.lag(self._post.name, seconds)


class Intake:
    """All sensors of a pipeline. `ring` wakes the loop when a batch waits.

    A sensor in `paused` goes on looking until its queue is full; nothing is taken from it.
    """

    def __init__(
        self,
        sensors: Mapping[str, Sensor],
        store: Store,
        clock: Clock,
        log: Logger,
        metrics: Metrics,
        ring: Callable[[], None],
        tell: Callable[[News], None],
    ) -> None:
        self.clock, self.metrics, self.ring, self._tell = clock, metrics, ring, tell
        self.paused: frozenset[str] = frozenset()
        self._store, self._log = store, log
        self.posts = {
            name: Post(name, f"{sensor.kind}/{name}", sensor) for name, sensor in sensors.items()
        }
        self._turn = 0

    def start(self, tasks: TaskGroup) -> None:
        """Opens every sensor."""
        for post in self.posts.values():
            tasks.start_soon(self._supervise, post, name=f"sensor {post.name}")

    def take(self, limit: int) -> list[tuple[Post, Batch]]:
        """Batches that wait, one of each sensor in turn, until `limit` events are together."""
        posts = list(self.posts.values())
        taken: list[tuple[Post, Batch]] = []
        held, empty = 0, 0
        while posts and held < limit and empty < len(posts):
            post = posts[self._turn % len(posts)]
            self._turn += 1
            if not post.queue or post.name in self.paused:
                empty += 1
                continue
            empty = 0
            batch = post.queue.popleft()
            post.room.set()
            held += max(1, len(batch.events))
            taken.append((post, batch))
        return taken

    def done(self, post: Post) -> None:
        """A batch that was taken is recorded or refused."""
        post.pending -= 1
        if not post.pending:
            post.room.set()

    def refuse(self, post: Post) -> None:
        """The store holds another position than the sensor thinks: it starts again from that."""
        post.pending -= 1 + len(post.queue)
        post.queue.clear()
        post.room.set()
        if post.scope is not None:
            post.scope.cancel()

    async def _supervise(self, post: Post) -> None:
        failures = 0
        while not post.health.stopped:
            began = self.clock.now()
            why = await self._listen(post)
            if post.health.stopped:
                return
            lasted = (self.clock.now() - began).total_seconds()
            failures = 0 if lasted > LONGEST_PAUSE else failures + 1
            pause = min(LONGEST_PAUSE, 0.1 * 2**failures) * random.uniform(0.7, 1.0)
            if why:
                self.set_up(post, False, why)
                self._log.warning("sensor starts again", sensor=post.name, why=why, seconds=pause)
            await anyio.sleep(pause if why else 0)

    async def _listen(self, post: Post) -> str:
        """Opens the sensor once and runs it; answers why it ended, empty if it was refused."""
        while post.pending:
            post.room = anyio.Event()
            await post.room.wait()
        try:
            positions = await self._store.positions(post.key)
            desk = _Desk(self, post, positions, self._log.bind(sensor=post.name))
            with anyio.CancelScope() as post.scope:
                post.running = post.sensor.open(desk)
                await post.running.run()
                self._stop(post, "it ended: there will be no more")
                return ""
            return ""
        except SensorRefused as error:
            self._stop(post, str(error))
            return ""
        except (SensorError, ReactorError, OSError) as error:
            return _told(error)
        except Exception as error:  # noqa: BLE001 - the supervision boundary: a sensor's defect is its own
            self._log.error("sensor broke", sensor=post.name, error=repr(error), exc_info=error)
            return _told(error)
        finally:
            post.running = None

    def _stop(self, post: Post, why: str) -> None:
        post.health.stopped = True
        self.set_up(post, False, why)
        self._log.error("sensor stopped", sensor=post.name, why=why)

    def set_up(self, post: Post, well: bool, why: str) -> None:
        """Notes how a sensor is; logs only a change."""
        health = post.health
        if health.up != well or (not well and health.why != why):
            health.since = self.clock.now()
            self._tell({"kind": "sensor", "name": post.name, "up": well, "why": why})
            if well:
                self._log.info("sensor up", sensor=post.name)
            elif health.why != "starting" or why:
                self._log.warning("sensor down", sensor=post.name, why=why)
        health.up, health.why = well, why
        self.metrics.sensor_up(post.name, well)

    async def recorded(self, batches: list[tuple[Post, Batch]]) -> None:
        """Tells sensors that their batches are durable; best effort."""
        for post, batch in batches:
            if post.running is not None:
                try:
                    await post.running.recorded(batch)
                except Exception as error:  # noqa: BLE001 - a courtesy to lag tools; the store is the truth
                    self._log.debug(
                        "sensor did not note a batch", sensor=post.name, error=repr(error)
                    )


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(_told(each) for each in error.exceptions))
    return str(error) or type(error).__name__
