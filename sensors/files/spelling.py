"""File names as text that JSON, SQLite and a terminal can hold.

A file name is any bytes. One that is UTF-8 stands for itself. In any other, each byte that is not
UTF-8 is written `\\xNN` and each backslash `\\x5c`; so is a name that contains `\\x` as it stands.
The text is never ambiguous, and `unspelled` gives the name back.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_UNDECODED = re.compile("[\udc80-\udcff]")


def spelled(path: str) -> str:
    """The text of a path as `os` gives it (with surrogates for bytes that are not UTF-8)."""
    if "\\x" not in path and (path.isascii() or not _UNDECODED.search(path)):
        return path
    return "/".join(map(_spelled, path.split("/")))


def unspelled(text: str) -> str:
    """The path that a text stands for, as `os` takes it."""
    if "\\x" not in text:
        return text
    return _ESCAPE.sub(_character, text)


def _spelled(name: str) -> str:
    if "\\x" not in name and not _UNDECODED.search(name):
        return name
    text = name.replace("\\", "\\x5c")
    return _UNDECODED.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def _character(found: re.Match[str]) -> str:
    byte = int(found[1], 16)
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)
