"""How a ledger differs from what is there."""

from hypothesis import given
from hypothesis import strategies as st

from sensors.files.ledger import Change, Ledger, Look, differences, parsed

PATHS = st.sampled_from([f"{folder}{name}" for folder in ("", "a/", "a/b/") for name in "xyz"])
STATES = st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(1, 3))
TREES = st.dictionaries(PATHS, STATES)


def look(path: str, state: tuple[int, int, int]) -> Look:
    inode, size, mtime = state
    return Look(path, f"{inode:x}.{size:x}.{mtime:x}", inode, size, mtime, mtime)


def rows(tree: dict[str, tuple[int, int, int]]) -> dict[str, str]:
    return {path: look(path, state).identity for path, state in tree.items()}


@given(TREES, TREES)
def test_without_moves_it_is_the_difference_of_two_dictionaries(before: dict, after: dict) -> None:
    """The reference is four lines of set arithmetic."""
    old, new = rows(before), rows(after)
    found = differences(old, [look(*one) for one in after.items()], old.keys() - new.keys())
    assert {(one.what, one.path, one.before, one.after) for one in found} == {
        *(("created", path, None, new[path]) for path in new.keys() - old.keys()),
        *(("deleted", path, old[path], None) for path in old.keys() - new.keys()),
        *(
            ("changed", path, old[path], new[path])
            for path in new.keys() & old.keys()
            if old[path] != new[path]
        ),
    }
    assert len({one.path for one in found}) == len(found)


@given(TREES, TREES, st.booleans())
def test_applied_it_makes_the_ledger_equal_to_what_is_there(
    before: dict, after: dict, moved: bool
) -> None:
    """And each move names what was stored before it, as a store demands."""
    ledger, stored = Ledger(rows(before), moved=moved), rows(before)
    looks = [look(*one) for one in after.items()]
    gone = before.keys() - after.keys()
    changes = ledger.differences(looks, gone)
    parts = [move.part for change in changes for move in change.moves]
    assert len(set(parts)) == len(parts)
    for move in (move for change in changes for move in change.moves):
        assert stored.get(move.part) == move.before
        assert move.before != move.after
        if move.after is None:
            del stored[move.part]
        else:
            stored[move.part] = move.after
    ledger.apply(changes)
    assert stored == rows(after) == {path: ledger.get(path) for path in ledger.beneath("")}
    assert ledger.differences(looks, gone) == []


@given(TREES, TREES)
def test_a_moved_file_has_the_identity_of_one_that_is_gone(before: dict, after: dict) -> None:
    """Each that is gone and appeared elsewhere as it was moved, and none moved twice."""
    old, new = rows(before), rows(after)
    gone = old.keys() - new.keys()
    looks = [look(*one) for one in after.items()]
    found = differences(old, looks, gone, moved=True)
    moves = [one for one in found if one.what == "moved"]
    for one in moves:
        assert one.previous in gone
        assert old[one.previous] == one.after == new[one.path]
    assert len({one.previous for one in moves}) == len(moves)
    deleted = {one.path for one in found if one.what == "deleted"}
    assert deleted == gone - {one.previous for one in moves}
    appeared = {new[path] for path in new if old.get(path) != new[path]}
    assert {one.after for one in moves} == appeared & {old[path] for path in gone}


def test_a_path_that_was_not_looked_at_is_as_it_was() -> None:
    """Silence says nothing."""
    assert differences({"x": "1.1.1"}, [], []) == []
    assert differences({"x": "1.1.1"}, [look("y", (2, 2, 2))], ["z"]) == [
        Change("created", "y", None, look("y", (2, 2, 2)))
    ]


def test_a_path_that_was_seen_is_not_gone() -> None:
    """Two hints about one path, the second after it came back."""
    seen = look("x", (2, 2, 2))
    assert differences({"x": "1.1.1"}, [seen], ["x"]) == [Change("changed", "x", "1.1.1", seen)]


def test_a_file_is_found_by_its_identity_only_as_long_as_it_is_there() -> None:
    """Which is what moves are recognised by."""
    ledger = Ledger({"x": "1.1.1"}, moved=True)
    assert ledger.place("1.1.1") == "x"
    ledger.apply(ledger.differences([look("y", (1, 1, 1))], ["x"]))
    assert ledger.place("1.1.1") == "y"
    ledger.apply(ledger.differences([], ["y"]))
    assert ledger.place("1.1.1") is None
    assert Ledger({"x": "1.1.1"}).place("1.1.1") is None


@given(st.integers(0, 2**64), st.integers(0, 2**63), st.integers(-(2**63), 2**63))
def test_an_identity_says_what_it_was_made_of(inode: int, size: int, mtime_ns: int) -> None:
    """Also for a file dated before 1970."""
    assert parsed(look("x", (inode, size, mtime_ns)).identity) == (inode, size, mtime_ns)


def test_beneath_a_folder_is_not_beside_it() -> None:
    """`a` is no part of `ab`."""
    ledger = Ledger(dict.fromkeys(["a/x", "a/b/x", "ab/x", "a"], "1.1.1"))
    assert ledger.beneath("a") == ["a/x", "a/b/x"]
    assert len(ledger.beneath("")) == len(ledger) == 4
