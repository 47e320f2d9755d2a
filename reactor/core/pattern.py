"""Regular expressions whose time is bounded by their syntax, not by a clock.

A clock would make equal inputs give unequal decisions. RE2 takes time in proportion to the text
whatever the pattern, at the price of what cannot be matched so: look-around and back-references.

Source: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import re2 as _re2  # pyright: ignore[reportMissingTypeStubs]

re2: Any = _re2

LONGEST = 1_000
"""How many characters a pattern may have."""

MEMORY = 1 << 20
"""How many bytes a compiled pattern may take, which `((a{99}){99}){99}` would not keep to."""

_INSTEAD = "match without it, or write a function of the event"


def searcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether `pattern` is found in a text.

    Cost: O(length of the text). Raises: ValueError, with the reason and what to do.
    """
    search: Callable[[bytes], Any] = _compiled(pattern, groups=False).search
    return lambda text: search(_encoded(text)) is not None


def finder(pattern: str) -> tuple[tuple[str, ...], Callable[[str], tuple[str, ...] | None]]:
    """The names of the groups of `pattern`, and a function that finds what they take of a text.

    An only group may be without a name, and is then called "". The function answers None if the
    pattern is not found, or a group took no part in it. Cost: O(length of the text). Raises:
    ValueError, with the reason and what to do; also without a group, or with several of no name.
    """
    compiled = _compiled(pattern, groups=True)
    places = sorted((place, name) for name, place in compiled.groupindex.items())
    if not places and compiled.groups != 1:
        raise ValueError(
            f"the pattern {pattern!r} has {compiled.groups or 'no'} groups:"
            " one of them must be the key, as in (?P<key>[^/]+)"
        )
    numbers = [place for place, _ in places] or [1]

    def find(text: str) -> tuple[str, ...] | None:
        found = compiled.search(_encoded(text))
        taken: list[bytes | None] = [found.group(number) for number in numbers] if found else []
        parts = [part.decode("utf-8", "surrogatepass") for part in taken if part is not None]
        return tuple(parts) if len(parts) == len(numbers) else None

    return tuple(name for _, name in places) or ("",), find


def _compiled(pattern: str, groups: bool) -> Any:
    if len(pattern) > LONGEST:
        raise ValueError(f"a pattern of {len(pattern):,} characters: at most {LONGEST:,}")
    options = re2.Options()
    options.log_errors, options.never_capture, options.max_mem = False, not groups, MEMORY
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise ValueError(f"the pattern {pattern!r} is no text that can be encoded") from None
    except re2.error as error:
        raise ValueError(f"the pattern {pattern!r}: {_reason(pattern, error)}") from None


def _encoded(text: str) -> bytes:
    # Decoded JSON may hold half of a character, which no encoding takes otherwise.
    return text.encode("utf-8", "surrogatepass")


def _reason(pattern: str, error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text: str = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    if any(look in text for look in ("(?=", "(?!", "(?<=", "(?<!")):
        return f"looking around takes no bounded time ({_INSTEAD})"
    escape = text.removeprefix("invalid escape sequence: ")
    if (escape != text and escape[1:].isdigit()) or (text.endswith("(?P") and "(?P=" in pattern):
        return f"a reference back to a group takes no bounded time ({_INSTEAD})"
    if escape == "\\Z":
        return f"{text} (write \\z)"
    if "too large" in text or "repetition size" in text:
        return f"it is too large when its repetitions are written out ({_INSTEAD})"
    return text
