"""Servers that Maven Central has, and the Java that they run on."""

import re
import shutil
import subprocess
from collections.abc import Sequence

from tests.servers import apt
from tests.servers.errors import ServerError

PACKAGES = ("default-jre-headless", "maven")
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_OLDEST_JAVA = 17
_SECONDS = 300


def ready() -> None:
    """Bring Java and Maven where they are missing and may be installed.

    Raises:
        ServerError: they cannot be had here, and why.
    """
    if not (shutil.which("java") and shutil.which("mvn")):
        if not apt.may_install():
            raise ServerError(f"it needs {' and '.join(PACKAGES)}")
        apt.install(PACKAGES)
    if (version := _java()) < _OLDEST_JAVA:
        raise ServerError(f"it needs Java {_OLDEST_JAVA}, and here is Java {version}")


def run(arguments: Sequence[str]) -> None:
    """Run Maven.

    Raises:
        ServerError: it failed, and what it said.
    """
    try:
        subprocess.run(
            ["mvn", "--batch-mode", "--quiet", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"no jars after {_SECONDS} s of Maven") from error
    except subprocess.CalledProcessError as error:
        said = error.stdout.partition("[ERROR] ")[2].partition("\n")[0]
        raise ServerError(f"Maven brings no jars: {said}") from error


def _java() -> int:
    """The major version of the machine's Java."""
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found else 0
