"""A Kafka broker under test, whichever it is."""

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.process import Process, listening

FEATURES = frozenset(
    {
        "delete_records",  # the admin client can delete the oldest messages
        "durable_restart",  # a restart keeps topics, messages and group offsets
        "group_offsets",  # the admin client can list a group's committed offsets
        "idempotence",  # an aiokafka producer with enable_idempotence
        "large_messages",  # a message of 50 MB
        "more_partitions",  # the admin client can add partitions to a topic
        "offsets_for_times",
        "out_of_range",  # an offset that is not there is an error, not silence
        "restart",  # the tests may stop and start it
        "transactions",
    }
)
"""All that some broker cannot serve; what is not named here, each of them can."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of broker, before it is started."""

    name: str
    features: frozenset[str]
    start: Callable[[], "Broker"]


class Broker:
    """A running Kafka broker on 127.0.0.1, or one that somebody else runs.

    Every method blocks: from a coroutine, call it with `anyio.to_thread.run_sync`.

    Restart: `start` after `stop` or `kill` is on the same port, with the data kept if `features`
    has "durable_restart".
    """

    def __init__(
        self,
        kind: str,
        features: frozenset[str],
        bootstrap: str,
        process: Process | None = None,
        argv: Sequence[str | Path] = (),
    ) -> None:
        self.kind = kind
        self.features = features
        self.bootstrap = bootstrap
        self._process = process
        self._argv = argv

    def start(self) -> None:
        """Start the broker and return when a client can list topics."""
        self._owned().start(self._argv, partial(_answers, self.bootstrap))

    def stop(self) -> None:
        """Shut the broker down in order."""
        self._owned().stop()

    def kill(self) -> None:
        """End the broker as a power cut would."""
        self._owned().kill()

    def pause(self) -> None:
        """Have the broker answer nothing, with its connections open, until `resume`."""
        self._owned().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused broker go on."""
        self._owned().send_signal(signal.SIGCONT)

    @property
    def folder(self) -> Path:
        """Where it keeps its data, below `data`."""
        return self._owned().folder

    def restart(self) -> None:
        """Shut down in order and start again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it for good and remove its data."""
        if self._process is not None:
            self._process.close()

    def _owned(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"{self.kind} broker at {self.bootstrap}: not ours to stop or start")
        return self._process


def _answers(bootstrap: str) -> bool:
    """Whether a client can list topics; asked in a thread, since the caller may be in a loop."""
    if not listening(int(bootstrap.rpartition(":")[2])):
        return False
    answered: list[bool] = []
    asking = threading.Thread(target=lambda: answered.append(asyncio.run(_lists(bootstrap))))
    asking.start()
    asking.join()
    return answered == [True]


async def _lists(bootstrap: str) -> bool:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    with suppress(KafkaError, OSError):
        try:
            await client.start()
            await client.list_topics()
            return True
        finally:
            await client.close()
    return False
