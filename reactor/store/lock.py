"""One process owns a database file: the lock beside it says which.

Knows: files, locks, process numbers, mounted file systems. Refuses to know: what is in the file.
"""

from __future__ import annotations

import fcntl
import os
import re
import weakref
from pathlib import Path

from reactor.core.errors import StoreUnavailable

_NETWORK = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""File systems whose machines share no memory, which SQLite's write-ahead log needs."""


class FileLock:
    """Holds `path` locked, with our process number in it, until released or the process ends.

    Restart: the lock ends with its process, however that ends; the file stays and means nothing.
    """

    def __init__(self, path: Path, guarded: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot be locked: {error.strerror}",
                where=str(guarded),
                hint=f"the service must be able to write {path}",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreUnavailable(
                f"process {owner or 'unknown'} already owns this store",
                where=str(guarded),
                hint="stop it first, or give this service a store of its own (REACTOR_STORE)",
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        _held.add(self)

    def release(self) -> None:
        """Lets the next process have it; a second time does nothing."""
        if self in _held:
            _held.discard(self)
            os.close(self._file)


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    # A forked child would keep the lock for as long as it lives, even after its parent's death.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)


def file_system(folder: Path, mounts: str) -> str:
    """The type of the file system that a folder is on, by the text of /proc/self/mountinfo."""
    found, deepest = "", -1
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ", 1)[0]
        if len(fields) < 5:
            continue
        # Blanks in a path are written as octal.
        point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        # Of two mounts on one point, the later hides the earlier.
        if folder.is_relative_to(point) and len(point.parts) >= deepest:
            found, deepest = kind, len(point.parts)
    return found


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """Raises: StoreUnavailable if the file is on a file system that several machines share."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
        except OSError:
            return
    kind = file_system(path.resolve().parent, mounts)
    if kind in _NETWORK:
        raise StoreUnavailable(
            f"is on a network file system ({kind}), where SQLite can lose or damage data",
            where=str(path),
            hint="put the file on a local disk (REACTOR_STORE=sqlite:////var/lib/...)",
        )
