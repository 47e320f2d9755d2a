"""Which folders to scan, and when."""

from __future__ import annotations

_MANY = 100
"""More folders than this at once, and the whole tree is scanned instead."""


class Agenda:
    """Folders with the instant from which each is to be scanned; "" is the whole tree.

    A folder may be wanted now and again later. A scan answers for all that was due in its folder
    and beneath when it began.
    """

    def __init__(self) -> None:
        self._wanted: set[tuple[float, str]] = set()

    def want(self, folder: str, at: float) -> None:
        """Asks for a scan at `at` or later."""
        self._wanted.add((at, folder))

    @property
    def next_at(self) -> float | None:
        """When the next scan is due."""
        return min(self._wanted)[0] if self._wanted else None

    def take(self, now: float) -> str | None:
        """A folder whose scan is due, if there is one; it is then no longer wanted."""
        due = {(at, folder) for at, folder in self._wanted if at <= now}
        if not due:
            return None
        folders = {folder for _, folder in due}
        if "" in folders or len(folders) > _MANY:
            self._wanted -= due
            return ""
        taken = min(folders)
        self._wanted -= {one for one in due if one[1] == taken or one[1].startswith(f"{taken}/")}
        return taken
