"""A file sensor at work: waits for its root, keeps the ledger, hands on what arrived."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from posixpath import dirname

import anyio
import anyio.to_thread

from reactor.core.event import Event
from reactor.ports import Batch, Desk, Move
from sensors.files.arrivals import FileArrivals
from sensors.files.completion import Asked, Candidates, Marker
from sensors.files.file import File, event_id, file_event, instant
from sensors.files.hints import Hints
from sensors.files.inspection import Findings, Inspection, RootLost
from sensors.files.ledger import Change, Ledger, Look, parsed
from sensors.files.listening import Hearing, Listening
from sensors.files.mount import silent_filesystem
from sensors.files.pattern import ignorer
from sensors.files.session import Session, Told
from sensors.files.spelling import spelled, unspelled
from sensors.files.tree import FolderId, Tree, said
from sensors.files.writer import open_for_writing

START = "."
"""The part of the position that says how the first start went: `ready`, or `baseline` and the
instant (ns) before which files are noted and not announced. No file's path is equal to it."""

_READY = "ready"
_BATCH, _AT_ONCE = 1000, 50
_ROOT_EVERY, _UNREAD_EVERY = 0.5, 1.0
_ASIDES = 10_000
_TICK_NS = 20_000_000
"""How far behind the clock a file may be dated: the kernel takes the time of its last tick."""


class RunningFiles:
    """What `FileArrivals.open` returns. `hearing` narrows down what is listened with."""

    def __init__(self, value: FileArrivals, desk: Desk, hearing: Hearing | None = None) -> None:
        pattern = value.parsed()
        self._value = value
        self._desk = desk
        self._hearing = hearing or Hearing(value.scan_every.total_seconds(), value.polling)
        self._tree = Tree(
            os.getcwd() if pattern.root == "." else os.path.join(os.getcwd(), pattern.root),
            pattern,
            ignorer(value.ignore, pattern),
            value.follow_symlinks,
            Marker(value.marker) if value.policy == "marker" else None,
        )
        rows = {part: identity for part, identity in desk.positions.items() if part != START}
        self._ledger = Ledger(rows, moved="moved" in value.events)
        self._start = desk.positions.get(START)
        asked = Asked(self._writer, self._heard_from, self._marker_ns)
        self._candidates = Candidates(value.policy, value.stable.total_seconds(), asked)
        self._listening: Listening | None = None
        self._inspection: Inspection | None = None
        self._asides: set[tuple[str, str]] = set()
        self._unread, self._was_unread = "", False
        self._up: tuple[bool, str] | None = None
        self._read_ns: int | None = None

    async def run(self) -> None:
        """Offers what arrives, until cancelled."""
        if self._start is None:
            baseline = f"baseline {time.time_ns()}"
            await self._started(baseline if self._value.existing == "baseline" else _READY)
        while True:
            await self._root_is_there()
            await self._listen()

    async def recorded(self, batch: Batch) -> None:
        """Nothing: the ledger follows what was offered."""

    async def _root_is_there(self) -> None:
        while True:
            try:
                await anyio.to_thread.run_sync(self._tree.identity, abandon_on_cancel=True)
                return
            except OSError as error:
                self._say(False, f"{self._tree.root}: {said(error)}")
            if self._start != _READY:
                await self._started(_READY)  # nothing was there
            await anyio.sleep(_ROOT_EVERY)

    async def _listen(self) -> None:
        """Works until the root is lost."""
        try:
            root, silent = await anyio.to_thread.run_sync(self._root, abandon_on_cancel=True)
        except OSError:
            return
        listening = self._listening = Listening(self._tree, self._hearing, silent, self._desk.log)
        inspection = self._inspection = Inspection(
            self._tree,
            self._ledger,
            self._candidates,
            root,
            trusted=silent is None,
            arm=listening.arm,
        )
        if self._start != _READY:
            inspection.baseline_ns = int((self._start or "").partition(" ")[2])
        hints = Hints(self._tree)
        session = Session(inspection, hints, Told(self._found, self._scanned, self._idle))
        self._say(True, listening.why)
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                listening.start(group, hints)
                try:
                    await session.run()
                except RootLost:
                    self._desk.log.info("the watched folder is another", root=self._tree.root)
                # Raised again as it is, outside of the group that would wrap it.
                except Exception as error:  # noqa: BLE001
                    failure = error
                group.cancel_scope.cancel()
        finally:
            listening.close()
        if failure is not None:
            raise failure

    def _root(self) -> tuple[FolderId, str | None]:
        return self._tree.identity(), silent_filesystem(self._tree.root)

    async def _started(self, start: str) -> None:
        """Records how far the first start has come."""
        move = Move(START, self._start, start)
        await self._desk.offer(Batch(self._value.name, moves=(move,)))
        self._start = start

    async def _found(self, findings: Findings) -> None:
        for path, why in findings.asides:
            self._set_aside(path, why)
        changes = sorted(findings.changes, key=_order)
        for at in range(0, len(changes), _BATCH):
            part = changes[at : at + _BATCH]
            batch = (
                await anyio.to_thread.run_sync(self._batch, part)
                if len(part) > _AT_ONCE or self._tree.marker is not None
                else self._batch(part)
            )
            if len(changes) > _BATCH and batch.events:
                age = self._desk.clock.now() - batch.events[-1].time
                self._desk.lag(max(age.total_seconds(), 0.0))
            await self._desk.offer(batch)
            self._ledger.apply(part)

    async def _scanned(self, took: float) -> float:
        listening, inspection = self._listening, self._inspection
        if listening is None or inspection is None:
            raise RootLost
        if self._unread:
            self._unread, self._was_unread = "", True
            return min(_UNREAD_EVERY, listening.interval(took))
        if self._start != _READY:
            inspection.baseline_ns = None
            await self._started(_READY)
        if self._was_unread:
            # Nothing could listen to it while it was shut: begin anew.
            self._was_unread = False
            raise RootLost
        self._say(True, listening.why)
        return listening.interval(took)

    def _idle(self, heard_ns: int | None, scanned_ns: int | None) -> None:
        self._desk.lag(0.0)
        listening = self._listening
        read_ns = heard_ns if listening is not None and listening.heard else scanned_ns
        if read_ns is None or read_ns == self._read_ns or not (self._up and self._up[0]):
            return
        self._read_ns = read_ns
        oldest_ns = self._candidates.oldest_ns
        upto_ns = read_ns if oldest_ns is None else min(read_ns, oldest_ns)
        self._desk.reached(instant(upto_ns - _TICK_NS))

    def _batch(self, changes: Sequence[Change]) -> Batch:
        # An id may come again: a file that was moved away and back is the same one.
        return Batch(
            self._value.name,
            tuple(self._events(changes)),
            tuple(move for change in changes for move in change.moves),
            repeats=True,
        )

    def _events(self, changes: Sequence[Change]) -> Iterator[Event]:
        at = self._desk.clock.now()
        root = spelled(self._tree.root)
        for change in changes:
            identity = change.after or change.before
            if change.silent or change.what not in self._value.events or identity is None:
                continue
            inode, size, mtime_ns = parsed(identity)
            file = File(
                path=self._written(change.path),
                size=size,
                mtime=instant(mtime_ns),
                inode=inode,
                previous=None if change.previous is None else self._written(change.previous),
            )
            time = instant(self._came_ns(change.look)) if change.look else at
            id = event_id(root, change.path, identity, change.what)
            yield file_event(self._value.name, id, change.what, file, time, at)

    def _came_ns(self, look: Look) -> int:
        """When a file came. ctime tells: neither `cp -p` nor a rename carries it along. One that
        waited for its marker came with that."""
        return max(look.ctime_ns, self._marker_ns(look.path) or 0)

    def _written(self, path: str) -> str:
        """The path as the pattern is written."""
        return spelled(self._tree.pattern.written(unspelled(path)))

    def _set_aside(self, path: str, why: str) -> None:
        if not path:
            self._unread = why
            self._say(False, f"{self._tree.root}: {why}")
        elif (path, why) not in self._asides and len(self._asides) < _ASIDES:
            self._asides.add((path, why))
            self._desk.log.warning("a path is set aside", path=spelled(path), why=why)

    def _say(self, well: bool, why: str) -> None:
        if (well, why) == self._up:
            return
        self._up = well, why
        self._desk.up(well, why)
        if not well:
            self._desk.log.warning("the watched folder cannot be reached", why=why)

    def _writer(self, path: str) -> bool | None:
        if self._listening is None or self._listening.silent:
            return None
        return open_for_writing(self._tree.path(unspelled(path)))

    def _heard_from(self, path: str) -> int | None:
        if self._listening is None:
            return None
        return self._listening.since(dirname(unspelled(path)))

    def _marker_ns(self, path: str) -> int | None:
        marker = self._tree.marker
        return None if marker is None else self._tree.newest_ns(marker.beside(unspelled(path)))


def _order(change: Change) -> tuple[bool, int, str]:
    """By the instant they came; what is gone comes last."""
    return change.look is None, change.look.ctime_ns if change.look else 0, change.path
