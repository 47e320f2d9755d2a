"""File names as text."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.files.spelling import spelled, unspelled

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)
ESCAPES = st.lists(st.sampled_from([b"\\", b"x", b"ff", b"\xff", b"a", b"/", "é".encode()])).map(
    b"".join
)


@given(NAMES | ESCAPES)
def test_every_name_comes_back_and_its_text_is_plain(name: bytes) -> None:
    """Whatever bytes a name has, its text can be stored, sent, and turned back into the name."""
    path = os.fsdecode(name)
    text = spelled(path)
    assert unspelled(text) == path
    assert json.loads(json.dumps(text, ensure_ascii=False).encode()) == text


@given(NAMES | ESCAPES, NAMES | ESCAPES)
def test_two_names_never_have_one_text(one: bytes, other: bytes) -> None:
    """Different names stay different."""
    same = spelled(os.fsdecode(one)) == spelled(os.fsdecode(other))
    assert same == (one == other)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"monday.csv", "monday.csv"),
        ("日本 – é.csv".encode(), "日本 – é.csv"),
        (b"a\\b.csv", "a\\b.csv"),
        (b"caf\xe9.csv", "caf\\xe9.csv"),
        (b"a\\xff.csv", "a\\x5cxff.csv"),
        (b"a\\b/\xff.csv", "a\\b/\\xff.csv"),
    ],
)
def test_only_what_must_be_escaped_is(name: bytes, text: str) -> None:
    """A name that is UTF-8 stands for itself; each name of a path is spelled on its own."""
    assert spelled(os.fsdecode(name)) == text
