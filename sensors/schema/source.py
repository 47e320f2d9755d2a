"""`SchemaChanges`: says whose schema to watch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, ClassVar, Literal

from pydantic import ValidationError

from reactor.core.duration import Duration, duration, spoken
from reactor.core.errors import SensorError
from reactor.core.event import Event
from reactor.core.trigger.expression import Source
from reactor.ports import Desk
from reactor.sql.database import database_of
from sensors.schema.address import parsed
from sensors.schema.file import Files
from sensors.schema.imagine import imagined
from sensors.schema.ledger import Baseline
from sensors.schema.pattern import Tables
from sensors.schema.payload import SchemaChanged, changed
from sensors.schema.watch import Ear, Eye, Watching

Notify = Literal["auto"] | bool

_SHORTEST = timedelta(milliseconds=10)
_LOOKS_A_CHECK = 60
"""After how many looks the listener makes sure that the event trigger is there."""
_LONGEST_CHECK_SECONDS = 60.0
_tests = count()


@dataclass(frozen=True, slots=True, init=False)
class SchemaChanges(Source):
    """Every change of a table's shape, in a database or in files; one event a table and change.

    `SchemaChanges("postgresql://localhost/shop", tables="sales.*")` watches a database: anything
    that begins with a URL scheme, `sqlite:///shop.db` too. PostgreSQL is read through psycopg (the
    extra `postgres`); others work through their SQLAlchemy dialect. Views are not watched.

    `SchemaChanges("lake/raw/*.parquet")` watches files: CSV, TSV, JSON lines and Parquet (the extra
    `parquet`), each file a table of its own; `**` is any number of folders. Types in CSV and JSON
    lines are what the first thousand rows show (sensors/schema/text.py).

    The first look records the tables that are there and fires nothing, unless `baseline` is
    `announce`; later ones fire what changed. A changed `tables` records newly matched ones
    likewise. The event's subject is the table (`sales.orders`, in SQLite `orders`) or path; its
    data is a `SchemaChanged`.

    Args:
        target: a database URL or a path pattern.
        tables: a glob over `schema.table`, or several; without a dot, of the default schema.
        every: how often to look; a change is seen within this and the time of one look.
        baseline: what the first look does: `record` or `announce`.
        notify: whether to listen for changes, too, and to look at once: in PostgreSQL, where
            `reactor sensors install` put an event trigger. `auto` listens if it is there; `True`
            counts its absence as being down; `False` only polls.
        name: what the sensor is called; else the database, or the last fixed folder.

    Raises: ValueError for what cannot be watched.
    Restart: a change made while we were down is one event, however many steps it had.
    Cost: with SQLite and PostgreSQL one cheap query a look while nothing changes; with files a stat
    each.
    """

    kind: ClassVar[str] = "schema"
    model: ClassVar[Any] = SchemaChanged

    target: str = field(repr=False)
    tables: tuple[str, ...]
    every: timedelta
    baseline: Baseline
    notify: Notify
    name: str

    def __init__(
        self,
        target: str,
        tables: str | Sequence[str] = "*",
        every: Duration = "1s",
        baseline: Baseline = "record",
        notify: Notify = "auto",
        name: str | None = None,
    ) -> None:
        globs = (tables,) if isinstance(tables, str) else tuple(tables)
        if not globs or not all(globs):
            raise ValueError(f"tables is a glob such as 'public.*', not {tables!r}")
        if baseline not in ("record", "announce"):
            raise ValueError(f"baseline is record or announce, not {baseline!r}")
        interval = duration(every)
        if interval < _SHORTEST:
            raise ValueError(f"looking every {spoken(interval)} is too often")
        address = parsed(target)
        if not address.database and globs != ("*",):
            raise ValueError(f"tables= is for databases; {target!r} is a path pattern")
        if notify not in ("auto", True, False):
            raise ValueError(f"notify is auto, True or False, not {notify!r}")
        if notify is True and not address.postgres:
            raise ValueError("notify=True is for PostgreSQL; the rest is polled")
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "tables", globs)
        object.__setattr__(self, "every", interval)
        object.__setattr__(self, "baseline", baseline)
        object.__setattr__(self, "notify", notify)
        object.__setattr__(self, "name", name or address.name)

    @property
    def address(self) -> str:
        """The URL without user, password and options, or the path pattern."""
        return parsed(self.target).text

    @property
    def database(self) -> str:
        """Which database it watches, links to its file followed; empty for files."""
        return database_of(self.target)

    def event(self, table: str | Mapping[str, Any] | None = None, /, **changes: Any) -> Event:
        """A test event: `tables.event("public.orders", removed="amount", added=["total"])`.

        Args:
            table: the table or path; or one mapping that says all.
            changes: `removed`, `added`, `retyped`, `nullable` name columns; `renamed` maps old
                names to new; `created`, `dropped` are true or false; `renamed_to` is a table's
                new name; `changes` lists `Change`s exactly. A whole
                `SchemaChanged`, as fields, will do as well.

        Raises: ValueError if no change is described.
        """
        fields = dict(table) if isinstance(table, Mapping) else {}
        if isinstance(table, str):
            fields["table"] = table
        payload = imagined({**fields, **changes})
        id = "" if payload.revision else f"{payload.table}@test/{next(_tests)}"
        return changed(self.name, payload, datetime.now(UTC), id)

    def open(self, desk: Desk) -> Watching:
        """The running sensor. Raises SensorRefused from its `run` if a driver is not installed."""
        if not parsed(self.target).database:
            return self._watching(desk, partial(Files, self.target, desk.log), self.target)
        # SQLAlchemy takes longer to import than the rest: only who listens to a database pays.
        from sensors.schema.database import Database, catalogue  # noqa: PLC0415
        from sensors.schema.listener import Listener  # noqa: PLC0415
        from sensors.schema.postgres import Postgres  # noqa: PLC0415

        tables = Tables(self.tables)
        found = catalogue(self.target, tables)
        eye = partial(Database, found, desk.log)
        ear: Ear | None = None
        if self.notify and isinstance(found, Postgres):
            check = min(_LOOKS_A_CHECK * self.every.total_seconds(), _LONGEST_CHECK_SECONDS)
            ear = Listener(found, desk.log, check)
        return self._watching(desk, eye, str(tables), ear)

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

    def _watching(
        self, desk: Desk, eye: Callable[[], Eye], pattern: str, ear: Ear | None = None
    ) -> Watching:
        return Watching(
            self.name,
            desk,
            eye,
            pattern=pattern,
            every=self.every,
            baseline=self.baseline,
            ear=ear,
            must=self.notify is True,
        )
