"""What became of an event, rule by rule: a word and a sentence each.

Knows: an event, the rows that name it, the rules. Refuses to know: where rows are kept, and how
operators match: they say themselves what they wait for.

Laws: what is recorded comes before what is concluded; only what no fact tells is matched anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reactor.core.asset import Rule
from reactor.core.decision import Fired, PredicateRaised, Word
from reactor.core.engine import Waiting
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.predicate import Predicate
from reactor.core.run import RunStatus, StepStatus
from reactor.core.sentence import instant_text, listed
from reactor.core.trigger.compile import compile_trigger
from reactor.core.trigger.expression import leaves


class Status(StrEnum):
    """What became of an event for a rule; the most telling first, as a list shows one of them.

    What needs a person comes first, then what is going on, what is done, what still waits, and what
    came to nothing.
    """

    FAILED = "failed"
    """a run of it failed, or a rule's own code did"""
    HELD = "held"
    """its run is held, or the rule keeps it until its hours begin"""
    MATCHED = "matched"
    """it launched a run that is going on"""
    RAN = "ran"
    """its run succeeded"""
    CANCELLED = "cancelled"
    """an operator ended its run"""
    WAITING = "waiting"
    """the rule waits for something else"""
    DEBOUNCED = "debounced"
    THROTTLED = "throttled"
    OBSERVED = "observed"
    """the rule came true and only observes"""
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    DEDUPLICATED = "deduplicated"
    FILTERED = "filtered"
    ACCEPTED = "accepted"
    """a rule let it in, and nothing more is recorded"""


_PLACE = {status: place for place, status in enumerate(Status)}


@dataclass(frozen=True, slots=True)
class Met:
    """A recorded fate: what became of an event for a rule, when."""

    rule: str
    word: Word
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One asset partition of a run, and how it is; `status` is None if that is not kept."""

    asset: str
    partition: str | None
    status: StepStatus | None
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.asset}[{self.partition}]" if self.partition is not None else self.asset


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that an event caused; `parts` is empty where they were not read."""

    id: int
    rule: str
    status: RunStatus
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """An event and all that is known of it. `seq` is None if the event was not kept.

    `began` says since when a rule reads as it does, `paused` holds (kind, name), `unreadable` says
    why the payload cannot be decoded any more.
    """

    event: Event
    seq: int | None = None
    fired: Sequence[Fired] = ()
    fates: Sequence[Met] = ()
    raised: Sequence[PredicateRaised] = ()
    waiting: Sequence[Waiting] = ()
    runs: Sequence[Launched] = ()
    began: Mapping[str, datetime] = field(default_factory=lambda: {})
    paused: frozenset[tuple[str, str]] = frozenset()
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an event for a rule: the rest of a sentence that begins with its name."""

    rule: str
    status: Status
    text: str
    run: int | None = None


def told(graph: Graph, record: Record) -> list[Verdict]:
    """What the facts alone say of an event, the most telling first."""
    found = [
        *_fired(graph, record),
        *(Verdict(each.rule, *_met(each)) for each in record.fates),
        *(Verdict(each.rule, *_waits(each)) for each in record.waiting),
        *(
            Verdict(
                each.rule, Status.FAILED, f"could not judge it: its own code raised {each.error}"
            )
            for each in record.raised
        ),
    ]
    return _ordered(dict.fromkeys(found))


def fates(graph: Graph, record: Record) -> list[Verdict]:
    """What became of an event for every rule that listens to its sensor, the most telling first.

    A rule that began after the event came is left out. Cost: O(rules that listen to the sensor).
    """
    found = told(graph, record)
    known = {verdict.rule for verdict in found}
    for rule in graph.rules.values():
        if rule.name not in known and hears(rule, record.event) and not later(rule, record):
            found.append(concluded(rule, record))
    return _ordered(found)


def status(verdicts: Iterable[Verdict]) -> Status:
    """The one word for an event in a list."""
    return min((each.status for each in verdicts), key=_PLACE.__getitem__, default=Status.ACCEPTED)


def _ordered(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return sorted(verdicts, key=lambda verdict: _PLACE[verdict.status])


def _fired(graph: Graph, record: Record) -> Iterator[Verdict]:
    runs = {run.id: run for run in record.runs}
    for each in record.fired:
        assets = _assets(graph, each.rule)
        if each.run is None:
            observes = "came true and only observes: it would have launched"
            yield Verdict(each.rule, Status.OBSERVED, f"{observes} {assets}")
        elif each.run in runs:
            yield _launched(runs[each.run], f"launched {assets} in run {each.run}", record)
        else:
            text = f"launched {assets} in run {each.run}, which is not kept any more"
            yield Verdict(each.rule, Status.RAN, text, each.run)
    named = {each.run for each in record.fired}
    for run in record.runs:
        if run.id not in named:
            yield _launched(run, f"took it over into run {run.id} from an earlier one", record)


_ENDS = {
    RunStatus.RUNNING: (Status.MATCHED, "is going on"),
    RunStatus.HELD: (Status.HELD, "is held"),
    RunStatus.SUCCEEDED: (Status.RAN, "succeeded"),
    RunStatus.FAILED: (Status.FAILED, "failed"),
    RunStatus.BLOCKED: (Status.FAILED, "is blocked"),
    RunStatus.CANCELLED: (Status.CANCELLED, "was cancelled"),
    RunStatus.SUPERSEDED: (Status.SUPERSEDED, "was replaced by a later one"),
}
_TELLING = {
    RunStatus.FAILED: (StepStatus.FAILED,),
    RunStatus.BLOCKED: (StepStatus.BLOCKED,),
    RunStatus.HELD: (StepStatus.HELD,),
    RunStatus.CANCELLED: (StepStatus.CANCELLED, StepStatus.SKIPPED),
}


def _launched(run: Launched, text: str, record: Record) -> Verdict:
    word, ends = _ENDS[run.status]
    telling = _TELLING.get(run.status, ())
    part = next((part for part in run.parts if part.status in telling and part.note), None)
    note = f": {part.name}: {part.note}" if part else ""
    if run.status is RunStatus.RUNNING and ("rule", run.rule) in record.paused:
        ends = "waits while the rule is paused"
    return Verdict(run.rule, word, f"{text}, which {ends}{note}", run.id)


_FATES = {
    Word.SUPERSEDED: (Status.SUPERSEDED, "passed over it"),
    Word.THROTTLED: (Status.THROTTLED, "was shut for a while, and dropped it"),
    Word.DEDUPLICATED: (Status.DEDUPLICATED, "dropped it as a repeat"),
    Word.FILTERED: (Status.FILTERED, "took it in, and it led to nothing"),
}


def _met(met: Met) -> tuple[Status, str]:
    status, text = _FATES.get(met.word, (Status.EXPIRED, f"gave it up at {instant_text(met.at)}"))
    return status, f"{text}: {met.why}" if met.why not in ("", met.word) else text


_VERBS = ("waits", "counts", "came")


def _waits(waiting: Waiting) -> tuple[Status, str]:
    text = waiting.text
    status = Status(waiting.word)
    said = text if text.startswith(_VERBS) else f"keeps it, {text}"
    if waiting.until is None:
        return status, said
    return status, f"{said}, until {instant_text(waiting.until)}"


def concluded(rule: Rule, record: Record) -> Verdict:
    """What matching an event anew says of it."""
    event = record.event
    if record.unreadable:
        text = f"cannot judge it any more: its payload cannot be read: {record.unreadable}"
        return Verdict(rule.name, Status.ACCEPTED, text)
    refused: list[str] = []
    for entry in compile_trigger(rule.trigger).entries:
        if entry.source.name != event.source:
            continue
        types = entry.source.types
        if types is not None and event.type not in types:
            refused.append(f"it is {event.type}, not {listed(sorted(types))}")
            continue
        try:
            failed = _failing(entry.conditions, event)
        except Exception as error:  # noqa: BLE001 - a user's predicate
            said = f"{type(error).__name__}: {error}"
            text = f"could not judge it: its own code raised {said}"
            return Verdict(rule.name, Status.FAILED, text)
        if not failed:
            return Verdict(rule.name, Status.ACCEPTED, _let_in(record))
        refused.extend(condition.why_not(event) or str(condition) for condition in failed)
    text = f"did not let it in: {listed(list(dict.fromkeys(refused)))}"
    return Verdict(rule.name, Status.FILTERED, text)


def _failing(conditions: Sequence[Predicate], event: Event) -> list[Predicate]:
    """The conditions that do not hold, up to one that raises because another guards it."""
    found: list[Predicate] = []
    for each in conditions:
        try:
            if not each.test()(event):
                found.append(each)
        except Exception:
            if not found:
                raise
            break
    return found


def _let_in(record: Record) -> str:
    if record.seq is None:
        return "would let it in"
    return "let it in, and nothing that came of it is kept any more"


def hears(rule: Rule, event: Event) -> bool:
    """Whether a rule listens to the sensor of an event."""
    return any(leaf.name == event.source for leaf in leaves(rule.trigger))


def heard_by(rule: Rule) -> str:
    """What a rule listens to, in words."""
    return listed([str(leaf) for leaf in leaves(rule.trigger)])


def later(rule: Rule, record: Record) -> bool:
    """Whether the rule reads as it does only since the event came."""
    began = record.began.get(rule.name)
    return record.seq is not None and began is not None and began > record.event.received


def _assets(graph: Graph, rule: str) -> str:
    known = graph.rules.get(rule)
    if known and known.schema:
        return "what reads it"
    return listed(known.assets) if known and known.assets else "what it launches"
