"""What the reactor knows of an asset and of a rule: names, edges and policy, never their code.

Refuses to know: the function or command behind an asset, so that a plan needs no code to run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from reactor.core.duration import Duration, duration
from reactor.core.lineage import Lineage
from reactor.core.mapping import Mapping
from reactor.core.partition import Partitions
from reactor.core.place import Path
from reactor.core.predicate import named
from reactor.core.trigger.expression import Trigger

INJECTED = ("event", "events", "partition", "context")
"""What a function may ask for by name, beside its upstream assets."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """An asset that another one reads; `optional` if it may be missing.

    `mapping` says which of its partitions are read, where one of the two has partitions.
    """

    name: str
    optional: bool = False
    mapping: Mapping | None = None


@dataclass(frozen=True, slots=True, init=False)
class Retry:
    """`times` more tries after the first, each `factor` times later than the one before.

    The wait is `backoff * factor ** n`, at most `limit`, plus up to `jitter` of itself, derived
    from the step's run key: the same step waits equally long in a replay.
    """

    times: int
    backoff: timedelta
    factor: float
    limit: timedelta
    jitter: float

    def __init__(
        self,
        times: int,
        backoff: Duration = "1s",
        factor: float = 2.0,
        limit: Duration = "10m",
        jitter: float = 0.1,
    ) -> None:
        if times < 0 or factor < 1 or not 0 <= jitter <= 1:
            raise ValueError("Retry takes times >= 0, factor >= 1 and jitter between 0 and 1")
        for name, value in (
            ("times", times),
            ("backoff", duration(backoff)),
            ("factor", factor),
            ("limit", duration(limit)),
            ("jitter", jitter),
        ):
            object.__setattr__(self, name, value)

    def wait(self, attempt: int, run_key: str) -> timedelta:
        """How long to wait after the failure of attempt number `attempt` (from 1)."""
        limit = self.limit.total_seconds()
        try:
            seconds = min(self.backoff.total_seconds() * self.factor ** (attempt - 1), limit)
        except OverflowError:
            seconds = limit
        digest = hashlib.sha256(f"{run_key}/{attempt}".encode()).digest()
        share = int.from_bytes(digest[:4], "big") / 2**32
        return timedelta(seconds=seconds * (1 + self.jitter * share))


@dataclass(frozen=True, slots=True)
class Asset:
    """A named thing that code keeps up to date, as the planner and the scheduler see it.

    `follow` says whether a change of an upstream launches it; `versioned` that each of its
    materializations is a new immutable thing. `lineage` says which columns it reads; without one it
    says nothing of them. `where` is the file and line it was declared at.
    """

    name: str
    upstream: tuple[Upstream, ...] = ()
    follow: bool = True
    retry: Retry = Retry(0)
    timeout: timedelta | None = None
    pool: str | None = None
    priority: int = 0
    versioned: bool = False
    max_events: int = 10_000
    partitions: Partitions | None = None
    lineage: Lineage | None = None
    owner: str = ""
    doc: str = ""
    where: str = ""


class Pending(StrEnum):
    """What a rule does when it fires again while its run is pending or going."""

    COALESCE = "coalesce"
    QUEUE = "queue"
    REPLACE = "replace"


_MAKING = 2
"""Which making of operators: another one does not read the state that this one writes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A named trigger and the assets it launches.

    `partition` maps an event to a partition key: a `field` path or a function of the event.
    `observe` records what it would launch, and launches nothing. `schema` marks one that nobody
    wrote (reader.py): of its assets, a change launches those that read what changed. `written` is
    the text of the trigger without what may change while its state is still good, if that differs.
    """

    name: str
    trigger: Trigger
    assets: tuple[str, ...]
    partition: Path | Callable[[Any], Any] | None = None
    pending: Pending = Pending.COALESCE
    priority: int = 0
    observe: bool = False
    where: str = ""
    schema: bool = False
    written: str = ""

    @property
    def fingerprint(self) -> str:
        """Changes when the expression does: state made under another one is not continued."""
        partition = named(self.partition) if callable(self.partition) else self.partition
        text = f"{_MAKING}|{self.written or self.trigger}|{partition}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]
