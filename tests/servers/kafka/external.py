"""A broker that somebody else runs, named by REACTOR_TEST_KAFKA."""

from tests.servers.kafka.broker import FEATURES, Broker, Kind

_OURS_ONLY = frozenset({"durable_restart", "large_messages", "restart"})


def kind(address: str) -> Kind:
    """A full broker, as far as we know, that is not ours to stop or set up."""
    features = FEATURES - _OURS_ONLY
    name = f"external at {address}"
    return Kind(name, features, lambda: Broker(name, features, address))
