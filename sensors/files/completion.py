"""When a file counts as complete.

A file that differs from the ledger is a *candidate* until it is complete; only then is it
announced. What is known of it: how each look came about (`Evidence`), for how long it stayed as it
is, and whether somebody has it open for writing.

Knows: candidates, the four policies, instants handed in. Refuses to know: the file system and the
clock (the two questions that need the file system are handed in as functions).

Laws: a file that is known to be open for writing is never complete, unless the policy is `stable`
or `marker`, which judge by other signs. A candidate that changes starts anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from posixpath import basename, dirname, join
from typing import Literal

from sensors.files.ledger import Look

Policy = Literal["auto", "rename", "stable", "marker"]

PATIENCE = 3600.0
"""Seconds after which a file that only seems to be open, and lies still, is taken as it is."""

_SOONEST = 0.1
"""Seconds between two looks at a candidate, at the least."""


class Evidence(IntEnum):
    """Why a file is looked at. The greater says more about how the file came to be as it is."""

    FOUND = 0
    """A scan came by, or it was time to look again."""
    STIRRED = 1
    """A watcher says that something about it changed."""
    CLOSED = 2
    """A process that had it open for writing closed it."""
    MOVED = 3
    """It was renamed into place."""


@dataclass(frozen=True, slots=True)
class Marker:
    """The name of the file that says that others are complete.

    With `{name}` it speaks for one file beside it (`{name}.done`), without for its folder's.
    """

    template: str

    def __post_init__(self) -> None:
        left = self.template.replace("{name}", "", 1)
        if not left or left in (".", "..") or set("{}/") & set(left):
            raise ValueError(
                f"{self.template!r} names no marker: give a file's name, such as '_SUCCESS', or"
                " one with {name} in it for a marker beside each file, such as '{name}.done'"
            )

    def beside(self, path: str) -> str:
        """The marker that speaks for the file at `path`."""
        return join(dirname(path), self.template.replace("{name}", basename(path), 1))

    def told(self, path: str) -> str | None:
        """What a marker at `path` speaks for: a file, or with a fixed name a folder; else None."""
        name = basename(path)
        front, found, back = self.template.partition("{name}")
        if not found:
            return dirname(path) if name == front else None
        if not fnmatchcase(name, "?*") or not (name.startswith(front) and name.endswith(back)):
            return None
        owner = name[len(front) : len(name) - len(back)]
        return join(dirname(path), owner) if owner else None

    @property
    def of_folder(self) -> bool:
        return "{name}" not in self.template


@dataclass(slots=True)
class _Candidate:
    """A file that is not complete yet: since when it is as it is, and when to look again.

    Instants are seconds of a monotonic clock; `came_ns` is when it says itself that it came.
    """

    identity: str
    inode: int
    came_ns: int
    since: float
    due: float = 0.0
    closed: bool = False
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Now:
    """The instant of a look, on both clocks; `trusted` if files are dated by the same machine."""

    monotonic: float
    wall_ns: int
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What must be asked about a file if the looks do not tell.

    `writer`: whether anybody has it open for writing; None if that cannot be found out.
    `heard_from`: since when (wall clock, ns) each closing in its folder is heard; None if they are
    not. `marker_ns`: the newest time of its marker; None if there is none.
    """

    writer: Callable[[str], bool | None]
    heard_from: Callable[[str], int | None]
    marker_ns: Callable[[str], int | None]


class Candidates:
    """All files that wait to be complete.

    Cost: a look O(log candidates).
    """

    def __init__(self, policy: Policy, stable: float, asked: Asked) -> None:
        self._policy = policy
        self._stable = stable
        self._asked = asked
        self._waiting: dict[str, _Candidate] = {}
        self._agenda: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest_ns(self) -> int | None:
        """When the first of them came. Cost: O(candidates)."""
        return min((one.came_ns for one in self._waiting.values()), default=None)

    def drop(self, path: str) -> None:
        """Forgets a candidate: it was announced, is gone, or is as the ledger has it."""
        self._waiting.pop(path, None)

    def due(self, now: float) -> list[str]:
        """The candidates to look at again."""
        found: list[str] = []
        while self._agenda and self._agenda[0][0] <= now:
            due, path = heapq.heappop(self._agenda)
            candidate = self._waiting.get(path)
            if candidate is not None and candidate.due == due:
                found.append(path)
        return found

    @property
    def next_due(self) -> float | None:
        """When the next one is due, or earlier."""
        return self._agenda[0][0] if self._agenda else None

    def complete(self, look: Look, evidence: Evidence, now: Now) -> bool:
        """Whether a file that differs from the ledger is complete; if so it is no longer kept."""
        if self._policy == "marker":
            marked = self._asked.marker_ns(look.path)
            return marked is not None and marked >= look.mtime_ns
        candidate = self._noted(look, evidence, now)
        if self._judged(candidate, look, now):
            del self._waiting[look.path]
            return True
        self._schedule(candidate, look.path, now.monotonic)
        return False

    def _noted(self, look: Look, evidence: Evidence, now: Now) -> _Candidate:
        known = self._waiting.get(look.path)
        if known is None or known.identity != look.identity:
            moved = known is not None and known.moved and known.inode == look.inode
            known = _Candidate(look.identity, look.inode, look.ctime_ns, now.monotonic, moved=moved)
            self._waiting[look.path] = known
        known.closed = known.closed or evidence is Evidence.CLOSED
        known.moved = known.moved or evidence is Evidence.MOVED
        return known

    def _schedule(self, candidate: _Candidate, path: str, now: float) -> None:
        quiet_at = candidate.since + self._stable
        candidate.due = max(now + _SOONEST, quiet_at if quiet_at > now else now + self._stable)
        heapq.heappush(self._agenda, (candidate.due, path))

    def _judged(self, candidate: _Candidate, look: Look, now: Now) -> bool:
        if self._policy == "stable":
            return self._quiet(candidate, look, now)
        if self._policy == "rename":
            return not self._asked.writer(look.path)
        ready = candidate.moved or self._quiet(candidate, look, now)
        return ready and not self._open(candidate, look, now)

    def _quiet(self, candidate: _Candidate, look: Look, now: Now) -> bool:
        """Whether the file stayed as it is for long enough: by two looks, or by its own times."""
        if now.monotonic - candidate.since >= self._stable:
            return True
        age_ns = now.wall_ns - max(look.mtime_ns, look.ctime_ns)
        return now.trusted and age_ns >= self._stable * 1e9

    def _open(self, candidate: _Candidate, look: Look, now: Now) -> bool:
        """Whether somebody is still writing, as far as anybody can tell.

        If the kernel does not say: a file last written (mtime and ctime are one instant; a rename
        or `touch` sets only ctime) since we hear closings, and not closed, is open.
        """
        writer = self._asked.writer(look.path)
        if writer is not None:
            return writer
        if candidate.closed or candidate.moved or not look.alone:
            return False
        heard_from = self._asked.heard_from(look.path)
        if heard_from is None or look.mtime_ns != look.ctime_ns or look.mtime_ns <= heard_from:
            return False
        return now.monotonic - candidate.since < PATIENCE
