"""From recorded lines to events: what came in once, ready to come in again.

Knows: what a line may say. Refuses to know: whether it was read from a file or from a store.

A line is a JSON object: a CloudEvent whose `source` names a sensor, what `reactor events --json`
prints, or no more than `sensor`, `time` and `data` as the sensor's own `event(...)` takes it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from reactor.core.errors import ReactorError
from reactor.core.event import Event
from reactor.core.graph import Graph
from reactor.core.instant import EPOCH
from reactor.core.trigger.expression import AssetEvents, Source, leaves

Document = Mapping[str, Any]
LAST_YEAR = 9000
"""Time must be able to go on after the last event."""

_ENVELOPE = frozenset(
    (
        *("specversion", "id", "source", "type", "subject", "time", "data", "data_base64"),
        *("datacontenttype", "dataschema", "sensor", "at", "received", "seq", "key", "headers"),
    )
)
"""What is no extension of a CloudEvent."""


@dataclass(slots=True)
class Recording:
    """Events in the order in which they came, and what of the lines was left out."""

    events: list[Event] = field(default_factory=lambda: [])
    repeats: int = 0
    ticks: int = 0
    """Ticks of schedules, which tick again by themselves."""
    others: dict[str, int] = field(default_factory=lambda: {})
    """Events by sensor, of sensors that no rule listens to."""
    unfit: dict[str, tuple[int, str]] = field(default_factory=lambda: {})
    """Stored events by sensor that it does not read any more: how many, and why the first."""
    sorted: bool = False
    """Whether the lines had to be put in order."""


def documents(text: str, name: str) -> Iterator[Document]:
    """The objects of a file: a line each, or one array of them, or each over several lines.

    Raises: ReactorError that names the line.
    """
    if text.lstrip()[:1] == "[":
        listed = _parsed(text, name)
        yield from (_object(each, f"{name}, event {at}") for at, each in enumerate(listed, 1))
        return
    if text.lstrip().partition("\n")[0].strip() == "{":
        yield from _spread(text, name)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _object(_parsed(line, f"{name}:{number}"), f"{name}:{number}")


def _parsed(text: str, where: str) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        raise ReactorError(f"this is no JSON: {error}", where=where) from None


def _spread(text: str, name: str) -> Iterator[Document]:
    """Objects as they are printed to be read, one behind the other."""
    decoder, at, line = json.JSONDecoder(), 0, 1
    while rest := text[at:].lstrip():
        start = len(text) - len(rest)
        line += text.count("\n", at, start)
        try:
            found, at = decoder.raw_decode(text, start)
        except ValueError as error:
            raise ReactorError(f"this is no JSON: {error}", where=f"{name}:{line}") from None
        yield _object(found, f"{name}:{line}")
        line += text.count("\n", start, at)


def _object(found: Any, where: str) -> Document:
    if not isinstance(found, dict):
        raise ReactorError("an event is a JSON object", where=where)
    return {**found, "": where}


def recording(graph: Graph, lines: Iterable[Document]) -> Recording:
    """The events of lines that some rule of the pipeline listens to, each once, in order.

    Raises: ReactorError for a line of a file that is no event, or none that its sensor could have
        seen. One of a store was seen once, and is left out if it does not fit any more.
    """
    heard = {leaf.name: leaf for rule in graph.rules.values() for leaf in leaves(rule.trigger)}
    made = Recording()
    found: list[tuple[datetime, int, Event]] = []
    known: set[tuple[str, str]] = set()
    for line in lines:
        name = str(line.get("sensor") or line.get("source") or "")
        source = heard.get(name)
        if source is None:
            if not name:
                raise ReactorError("an event names its sensor", where=str(line.get("", "")))
            made.others[name] = made.others.get(name, 0) + 1
            continue
        if next(source.ticks(datetime(2000, 1, 1, tzinfo=UTC)), None) is not None:
            made.ticks += 1
            continue
        try:
            event = _event(source, line)
        except ReactorError as error:
            if "" in line:
                raise
            number, why = made.unfit.get(name, (0, str(error)))
            made.unfit[name] = (number + 1, why)
            continue
        if (event.source, event.id) in known:
            made.repeats += 1
            continue
        known.add((event.source, event.id))
        found.append((event.received, line.get("seq") or 0, event))
    _order(found, made)
    return made


def _order(found: list[tuple[datetime, int, Event]], made: Recording) -> None:
    """By number where they have one, for that is the order in which they came; else by instant."""
    numbered = all(seq for _, seq, _ in found)
    ordered = sorted(found, key=lambda each: each[1] if numbered else each[0])  # type: ignore[arg-type,return-value]
    made.sorted = ordered != found
    last: datetime | None = None
    for at, _, event in ordered:
        last = at if last is None else max(at, last)
        made.events.append(event if event.received == last else replace(event, received=last))


def _event(source: Source, line: Document) -> Event:
    where = str(line.get("", f"event {line.get('seq')}"))
    time = _instant(line, ("time", "at"), where) or _instant(line, ("received",), where)
    if time is None:
        raise ReactorError(
            "an event says its time", where=where, hint='"time": "2026-01-05T09:00Z"'
        )
    # Nobody received anything before 1970, whatever date a producer wrote.
    received = max(EPOCH, _instant(line, ("received",), where) or time)
    if line.get("data") is None and line.get("size_bytes"):
        raise ReactorError(
            "the payload was too long to be listed",
            where=where,
            hint="replay the store itself, without --events",
        )
    if "seq" in line and "data" not in line and "data_base64" not in line:
        return _listed(source, line, time, received, where)
    made = _restored(source, line, time, received, where)
    return made if made is not None else _made(source, line, time, received, where)


def _listed(
    source: Source, line: Document, time: datetime, received: datetime, where: str
) -> Event:
    """An event of a list without payloads: what it is about may say enough, as it does of files."""
    if isinstance(source, AssetEvents):
        return Event(
            str(line["id"]),
            source.name,
            str(line["type"]),
            source.asset,
            time,
            received,
            key=_key(line),
        )
    made = None
    with suppress(ReactorError):
        made = _made(source, {**line, "data": line.get("subject")}, time, received, where)
    # Whoever takes any text for a payload would take a subject for one, which it is not.
    if made is None or isinstance(made.data, str):
        raise ReactorError(
            f"event {line['seq']} of {source.name} was listed without its payload",
            where=where,
            hint=f"reactor events show {line['seq']} --json has it; "
            "or replay the store itself, without --events",
        )
    return made


def _restored(
    source: Source, line: Document, time: datetime, received: datetime, where: str
) -> Event | None:
    """The event as it was recorded, or None if the line is not as complete as that."""
    if not all(line.get(name) for name in ("id", "type")):
        return None
    if isinstance(source, AssetEvents):
        data, raw = line.get("data"), None
    else:
        tried = next(filter(None, (_payload(source, raw) for raw in _bytes(line, where))), None)
        if tried is None:
            return None
        data, raw = tried
    return Event(
        str(line["id"]),
        source.name,
        str(line["type"]),
        str(line.get("subject") or line["id"]),
        time,
        received,
        data,
        _key(line),
        _headers(line),
        raw,
    )


def _payload(source: Any, raw: bytes) -> tuple[Any, bytes] | None:
    try:
        return source.restore(raw), raw
    except (ReactorError, ValueError):
        return None


def _bytes(line: Document, where: str) -> Iterator[bytes]:
    """What a sensor may have recorded for such a payload, the likeliest first."""
    if "data_base64" in line:
        try:
            yield base64.b64decode(line["data_base64"], validate=True)
        except (ValueError, TypeError):
            raise ReactorError("data_base64 is no base64", where=where) from None
        return
    data = line.get("data")
    match data:
        case {"hex": str(digits)} if len(data) == 1:
            try:
                yield bytes.fromhex(digits)
            except ValueError:
                yield to_json(data)
        case str():
            yield to_json(data)
            yield data.encode()
        case _:
            yield to_json(data)


def _made(source: Any, line: Document, time: datetime, received: datetime, where: str) -> Event:
    """The event that the sensor makes of the payload, with whatever else the line says of it."""
    try:
        data = line["data"] if "data" in line else from_json(next(_bytes(line, where)))
        event: Event = source.event(data)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ReactorError(f"sensor {source.name} cannot see this: {said}", where=where) from None
    except (ReactorError, TypeError, ValueError, AttributeError) as error:
        said = error.what if isinstance(error, ReactorError) else str(error)
        raise ReactorError(f"sensor {source.name} cannot see this: {said}", where=where) from None
    return replace(
        event,
        id=str(line.get("id") or f"{event.subject}@{time.isoformat()}"),
        source=source.name,
        type=str(line.get("type") or event.type),
        subject=str(line.get("subject") or event.subject),
        time=time,
        received=received,
        key=_key(line) or event.key,
        headers=_headers(line) or event.headers,
    )


def _key(line: Document) -> str | None:
    key = line.get("key", line.get("partitionkey"))
    return None if key is None else str(key)


def _headers(line: Document) -> Mapping[str, str]:
    given = line.get("headers")
    if isinstance(given, dict):
        return {str(name): str(value) for name, value in given.items()}
    if "specversion" not in line:
        return {}
    # The extensions of a CloudEvent are what a rule finds as its headers.
    more = {name: value for name, value in line.items() if name and name not in _ENVELOPE}
    return {n: v if isinstance(v, str) else json.dumps(v) for n, v in more.items()}


def _instant(line: Document, names: Iterable[str], where: str) -> datetime | None:
    text = next((line[name] for name in names if line.get(name)), None)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise ReactorError(f"{text!r} is no instant", where=where) from None
    if at.year > LAST_YEAR:
        raise ReactorError(f"{text!r} is beyond the year {LAST_YEAR}", where=where)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def document(seq: int, event: Event) -> Document:
    """A recorded event as a line, with its payload as the bytes that came."""
    line: dict[str, Any] = {
        "seq": seq,
        "sensor": event.source,
        "id": event.id,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.isoformat(),
        "received": event.received.isoformat(),
        "key": event.key,
        "headers": dict(event.headers),
    }
    if event.source.startswith("asset:"):
        return {**line, "data": None if event.raw is None else from_json(event.raw)}
    return {**line, "data_base64": base64.b64encode(event.raw or b"null").decode()}
