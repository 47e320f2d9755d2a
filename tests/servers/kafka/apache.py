"""Apache Kafka in KRaft mode: one broker, from the jars that pom.xml names."""

import base64
import hashlib
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from tests.servers import cache, maven
from tests.servers.kafka.broker import FEATURES, Broker, Kind
from tests.servers.process import Process, free_port

_POM = Path(__file__).with_name("pom.xml")


def installed() -> bool:
    """Whether this machine can run it."""
    return shutil.which("java") is not None and _jars().is_dir()


def install() -> None:
    """Bring the jars, and Java and Maven where they are missing and may be installed.

    Raises:
        ServerError: it cannot be had here, and why.
    """
    if installed():
        return
    maven.ready()
    _download()


def kind() -> Kind:
    """The installed version, with all features."""
    version = next(_jars().glob("kafka-clients-*.jar")).stem.removeprefix("kafka-clients-")
    return Kind(f"apache-kafka {version}", FEATURES, lambda: _start(f"apache-kafka {version}"))


def _start(name: str) -> Broker:
    process = Process(name)
    port = free_port()
    settings = process.folder / "server.properties"
    settings.write_text(_settings(port, free_port(), process.folder / "data"))
    java = ["java", "-XX:+UseSerialGC", "-cp", f"{_jars()}/*"]
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    process.run(
        [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", settings]
    )
    argv = [*java, "-Xms128m", "-Xmx768m", "kafka.Kafka", settings]
    broker = Broker(name, FEATURES, f"127.0.0.1:{port}", process, argv)
    broker.start()
    return broker


def _settings(port: int, controller: int, data: Path) -> str:
    """A broker that is its own controller and needs no other for anything.

    It keeps records whose time is long ago: tests write some, and read them a moment later. After a
    kill it may register again when its session has run out, so that is short.
    """
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
log.dirs={data}
log.retention.ms=-1
auto.create.topics.enable=true
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=5000
group.initial.rebalance.delay.ms=0
message.max.bytes={64 * 1024 * 1024}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
"""


def _jars() -> Path:
    """Where the jars of this very pom.xml are kept."""
    return cache.folder() / f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"


def _download() -> None:
    """Have Maven copy the jars beside where they belong, then move them there at once."""
    cache.folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.folder()) as folder:
        shutil.copy(_POM, folder)
        into = [f"-DoutputDirectory={folder}/jars", "-DincludeScope=runtime"]
        maven.run([f"--file={folder}", f"{maven.PLUGIN}:copy-dependencies", *into])
        if not _jars().is_dir():
            os.rename(f"{folder}/jars", _jars())
