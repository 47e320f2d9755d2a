"""The part of the file system that a sensor sees, and one look at one path of it.

Every look blocks: call it in a thread. Paths are relative to the root, as `os` gives
them; "" is the root. Nothing is opened, and what is no regular file is never touched.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from enum import Enum
from posixpath import dirname

from sensors.files.completion import Marker
from sensors.files.ledger import Look, look_of
from sensors.files.pattern import Pattern
from sensors.files.spelling import spelled

ABSENT = (errno.ENOENT, errno.ENOTDIR)
"""The errors that say that nothing is there."""

FolderId = tuple[int, int]
"""Device and inode."""


class Sight(Enum):
    """What is at a path, if not a file that counts."""

    ABSENT = "is gone"
    FOLDER = "is a folder"
    LINK = "is a symbolic link, which is not followed"
    OTHER = "is no regular file"


@dataclass(frozen=True, slots=True)
class Tree:
    """The part of the file system that a sensor sees; `root` is absolute."""

    root: str
    pattern: Pattern
    ignored: re.Pattern[str] | None = None
    follow: bool = False
    marker: Marker | None = None

    def path(self, path: str) -> str:
        """The absolute path."""
        return f"{self.root.rstrip('/')}/{path}" if path else self.root

    def wants(self, path: str) -> bool:
        """Whether a file at this path would count, by its name."""
        return self.pattern.matches(path) and not self.marks(path) and not self.ignores(path)

    def may_hold(self, folder: str) -> bool:
        """Whether files that count may lie in this folder or beneath, by its name."""
        return self.pattern.may_hold(folder) and not self.ignores(folder)

    def ignores(self, path: str) -> bool:
        """Whether the name of the file, or of a folder it lies in, is to be ignored."""
        return self.ignored is not None and any(map(self.ignored.match, path.split("/")))

    def identity(self) -> FolderId:
        """The root's. Raises: OSError if it is no folder that can be reached."""
        found = os.stat(self.root)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.root)
        return found.st_dev, found.st_ino

    def look(self, path: str) -> Look | Sight:
        """What is at a path now.

        Raises: OSError if that cannot be told (no permission, a disk that fails).
        """
        try:
            if not self.reached(dirname(path)):
                return Sight.ABSENT
            found = os.lstat(self.path(path))
            linked = stat.S_ISLNK(found.st_mode)
            if linked and not self.follow:
                return Sight.LINK
            if linked:
                found = os.stat(self.path(path))
        except OSError as error:
            if error.errno in ABSENT:
                return Sight.ABSENT
            raise
        if stat.S_ISDIR(found.st_mode):
            return Sight.FOLDER
        if not stat.S_ISREG(found.st_mode):
            return Sight.OTHER
        return look_of(spelled(path), found, linked)

    def newest_ns(self, path: str) -> int | None:
        """When a marker was last written or put in place; None if it is not there."""
        try:
            found = os.stat(self.path(path))
        except OSError:
            return None
        return max(found.st_mtime_ns, found.st_ctime_ns)

    def marks(self, path: str) -> bool:
        """Whether the file at this path only says that others are complete."""
        return self.marker is not None and self.marker.told(path) is not None

    def reached(self, folder: str) -> bool:
        """Whether no symbolic link lies on the way from the root to a folder."""
        if self.follow or not folder:
            return True
        return stat.S_ISDIR(os.lstat(self.path(folder)).st_mode) and self.reached(dirname(folder))


def said(error: OSError) -> str:
    """What an error says, without the path."""
    return (error.strerror or str(error)).lower()
