"""Prometheus: Debian's package, scraping what a test names; and promtool, its checker."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.servers.errors import ServerMissing
from tests.servers.process import Process, free_port

PACKAGES = ("prometheus",)


class Prometheus:
    """A Prometheus server on 127.0.0.1 that scrapes one target every second.

    Args:
        target: `host:port` whose `/metrics` it scrapes.
        rules: rule files that it evaluates every second.

    Raises:
        ServerMissing: it is not installed.
    """

    def __init__(self, target: str, *, rules: Iterable[Path] = ()) -> None:
        program = _found("prometheus")
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process = Process("Prometheus")
        config = self._process.folder / "prometheus.yml"
        # JSON is YAML.
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(path.resolve()) for path in rules],
                    "scrape_configs": [
                        {"job_name": "reactor", "static_configs": [{"targets": [target]}]}
                    ],
                }
            )
        )
        self._process.start(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={self._process.folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            self._ready,
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector that an expression gives: one `{metric, value}` a series."""
        return self._get("query", query=expression)["result"]

    def targets(self) -> list[dict[str, Any]]:
        """What it scrapes, each with its `health` and `lastError`."""
        return self._get("targets")["activeTargets"]

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are pending or firing."""
        return self._get("alerts")["alerts"]

    def close(self) -> None:
        """Stop it and remove its data."""
        self._process.close()

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/api/v1/{what}?{urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def _ready(self) -> bool:
        with suppress(URLError, ConnectionError), urlopen(f"{self.url}/-/ready", timeout=2) as got:
            return got.status == 200
        return False


def promtool(arguments: Sequence[str | Path], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool, for instance `["check", "metrics"]` on the text of a `/metrics` page.

    Raises:
        ServerMissing: it is not installed.
    """
    return subprocess.run(
        [_found("promtool"), *arguments], input=text, capture_output=True, text=True, check=False
    )


def installed() -> bool:
    """Whether both programs are here."""
    return shutil.which("prometheus") is not None and shutil.which("promtool") is not None


def _found(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise ServerMissing("Prometheus", PACKAGES)
    return found
