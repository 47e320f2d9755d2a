"""Alerts on their way to the channels: each is tried a few times, and holds up nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
from anyio.abc import TaskGroup

from reactor.core.decision import Notify
from reactor.ports import Channel, Log

_PAUSES = (1, 5, 30, 120)
"""Seconds between two tries."""


class Notices:
    """All channels of one host."""

    def __init__(self, channels: Sequence[Channel], log: Log) -> None:
        self._channels, self._log = channels, log

    def send(self, tasks: TaskGroup, notice: Notify) -> None:
        """Writes a notice to the log, and sends it to every channel in the background."""
        alert = notice.alert
        say: Callable[..., Any] = self._log.info if alert.resolved else self._log.error
        say("alerted", asset=alert.asset, owner=alert.owner, text=alert.text)
        for channel in self._channels:
            tasks.start_soon(self._send, channel, notice)

    async def _send(self, channel: Channel, notice: Notify) -> None:
        for pause in _PAUSES:
            try:
                await channel.send(notice)
                return
            except Exception as error:  # noqa: BLE001 - a channel's trouble must not become the pipeline's
                self._log.warning("alert not delivered", error=repr(error), again_in=pause)
                await anyio.sleep(pause)
