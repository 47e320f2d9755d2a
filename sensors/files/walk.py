"""A walk over a tree, a slice at a time: what is really there, whatever the watchers say.

It blocks: each slice is taken in a thread. Nothing is opened, and what is no regular file is never
touched.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sensors.files.ledger import Look, look_of
from sensors.files.spelling import spelled
from sensors.files.tree import ABSENT, FolderId, Sight, Tree, said

SLICE = 2000
"""Entries examined between two slices: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a walk tells on its way.

    `enter` is called with each folder and its identity before it is listed, and answers whether to
    list it; `aside` with what cannot be looked at, and why.
    """

    enter: Callable[[str, FolderId], bool]
    aside: Callable[[str, str], None]


def walk(tree: Tree, start: str, visit: Visit) -> Iterator[list[Look]]:
    """All files that count, in `start` and beneath, in slices.

    Folders that symbolic links lead to (if the tree follows them) come after all others, so that
    who refuses to enter a folder twice knows it by its own path if it has one here.
    Cost: one lstat a file, some 5 us.
    """
    going = _Walk(tree, visit, [start])
    while (folder := going.next()) is not None:
        try:
            if not going.enter(folder):
                continue
            with os.scandir(tree.path(folder)) as entries:
                for entry in entries:
                    going.examine(entry, f"{folder}/{entry.name}" if folder else entry.name)
                    if going.examined >= SLICE:
                        yield going.taken()
        except OSError as error:
            going.failed(folder, error)
    yield going.taken()


@dataclass(slots=True)
class _Walk:
    tree: Tree
    visit: Visit
    folders: list[str]
    links: list[str] = field(default_factory=lambda: [])
    found: list[Look] = field(default_factory=lambda: [])
    examined: int = 0

    def next(self) -> str | None:
        if self.folders:
            return self.folders.pop()
        return self.links.pop(0) if self.links else None

    def taken(self) -> list[Look]:
        found, self.found, self.examined = self.found, [], 0
        return found

    def enter(self, folder: str) -> bool:
        if not self.tree.reached(folder):
            return False
        found = os.stat(self.tree.path(folder))
        return self.visit.enter(folder, (found.st_dev, found.st_ino))

    def failed(self, path: str, error: OSError) -> None:
        if error.errno not in ABSENT:
            self.visit.aside(path, said(error))

    def examine(self, entry: os.DirEntry[str], path: str) -> None:
        self.examined += 1
        tree = self.tree
        if tree.ignored is not None and tree.ignored.match(entry.name):
            return
        try:
            if entry.is_dir(follow_symlinks=False):
                if tree.pattern.may_hold(path):
                    self.folders.append(path)
            elif entry.is_symlink():
                self._examine_link(path)
            elif tree.pattern.matches(path) and not tree.marks(path):
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(about.st_mode):
                    self.found.append(look_of(spelled(path), about))
                else:
                    self.visit.aside(path, Sight.OTHER.value)
        except OSError as error:
            self.failed(path, error)

    def _examine_link(self, path: str) -> None:
        tree = self.tree
        file, folder = tree.pattern.matches(path), tree.pattern.may_hold(path)
        if not (file or folder):
            return
        if not tree.follow:
            self.visit.aside(path, Sight.LINK.value)
            return
        about = os.stat(tree.path(path))
        if folder and stat.S_ISDIR(about.st_mode):
            self.links.append(path)
        elif file and stat.S_ISREG(about.st_mode) and not tree.marks(path):
            self.found.append(look_of(spelled(path), about, linked=True))
