"""`Webhook`: requests that others send us, checked and turned into events."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from itertools import count
from typing import Any, ClassVar, Protocol, get_args, runtime_checkable
from uuid import uuid4

import anyio
from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import to_json

from reactor.core.duration import Duration, duration
from reactor.core.errors import SensorError
from reactor.core.event import Event
from reactor.core.trigger.expression import Source
from reactor.ports import Batch, DeadLetter, Desk
from sensors.cloudevent import CloudEvent, Malformed, json_value, mode, read
from sensors.signature import Proof, Scheme, Unverified, key_of, plausible, sign, verified

__all__ = ["Webhook", "WebhookRefused", "sign"]

TYPE = "webhook.received"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_IDS = ("webhook-id", "x-github-delivery", "idempotency-key")
_PRIVATE = re.compile(r"authorization|cookie|signature|token|secret|password|api-?key")
_HEADERS, _HEADER_LENGTH = 64, 1024
_SPEAKS_EVERY = 1.0
_tests = count()


class WebhookRefused(SensorError):
    """A request that is not taken: `status` and `what` are the answer, `why` is for our log."""

    def __init__(self, status: int, what: str, why: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.why = why


@runtime_checkable
class Secret(Protocol):
    """A secret that is read when it is needed, such as pydantic's SecretStr."""

    def get_secret_value(self) -> str: ...


@dataclass(frozen=True, slots=True, init=False)
class Webhook(Source):
    """Requests to /hooks/NAME: `Webhook("payments", secret=secret("PAYMENTS_SECRET"))`.

    The body is JSON, or one or more CloudEvents (structured, batched or binary). A JSON body is an
    event of type `webhook.received`; its id is the sender's (webhook-id, x-github-delivery or
    idempotency-key), so that a delivery that is sent again is the same event, or a new one if there
    is none. A CloudEvent keeps its type, subject, time and extensions (as headers `ce-NAME`); its
    id is `source#id`, or in binary mode the delivery's, which is signed where ce-id is not. An
    event without a subject is about its id.

    Args:
        name: what the sensor is called, and the end of its path.
        secret: what the sender signs with; several while it is being changed, any of which will do.
            Without one, whoever can reach the port can send.
        model: what the payload is validated into: a pydantic model, or any type pydantic knows.
        signature: how the sender signs: sensors/signature.py says what each kind is worth.
        tolerance: how far the time of a signed delivery may lie from ours.
        max_bytes: the longest body that is taken.

    Raises: ValueError for a name that is no part of a path, or a secret that is none.
    Restart: nothing to resume; what was answered with 202 is recorded.
    """

    kind: ClassVar[str] = "webhook"

    name: str
    secrets: tuple[Secret, ...] = field(repr=False)
    model: Any
    signature: Scheme
    tolerance: timedelta
    max_bytes: int

    def __init__(
        self,
        name: str,
        *,
        secret: str | Secret | Sequence[str | Secret] | None = None,
        model: Any = None,
        signature: Scheme = "standard",
        tolerance: Duration = "5m",
        max_bytes: int = 1024 * 1024,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r}: a webhook's name is the end of its path: letters, . _ -")
        if signature not in get_args(Scheme):
            raise ValueError(f"signature is {' or '.join(get_args(Scheme))}, not {signature!r}")
        if max_bytes < 1:
            raise ValueError(f"max_bytes is at least 1, not {max_bytes}")
        given = {
            "name": name,
            "secrets": _secrets(secret),
            "model": model,
            "signature": signature,
            "tolerance": duration(tolerance),
            "max_bytes": max_bytes,
        }
        for attribute, value in given.items():
            object.__setattr__(self, attribute, value)

    @property
    def address(self) -> str:
        """The path it is reached at."""
        return f"/hooks/{self.name}"

    def decode(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Batch:
        """What a request brings; nothing is recorded yet.

        A body that was sent by who may send, but is not JSON or does not fit, is in `dead`, with
        the reason: record the batch, and answer 422 with the error if it has any dead letters (a
        batch of CloudEvents may bring both). Ids may come again (`repeats`).

        Args:
            headers: with lower-case names.

        Raises: WebhookRefused: 413 if the body is too long; 401, whatever is wrong with the
            signature; 503 if our own secret cannot be read.
        """
        if len(body) > self.max_bytes:
            raise WebhookRefused(413, f"a body is at most {self.max_bytes} bytes long")
        delivery = self._delivery(headers, body, now)
        request = _Request(self, headers, body, now, delivery)
        events, dead = request.plain() if not mode(headers) else request.cloud_events()
        return Batch(self.name, tuple(events), dead=tuple(dead), repeats=True)

    def open(self, desk: Desk) -> Listening:
        """A running sensor, which only waits: the web server hands it what comes."""
        return Listening(desk)

    def restore(self, raw: bytes) -> Any:
        """The payload that recorded JSON stands for.

        Raises: SensorError if it does not fit (any more).
        """
        try:
            return self.payload(raw)
        except ValueError as error:
            raise SensorError(
                f"a payload cannot be read: {complaint(error)}", where=f"sensor {self.name}"
            ) from error

    def event(
        self, payload: Any = None, /, *, time: datetime | None = None, **fields: Any
    ) -> Event:
        """A test event: `payments.event(amount=3)`, or the payload as one mapping or model.

        `time` is when it happened (None: now). A field of the payload that is called `time` goes
        into the mapping: `payments.event({"time": "09:00"})`.

        Raises: SensorError if it does not fit the model, TypeError for a time that is no instant.
        """
        if payload is not None and fields:
            raise TypeError(f"give a payload or its fields, not both: {', '.join(fields)}")
        if time is not None and (not isinstance(time, datetime) or time.tzinfo is None):  # pyright: ignore[reportUnnecessaryIsInstance]
            hint = 'a field of the payload called time goes into a mapping: .event({"time": ...})'
            raise TypeError(f"time is {time!r}, no datetime with a time zone; {hint}")
        now = time or datetime.now(UTC)
        raw = to_json(fields if payload is None else payload)
        id = f"test/{next(_tests)}"
        return Event(id, self.name, TYPE, "a test", now, now, self.restore(raw), raw=raw)

    def payload(self, raw: bytes) -> Any:
        """JSON as the model, or as it is without one.

        Raises: ValueError, a pydantic ValidationError among them.
        """
        value = json_value(raw)
        if self.model is None:
            return value
        try:
            return _adapter(self.model).validate_json(raw)
        except ValueError:
            raise
        except Exception as error:
            # A model's own validators may raise anything.
            raise ValueError(f"{type(error).__name__} in the model: {error}") from error

    def __str__(self) -> str:
        return self.name

    def _delivery(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """The delivery's id, or a new one. Raises WebhookRefused if its signature is wrong."""
        if not self.secrets:
            given = next((headers[name] for name in _IDS if headers.get(name)), "")
            return given if plausible(given) else uuid4().hex
        try:
            keys = [key_of(secret.get_secret_value()) for secret in self.secrets]
        except Exception as error:
            # Whoever keeps the secret may raise anything, and would quote it at worst.
            why = f"the secret cannot be read: {type(error).__name__}"
            raise WebhookRefused(503, "this webhook is not ready", why) from error
        try:
            proof = Proof(headers, body, keys, now, self.tolerance)
            return verified(self.signature, proof) or uuid4().hex
        except Unverified as error:
            raise WebhookRefused(401, "not authorized", str(error)) from error


@dataclass(frozen=True, slots=True)
class _Request:
    """One request that may come in."""

    hook: Webhook
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    delivery: str

    def plain(self) -> tuple[list[Event], list[DeadLetter]]:
        """A JSON body."""
        try:
            data = self.hook.payload(self.body)
        except ValueError as error:
            why = complaint(error)
            if "form-urlencoded" in self.headers.get("content-type", ""):
                why += "; it is a form: have the sender send JSON"
            return [], [self._dead(self.delivery, why, self.body)]
        headers = self._kept()
        event = Event(
            id=self.delivery,
            source=self.hook.name,
            type=TYPE,
            subject=self.delivery,
            time=self.now,
            received=self.now,
            data=data,
            headers=headers,
            raw=self.body,
        )
        return [event], []

    def cloud_events(self) -> tuple[list[Event], list[DeadLetter]]:
        """CloudEvents, each by itself; of two with one id the first counts."""
        events: dict[str, Event] = {}
        dead: list[DeadLetter] = []
        try:
            found = read(self.headers, self.body)
        except Malformed as error:
            return [], [self._dead(self.delivery, str(error), self.body)]
        binary = mode(self.headers) == "binary"
        for at, one in enumerate(found):
            place = self.delivery if len(found) == 1 else f"{self.delivery}/{at}"
            if isinstance(one, Malformed):
                dead.append(self._dead(place, str(one), one.raw or self.body))
                continue
            id = place if binary and self._named() else _identity(one)
            try:
                events.setdefault(id, self._event(id, one))
            except ValueError as error:
                dead.append(self._dead(place, complaint(error), one.raw))
        return list(events.values()), dead

    def _event(self, id: str, came: CloudEvent) -> Event:
        about = {"source": came.source, "id": came.id, **came.extensions}
        return Event(
            id=id,
            source=self.hook.name,
            type=came.type,
            subject=came.subject or id,
            time=came.time or self.now,
            received=self.now,
            data=self.hook.payload(came.raw),
            key=came.extensions.get("partitionkey"),
            headers={
                **self._kept(),
                **{f"ce-{name}": _printable(value) for name, value in about.items()},
            },
            raw=came.raw,
        )

    def _named(self) -> bool:
        """Whether the sender gave the delivery an id."""
        return self.delivery in (self.headers.get(name) for name in _IDS)

    def _dead(self, id: str, error: str, raw: bytes) -> DeadLetter:
        return DeadLetter(id, self.hook.name, id, error, self.now, raw, self._kept())

    def _kept(self) -> dict[str, str]:
        """The headers that may be recorded: no credentials, nothing without bounds."""
        kept = [
            (name, value)
            for name, value in self.headers.items()
            if not _PRIVATE.search(name) and len(name) + len(value) <= _HEADER_LENGTH
        ]
        return {_printable(name): _printable(value) for name, value in kept[:_HEADERS]}


class Listening:
    """The running webhook sensor. The web server decodes and submits what comes; this waits."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self) -> None:
        """Waits until cancelled."""
        self._desk.up(True)
        self._desk.lag(0.0)
        while True:
            # A request is submitted as soon as it is read, so that none of before is on its way.
            self._desk.reached(self._desk.clock.now())
            await anyio.sleep(_SPEAKS_EVERY)

    async def recorded(self, batch: Batch) -> None:
        """Nothing to do: the sender is told by the answer."""


def complaint(error: ValueError) -> str:
    """What does not fit, without quoting what was sent."""
    if not isinstance(error, ValidationError):
        return str(error)
    said = [
        f"{'.'.join(map(str, one['loc'])) or 'the payload'}: {one['msg']}"
        for one in error.errors(include_input=False, include_context=False, include_url=False)
    ]
    return "; ".join(said[:5]) + (f"; and {len(said) - 5} more" if len(said) > 5 else "")


def _secrets(given: str | Secret | Sequence[str | Secret] | None) -> tuple[Secret, ...]:
    if given is None:
        return ()
    each = [given] if isinstance(given, str | Secret) else list(given)
    if not each:
        raise ValueError("secret= is empty; leave it out to take what anybody sends")
    for one in each:
        if isinstance(one, str):
            key_of(one)
    return tuple(SecretStr(one) if isinstance(one, str) else one for one in each)


def _identity(came: CloudEvent) -> str:
    """What makes a CloudEvent unique, short enough for any index."""
    id = f"{came.source}#{came.id}"
    return id if len(id) <= 400 else f"sha256:{sha256(id.encode()).hexdigest()}"


def _printable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


@lru_cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)
