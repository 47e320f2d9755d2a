"""What is installed is what we wrote, and what the lock says."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def test_the_wheel_has_every_file_of_both_packages(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    ours = {
        str(path.relative_to(ROOT))
        for package in ("reactor", "sensors")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert ours - packed == set()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_by_hash_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    entries = re.findall(r"^(\S.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *project["project"]["dependencies"],
        *(need for needs in project["project"]["optional-dependencies"].values() for need in needs),
        *project["dependency-groups"]["test"],
    ]
    names = {_name(need) for need in declared} - {project["project"]["name"]}
    locked = {
        _name(line)
        for line in (ROOT / "requirements" / "test.txt").read_text().splitlines()
        if "==" in line
    }
    assert names - locked == set()


def _name(requirement: str) -> str:
    """The normalized name that a requirement starts with."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()
