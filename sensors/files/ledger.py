"""What was announced, and how it differs from what is there.

Knows: the identity of each known file. Refuses to know: the file system, whether a file is
complete, and what is done with a difference.

Law: `differences` applied to a ledger makes it equal to what was seen; asked again, it is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import stat_result
from typing import NamedTuple

from reactor.ports import Move
from sensors.files.file import What

Identity = str
"""Inode, size and mtime in nanoseconds, in hexadecimal: `1a2b.400.17c5d3e1f2a3b4c5`."""


class Look(NamedTuple):
    """One look at one regular file; `path` is relative to the root, as text.

    `alone` says that nobody can write to the file by way of another folder (a second hard link, a
    symbolic link): who watches its folder hears of every writer.
    """

    path: str
    identity: Identity
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    alone: bool = True


def look_of(path: str, stat: stat_result, linked: bool = False) -> Look:
    """A look as the file system answered it."""
    inode, size, mtime_ns = stat.st_ino, stat.st_size, stat.st_mtime_ns
    return Look(
        path,
        f"{inode:x}.{size:x}.{mtime_ns:x}",
        inode,
        size,
        mtime_ns,
        stat.st_ctime_ns,
        stat.st_nlink == 1 and not linked,
    )


def parsed(identity: Identity) -> tuple[int, int, int]:
    """The inode, size and mtime in nanoseconds of an identity."""
    inode, size, mtime_ns = identity.split(".")
    return int(inode, 16), int(size, 16), int(mtime_ns, 16)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `before` is what the ledger has, `look` what was seen (None: it is gone).

    A moved file came from `previous`, whose row had the same identity. A `silent` change is
    recorded and not announced.
    """

    what: What
    path: str
    before: Identity | None
    look: Look | None
    previous: str | None = None
    silent: bool = False

    @property
    def after(self) -> Identity | None:
        return self.look.identity if self.look else None

    @property
    def moves(self) -> tuple[Move, ...]:
        """How the durable ledger changes with it."""
        own = Move(self.path, self.before, self.after)
        if self.previous is None:
            return (own,)
        return (Move(self.previous, self.after, None), own)


def differences(
    ledger: Mapping[str, Identity],
    seen: Iterable[Look],
    gone: Iterable[str],
    *,
    moved: bool = False,
) -> list[Change]:
    """What is different: of the files seen, in their order, and then of those that are gone.

    A path that was neither seen nor is gone is as it was. With `moved`, a file that appeared with
    the identity of one that is gone was moved; otherwise these are two changes.
    Cost: O(seen + gone), whatever the size of the ledger.
    """
    looks = {look.path: look for look in seen}
    lost = {path: ledger[path] for path in gone if path in ledger and path not in looks}
    origin = {identity: path for path, identity in lost.items()} if moved else {}
    found: list[Change] = []
    for look in looks.values():
        before = ledger.get(look.path)
        if before == look.identity:
            continue
        previous = origin.pop(look.identity, None)
        if previous is not None:
            del lost[previous]
            found.append(Change("moved", look.path, before, look, previous))
        else:
            found.append(
                Change("created" if before is None else "changed", look.path, before, look)
            )
    found.extend(Change("deleted", path, before, None) for path, before in lost.items())
    return found


class Ledger:
    """The identity of each known file, by path; follows the durable one change by change.

    Cost: one dictionary entry a file; with `moved` a second, to find a file by its identity.
    """

    def __init__(self, rows: Mapping[str, Identity], *, moved: bool = False) -> None:
        self._rows = dict(rows)
        self._moved = moved
        self._places = {identity: path for path, identity in rows.items()} if moved else {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, path: str) -> Identity | None:
        return self._rows.get(path)

    def place(self, identity: Identity) -> str | None:
        """Where a file of this identity was last seen, if moves are followed."""
        return self._places.get(identity)

    def beneath(self, folder: str) -> list[str]:
        """The known paths in `folder` and beneath; "" is the root. Cost: O(ledger)."""
        if not folder:
            return list(self._rows)
        front = f"{folder}/"
        return [path for path in self._rows if path.startswith(front)]

    def differences(self, seen: Iterable[Look], gone: Iterable[str]) -> list[Change]:
        return differences(self._rows, seen, gone, moved=self._moved)

    def apply(self, changes: Iterable[Change]) -> None:
        """Takes changes over, once they were handed on."""
        for change in changes:
            for move in change.moves:
                self._put(move.part, move.after)

    def _put(self, path: str, identity: Identity | None) -> None:
        before = self._rows.pop(path, None)
        if self._moved and before is not None and self._places.get(before) == path:
            del self._places[before]
        if identity is not None:
            self._rows[path] = identity
            if self._moved:
                self._places[identity] = path
