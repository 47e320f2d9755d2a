"""What the API answers and takes, typed: these models are the OpenAPI document.

Texts come from outside and may hold what is no Unicode (file names that are not UTF-8): `Text`
shows such bytes as `\\xff` rather than fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST = 500
BIGGEST = 2**63 - 1


def readable(value: Any) -> Any:
    """`value` with every text in it fit for UTF-8."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode(
            "utf-8", "surrogateescape" if _escaped(value) else "backslashreplace"
        ).decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {readable(str(key)): readable(part) for key, part in pairs}
    if isinstance(value, (list, tuple)):
        return [readable(part) for part in cast("list[Any]", value)]
    return value


def _escaped(text: str) -> bool:
    """Whether every surrogate in it stands for a byte of a file name."""
    return all("\udc80" <= letter <= "\udcff" for letter in text if "\ud800" <= letter <= "\udfff")


Text = Annotated[str, BeforeValidator(readable)]
Json = Annotated[Any, BeforeValidator(readable)]
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A part of a list, newest first; `next` asks for the part after it (`?before=`)."""

    items: list[Item]
    next: int | None = None


class Status(BaseModel):
    """How the service is. `waiting` steps are planned and not yet running; of the dead letters that
    wait, at most 1,000 are counted.
    """

    name: Text
    now: datetime
    leader: bool
    ready: bool
    reasons: list[Text]
    running: int
    waiting: int
    deadletters: int


class SensorNode(BaseModel):
    name: Text
    kind: Text
    address: Text


class RuleNode(BaseModel):
    """A rule. `after` are the assets whose own events it listens to.

    One that is `implicit` was written by nobody: it launches those of its assets that read what a
    schema change changed.
    """

    name: Text
    trigger: Text
    sensors: list[Text]
    after: list[Text] = []
    assets: list[Text]
    paused: bool = False
    observe: bool = False
    implicit: bool = False


class AssetNode(BaseModel):
    """An asset as declared. `held` says by what it is held, if it is."""

    """An asset as declared: `partitioned` says by what; `mapping` how it reads an upstream's
    partitions, where that is not the same key."""

    name: Text
    upstream: list[Text]
    rules: list[Text] = []
    owner: Text = ""
    doc: Text = ""
    partitioned: Text = ""
    mapping: dict[Text, Text] = {}
    group: Text = ""
    paused: bool = False
    held: Text = ""


class Graph(BaseModel):
    """The declared pipeline, in the order of declaration."""

    name: Text
    sensors: list[SensorNode]
    rules: list[RuleNode]
    assets: list[AssetNode]


class Sensor(SensorNode):
    """A sensor and how it is doing. `lag_seconds` is the age of the newest thing not yet taken."""

    up: bool
    why: Text = ""
    lag_seconds: float
    paused: bool
    last: datetime | None = None


class Event(BaseModel):
    """An accepted event. `at` is when it happened, `received` when it reached the service.

    In a list of events, `status` is the most telling of its fates, and `status_text` says which
    rule that is and what it did.
    """

    seq: int
    sensor: Text
    id: Text
    type: Text
    subject: Text
    at: datetime
    received: datetime
    key: Text | None = None
    status: Text = ""
    status_text: Text = ""


class Fate(BaseModel):
    """What became of an event for one rule: a word, and a sentence that begins with the rule."""

    rule: Text
    status: Text
    text: Text
    run: int | None = None


class Why(BaseModel):
    """Why an event did not fire a rule, or bring an asset up to date; or that it did.

    `recomputed` if the event was matched anew, and nothing recorded is spoken of.
    """

    event: int | None = None
    rule: Text | None = None
    asset: Text | None = None
    text: Text
    recomputed: bool = False


class Run(BaseModel):
    """A launched subgraph. `roots` are the assets that were launched, of all `asset_count` in it;
    `because` is why, in words.
    """

    id: int
    rule: Text
    status: Text
    because: Text
    created: datetime
    finished: datetime | None = None
    partition: Text | None = None
    key: Text | None = None
    roots: list[Text]
    asset_count: int


class Attempt(BaseModel):
    """One try; `outcome` is empty while it runs."""

    number: int
    started: datetime
    finished: datetime | None = None
    outcome: Text = ""
    error: Text = ""


class Step(BaseModel):
    """One asset partition of a run. `because` is the rest of a sentence that begins with it; `runs`
    are all that wait for it. One that retention has deleted has only its names.
    """

    id: int | None = None
    asset: Text
    partition: Text | None = None
    status: Text = ""
    because: Text
    root: bool
    note: Text = ""
    runs: list[int] = []
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    attempts: list[Attempt] = []


class Explained(BaseModel):
    """Why an asset `runs`, is `pruned`, or is decided `later`; `text` is the whole sentence."""

    asset: Text
    word: Text
    because: Text
    text: Text


class RunDetail(Run):
    """A run with its answer to "why did this run?", its steps, and the first of its events.

    `explained` has every asset of the pipeline, if it was asked for; `unexplained` why it has not.
    """

    why: list[Text]
    explained: list[Explained] = []
    unexplained: Text = ""
    assets: list[Text]
    steps: list[Step]
    events: list[Event]
    event_count: int


class EventDetail(Event):
    """An event with its payload (its JSON, its text, or its bytes in hexadecimal), its runs, and
    what became of it for each rule that listens to its sensor, the most telling first.

    `data` is null where `size_bytes` is more than is shown.
    """

    headers: dict[Text, Text]
    data: Json = None
    size_bytes: int
    runs: list[Run]
    run_count: int
    fates: list[Fate]
    fate_count: int


class ActiveStep(BaseModel):
    """A step that has not ended."""

    step: int
    status: Text
    at: datetime
    partition: Text | None = None
    note: Text = ""


class Ended(BaseModel):
    """How the newest ended step of an asset ended."""

    status: Text
    at: datetime
    note: Text = ""


class Stale(BaseModel):
    """An asset partition that is out of date, and why; `root` if it is so itself, and not only
    because an upstream is.
    """

    partition: Text | None = None
    why: Text
    root: bool


class Asset(AssetNode):
    """An asset and how it is: `last` is when it was last brought up to date; `stale` are the first
    of the `stale_count` partitions that are out of date.
    """

    downstream: list[Text]
    last: datetime | None = None
    age_seconds: float | None = None
    partitions: int
    active: list[ActiveStep]
    ended: Ended | None = None
    stale: list[Stale] = []
    stale_count: int = 0


class Materialization(BaseModel):
    """The record that an asset partition was brought up to date."""

    partition: Text | None = None
    at: datetime
    step: int
    handle: Json = None
    version: Text | None = None
    metadata: Json = None


class AssetDetail(Asset):
    materializations: list[Materialization]
    runs: list[Run]


class RaisedError(BaseModel):
    """What a callable of a rule raised for an event."""

    event: Text
    error: Text
    at: datetime


class Rule(RuleNode):
    """A rule and how it is: when it `fired` last (in `run`, if it launched one), `since` when it
    reads as it does, and how many `changes` it had before. `fates` counts the events that, in the
    last hour, turned out not to fire it, by what became of them.
    """

    fired: datetime | None = None
    run: int | None = None
    observed: bool = False
    since: datetime | None = None
    changes: int = 0
    fates: dict[Text, int] = {}


class Firing(BaseModel):
    """A rule came true `matches` times, with `event_count` events; `events` are the first of them.

    `text` says what it launched, or would have launched if it only observed.
    """

    id: int
    at: datetime
    key: Text | None = None
    partition: Text | None = None
    run: int | None = None
    observed: bool
    timer: bool
    matches: int
    events: list[int]
    event_count: int
    text: Text


class RuleDetail(Rule):
    runs: list[Run]
    raised: list[RaisedError]
    firings: list[Firing]


class SensorDetail(Sensor):
    rules: list[Text]
    events: list[Event]


class DeadLetter(BaseModel):
    """Input that could not become an event, and why not."""

    seq: int
    id: Text
    sensor: Text
    subject: Text
    error: Text
    at: datetime
    status: Text
    size_bytes: int


class DeadLetterDetail(DeadLetter):
    """A dead letter with its bytes: as text where they are one, and always in base64."""

    text: Text | None = None
    base64: str
    headers: dict[Text, Text]


class Alert(BaseModel):
    """A message about one root cause; `waiting` are the assets that wait for it."""

    key: Text
    asset: Text
    owner: Text
    text: Text
    opened: datetime
    resolved: datetime | None = None
    waiting: list[Text]
    folded: int


class LogLine(BaseModel):
    step: int
    attempt: int
    at: datetime
    stream: Text
    text: Text


class Log(BaseModel):
    """The last lines of a step's output, oldest first."""

    lines: list[LogLine]


class Accepted(BaseModel):
    """The events are recorded. One that was known already is dropped and counted."""

    accepted: int
    ids: list[Text]


class Done(BaseModel):
    """The command is recorded."""

    done: Text


class Root(BaseModel):
    """An asset partition that is launched, and why."""

    asset: Text
    partition: Text | None = None
    because: Text


class Launched(Done):
    """What is launched for an order: the first of the `root_count` asset partitions asked for."""

    roots: list[Root] = []
    root_count: int = 0


class MaterializeOrder(BaseModel):
    """Launch these assets by hand; `downstream` with what follows from them; `force` whatever holds
    them back, and though nothing that they read has changed. `stale`: only what is out of date of
    them (of none: of the whole pipeline); `missing`: only partitions that were never made.
    """

    model_config = ConfigDict(extra="forbid")

    assets: Annotated[list[str], Field(max_length=1000)] = []
    partition: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    downstream: bool = True
    force: bool = False
    stale: bool = False
    missing: bool = False
    reason: Annotated[str, Field(max_length=500)] = "launched by hand"


class PauseOrder(BaseModel):
    """Pause a rule, an asset or a sensor, or let it go on."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["rule", "asset", "sensor"]
    name: Annotated[str, Field(max_length=500)]
    paused: bool


class CancelOrder(BaseModel):
    """Why it is cancelled."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500)] = "cancelled by an operator"
