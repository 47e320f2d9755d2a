"""The protocols an implementer fulfils, and the values that pass through them.

Each docstring says what is owed. One contract suite a port (tests/contract) runs over every
implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from reactor.core.decision import Facts, Notify
from reactor.core.event import Event
from reactor.core.run import Step
from reactor.core.state import State


@dataclass(frozen=True, slots=True)
class Move:
    """One part of a sensor's position goes from `before` to `after`.

    The store compares `before` with what it holds (None: no row) and refuses the whole turn if they
    differ, so a batch that was already recorded cannot be recorded again. `after` None deletes it.
    A part is whatever the sensor counts by: `topic/3`, a path, a table.
    """

    part: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Input that could not become an event: the bytes as they came, and why not."""

    id: str
    sensor: str
    subject: str
    error: str
    at: datetime
    raw: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {})


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one sensor, in its order, with the position reached after them.

    `repeats` says that an id may come again although the position moved on (webhooks, requests);
    the host then drops and counts those it knows. A batch without events may still move.
    """

    sensor: str
    events: Sequence[Event] = ()
    moves: Sequence[Move] = ()
    dead: Sequence[DeadLetter] = ()
    repeats: bool = False


class Clock(Protocol):
    """Tells the time. Live: the machine's; in a simulation: virtual."""

    def now(self) -> datetime:
        """This instant, aware UTC."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Returns at `at` or later."""
        ...


class Log(Protocol):
    """A structlog logger: an event in a few words, its circumstances as keywords."""

    def debug(self, event: str, **about: Any) -> Any: ...
    def info(self, event: str, **about: Any) -> Any: ...
    def warning(self, event: str, **about: Any) -> Any: ...
    def error(self, event: str, **about: Any) -> Any: ...


class Logger(Log, Protocol):
    """A `Log` that others can be made of, with circumstances that hold for all their lines."""

    def bind(self, **about: Any) -> Log: ...


class Desk(Protocol):
    """What the host lends a running sensor."""

    positions: Mapping[str, str]
    """The durable position, by part, when the sensor was opened; empty at the very first start."""
    clock: Clock
    log: Log

    async def offer(self, batch: Batch) -> None:
        """Hands a batch over; waits while the host is behind. The sensor keeps its order."""
        ...

    def up(self, well: bool, why: str = "") -> None:
        """Says whether the sensor can reach what it listens to."""
        ...

    def lag(self, seconds: float) -> None:
        """Says how old the newest thing not yet offered is; 0 when caught up."""
        ...

    def reached(self, upto: datetime) -> None:
        """Says that everything that happened until `upto` (event time, aware) has been offered.

        Rules that conclude from absence wait for it: they trust it, and fire as soon as it comes.
        So it is owed after the offers that it covers and never before one, about once a second
        while there is nothing to offer, and not at all while something older may still come: not
        from behind a backlog, nor while what the sensor listens to cannot be reached. An instant
        before one that was said already says nothing; one to come says that nothing happens until
        then. Cost: next to nothing.
        """
        ...


class RunningSensor(Protocol):
    """An opened sensor."""

    async def run(self) -> None:
        """Offers batches until cancelled.

        Returning means that there will never be more. Raises SensorError when the world is wrong
        (it is opened again with backoff, from the durable position) and SensorRefused when trying
        again would not help. Cancellation closes every connection, file and task.
        """
        ...

    async def recorded(self, batch: Batch) -> None:
        """Called after the transaction that recorded the batch; best effort, may be skipped."""
        ...


class Sensor(Protocol):
    """A value that says where to listen; a `Source` of the trigger algebra.

    Equal values are one sensor. `open` does no I/O: that belongs to `run`. Each sensor also offers
    `event(...)`, which makes a test event as it would arrive, and `restore`, which turns a stored
    payload back into `Event.data`.
    """

    kind: ClassVar[str]

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...

    def open(self, desk: Desk) -> RunningSensor:
        """A sensor that can run, and resumes from `desk.positions`."""
        ...

    def restore(self, raw: bytes) -> Any:
        """The payload that `raw`, as recorded with an event of this sensor, stands for."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one turn of the loop records, in one transaction.

    `moves` are by sensor key (`kind/name`). `epoch` is the writer's; a store refuses an older one.
    """

    at: datetime
    facts: Facts
    moves: Sequence[tuple[str, Move]] = ()
    dead: Sequence[DeadLetter] = ()
    inbox: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that an attempt wrote; `stream` is stdout, stderr, log, check or progress."""

    step: int
    attempt: int
    at: datetime
    stream: str
    text: str


class Store(Protocol):
    """Durable state: one writer, one transaction a turn, many readers."""

    async def load(self) -> State:
        """The live rows: runs that have not ended and their steps (a run's `events` put back from
        its firings), all current materializations, operator state, counters, open alerts, pauses.
        """
        ...

    async def commit(self, turn: Turn) -> None:
        """Records a turn whole or not at all.

        Raises: StoreConflict if a move's `before` is not what is stored or an event id exists
        already, StoreUnavailable if the store cannot write now. Durable when it returns.
        """
        ...

    async def positions(self, sensor: str) -> dict[str, str]:
        """The durable position of a sensor key (`kind/name`), by part."""
        ...

    async def known(self, ids: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (source, id) were accepted or put into the dead letters before."""
        ...

    async def events(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, Event]]:
        """Accepted events by sequence number, in order; `data` is None and `raw` is set."""
        ...

    async def addresses(self, pipeline: str) -> dict[tuple[str, str], str]:
        """Where each sensor of a pipeline listened when it was first seen, by (kind, name)."""
        ...

    async def set_address(self, pipeline: str, kind: str, name: str, address: str) -> None:
        """Records where a sensor listens, without credentials."""
        ...

    async def ended(self, places: Sequence[tuple[str, str | None]]) -> list[Step]:
        """The step of each asset partition that ended last, of those that ever had one."""
        ...

    async def prune(self, before_events: datetime, before_runs: datetime) -> Any:
        """Deletes a small batch of what is older and unneeded; `more` says if there is more."""
        ...

    async def append_logs(self, lines: Sequence[LogLine]) -> None:
        """Keeps lines of output, up to a limit a step; beside turns, and not part of them."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, ready to be carried out.

    `call` is the asset's function and `arguments` what it asked for by name; for a command, `argv`
    stands instead. `locate` is `module:qualname` or `path:qualname` for executors that import the
    function elsewhere. `emit` takes one line of output: (stream, text).
    """

    asset: str
    step: int
    number: int
    call: Callable[..., Any] | None
    arguments: Mapping[str, Any]
    argv: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=lambda: {})
    cwd: str | None = None
    locate: str = ""
    emit: Callable[[str, str], None] = lambda stream, text: None


class Executor(Protocol):
    """Carries out attempts, one call each, any number at once."""

    async def run(self, job: Job) -> Any:
        """The value the work returned (for a command: `{"exit": 0, "stdout": <last line>}`).

        Raises what the work raised, or StepError (a command that exits other than 0, a worker
        that died). Cancelling this call stops the work for real (a thread excepted) before it
        returns; nothing it started outlives it, nor the service's death.
        """
        ...

    async def aclose(self) -> None:
        """Ends idle workers."""
        ...


class Channel(Protocol):
    """Where alerts go."""

    async def send(self, notice: Notify) -> None:
        """Delivers one message. Raises to have it tried again."""
        ...
