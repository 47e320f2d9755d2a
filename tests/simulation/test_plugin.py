"""The pytest plugin as a user meets it: in a project of their own, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SHOP = """
from reactor import Pipeline
from sensors import FileArrivals, Schedule

{name} = Pipeline("{name}")
inbox = FileArrivals("inbox/*.csv")
hourly = Schedule("0 * * * *")

@{name}.asset(on=inbox)
def raw(events): ...

@{name}.asset(on=hourly)
def report(events): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP.format(name="shop"))
    (tmp_path / "mill.py").write_text(SHOP.format(name="mill"))
    return tmp_path


def run(project: Path, test: str, *options: str) -> tuple[int, str]:
    """What pytest says of a test module in a project that knows us only as it is installed."""
    (project / "test_it.py").write_text(test)
    (project / "pytest.ini").touch()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    ran = subprocess.run(
        words, check=False, cwd=project, capture_output=True, text=True, timeout=60
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_sim_simulates_the_one_pipeline_that_the_module_imports(project: Path) -> None:
    code, said = run(
        project,
        """
from shop import inbox, shop

def test_it(sim):
    sim.emit(inbox.event("inbox/a.csv")).later("1h")
    assert sim.launched == ["raw", "report"]
""",
        "--strict-markers",
        "--strict-config",
        "-W",
        "error",
    )
    assert code == 0, said


def test_a_mark_says_which_pipeline_and_how(project: Path) -> None:
    code, said = run(
        project,
        """
import pytest
from mill import mill
from shop import shop

@pytest.mark.pipeline(mill, start="2026-03-01T00:30", ticks=False)
def test_marked(sim):
    assert sim.definition.graph.name == "mill"
    assert sim.later("1d").launched == []
    assert sim.now.isoformat() == "2026-03-02T00:30:00+00:00"

def test_unmarked(sim): ...
""",
    )
    assert code == 1
    assert "1 passed, 1 error" in said
    assert "test_it has several pipelines, mill, shop: mark the test with the one that" in said


def test_a_fixture_called_pipeline_says_which(project: Path) -> None:
    code, said = run(
        project,
        """
import pytest
from reactor import Pipeline

@pytest.fixture
def pipeline():
    return Pipeline("made")

def test_it(sim):
    assert sim.definition.graph.name == "made"
""",
    )
    assert code == 0, said


def test_a_setting_says_which(project: Path) -> None:
    test = "def test_it(sim):\n    assert sim.later('1h').launched == ['report']\n"
    code, said = run(project, test, "-o", "reactor_pipeline=mill.py")
    assert code == 0, said
    code, said = run(project, test, "-o", "reactor_pipeline=mil.py")
    assert code == 1
    assert "reactor_pipeline: there is no file" in said


def test_who_does_not_say_which_is_told_the_ways(project: Path) -> None:
    code, said = run(project, "def test_it(sim): ...\n")
    assert code == 1
    assert "sim does not know which pipeline is meant: import the pipeline into" in said
    code, said = run(
        project,
        "import pytest\n@pytest.mark.pipeline('shop.py')\ndef test_it(sim): ...\n",
    )
    assert "the mark pipeline gives 'shop.py', which is no Pipeline" in said


def test_a_test_that_fails_shows_the_story(project: Path) -> None:
    _, said = run(
        project,
        """
from shop import inbox, shop

def test_it(sim):
    sim.emit(inbox.event("inbox/a.csv"))
    assert sim.launched == []
""",
    )
    assert "the story of sim" in said
    assert "+0s       raw because inbox saw inbox/a.csv" in said


def test_other_projects_do_not_wait_for_us(project: Path) -> None:
    """Nothing of ours is imported beyond the plugin until a test asks for `sim`."""
    code, said = run(
        project,
        """
import sys

def test_it():
    ours = {name for name in sys.modules if name.split(".")[0] in ("reactor", "sensors")}
    assert ours == {"reactor", "reactor.testing", "reactor.testing.plugin"}
    assert "pydantic" not in sys.modules
""",
    )
    assert code == 0, said
