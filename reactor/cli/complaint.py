"""What goes to stderr when something is wrong, and how texts from outside are made safe to show.

Stands on next to nothing, so that `reactor --help` loads nothing to draw with.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys

from reactor.core.errors import ReactorError

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def readable(text: object) -> str:
    """A text on one line, in which all that could steer a terminal is shown instead."""
    return _UNSAFE.sub(_visible, str(text))


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


_PLAIN = dict(zip("└├│─→✓✗●○↻…·×–", "`||->+x*o~..x-", strict=True))


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """What to write where an encoding has no such character."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    shown = (
        _PLAIN.get(char, char.encode("ascii", "backslashreplace").decode()) for char in missing
    )
    return "".join(shown), error.end


def print_anything() -> None:
    """Lets output go to a terminal or a file whose encoding knows less than ours."""
    codecs.register_error("reactor", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="reactor")


def nearby(text: object) -> str:
    """A text in which files below the current folder are named from there."""
    return readable(str(text).replace(f"{os.getcwd()}{os.sep}", ""))


def complain(text: str) -> None:
    """Says on stderr what went wrong; each line of it is one complaint."""
    colours = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    head = "\x1b[1;31merror:\x1b[0m" if colours else "error:"
    for line in text.splitlines() or [""]:
        sys.stderr.write(f"{head} {nearby(line)}\n")


class BadUsage(ReactorError):
    """The command was given what it cannot use; ends with 2."""
