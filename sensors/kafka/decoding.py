"""Has the schemas that records name learned before they are decoded.

A registry that is not there is an outage, and no fault of the records: they wait until it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anyio

from reactor.core.errors import SensorError, SensorRefused
from reactor.ports import Log
from sensors.kafka.health import Health, Pace
from sensors.registry.schema import Decoder


class Decoding:
    """What decodes the values of one sensor's records with a schema registry."""

    def __init__(self, decoder: Decoder, health: Health, pace: Pace, log: Log) -> None:
        self._decoder = decoder
        self._health = health
        self._pace = pace
        self._log = log
        self.read = decoder.read

    async def ready(self, records: Iterable[Any], over: Callable[[], Any]) -> bool:
        """Waits until the values of all records can be decoded, or until `over` says otherwise.

        Returns: whether they can.
        Raises: SensorRefused if the registry does not let us in.
        """
        values = [record.value for record in records if record.value is not None]
        delay = self._pace.first_retry
        while not over():
            try:
                await self._decoder.learn(values)
            except SensorRefused:
                raise
            except SensorError as error:
                if delay == self._pace.first_retry:
                    self._log.warning("records wait for the schema registry", why=str(error))
                self._health.lack(str(error))
            else:
                self._health.lack("")
                return True
            await anyio.sleep(delay)
            delay = min(delay * 2, self._pace.last_retry)
        self._health.lack("")
        return False
