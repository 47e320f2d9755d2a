"""Where to listen for files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar, Literal, get_args

from reactor.core.duration import Duration, duration
from reactor.core.event import Event
from reactor.core.trigger.expression import Source
from reactor.ports import Desk, RunningSensor
from sensors.files.completion import Marker, Policy
from sensors.files.file import File, What, event_id, file_event
from sensors.files.pattern import Pattern, pattern_of

Existing = Literal["arrive", "baseline"]

PARTIAL = ("*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.swp", "*~", ".*", "_*")
"""The names that programs give to what is not finished, or not meant to be seen."""

_tests = count(1)


@dataclass(frozen=True, slots=True, init=False)
class FileArrivals(Source):
    """Files that arrive, whole: `FileArrivals("inbox/*.csv")`.

    Each file is announced once as it is (`file.created`), and again whenever it is another
    (`file.changed`); also, if asked, `file.deleted` and `file.moved`. What a file is: its path,
    inode, size and modification time. The subject of an event is the path, its payload a `File`.

    Args:
        pattern: as `pathlib` understands it, `**` for any number of folders. The folders before the
            first wildcard are watched; a relative one is relative to the working directory of the
            service. It need not exist yet.
        existing: whether files that are there at the very first start arrive, or are only noted.
        complete: when a file counts. "auto": at once if it was renamed into place, else when nobody
            has it open for writing and it lay still for `stable` (so too where nobody tells that
            it was renamed: outside of Linux, or with scans only). "rename": as soon as it is there
            under its name, and not open for writing. "stable": when it lay still for `stable`,
            open or not. "marker": when `marker` is there and not older than the file.
        marker: the name of the marker: with `{name}` one beside each file, else one for its folder.
        stable: how long size and modification time must stay as they are.
        scan_every: how often everything is compared with what is known, whatever the watchers say.
        events: which of created, changed, deleted, moved are announced. Without "moved", a file
            that moved was deleted in one place and created in another.
        ignore: patterns of file and folder names that never count; those that also match a name in
            `pattern` are not applied.
        follow_symlinks: whether symbolic links count as what they lead to, in the folder or not.
        polling: True: only scans, None: only scans where the file system (NFS, SMB, FUSE ...) does
            not report what other machines do, False: never only scans.

    Restart: what came meanwhile is found by the first scan. Nothing is announced twice: the event's
    id is the file's identity, and the ledger of what is known is the sensor's position.
    Cost: a scan some 10 us a file; one entry of the ledger a file.
    """

    pattern: str
    existing: Existing
    policy: Policy
    marker: str
    stable: timedelta
    scan_every: timedelta
    events: tuple[What, ...]
    ignore: tuple[str, ...]
    follow_symlinks: bool
    polling: bool | None
    name: str

    kind: ClassVar[str] = "files"
    model: ClassVar[Any] = File

    def __init__(
        self,
        pattern: str | os.PathLike[str],
        *,
        existing: Existing = "arrive",
        complete: Policy = "auto",
        marker: str = "{name}.done",
        stable: Duration = "2s",
        scan_every: Duration = "60s",
        events: Sequence[What] = ("created", "changed"),
        ignore: Sequence[str] = PARTIAL,
        follow_symlinks: bool = False,
        polling: bool | None = None,
        name: str | None = None,
    ) -> None:
        parsed = pattern_of(os.fspath(pattern))
        given: dict[str, Any] = {
            "pattern": parsed.text,
            "existing": _one_of("existing", existing, get_args(Existing)),
            "policy": _one_of("complete", complete, get_args(Policy)),
            "marker": Marker(marker).template,
            "stable": duration(stable),
            "scan_every": _positive("scan_every", scan_every),
            "events": tuple(one for one in get_args(What) if one in _events(events)),
            "ignore": (ignore,) if isinstance(ignore, str) else tuple(ignore),
            "follow_symlinks": follow_symlinks,
            "polling": polling,
            "name": name or parsed.called,
        }
        for field in fields(self):
            object.__setattr__(self, field.name, given[field.name])

    @property
    def address(self) -> str:
        return self.pattern

    def __str__(self) -> str:
        return self.name

    def parsed(self) -> Pattern:
        """The pattern, compiled."""
        return pattern_of(self.pattern)

    def open(self, desk: Desk) -> RunningSensor:
        """A sensor that goes on from `desk.positions`."""
        # watchfiles takes longer to import than the rest: only a service that listens pays for it.
        from sensors.files.running import RunningFiles  # noqa: PLC0415

        return RunningFiles(self, desk)

    def restore(self, raw: bytes) -> File:
        """The payload that was recorded as `raw`."""
        return File.model_validate_json(raw)

    def event(
        self,
        path: str | os.PathLike[str] | Mapping[str, Any],
        /,
        *,
        what: What = "created",
        time: datetime | None = None,
        **about: Any,
    ) -> Event:
        """An event as it would arrive, for tests: `inbox.event("inbox/a.csv", size=12)`.

        The path is written as the pattern is; or give the payload as one mapping, or more of its
        fields as keywords. Without an inode each event is of another file. Nothing is looked up.

        Raises: ValueError if the pattern does not mean the path, or a field does not fit.
        """
        about = (
            {**path, **about} if isinstance(path, Mapping) else {"path": os.fspath(path), **about}
        )
        return self._event(_one_of("what", what, get_args(What)), time, about)

    def _event(self, what: What, time: datetime | None, about: dict[str, Any]) -> Event:
        pattern, path = self.parsed(), str(about.pop("path", ""))
        inside = pattern.within(path)
        if inside is None or not pattern.matches(inside):
            raise ValueError(f"{path!r} is no path that {self.pattern!r} means")
        at = time or datetime.now(UTC)
        file = File(
            **{"size": 0, "mtime": at, "inode": next(_tests), **about},
            path=pattern.written(inside),
        )
        mtime_us = round(file.mtime.timestamp() * 1_000_000)
        identity = f"{file.inode:x}.{file.size:x}.{mtime_us * 1000:x}"
        id = event_id(pattern.root, inside, identity, what)
        return file_event(self.name, id, what, file, at, at)


def _one_of(what: str, value: Any, known: Sequence[str]) -> Any:
    if value not in known:
        raise ValueError(f"{what} is {', '.join(known[:-1])} or {known[-1]}, not {value!r}")
    return value


def _positive(what: str, value: Duration) -> timedelta:
    length = duration(value)
    if not length:
        raise ValueError(f"{what} is zero: it must take some time")
    return length


def _events(events: Sequence[str]) -> set[str]:
    names = (events,) if isinstance(events, str) else events
    found = {str(_one_of("an event", name, get_args(What))) for name in names}
    if not found:
        raise ValueError("events is empty: nothing would ever be announced")
    return found
