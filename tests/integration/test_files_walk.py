"""What a walk over a real tree finds, against what `pathlib` finds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.files.ledger import Look
from sensors.files.pattern import pattern_of
from sensors.files.tree import Sight, Tree
from sensors.files.walk import SLICE, Visit, walk

NAMES = st.sampled_from(["a", "b", "ab", ".a", "a.csv", "b.csv", "[a]", "A"])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=12)
PARTS = st.sampled_from(["**", "*", "a*", "?", "*.csv", "[ab]", "[!a]*", "a", "[[]a]", "[A-Z]"])
PATTERNS = st.lists(PARTS, min_size=1, max_size=4).filter(lambda parts: parts[-1] != "**")


def found(tree: Tree) -> set[str]:
    """The paths of a whole walk."""
    return {
        look.path
        for slice_ in walk(tree, "", Visit(lambda folder, identity: True, lambda path, why: None))
        for look in slice_
    }


@settings(max_examples=150)
@given(PATHS, PATTERNS)
def test_a_walk_finds_what_pathlib_finds(paths: list[str], parts: list[str]) -> None:
    """Every file of the tree that the pattern means, and no other."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        for path in paths:
            if not any(parent.is_file() for parent in (root / path).parents):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                if not (root / path).exists():
                    (root / path).touch()
        meant = "/".join(parts)
        # pathlib reads a pattern without wildcards as a path; here its folders are the root.
        pattern = pattern_of(f"{made}/{meant}")
        base = os.path.relpath(pattern.root, root)
        expected = {str(path.relative_to(root)) for path in root.glob(meant) if path.is_file()}
        if not os.path.isdir(pattern.root):
            assert expected == set()
            return
        seen = found(Tree(pattern.root, pattern))
        assert {os.path.normpath(os.path.join(base, path)) for path in seen} == expected


def test_a_trailing_double_star_means_every_file_beneath(tmp_path: Path) -> None:
    """As it does in newer versions of pathlib."""
    for path in ("a", "b/c", "b/d/e"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert found(Tree(str(tmp_path), pattern_of(f"{tmp_path}/**"))) == {"a", "b/c", "b/d/e"}


def test_a_large_folder_comes_in_slices(tmp_path: Path) -> None:
    """So that nobody waits long for the thread, not even for files that do not count."""
    for number in range(SLICE * 2 + 1):
        (tmp_path / f"{number}.{'csv' if number % 2 else 'txt'}").touch()
    tree = Tree(str(tmp_path), pattern_of(f"{tmp_path}/*.csv"))
    slices = list(walk(tree, "", Visit(lambda folder, identity: True, lambda path, why: None)))
    assert len(slices) == 3
    assert sum(map(len, slices)) == SLICE
    assert all(len(slice_) <= SLICE for slice_ in slices)


@pytest.mark.parametrize(
    ("make", "sight"),
    [
        (lambda path: None, Sight.ABSENT),
        (lambda path: path.mkdir(), Sight.FOLDER),
        (os.mkfifo, Sight.OTHER),
        (lambda path: path.symlink_to("/etc/passwd"), Sight.LINK),
    ],
)
def test_a_look_says_what_is_there(tmp_path: Path, make, sight: Sight) -> None:
    """Without opening it."""
    make(tmp_path / "x")
    assert Tree(str(tmp_path), pattern_of(f"{tmp_path}/*")).look("x") is sight


def test_a_look_at_a_file_tells_its_identity(tmp_path: Path) -> None:
    """And whether it has another name, by which it could be written to unheard."""
    (tmp_path / "x").write_text("123")
    tree = Tree(str(tmp_path), pattern_of(f"{tmp_path}/*"))
    look = tree.look("x")
    stat = (tmp_path / "x").stat()
    assert isinstance(look, Look)
    assert look[:5] == (
        "x",
        f"{stat.st_ino:x}.3.{stat.st_mtime_ns:x}",
        stat.st_ino,
        3,
        stat.st_mtime_ns,
    )
    assert look.alone
    os.link(tmp_path / "x", tmp_path / "y")
    second = tree.look("y")
    assert isinstance(second, Look)
    assert not second.alone


def test_a_look_through_a_link_sees_nothing(tmp_path: Path) -> None:
    """Unless links are followed."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    root = tmp_path / "in"
    pattern = pattern_of(f"{root}/**")
    assert Tree(str(root), pattern).look("link/x") is Sight.ABSENT
    assert isinstance(Tree(str(root), pattern, follow=True).look("link/x"), Look)
