"""Running a command of ours in the test's own process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from reactor.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it answered, as JSON."""
        return json.loads(self.out)


Command = Callable[..., Ran]


def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `reactor ARGUMENTS` as the console script would."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err, captured.err
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run
