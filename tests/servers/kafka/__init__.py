"""The Kafka broker of the tests: the best one this machine can run."""

import os

from tests.servers.kafka import apache, external, tansu
from tests.servers.kafka.broker import FEATURES, Broker, Kind

__all__ = ["FEATURES", "Broker", "Kind", "chosen"]


def chosen() -> Kind:
    """The broker that tests run on here, not started yet.

    `REACTOR_TEST_KAFKA=host:port` decides; else Apache Kafka if it is installed; else tansu, which
    comes with the test requirements.
    """
    if address := os.environ.get("REACTOR_TEST_KAFKA"):
        return external.kind(address)
    return apache.kind() if apache.installed() else tansu.kind()
