"""What goes into the reactor and what comes out: inputs, facts and effects.

Facts are what to record, in the past tense; effects are what to do once they are recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from reactor.core.event import Event
from reactor.core.ranges import Range, Ranges
from reactor.core.run import Run, Step
from reactor.core.state import Alert, Backfill, Change


@dataclass(frozen=True, slots=True)
class Arrived:
    """Events that one sensor saw, in its order, none of them known before.

    `upto`: with these, all that happened until then (event time) has been handed in. Nothing is
    concluded from the absence of an event before its sensor has said so; None says nothing new.
    """

    sensor: str
    events: Sequence[Event] = ()
    upto: datetime | None = None


class Ending(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


class Finished(NamedTuple):
    """An attempt ended. `handle` is JSON data; `check` names the blocking check that failed."""

    step: int
    number: int
    ending: Ending
    handle: Any = None
    version: str | None = None
    changed: tuple[str, ...] | None = None
    metadata: Mapping[str, Any] | None = None
    error: str = ""
    check: str = ""
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Restarted:
    """The host has just loaded this state: what was running then ended with its process.

    `catch_up`: what is out of date is brought up to date, but for what was `left` (stale.py): asset
    partitions whose last step an operator cancelled, or whose failed run waits to be resumed.
    """

    catch_up: bool = False
    left: frozenset[tuple[str, str | None]] = frozenset()


@dataclass(frozen=True, slots=True)
class CancelRun:
    """An operator wants a run stopped."""

    run: int
    reason: str = "cancelled by an operator"


@dataclass(frozen=True, slots=True)
class ResumeRun:
    """An operator wants a failed run to go on from its failure; its rows come from the store."""

    run: Run
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Materialize:
    """An operator launches assets by hand, with or without what follows from them.

    If `forced`, whatever holds them back, and nothing of it counts as unchanged. If `stale`, only
    their partitions that are out of date (no assets: of the whole pipeline); if `missing`, those
    that were never made; with both, all of these. What has a step that has not ended is left to it.
    """

    assets: tuple[str, ...]
    partition: str | None = None
    downstream: bool = True
    reason: str = "launched by hand"
    forced: bool = False
    stale: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class SetPaused:
    """An operator pauses or resumes a rule, an asset or a sensor."""

    kind: str
    name: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Ack:
    """An operator lets go on what a hold holds: the change is dealt with."""

    hold: int
    reason: str = "acknowledged"


@dataclass(frozen=True, slots=True)
class StartBackfill:
    """An operator wants partitions brought up to date as one thing, `limit` runs at a time.

    `token` is a name that whoever asks chose: the same one twice is one backfill.
    """

    assets: tuple[str, ...]
    partitions: tuple[str, ...]
    limit: int = 4
    downstream: bool = True
    reason: str = ""
    token: str = ""


class Order(StrEnum):
    """What an operator may have done with a backfill."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class SetBackfill:
    """An operator pauses, resumes or cancels a backfill that has not ended."""

    id: int
    order: Order


@dataclass(frozen=True, slots=True)
class RetryBackfill:
    """An operator lets an ended backfill go on; its row comes from the store."""

    row: Backfill


Input = (
    Arrived
    | Finished
    | Restarted
    | CancelRun
    | ResumeRun
    | Materialize
    | SetPaused
    | Ack
    | StartBackfill
    | SetBackfill
    | RetryBackfill
)


@dataclass(frozen=True, slots=True)
class Fired:
    """A trigger came true, once for each of `matches` (the sequence numbers of its events).

    Firings of one rule, key and partition in one turn share a record; each match is a firing of
    its own, whose identity is the rule, its fingerprint, the key and these events. `run` is what
    it launched or joined, None for a rule in observe mode. `label` says in words what came, or
    what did not.
    """

    id: int
    rule: str
    key: str | None
    partition: str | None
    at: datetime
    run: int | None
    matches: tuple[tuple[int, ...], ...]
    timer: bool = False
    observed: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class PredicateRaised:
    """A callable of a rule raised for an event: recorded, and nothing else stops."""

    rule: str
    event: str
    error: str


class Word(StrEnum):
    """What became of an event that a rule let in and that will not fire it."""

    # An enum's own hash is written in Python.
    __hash__ = str.__hash__

    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    THROTTLED = "throttled"
    DEDUPLICATED = "deduplicated"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became, this turn, of events that a rule will not fire for; `why` in words."""

    rule: str
    word: Word
    events: Ranges
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What one turn records.

    `accepted` are (sequence number, event); `filtered` counts, per sensor, events that no rule let
    in; `changes` are the rows of the state.
    """

    accepted: Sequence[tuple[int, Event]] = ()
    fired: Sequence[Fired] = ()
    changes: Sequence[Change] = ()
    raised: Sequence[PredicateRaised] = ()
    filtered: Mapping[str, int] = field(default_factory=lambda: {})
    fates: Sequence[Fate] = ()


class Start(NamedTuple):
    """Start an attempt of a step: `events` are the causes to hand over, as ranges; `because` says
    in words why its runs are; `changed` has the keys of each upstream that changed since the last
    success, None if that was not of some keys alone.
    """

    step: int
    number: int
    asset: str
    partition: str | None
    attempt: int
    run_key: str
    runs: tuple[int, ...]
    events: tuple[Range, ...]
    upstream: Mapping[str, Any]
    previous: Any = None
    because: str = ""
    changed: Mapping[str, tuple[str, ...] | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a running attempt; its `Finished` follows when it really ended."""

    step: int
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell an owner: a new alert, or the same one resolved."""

    alert: Alert


Effect = Start | Stop | Notify


@dataclass(frozen=True, slots=True)
class Decision:
    """What to record, then what to do, and when to be asked again even if nothing arrives."""

    facts: Facts
    effects: tuple[Effect, ...] = ()
    wake_at: datetime | None = None
