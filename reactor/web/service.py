"""What the web layer needs of the running service, and nothing more.

The host fulfils `Service`; the store's reading side is used as it is. Nothing here decides.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from reactor.core.decision import Input, Materialize
from reactor.core.engine import Waiting
from reactor.core.errors import SettingsError
from reactor.core.graph import Graph
from reactor.core.plan import Root
from reactor.core.run import Step
from reactor.core.stale import Stale
from reactor.core.state import Hold
from reactor.metrics import Metrics
from reactor.ports import Batch, Clock, Sensor
from reactor.settings import Settings
from reactor.store.reading import Reading

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the service listens and whom it lets in.

    Raises: SettingsError if it would listen beyond this machine without a token.
    """

    host: str = "127.0.0.1"
    port: int = 8321
    token: str | None = None
    body_limit: int = MEBIBYTE

    def __post_init__(self) -> None:
        if not self.local and not self.token:
            raise SettingsError(
                f"listening on {self.host} would let anyone in",
                hint="set REACTOR_TOKEN, or listen on 127.0.0.1",
            )

    @classmethod
    def of(cls, settings: Settings) -> WebSettings:
        """What the process's settings say. Raises: SettingsError."""
        token = settings.token.get_secret_value() if settings.token else None
        return cls(settings.host, settings.port, token)

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class SensorState:
    """How a sensor is doing; `last` is when its newest accepted event was received."""

    name: str
    kind: str
    address: str
    up: bool = True
    why: str = ""
    lag_seconds: float = 0.0
    paused: bool = False
    last: datetime | None = None


News = Mapping[str, Any]
"""One small JSON-able piece of news, by its `kind` (instants are ISO 8601 texts):

- `event`: `seq`, `sensor`, `subject`, `type`, `at`, `count`: the newest of `count` events that one
  sensor had accepted in one turn
- `fired`: `rule`, `run` (or None), `count`
- `fate`: `rule`, `word`, `count`: so many events that it let in will not fire it
- `run`: `id`, `rule`, `status`, `because`, `created`, `finished`, `partition`, `key`, and by name
  `assets` and, of these, `roots`
- `step`: `step`, `asset`, `partition`, `status`, `runs` (ids), `at`, `note`
- `backfill`: `id`, `assets`, `status`, `reason`, `limit`, `created`, `finished` (or None), and how
  many of its partitions there are (`total`), are `running`, are `done`, and of these `failed`
- `hold`: `id`, `table`, `closed` (or None): it began, changed or ended
- `alert`: `key`, `asset`, `text`, `opened`, `resolved` (or None)
- `sensor`: `name`, `up`, `why`
- `paused`: `what` (rule, asset, sensor), `name`, `paused`
- `reload`: nothing else; what came before was too much, read everything anew
"""


class Service(Protocol):
    """A running pipeline."""

    @property
    def name(self) -> str: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def read(self) -> Reading:
        """The store, to read."""
        ...

    @property
    def graph(self) -> Graph:
        """The checked pipeline, as the core knows it."""
        ...

    @property
    def leader(self) -> bool:
        """Whether this process decides, or stands by."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """The declared graph, as plain data, in the order of declaration.

        `assets`: `name`, `upstream`, `owner`, `doc`, `group`, `rules` (that launch it), `paused`,
        `held` (by what, if it is), `partitioned` (by what, as text), `mapping` (of upstreams, where
        it is not the same key);
        `sensors`: `name`, `kind`, `address` (without credentials); `rules`: `name`, `trigger` (as
        text), `sensors`, `after` (assets whose events it listens to), `assets`, `paused`,
        `observe`, `implicit` (it launches those of its assets that read what changed).
        """
        ...

    def sensor(self, name: str) -> Sensor | None:
        """The declared sensor of that name."""
        ...

    def sensors(self) -> Sequence[SensorState]:
        """How each declared sensor is doing."""
        ...

    def steps(self) -> Collection[Step]:
        """At least every step that has not ended, as the host knows it now."""
        ...

    def holds(self) -> Sequence[Hold]:
        """The open holds, oldest first."""
        ...

    async def stale(self) -> Sequence[Stale]:
        """What is out of date, as of now or very lately; upstreams first."""
        ...

    async def chosen(self, command: Materialize) -> Mapping[Root, str]:
        """What an order for what is out of date or missing would launch, each with the reason."""
        ...

    def waiting(self, seq: int) -> Sequence[Waiting]:
        """What an event still waits for. Cost: O(what rules remember)."""
        ...

    def briefly_waiting(self, seqs: Sequence[int]) -> Mapping[int, Sequence[Waiting]]:
        """The same for many, by number; those that it would take long to tell are left out."""
        ...

    def made(self, asset: str) -> Collection[str]:
        """The partitions that an asset was made for."""
        ...

    def ready(self) -> tuple[bool, Sequence[str]]:
        """Whether it does its work; if not, why not, each reason in a few words."""
        ...

    def news(self) -> AbstractAsyncContextManager[AsyncIterator[News]]:
        """What happens from now on. A subscriber that falls behind gets one `reload` instead of
        what it missed; none ever holds the host up. Ends when the service stops.
        """
        ...

    async def submit(self, batch: Batch) -> None:
        """Returns when the batch is recorded; waits while the host is behind.

        Raises: StoreUnavailable if it cannot be recorded now.
        """
        ...

    async def command(self, command: Input) -> None:
        """Returns when an operator's command is recorded. Raises: StoreUnavailable."""
        ...

    async def replay(self, letter: int) -> str:
        """Lets the sensor read a dead letter again. Answers what is wrong with it still, or "".

        Raises: StoreUnavailable.
        """
        ...

    async def drop(self, letter: int) -> None:
        """Gives a dead letter up. Raises: StoreUnavailable."""
        ...

    async def retry_backfill(self, id: int) -> None:
        """Lets an ended backfill go on with what failed or was not launched; returns when that is
        recorded.

        Raises: StoreUnavailable.
        """
        ...

    async def resume(self, run: int) -> None:
        """Lets an ended run go on from where it failed; returns when that is recorded.

        Raises: StoreUnavailable.
        """
        ...
