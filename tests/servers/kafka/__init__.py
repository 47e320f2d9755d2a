"""The Kafka broker of the tests: the best one this machine can run."""

import os

from tests.servers.kafka import apache, external, tansu
from tests.servers.kafka.broker import FEATURES, Broker, Kind

__all__ = ["FEATURES", "Broker", "Kind", "chosen"]


def chosen() -> Kind:
    """The broker that tests run on here, not started yet.

    `REACTOR_TEST_KAFKA` decides, with the `host:port` of a broker or the word `tansu`; else it is
    Apache Kafka if that is installed; else tansu, which comes with the test requirements.
    """
    wanted = os.environ.get("REACTOR_TEST_KAFKA", "")
    if wanted and wanted != "tansu":
        return external.kind(wanted)
    return apache.kind() if not wanted and apache.installed() else tansu.kind()
