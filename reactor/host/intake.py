"""Sensors, supervised: each is opened, offers batches, and is opened again when the world breaks.

One sensor's trouble is its own: it backs off alone, and its state shows. A sensor is opened again
only when all it offered is recorded or refused, so that the durable position is where it resumes.

How far a sensor has read (`Desk.reached`) goes through the queue behind the batches that it covers,
so that it never overtakes one, and the reactor is told of it when that is of use.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio
from anyio.abc import TaskGroup

from reactor.core.errors import ReactorError, SensorError, SensorRefused
from reactor.host.news import News
from reactor.metrics import Metrics
from reactor.ports import Batch, Clock, Log, Logger, RunningSensor, Sensor, Store

QUEUE = 2
"""Batches of one sensor that wait at most: one being recorded, one decoded meanwhile."""
LONGEST_PAUSE = 30.0
_ALWAYS = datetime.max.replace(tzinfo=UTC)


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
class _Queued:
    """A batch that waits, and how far the sensor has read with it."""

    batch: Batch
    upto: datetime | None = None


@dataclass(slots=True)
class Post:
    """One sensor of the pipeline, its queue and its health.

    `upto` is how far it has been read with all that was taken from its queue, `told` what the
    reactor knows of that.
    """

    name: str
    key: str
    sensor: Sensor
    health: Health = field(default_factory=Health)
    queue: deque[_Queued] = field(default_factory=deque[_Queued])
    room: anyio.Event = field(default_factory=anyio.Event)
    running: RunningSensor | None = None
    scope: anyio.CancelScope | None = None
    desk: _Desk | None = None
    pending: int = 0
    upto: datetime | None = None
    told: datetime | None = None

    def mark(self, now: datetime) -> datetime | None:
        """How far it has been read, if that is news to the reactor."""
        upto = None if self.upto is None else min(self.upto, now)
        return upto if upto and (self.told is None or upto > self.told) else None


class _Desk:
    """The `Desk` of one opening of one sensor; once `shut`, nothing is taken from it any more."""

    def __init__(self, intake: Intake, post: Post, positions: Mapping[str, str], log: Log) -> None:
        self._intake, self._post = intake, post
        self.positions = positions
        self.clock: Clock = intake.clock
        self.log = log
        self.shut = False

    async def offer(self, batch: Batch) -> None:
        post = self._post
        while len(post.queue) >= QUEUE or self.shut:
            post.room = anyio.Event()
            await post.room.wait()
        post.queue.append(_Queued(batch))
        post.pending += 1
        self._intake.ring()

    def reached(self, upto: datetime) -> None:
        post = self._post
        if self.shut:
            return
        if post.queue:
            post.queue[-1].upto = _later(post.queue[-1].upto, upto)
        else:
            post.upto = _later(post.upto, upto)
            if post.name in self._intake.awaited:
                self._intake.ring()

    def up(self, well: bool, why: str = "") -> None:
        self._intake.set_up(self._post, well, why)

    def lag(self, seconds: float) -> None:
        self._post.health.lag = seconds
        self._intake.metrics.lag(self._post.name, seconds)


class Intake:
    """All sensors of a pipeline. `ring` wakes the loop when a batch waits.

    A sensor in `paused` goes on looking until its queue is full; nothing is taken from it. Rules
    wait to hear how far those in `awaited` have read.
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
        self.awaited: frozenset[str] = frozenset()
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
            queued = post.queue.popleft()
            post.room.set()
            if queued.upto is not None:
                post.upto = _later(post.upto, queued.upto)
            held += max(1, len(queued.batch.events))
            taken.append((post, queued.batch))
        return taken

    def marks(self, names: Iterable[str], now: datetime) -> dict[str, datetime]:
        """How far sensors have read, as far as that is news: of these, and of those awaited."""
        wanted = (self.posts.get(name) for name in sorted({*names} | self.awaited))
        found = {post.name: post.mark(now) for post in wanted if post is not None}
        return {name: upto for name, upto in found.items() if upto is not None}

    def wait_for(self, names: frozenset[str]) -> None:
        """Rules wait to hear how far these have read: if one is down, the log says that they do."""
        for name in sorted(names - self.awaited):
            post = self.posts.get(name)
            if post is not None and not post.health.up and post.health.since is not None:
                self._log.warning(
                    "absence not concluded", sensor=name, why=f"it is down: {post.health.why}"
                )
        self.awaited = names

    def told(self, marks: Mapping[str, datetime]) -> None:
        """The reactor knows by now how far these sensors have read."""
        for name, upto in marks.items():
            self.posts[name].told = upto

    def done(self, post: Post) -> None:
        """A batch that was taken is recorded or refused."""
        post.pending -= 1
        if not post.pending:
            post.room.set()

    def refuse(self, post: Post) -> None:
        """The store holds another position than the sensor thinks: it starts again from that."""
        post.pending -= 1 + len(post.queue)
        post.queue.clear()
        post.upto = None
        if post.desk is not None:
            post.desk.shut = True
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
            pause = backoff(failures) * random.uniform(0.7, 1.0)
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
            desk = post.desk = _Desk(self, post, positions, self._log.bind(sensor=post.name))
            with anyio.CancelScope() as post.scope:
                post.running = post.sensor.open(desk)
                await post.running.run()
                desk.reached(_ALWAYS)
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


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling, at most half a minute."""
    # Bounded before it is a power: a sensor may be down for days.
    return min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, 16))


def _later(known: datetime | None, upto: datetime) -> datetime:
    return upto if known is None else max(known, upto)


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(_told(each) for each in error.exceptions))
    return str(error) or type(error).__name__
