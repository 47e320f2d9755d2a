"""Which names changed, from watchfiles: a hint on every system, never more than that.

It follows the whole tree, new folders and removed ones included. It may lose what happens in a
folder made a moment ago, says nothing when its queue overflows, and ends at a name that is not
UTF-8; so whenever it ends, everything is scanned and it starts again.
"""

from __future__ import annotations

import os

import anyio
from watchfiles import Change, awatch

from reactor.ports import Log
from sensors.files.completion import Evidence
from sensors.files.hints import Hints
from sensors.files.tree import Tree

# Milliseconds. Looking every 5 ms costs 1.3 % of a core, every 50 ms 0.16 %: where closings are
# heard besides (closings.py), the slower pace does.
_DEBOUNCE, _STEP, _STEP_ALONE = 50, 50, 5

_REST_FIRST, _REST_LONGEST = 0.1, 30.0


class Stirrings:
    """The watch over one tree; `alone` if nothing else listens. `well` while it works."""

    def __init__(self, tree: Tree, log: Log, *, alone: bool) -> None:
        self.well = True
        self._tree = tree
        self._log = log
        self._step = _STEP_ALONE if alone else _STEP

    async def listen(self, hints: Hints) -> None:
        """Passes on what is seen, until cancelled."""
        rest = _REST_FIRST
        while True:
            begun = anyio.current_time()
            try:
                await self._listen(hints)
                why = "it ended"
            # Whatever ends a watch, the scan goes on without it, and it is tried again.
            except Exception as error:  # noqa: BLE001
                why = str(error) or type(error).__name__
            self.well = False
            hints.everything()
            if anyio.current_time() - begun > _REST_LONGEST:
                rest = _REST_FIRST
            self._log.warning("file watch restarts", root=self._tree.root, why=why, rest=rest)
            await anyio.sleep(rest)
            rest = min(rest * 2, _REST_LONGEST)

    async def _listen(self, hints: Hints) -> None:
        root = await anyio.to_thread.run_sync(os.path.realpath, self._tree.root)
        front = root.rstrip("/") + "/"
        watch = awatch(
            root,
            watch_filter=None,
            debounce=_DEBOUNCE,
            step=self._step,
            recursive=self._tree.pattern.deep,
            force_polling=False,
            ignore_permission_denied=True,
        )
        self.well = True
        async for changes in watch:
            for change, path in changes:
                if path.startswith(front):
                    hints.file(path[len(front) :], Evidence.STIRRED)
                elif change is Change.deleted:
                    hints.everything()
