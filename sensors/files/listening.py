"""Everything that listens to one root, and how often it must be scanned besides."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from anyio.abc import TaskGroup

from reactor.ports import Log
from sensors.files.closings import Closings
from sensors.files.hints import Hints
from sensors.files.stirrings import Stirrings
from sensors.files.tree import Tree, said

_POLL = 1.0
"""Seconds between two scans where nothing is heard, at the least."""

_REST, _REST_UNHEARD = 20, 4
"""After a scan nothing is scanned for so many times as long as it took."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What may be listened with. `polling`: True: with nothing; False: even on a network file
    system; None: as the file system is. Scans recur every `scan_every` seconds, or more often where
    nothing is heard. `closings`: whether inotify may be used."""

    scan_every: float
    polling: bool | None = None
    closings: bool = True


class Listening:
    """The listeners of one root.

    `silent` is the kind of file system if it does not say what other machines do; files there are
    dated by another clock, and nobody here knows who writes them. `why` says why scans have to do
    alone, if they have.
    """

    def __init__(self, tree: Tree, hearing: Hearing, silent: str | None, log: Log) -> None:
        self._hearing = hearing
        self._log = log
        self._closings: Closings | None = None
        self._stirrings: Stirrings | None = None
        self.silent = silent
        self.why = ""
        if hearing.polling:
            self.why = "scans only, as its polling= says"
        elif silent and hearing.polling is None:
            self.why = f"scans only: {silent} does not say what other machines change"
            log.warning("files are scanned, not watched", root=tree.root, filesystem=silent)
        else:
            self._closings = self._opened(tree) if hearing.closings else None
            if self._closings is None or not tree.pattern.deep:
                self._stirrings = Stirrings(tree, log, alone=self._closings is None)

    def start(self, group: TaskGroup, hints: Hints) -> None:
        """Listens in the background until the group is cancelled."""
        for listener in (self._closings, self._stirrings):
            if listener is not None:
                group.start_soon(listener.listen, hints)

    def arm(self, folder: str, path: str) -> None:
        """Hears the closings in a folder, if it can. Any thread."""
        if self._closings is None:
            return
        try:
            self._closings.arm(folder, path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES) or self.why:
                return
            self.why = f"folders cannot be watched: {said(error)}"
            hint = "raise fs.inotify.max_user_watches" if error.errno == errno.ENOSPC else ""
            self._log.warning("files are scanned, not watched", why=self.why, hint=hint)

    def since(self, folder: str) -> int | None:
        """Since when (wall clock, ns) each closing in a folder is heard; None if they are not."""
        return self._closings.since(folder) if self._closings is not None else None

    @property
    def heard(self) -> bool:
        """Whether watchers tell what happens, so that scans only make sure of it."""
        stirred = self._stirrings is not None and self._stirrings.well
        return not self.why and (self._closings is not None or stirred)

    def interval(self, took: float) -> float:
        """Seconds until the next scan, after one that took so long."""
        if self.heard:
            return max(self._hearing.scan_every, _REST * took)
        return max(min(self._hearing.scan_every, _POLL), _REST_UNHEARD * took)

    def close(self) -> None:
        """Ends what listens."""
        if self._closings is not None:
            self._closings.close()

    def _opened(self, tree: Tree) -> Closings | None:
        try:
            return Closings()
        except OSError as error:
            if error.errno != errno.ENOSYS:
                self._log.warning(
                    "closings are not heard: files count as complete when they lie still",
                    root=tree.root,
                    why=said(error),
                    hint="raise fs.inotify.max_user_instances",
                )
            return None
