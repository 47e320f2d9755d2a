"""Which names changed, from watchfiles: a hint on every system, never more than that.

Beside closings.py it hears what changes without being closed (`truncate`, `touch`), in the root
itself; alone, where there is no inotify, it follows the whole tree. On Linux it is given no tree to
follow: it would go where symbolic links lead. It may lose what happens in a folder made a moment
ago, says nothing when its queue overflows, and ends at a name that is not UTF-8; so whenever it
ends, everything is scanned and it starts again.
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
# heard besides (closings.py), a slower pace does.
_DEBOUNCE, _DEBOUNCE_ALONE, _STEP, _STEP_ALONE, _TIMEOUT = 250, 50, 250, 5, 1000

_REST_FIRST, _REST_LONGEST = 0.1, 30.0


class Stirrings:
    """The watch over one tree; `alone` if nothing else listens. `well` while it works."""

    def __init__(self, tree: Tree, log: Log, *, alone: bool) -> None:
        self.well = True
        self._tree = tree
        self._log = log
        self._alone = alone

    async def listen(self, hints: Hints) -> None:
        """Passes on what is seen, until cancelled."""
        # A cancelled awatch would wait for its thread, and that for its timeout.
        stop = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_set_at_end, stop)
            await self._keep_on(hints, stop)

    async def _keep_on(self, hints: Hints, stop: anyio.Event) -> None:
        rest = _REST_FIRST
        while True:
            begun = anyio.current_time()
            try:
                await self._listen(hints, stop)
                if stop.is_set():
                    return
                why = "it ended"
            except FileNotFoundError:
                hints.lost()
                return
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

    async def _listen(self, hints: Hints, stop: anyio.Event) -> None:
        root = await anyio.to_thread.run_sync(os.path.realpath, self._tree.root)
        front = root.rstrip("/") + "/"
        watch = awatch(
            root,
            watch_filter=None,
            stop_event=stop,
            debounce=_DEBOUNCE_ALONE if self._alone else _DEBOUNCE,
            step=_STEP_ALONE if self._alone else _STEP,
            rust_timeout=_TIMEOUT,
            yield_on_timeout=True,
            recursive=self._alone and self._tree.pattern.deep,
            force_polling=False,
            ignore_permission_denied=True,
        )
        self.well = True
        unheard = self._alone
        async for changes in watch:
            if unheard:
                # It listens by now; what happened before it did is found by a scan.
                unheard = False
                hints.everything()
            for change, path in changes:
                if path.startswith(front):
                    hints.file(path[len(front) :], Evidence.STIRRED)
                elif change is Change.deleted:
                    hints.lost()


async def _set_at_end(stop: anyio.Event) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()
