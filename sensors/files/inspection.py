"""Compares the tree with the ledger: what hints point at, or all of it.

Knows: the ledger, the candidates, and which folders were entered. Every method blocks and is called
in a thread, one at a time; the event loop hands on what was found and applies it to the ledger
before the next.

Law: a file is gone only if a look at its own path says so. That a walk did not see it says nothing
(its folder may be unreadable), nor does a hint.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from posixpath import basename, dirname

from sensors.files.completion import Candidates, Evidence, Now
from sensors.files.ledger import Change, Ledger, Look
from sensors.files.spelling import spelled, unspelled
from sensors.files.tree import ABSENT, FolderId, Sight, Tree, said
from sensors.files.walk import SLICE, Visit, walk


class RootLost(Exception):
    """The root is gone, or another folder than before: nothing can be said about what it held."""


@dataclass(slots=True)
class Findings:
    """What one inspection found: changes to announce, folders to scan, paths that are set aside."""

    changes: list[Change] = field(default_factory=lambda: [])
    folders: list[str] = field(default_factory=lambda: [])
    asides: list[tuple[str, str]] = field(default_factory=lambda: [])


class Inspection:
    """One sensor's view of its tree, as long as its root is the folder `root`.

    `arm` is called with each folder (relative, absolute) before it is listed. `baseline_ns` is set
    while what was there before that instant is recorded and not announced.
    """

    def __init__(
        self,
        tree: Tree,
        ledger: Ledger,
        candidates: Candidates,
        root: FolderId,
        *,
        trusted: bool = True,
        arm: Callable[[str, str], None] = lambda folder, path: None,
    ) -> None:
        self.tree = tree
        self.ledger = ledger
        self.candidates = candidates
        self.baseline_ns: int | None = None
        self._trusted = trusted
        self._arm = arm
        self._root = root
        self._entered: set[str] = set()
        self._homes: dict[FolderId, str] = {}

    def look_at(self, files: Mapping[str, Evidence]) -> Findings:
        """Looks at single paths, each with the reason why.

        Raises: RootLost.
        """
        findings = Findings()
        seen: list[tuple[Look, Evidence]] = []
        gone: list[str] = []
        for hinted, evidence in files.items():
            path = self._home(hinted, findings)
            if path is None:
                continue
            try:
                sight = self.tree.look(path)
            except OSError as error:
                findings.asides.append((path, said(error)))
                continue
            if isinstance(sight, Look):
                seen.append((sight, evidence))
            else:
                gone.append(spelled(path))
                self._not_a_file(path, sight, findings)
        return self._weighed(seen, gone, findings)

    def scan(self, start: str) -> Iterator[Findings]:
        """Walks over `start` and beneath, a slice at a time; at last, what the walk did not see.

        Raises: RootLost.
        """
        start = "" if self.tree.follow else start
        seen: set[str] = set()
        homes: dict[FolderId, str] = {}
        asides: list[tuple[str, str]] = []
        visit = Visit(
            lambda folder, identity: self._enter(folder, identity, homes),
            lambda path, why: asides.append((path, why)),
        )
        for looks in walk(self.tree, start, visit):
            seen.update(look.path for look in looks)
            found = Findings(asides=list(asides))
            asides.clear()
            yield self._weighed([(look, Evidence.FOUND) for look in looks], [], found)
        self._left(start, homes)
        unseen = [path for path in self.ledger.beneath(spelled(start)) if path not in seen]
        for at in range(0, len(unseen), SLICE):
            gone = [path for path in unseen[at : at + SLICE] if self._gone(path)]
            yield self._weighed([], gone, Findings())

    def check_root(self) -> None:
        """Looks whether the root is still the same folder.

        Raises: RootLost if it is not.
        """
        try:
            same = self.tree.identity() == self._root
        except OSError:
            same = False
        if not same:
            raise RootLost

    def _weighed(
        self, seen: Iterable[tuple[Look, Evidence]], gone: list[str], findings: Findings
    ) -> Findings:
        """Adds the changes that count: of complete files, and of those that are gone."""
        now = Now(time.monotonic(), time.time_ns(), self._trusted)
        complete: list[Look] = []
        kept: list[Look] = []
        for look, evidence in seen:
            before = self.ledger.get(look.path)
            if before == look.identity:
                self.candidates.drop(look.path)
            elif self._of_baseline(look, before):
                kept.append(look)
            elif self._came_from(look, gone) or self.candidates.complete(look, evidence, now):
                complete.append(look)
                self.candidates.drop(look.path)
        for path in gone:
            self.candidates.drop(path)
        silent = [replace(one, silent=True) for one in self.ledger.differences(kept, ())]
        findings.changes = silent + self.ledger.differences(complete, gone)
        self.check_root()
        return findings

    def _of_baseline(self, look: Look, before: str | None) -> bool:
        return self.baseline_ns is not None and before is None and look.ctime_ns <= self.baseline_ns

    def _came_from(self, look: Look, gone: list[str]) -> bool:
        """Whether a known file moved here as it was; where it was is then gone."""
        place = self.ledger.place(look.identity)
        if place is None or place == look.path or not self._gone(place):
            return False
        gone.append(place)
        return True

    def _gone(self, path: str) -> bool:
        try:
            return isinstance(self.tree.look(unspelled(path)), Sight)
        except OSError:
            return False

    def _not_a_file(self, path: str, sight: Sight, findings: Findings) -> None:
        if sight is Sight.FOLDER or (sight is Sight.ABSENT and path in self._entered):
            findings.folders.append(path)
        elif sight is not Sight.ABSENT and self.tree.wants(path):
            findings.asides.append((path, sight.value))

    def _home(self, path: str, findings: Findings) -> str | None:
        """The path by which a hinted file is known.

        None if its folder has yet to be scanned, or is none of ours. A watcher may have come to it
        through a symbolic link: it is known by the path on which it was entered.
        """
        folder = dirname(path)
        if not folder or folder in self._entered:
            return path
        try:
            found = os.stat(self.tree.path(folder))
            home = self._homes.get((found.st_dev, found.st_ino))
            if home is not None:
                return f"{home}/{basename(path)}" if home else basename(path)
            while dirname(folder) and dirname(folder) not in self._entered:
                folder = dirname(folder)
            if self.tree.look(folder) is Sight.FOLDER:
                findings.folders.append(folder)
        except OSError as error:
            # The file of a folder that is gone: if it was known, it is gone too.
            return path if error.errno in ABSENT else None
        return None

    def _enter(self, folder: str, identity: FolderId, homes: dict[FolderId, str]) -> bool:
        if self.tree.follow and identity in homes:
            return False
        homes[identity] = folder
        self._homes[identity] = folder
        self._entered.add(folder)
        self._arm(folder, self.tree.path(folder))
        return True

    def _left(self, start: str, homes: dict[FolderId, str]) -> None:
        """Forgets the folders beneath `start` that are no more."""
        front = f"{start}/" if start else ""
        entered = set(homes.values())
        self._entered -= {
            folder
            for folder in self._entered - entered
            if folder == start or folder.startswith(front)
        }
        known = {**self._homes, **homes}
        self._homes = {one: folder for one, folder in known.items() if folder in self._entered}
