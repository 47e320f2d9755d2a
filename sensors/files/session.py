"""The loop of a file sensor while its root is there: hints first, then a slice of a scan."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import anyio

from sensors.files.agenda import Agenda
from sensors.files.completion import Evidence
from sensors.files.hints import Hints
from sensors.files.inspection import Findings, Inspection, RootLost
from sensors.files.spelling import unspelled
from sensors.files.walk import SLICE

_AGAIN = 0.5
"""Seconds until a new folder is scanned once more: no watcher was there when it was filled."""

_ROOT_EVERY = 1.0
"""Seconds between two looks at the root: nobody says that something was mounted over it."""

_HEARD_NS = 700_000_000
"""A watcher passes on what happened within this time, as long as the event loop is not held up."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """Where a session reports to.

    `found` hands on what an inspection found; `scanned` is told of each whole scan and how many
    seconds it took, and answers in how many the next is due; `idle` that nothing is left to do, and
    up to when (wall clock, ns) all was seen that watchers tell, and that scans find.
    """

    found: Callable[[Findings], Awaitable[None]]
    scanned: Callable[[float], Awaitable[float]]
    idle: Callable[[int | None, int | None], None]


@dataclass(slots=True)
class _Scan:
    folder: str
    slices: Iterator[Findings]
    gentle: bool
    begun_ns: int
    took: float = 0.0
    rests_until: float = 0.0


class Session:
    """One sensor at work on one root. Inspections run in a thread, one at a time."""

    def __init__(self, inspection: Inspection, hints: Hints, told: Told) -> None:
        self._inspection = inspection
        self._hints = hints
        self._told = told
        self._agenda = Agenda()
        self._scan: _Scan | None = None
        self._regular_at: float | None = None
        self._rested_ns: int | None = None
        self._heard_ns: int | None = None
        self._scanned_ns: int | None = None
        self._thread = anyio.CapacityLimiter(1)

    async def run(self) -> None:
        """Goes on until cancelled.

        Raises: RootLost, and whatever handing on raises.
        """
        self._agenda.want("", time.monotonic())
        while True:
            begun_ns = time.time_ns()
            attended = await self._attend()
            scanned = await self._scan_on()
            if not (attended or scanned):
                self._hear(begun_ns)
                await self._rest()

    async def _attend(self) -> bool:
        """Looks at what was hinted at, and at the candidates that are due."""
        now = time.monotonic()
        files = {unspelled(path): Evidence.FOUND for path in self._inspection.candidates.due(now)}
        hinted = self._hints.take() if self._hints else None
        if hinted is not None:
            if hinted.lost:
                raise RootLost
            files.update(hinted.files)
            self._want_folders(hinted.folders)
            if hinted.everything:
                self._agenda.want("", now)
        paths = list(files)
        for at in range(0, len(paths), SLICE):
            part = {path: files[path] for path in paths[at : at + SLICE]}
            await self._hand_on(await self._blocking(self._inspection.look_at, part))
        return hinted is not None or bool(paths)

    async def _scan_on(self) -> bool:
        """Takes one slice of the scan that is under way, or begins the next."""
        scan = self._scan or self._begin()
        if scan is None or scan.rests_until > time.monotonic():
            return False
        self._scan = scan
        begun = time.monotonic()
        findings = await self._blocking(_next, scan.slices)
        took = time.monotonic() - begun
        scan.took += took
        # The regular scan is in no hurry: it leaves half of its time to others.
        scan.rests_until = time.monotonic() + took if scan.gentle else 0.0
        if findings is not None:
            await self._hand_on(findings)
            return True
        self._scan = None
        if not scan.folder:
            self._scanned_ns = scan.begun_ns
            self._regular_at = time.monotonic() + await self._told.scanned(scan.took)
        return True

    def _begin(self) -> _Scan | None:
        now = time.monotonic()
        folder = self._agenda.take(now)
        if folder is not None:
            return _Scan(folder, self._inspection.scan(folder), False, time.time_ns())
        if self._regular_at is not None and self._regular_at <= now:
            return _Scan("", self._inspection.scan(""), True, time.time_ns())
        return None

    async def _hand_on(self, findings: Findings) -> None:
        self._want_folders(findings.folders)
        if findings.changes or findings.asides:
            await self._told.found(findings)

    def _want_folders(self, folders: Iterable[str]) -> None:
        now = time.monotonic()
        for folder in folders:
            self._agenda.want(folder, now)
            self._agenda.want(folder, now + _AGAIN)

    def _hear(self, now_ns: int) -> None:
        """Nothing is left of what the watchers told: by now that is all that they could tell when
        it was so a while ago, and we waited since."""
        if self._agenda.next_at is not None:
            return
        rested_ns = self._rested_ns
        if rested_ns is None or now_ns < rested_ns:
            self._rested_ns = now_ns
        elif now_ns - rested_ns >= _HEARD_NS:
            self._heard_ns, self._rested_ns = rested_ns, now_ns

    async def _rest(self) -> None:
        """Waits for a hint, or for the next thing that is due."""
        if self._scan is not None:
            dues = [self._scan.rests_until]
        else:
            self._told.idle(self._heard_ns, self._scanned_ns)
            dues = [at for at in (self._agenda.next_at, self._regular_at) if at is not None]
        due = self._inspection.candidates.next_due
        until = min(dues if due is None else [*dues, due], default=None)
        left = _ROOT_EVERY if until is None else max(until - time.monotonic(), 0.0)
        with anyio.move_on_after(min(left, _ROOT_EVERY)):
            await self._hints.wait()
            return
        if left > _ROOT_EVERY:
            await self._blocking(_check, self._inspection)

    async def _blocking(self, call: Callable[..., T], argument: object) -> T:
        return await anyio.to_thread.run_sync(
            call, argument, abandon_on_cancel=True, limiter=self._thread
        )


def _check(inspection: Inspection) -> None:
    inspection.check_root()


def _next(slices: Iterator[Findings]) -> Findings | None:
    return next(slices, None)
