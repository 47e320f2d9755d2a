"""Every example passes its own tests, is clean, and stands in the index."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import Command, command

EXAMPLES = Path(__file__).parents[2] / "examples"
FLAGS = ("-p", "no:cacheprovider", "-W", "error", "-c", "/dev/null")
FOLDERS = sorted(each.parent for each in EXAMPLES.glob("*/pipeline.py"))


def _name(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_an_example_passes_its_own_tests(folder: Path) -> None:
    # In a process and a folder of its own, as its reader runs it: each has a module `pipeline`.
    argv = [sys.executable, "-m", "pytest", "-q", *FLAGS, "."]
    done = subprocess.run(argv, check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed in", done.stdout, re.MULTILINE)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs a command; what it loads is forgotten, as each example has a module `pipeline`."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield command(capsys)
    sys.modules.pop("pipeline", None)


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_nothing_is_to_be_said_of_an_example(folder: Path, run: Command) -> None:
    checked = run("check", str(folder / "pipeline.py"), "--json").data
    assert checked["ok"]
    assert (checked["mistakes"], checked["hints"]) == ([], [])


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_an_example_stands_in_the_index_with_its_tests(folder: Path) -> None:
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for file in ("pipeline.py", "test_pipeline.py"):
        assert f"]({folder.name}/{file})" in index
        assert (folder / file).exists()
