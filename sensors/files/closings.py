"""Which files were closed, renamed into place, or removed: what the kernel tells, from inotify.

It is told at once, and exactly: that a writer closed a file and that a file was moved in are what
makes a file complete. This looks after no tree: the scan, which enters every folder anyway, arms
each before it lists it, so that nothing falls between the two.

Source: inotify(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import anyio

from sensors.files.completion import Evidence
from sensors.files.hints import Hints

IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
IN_DELETE_SELF, IN_MOVE_SELF = 0x400, 0x800
IN_Q_OVERFLOW, IN_IGNORED, IN_ISDIR = 0x4000, 0x8000, 0x40000000
_IN_ONLYDIR = 0x1000000
_SELF = IN_DELETE_SELF | IN_MOVE_SELF
_GONE = IN_MOVED_FROM | IN_DELETE
_MASK = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | _GONE | _SELF | _IN_ONLYDIR

_HEADER = struct.Struct("iIII")
_READ_BYTES = 64 * 1024


class Heard(NamedTuple):
    """One notice: the watch it belongs to, what happened, and the name in the folder."""

    watch: int
    mask: int
    name: str


def notices(data: bytes) -> Iterator[Heard]:
    """The notices that one read returned."""
    at = 0
    while at < len(data):
        watch, mask, _, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size + length
        yield Heard(watch, mask, os.fsdecode(data[at - length : at].rstrip(b"\0")))


class Closings:
    """One inotify instance, over the folders that were armed. Linux only.

    Raises: OSError if there is no instance to be had (EMFILE: too many, or another system).
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "inotify is a part of Linux")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise _error()
        self._folders: dict[int, str] = {}
        self._since: dict[str, int] = {}
        self._closed = False

    def arm(self, folder: str, path: str) -> None:
        """Hears a folder from now on; again is no harm. Any thread; call before listing it.

        Raises: OSError if it cannot be (ENOSPC: too many watches; ENOENT: it is gone).
        """
        if self._closed:
            return
        watch = self._libc.inotify_add_watch(self._file, os.fsencode(path), _MASK)
        if watch < 0:
            raise _error()
        if self._folders.get(watch) != folder or folder not in self._since:
            self._folders[watch] = folder
            self._since[folder] = time.time_ns()

    def since(self, folder: str) -> int | None:
        """Since when (wall clock, ns) each closing in a folder is heard."""
        return self._since.get(folder)

    async def listen(self, hints: Hints) -> None:
        """Passes on what is heard, until cancelled."""
        while True:
            await anyio.wait_readable(self._file)
            try:
                data = os.read(self._file, _READ_BYTES)
            except BlockingIOError:
                continue
            for heard in notices(data):
                self._pass_on(heard, hints)

    def close(self) -> None:
        """Ends the instance and all its watches."""
        self._closed = True
        os.close(self._file)

    def _pass_on(self, heard: Heard, hints: Hints) -> None:
        if heard.mask & IN_Q_OVERFLOW:
            # What was closed meanwhile is not known: nothing was heard before this instant.
            now = time.time_ns()
            for folder in list(self._since):
                self._since[folder] = now
            hints.everything()
            return
        folder = self._folders.get(heard.watch)
        if folder is None:
            return
        path = f"{folder}/{heard.name}" if folder else heard.name
        if heard.mask & IN_IGNORED:
            del self._folders[heard.watch]
            self._since.pop(folder, None)
        elif heard.mask & _SELF:
            hints.folder(folder) if folder else hints.lost()
        elif heard.mask & IN_ISDIR:
            hints.folder(path)
        elif heard.mask & IN_MOVED_TO:
            hints.file(path, Evidence.MOVED)
        elif heard.mask & IN_CLOSE_WRITE:
            hints.file(path, Evidence.CLOSED)
        else:
            hints.file(path, Evidence.STIRRED)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
