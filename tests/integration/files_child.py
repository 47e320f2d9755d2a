"""A file sensor in a process of its own, which can be stopped, or have fewer rights than the tests.

`python -m tests.integration.files_child '{"pattern": ..., "settings": {...}}'` writes a line of
JSON for each event, each word of its health and each line of its log. `confined` runs it in a user
namespace of its own: there even root may not read what its mode forbids, nor ask about the files
of others, and `watches` limits what inotify gives.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

import anyio

from reactor.ports import Batch
from sensors import FileArrivals
from tests.integration.files_desk import Desk, Kept

_CLONE_NEWUSER = 0x10000000


class _Speaker(Desk):
    """A desk that says what it hears."""

    def __init__(self) -> None:
        super().__init__(Kept())
        self.log = self

    async def offer(self, batch: Batch) -> None:
        await super().offer(batch)
        for event in batch.events:
            _say(event=event.type, subject=event.subject, size=event.data.size)

    def up(self, well: bool, why: str = "") -> None:
        _say(up=well, why=why)

    def lag(self, seconds: float) -> None:
        if not self.idle:
            _say(ready=True)
        super().lag(seconds)

    def info(self, event: str, **about: Any) -> None:
        _say(log=event, about={key: str(value) for key, value in about.items()})

    warning = error = info

    def debug(self, event: str, **about: Any) -> None:
        pass


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _confine(watches: int | None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace; see unshare(2)")
    if watches is not None:
        with open("/proc/sys/user/max_inotify_watches", "w") as limit:
            limit.write(str(watches))


def main() -> None:
    """Runs until it is ended."""
    given = json.loads(sys.argv[1])
    if given.get("confined") or given.get("watches") is not None:
        _confine(given.get("watches"))
    sensor = FileArrivals(given["pattern"], **given.get("settings", {}))
    os.nice(given.get("nice", 0))
    anyio.run(sensor.open(_Speaker()).run)


if __name__ == "__main__":
    main()
