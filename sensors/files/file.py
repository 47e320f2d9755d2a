"""A file as an event sees it, and the events themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Literal

from pydantic import BaseModel, ConfigDict

from reactor.core.event import Event
from sensors.files.spelling import unspelled

What = Literal["created", "changed", "deleted", "moved"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = (
    int((limit - _EPOCH).total_seconds()) * 1_000_000_000
    for limit in (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
)


class File(BaseModel):
    """The payload of a file event: what was seen of the file. `open(event.data)` opens it.

    `path` is what the pattern's folder and the file's name make, "/" between them; a name that is
    not UTF-8 is spelled as sensors/files/spelling.py says. A deleted file has the size and time
    that were last seen. `previous` is the path that a moved file came from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    size: int
    mtime: datetime
    inode: int
    previous: str | None = None

    def __fspath__(self) -> str:
        return unspelled(self.path)


def instant(ns: int) -> datetime:
    """Nanoseconds since 1970 as an instant, within what an instant can be."""
    return _EPOCH + timedelta(microseconds=min(max(ns, _FIRST), _LAST) // 1000)


def event_id(root: str, path: str, identity: str, what: What) -> str:
    """The id of an event: the same for the same file in the same state, for ever.

    Source: the identity of a file is (root, path, inode, size, mtime_ns).
    """
    parts = (root, path, identity, *(["deleted"] if what == "deleted" else []))
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def file_event(source: str, id: str, what: What, file: File, time: datetime, at: datetime) -> Event:
    """The event that says so; `time` in the future (another machine's clock) counts as `at`."""
    return Event(
        id=id,
        source=source,
        type=f"file.{what}",
        subject=file.path,
        time=min(time, at),
        received=at,
        data=file,
        raw=file.model_dump_json().encode(),
    )
