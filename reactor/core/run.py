"""Runs, steps and attempts: the rows that say what is being done, and their one transition table.

Knows: which status may follow which. Refuses to know: why a step starts or ends (that is
scheduler.py) and how it does its work.

Law: a row is never changed, only replaced; every replacement of a step's status goes through
`Step.to`, and `TRANSITIONS` is the only place that says which are allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from reactor.core.errors import InvariantError


class StepStatus(StrEnum):
    """What one asset partition of a run is doing, or what became of it."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    MATERIALIZED = "materialized"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BLOCKED = "blocked"
    HELD = "held"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    """What a run is doing, or what became of it."""

    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


_S = StepStatus

TRANSITIONS: Mapping[StepStatus, frozenset[StepStatus]] = {
    _S.PENDING: frozenset(
        {_S.RUNNING, _S.UNCHANGED, _S.BLOCKED, _S.HELD, _S.SKIPPED, _S.CANCELLED}
    ),
    _S.RUNNING: frozenset(
        {_S.MATERIALIZED, _S.UNCHANGED, _S.FAILED, _S.RETRYING, _S.CANCELLED, _S.PENDING}
    ),
    _S.RETRYING: frozenset({_S.PENDING, _S.CANCELLED, _S.FAILED}),
    _S.BLOCKED: frozenset({_S.PENDING, _S.CANCELLED, _S.SKIPPED}),
    _S.HELD: frozenset({_S.PENDING, _S.BLOCKED, _S.CANCELLED, _S.SKIPPED}),
    _S.FAILED: frozenset({_S.PENDING}),
    _S.CANCELLED: frozenset({_S.PENDING}),
    _S.MATERIALIZED: frozenset(),
    _S.UNCHANGED: frozenset(),
    _S.SKIPPED: frozenset(),
}
"""RUNNING to PENDING is an attempt lost with the process that ran it; FAILED, BLOCKED and CANCELLED
to PENDING is a resume."""

ENDED = frozenset({_S.MATERIALIZED, _S.UNCHANGED, _S.FAILED, _S.SKIPPED, _S.CANCELLED})
GOOD = frozenset({_S.MATERIALIZED, _S.UNCHANGED, _S.SKIPPED})


@dataclass(frozen=True, slots=True)
class Work:
    """One asset partition in one run: which step does it, after which others, and why.

    `upstream` are the positions, in the run's `works`, of what must end before it. `because` is the
    rest of a sentence that begins with the asset's name. `later` are assets below of which the end
    of this one tells which partitions follow.
    """

    asset: str
    partition: str | None
    step: int
    upstream: tuple[int, ...]
    because: str
    root: bool
    later: tuple[str, ...] = ()

    def done_by(self, step: int) -> Work:
        """The same work, done by that step."""
        return Work(
            self.asset, self.partition, step, self.upstream, self.because, self.root, self.later
        )


class Run(NamedTuple):
    """One launched subgraph, and the events that caused it.

    One that is `forced` does what it names, whatever holds that back, and takes nothing for
    unchanged. `events` are the sequence numbers of its causes, as sorted, closed ranges. They are
    recorded with the firings, not in the run's row, and are put back when a run is loaded.
    """

    id: int
    rule: str
    status: RunStatus
    created: datetime
    works: tuple[Work, ...]
    partition: str | None = None
    key: str | None = None
    priority: int = 0
    finished: datetime | None = None
    because: str = ""
    fingerprint: str = ""
    events: tuple[tuple[int, int], ...] = ()
    forced: bool = False


class Step(NamedTuple):
    """One asset partition being brought up to date, for all the runs that wait for it.

    `order` is its place in the line of waves (scheduler.py). `attempt` counts tries that used up a
    retry, `tries` all tries, so that each start has a number of its own; `lost` counts tries that
    ended because the process died. `due` is when a retry may start, `deadline` when a running
    attempt times out. `run_key` is set at the first claim and kept for every later try.
    """

    id: int
    asset: str
    partition: str | None
    status: StepStatus
    order: int
    runs: tuple[int, ...]
    created: datetime
    root: bool = False
    attempt: int = 0
    tries: int = 0
    lost: int = 0
    run_key: str = ""
    due: datetime | None = None
    deadline: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    stopping: str = ""
    note: str = ""
    inputs: tuple[tuple[str, str | None, int], ...] = ()

    def to(self, status: StepStatus, **changes: Any) -> Step:
        """The same step in another status; a transition that the table forbids is a defect.

        Only a running step has a deadline.
        """
        if status is not self.status and status not in TRANSITIONS[self.status]:
            raise InvariantError(
                f"step {self.id} of {self.asset} cannot go {self.status} -> {status}"
            )
        if status is not StepStatus.RUNNING:
            changes["deadline"] = None
        return self._replace(status=status, **changes)


class Attempt(NamedTuple):
    """One try of a step: `number` is the step's `tries`; `outcome` is empty while it runs."""

    step: int
    number: int
    started: datetime
    finished: datetime | None = None
    outcome: str = ""
    error: str = ""


class Materialization(NamedTuple):
    """The record that an asset partition was brought up to date.

    `step` made the data. `change` numbers it: it is a new number, larger than any before of any
    asset, whenever the data changed (an equal `version` keeps it), and `whole` is the number of the
    last change that was not of some keys alone. `handle` is what the asset returned, as JSON data.
    `inputs` are the (asset, what of it, change) that the last success consumed.
    """

    asset: str
    partition: str | None
    step: int
    at: datetime
    handle: Any = None
    version: str | None = None
    metadata: Mapping[str, Any] | None = None
    inputs: tuple[tuple[str, str | None, int], ...] = ()
    change: int = 0
    whole: int = 0
