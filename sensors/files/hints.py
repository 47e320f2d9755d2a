"""What the watchers say, gathered until somebody looks.

Hints only say where to look next: a lost, repeated or wrong one costs time, never a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from sensors.files.completion import Evidence
from sensors.files.tree import Tree

_LIMIT = 100_000
"""More files than this at once are not remembered one by one: the whole tree is scanned."""


@dataclass(slots=True)
class Gathered:
    """Files to look at, with the strongest evidence for each; folders, or all, to scan.

    `lost` says that the root is no longer what is watched.
    """

    files: dict[str, Evidence] = field(default_factory=lambda: {})
    folders: set[str] = field(default_factory=set)
    everything: bool = False
    lost: bool = False

    def __bool__(self) -> bool:
        return bool(self.files or self.folders or self.everything or self.lost)


class Hints:
    """Filled by the watchers, emptied by the sensor; on one event loop."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._gathered = Gathered()
        self._event = anyio.Event()

    def __bool__(self) -> bool:
        return bool(self._gathered)

    def file(self, path: str, evidence: Evidence) -> None:
        """Something happened to a path. It may be a folder if that was only stirred."""
        marker = self._tree.marker
        told = marker.told(path) if marker is not None else None
        if marker is not None and told is not None:
            self.folder(told) if marker.of_folder else self._add(told, Evidence.FOUND)
        elif self._tree.wants(path) or (evidence is Evidence.STIRRED and self._tree.may_hold(path)):
            self._add(path, evidence)

    def folder(self, folder: str) -> None:
        """A folder appeared, or changed as a whole."""
        if self._tree.may_hold(folder):
            self._gathered.folders.add(folder)
            self._event.set()

    def everything(self) -> None:
        """Something was missed."""
        self._gathered.everything = True
        self._event.set()

    def lost(self) -> None:
        """The root was removed or moved: whatever is there now is not listened to."""
        self._gathered.lost = True
        self._event.set()

    def take(self) -> Gathered:
        """What was gathered since the last time."""
        taken, self._gathered = self._gathered, Gathered()
        self._event = anyio.Event()
        return taken

    async def wait(self) -> None:
        """Returns when there is something to take."""
        await self._event.wait()

    def _add(self, path: str, evidence: Evidence) -> None:
        files = self._gathered.files
        if len(files) >= _LIMIT and path not in files:
            self.everything()
            return
        files[path] = max(evidence, files.get(path, evidence))
        self._event.set()
