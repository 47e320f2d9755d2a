"""`SchemaRegistry`: says which registry, as a sensor and for decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import count
from typing import Any, ClassVar

from pydantic import ValidationError

from reactor.core.duration import Duration, duration, spoken
from reactor.core.errors import SensorError, SensorRefused
from reactor.core.event import Event
from reactor.core.trigger.expression import Source
from reactor.ports import Desk, RunningSensor
from sensors.registry.access import Access, Auth, parsed
from sensors.registry.schema import Decoder
from sensors.schema.imagine import imagined
from sensors.schema.ledger import Baseline
from sensors.schema.payload import SchemaChanged, changed

_SHORTEST = timedelta(milliseconds=10)
_tests = count()


@dataclass(frozen=True, slots=True, init=False)
class SchemaRegistry(Source):
    """A Confluent-compatible schema registry: `SchemaRegistry("http://registry:8081")`.

    As a sensor it tells every change of a subject's newest schema, as `SchemaChanges` does of
    tables: the event's subject is the registry's subject, `orders-value`, and so is the `table` of
    its data, a `SchemaChanged`; `columns` are the fields, those of nested records by dotted names,
    `customer.city`. What breaks a reader of columns is what breaks one of a table's columns: a
    default makes no difference, since it fills in what a *writer* left out. A deleted subject is a
    dropped table. A version that changes no field (but documentation or a default) is no event; one
    that cannot be read, such as PROTOBUF, is named in the log.

    `KafkaTopic("orders", schema=registry)` decodes messages in Confluent's wire format with it.

    Avro and JSON Schema are read; both need the extra `registry`.

    Args:
        url: of its REST API, with a path if it has one.
        subjects: a glob over subjects, or several.
        every: how often to look; a change is seen within this and the time of one look.
        baseline: what the first look does: `record` or `announce`.
        auth: a user and a password (or an API key and its secret), or a token. A user in the URL
            counts, too.
        ssl_cafile: whom to trust; else the system's authorities.
        name: what the sensor is called; else the host.

    Raises: ValueError for what cannot be watched.
    Restart: a change made while we were down is one event, however many versions it had.
    Cost: a request a look, and one for each subject, eight at a time; with an ETag where the
    registry has them.
    """

    kind: ClassVar[str] = "registry"
    model: ClassVar[Any] = SchemaChanged

    access: Access = field(repr=False)
    subjects: tuple[str, ...]
    every: timedelta
    baseline: Baseline
    name: str

    def __init__(
        self,
        url: str,
        subjects: str | Sequence[str] = "*",
        every: Duration = "5s",
        baseline: Baseline = "record",
        auth: Auth = None,
        ssl_cafile: str = "",
        name: str | None = None,
    ) -> None:
        globs = (subjects,) if isinstance(subjects, str) else tuple(subjects)
        if not globs or not all(globs):
            raise ValueError(f"subjects is a glob such as 'orders-*', not {subjects!r}")
        if baseline not in ("record", "announce"):
            raise ValueError(f"baseline is record or announce, not {baseline!r}")
        interval = duration(every)
        if interval < _SHORTEST:
            raise ValueError(f"looking every {spoken(interval)} is too often")
        access = parsed(url, auth, ssl_cafile)
        object.__setattr__(self, "access", access)
        object.__setattr__(self, "subjects", globs)
        object.__setattr__(self, "every", interval)
        object.__setattr__(self, "baseline", baseline)
        object.__setattr__(self, "name", name or access.host)

    @property
    def address(self) -> str:
        """The URL without user and password."""
        return self.access.address

    def event(self, subject: str | Mapping[str, Any] | None = None, /, **changes: Any) -> Event:
        """A test event: `registry.event("orders-value", removed="amount", added=["total"])`.

        Args:
            subject: the subject; or one mapping that says all.
            changes: as for `SchemaChanges.event`.

        Raises: ValueError if no change is described.
        """
        fields = dict(subject) if isinstance(subject, Mapping) else {}
        if isinstance(subject, str):
            fields["table"] = subject
        payload = imagined({**fields, **changes})
        id = "" if payload.revision else f"{payload.table}@test/{next(_tests)}"
        return changed(self.name, payload, datetime.now(UTC), id)

    def open(self, desk: Desk) -> RunningSensor:
        """The running sensor. Raises SensorRefused without the extra `registry`."""
        try:
            # An extra: only a service that listens pays for it.
            from sensors.registry.watching import Watching  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return Watching(
            self.name,
            desk,
            self.access,
            pattern=", ".join(self.subjects),
            matches=self.matches,
            every=self.every,
            baseline=self.baseline,
        )

    def schemas(self, patience: float = 10.0) -> AbstractAsyncContextManager[Decoder]:
        """What decodes payloads with this registry, connected for as long as the block lasts.

        Args:
            patience: how long an answer may take, in seconds.

        Raises: SensorRefused without the extra `registry`.
        """
        try:
            from sensors.registry.schemas import schemas_of  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return schemas_of(self.access, patience)

    def matches(self, subject: str) -> bool:
        """Whether a subject of this name is watched."""
        return any(fnmatchcase(subject, glob) for glob in self.subjects)

    def restore(self, raw: bytes) -> SchemaChanged:
        """The payload of a recorded event.

        Raises: SensorError if it is not one that this version reads.
        """
        try:
            return SchemaChanged.model_validate_json(raw)
        except ValidationError as error:
            raise SensorError(
                f"a payload cannot be read: {error.errors()[0]['msg']}", where=f"sensor {self.name}"
            ) from error

    def __str__(self) -> str:
        return self.name


def _missing(error: ModuleNotFoundError) -> SensorRefused:
    return SensorRefused(
        f"a schema registry needs {error.name}, which is not installed",
        hint="pip install 'reactor-orchestrator[registry]'",
    )
