"""Installing Debian packages, where we may."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tests.servers.errors import ServerError


def may_install() -> bool:
    """Whether this process has the means and the right to install Debian packages."""
    return shutil.which("apt-get") is not None and _as_root() is not None


def install(packages: Sequence[str]) -> None:
    """Install Debian packages without asking or starting anything.

    Raises:
        ServerError: a package is not to be had.
    """
    print(f"installing {', '.join(packages)}", file=sys.stderr)
    root = _as_root() or []
    # Run level 1 keeps the packages from starting services: the tests start their own.
    environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    options = ["-qq", "-o=Dpkg::Use-Pty=0", "-o=DPkg::Lock::Timeout=300"]
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [*root, *environment, "apt-get", *options, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"apt-get {arguments[0]} failed:\n{done.stdout[-2_000:]}")


def _as_root() -> list[str] | None:
    """What to put before a command to run it as root; None if that cannot be."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None
