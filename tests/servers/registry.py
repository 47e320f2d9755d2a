"""A schema registry that speaks Confluent's API: Apicurio Registry, from Maven Central."""

import hashlib
import json
import os
import shutil
import signal
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from tests.servers import cache, maven
from tests.servers.errors import ServerError, ServerMissing
from tests.servers.process import Process, free_port

PACKAGES = maven.PACKAGES
# The last line of releases that runs on Java 17.
_VERSION = "2.6.13.Final"
_SHA256 = "3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba"
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{_VERSION}:tar.gz:all"


class Registry:
    """A registry on 127.0.0.1 that keeps what it has in a file.

    Every method blocks: from a coroutine, call it with `anyio.to_thread.run_sync`.

    Restart: `start` after `stop` is on the same port, with all subjects, versions and ids.

    Raises:
        ServerMissing: it is not installed.
    """

    def __init__(self) -> None:
        if not installed():
            raise ServerMissing("Apicurio Registry", PACKAGES)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"
        self._process = Process("Apicurio Registry")
        self.start()

    def start(self) -> None:
        """Start it and return when it answers."""
        [program] = _folder().glob("*-runner.jar")
        # It is asked for seconds only: compiling its code well is not worth it.
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"]
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self._port,
            "quarkus.datasource.jdbc.url": f"jdbc:h2:file:{self._process.folder}/registry",
        }
        given = [f"-D{name}={value}" for name, value in settings.items()]
        self._process.start([*java, *given, "-jar", program], self._answers, within=120)

    def stop(self) -> None:
        """Shut it down in order."""
        self._process.stop()

    def pause(self) -> None:
        """Have it answer nothing, with its connections open, until `resume`."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process.running

    def close(self) -> None:
        """Stop it for good and remove what it has."""
        self._process.close()

    def register(
        self,
        subject: str,
        schema: Any,
        kind: str = "AVRO",
        references: Sequence[tuple[str, str, int]] = (),
    ) -> int:
        """Make a schema the newest version of a subject; return its id.

        Args:
            schema: text, or what is to be written as JSON.
            references: name, subject and version of each schema that it refers to.
        """
        text = schema if isinstance(schema, str) else json.dumps(schema)
        listed = [{"name": n, "subject": s, "version": v} for n, s, v in references]
        body = {"schema": text, "schemaType": kind, "references": listed}
        return self._ask("POST", f"subjects/{quote(subject, safe='')}/versions", body)["id"]

    def delete(self, subject: str, version: int | None = None) -> None:
        """Delete a subject, or one version of it, softly."""
        path = f"subjects/{quote(subject, safe='')}"
        self._ask("DELETE", path if version is None else f"{path}/versions/{version}")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        request = Request(
            f"{self.url}/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/vnd.schemaregistry.v1+json"},
            method=method,
        )
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        with suppress(URLError, OSError), urlopen(f"{self.url}/subjects", timeout=5) as got:
            return got.status == 200
        return False


def installed() -> bool:
    """Whether this machine can run it."""
    return shutil.which("java") is not None and _folder().is_dir()


def install() -> None:
    """Bring it, and Java and Maven where they are missing and may be installed.

    Raises:
        ServerError: it cannot be had here, and why.
    """
    if installed():
        return
    maven.ready()
    cache.folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.folder()) as folder:
        maven.run(
            [f"{maven.PLUGIN}:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"]
        )
        [archive] = Path(folder).glob("*.tar.gz")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != _SHA256:
            raise ServerError(f"{archive.name} is not the one we know: SHA-256 {found}")
        with tarfile.open(archive) as packed:
            packed.extractall(f"{folder}/registry", filter="data")
        if not _folder().is_dir():
            os.rename(f"{folder}/registry", _folder())


def _folder() -> Path:
    return cache.folder() / f"registry-{_VERSION}"
