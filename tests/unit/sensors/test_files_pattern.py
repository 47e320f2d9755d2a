"""Which paths a pattern means."""

import pytest

from sensors.files.pattern import ignorer, pattern_of


@pytest.mark.parametrize(
    ("text", "root", "name"),
    [
        ("inbox/*.csv", "inbox", "inbox"),
        ("./inbox//*.csv", "inbox", "inbox"),
        ("data/2026/**/x-*.parquet", "data/2026", "2026"),
        ("/var/spool/in/?.txt", "/var/spool/in", "in"),
        ("inbox/monday.csv", "inbox", "inbox"),
        ("../drop/*", "../drop", "drop"),
        ("*.csv", ".", "files"),
        ("/*.csv", "/", "files"),
        ("../*.csv", "..", "files"),
        ("a/../b/*.csv", "a/../b", "b"),
    ],
)
def test_the_folders_before_the_first_wildcard_are_the_root(
    text: str, root: str, name: str
) -> None:
    """The last of them gives the sensor its name."""
    pattern = pattern_of(text)
    assert (pattern.root, pattern.called) == (root, name)


@pytest.mark.parametrize(
    ("text", "path", "means"),
    [
        ("i/*.csv", "a.csv", True),
        ("i/*.csv", ".csv", True),
        ("i/*.csv", "a.csv.gz", False),
        ("i/*.csv", "a.CSV", False),
        ("i/*.csv", "sub/a.csv", False),
        ("i/*.csv", "a\nb.csv", True),
        ("i/?.csv", "é.csv", True),
        ("i/?.csv", "ab.csv", False),
        ("i/[a-c]x", "bx", True),
        ("i/[!a-c]x", "bx", False),
        ("i/[!a-c]x", "zx", True),
        ("i/[]]x", "]x", True),
        ("i/[!]]x", "]x", False),
        ("i/[+--z]x", ",x", True),
        ("i/[x", "[x", True),
        ("i/a.b*", "aXb", False),
        ("i/**/*.csv", "a.csv", True),
        ("i/**/*.csv", "x/y/z/a.csv", True),
        ("i/**/day=*/*.csv", "x/day=1/a.csv", True),
        ("i/**/day=*/*.csv", "day=1/a.csv", True),
        ("i/**/day=*/*.csv", "day=1/x/a.csv", False),
        ("i/*/b/*.csv", "a/b/c.csv", True),
        ("i/*/b/*.csv", "a/c/c.csv", False),
        ("i/**", "a", True),
        ("i/**", "x/y/a", True),
        ("i/only.csv", "only.csv", True),
        ("i/only.csv", "other.csv", False),
    ],
)
def test_a_pattern_means_what_pathlib_means_by_it(text: str, path: str, means: bool) -> None:
    """Paths are relative to the root; a leading dot is not special here."""
    assert pattern_of(text).matches(path) == means


@pytest.mark.parametrize(
    ("text", "folder", "may"),
    [
        ("i/*.csv", "", True),
        ("i/*.csv", "a", False),
        ("i/*/b/*.csv", "a", True),
        ("i/*/b/*.csv", "a/b", True),
        ("i/*/b/*.csv", "a/c", False),
        ("i/*/b/*.csv", "a/b/c", False),
        ("i/*/**/*.csv", "a/b/c", True),
        ("i/**", "a/b", True),
        ("i/x*/**/b/*.csv", "y", False),
    ],
)
def test_only_folders_on_the_way_to_a_match_are_entered(text: str, folder: str, may: bool) -> None:
    """A walk never lists a folder that cannot hold what is meant."""
    assert pattern_of(text).may_hold(folder) == may


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "did you mean '*'"),
        ("inbox/", "did you mean 'inbox/*'"),
        ("..", "names a folder"),
        ("caf\udce9/*", "is no text"),
        ("a/*/../b", "'..' may not follow"),
        ("a/x**", "'**' can only stand alone"),
        ("a/[z-a]", "no set of characters"),
    ],
)
def test_what_means_no_file_is_refused(text: str, message: str) -> None:
    """With what was probably meant."""
    with pytest.raises(ValueError) as raised:
        pattern_of(text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "path", "relative"),
    [
        ("inbox/*", "inbox/a", "a"),
        ("inbox/*", "./inbox//a", "a"),
        ("a/../b/*", "a/../b/x", "x"),
        ("inbox/*", "outbox/a", None),
        ("inbox/*", "inboxes/a", None),
        ("*", "a", "a"),
        ("*", "/a", None),
        ("*", "../a", None),
        ("/*", "/a", "a"),
    ],
)
def test_a_path_as_written_is_found_in_the_root(text: str, path: str, relative: str | None) -> None:
    """And written again as the pattern is."""
    pattern = pattern_of(text)
    assert pattern.within(path) == relative
    if relative is not None:
        assert pattern.within(pattern.written(relative)) == relative


def test_a_name_that_the_pattern_spells_is_not_ignored() -> None:
    """Who asks for `_log` gets `_log`, whatever is usually ignored."""
    usual = ("*.tmp", "_*", ".*")
    plain = ignorer(usual, pattern_of("i/*.csv"))
    assert plain is not None
    assert [bool(plain.match(name)) for name in ("a.tmp", "_a", ".a", "a.tmp2", "a_")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    spelled_out = ignorer(usual, pattern_of("i/**/_log/*.tmp"))
    assert spelled_out is not None
    assert [bool(spelled_out.match(name)) for name in ("a.tmp", "_log", ".a")] == [
        False,
        False,
        True,
    ]
    assert ignorer((), pattern_of("i/*")) is None
