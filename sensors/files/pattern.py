"""Which paths a pattern means: the dialect of `pathlib`, on paths relative to the fixed folder.

`*` and `?` match within one name, `[abc]`, `[a-z]` and `[!abc]` one character of it, `**` as a
whole name any number of folders (at the end: every file beneath). Case counts, a leading dot does
not. The folders before the first name with a wildcard are the *root*: what is watched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")
_ANY = "**"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; `root` as written ("." if there is none), `names` what follows it."""

    text: str
    root: str
    names: tuple[str, ...]
    _files: re.Pattern[str]
    _folders: re.Pattern[str]

    def matches(self, path: str) -> bool:
        """Whether a file at this path, relative to the root, is meant."""
        return self._files.fullmatch(path) is not None

    def may_hold(self, folder: str) -> bool:
        """Whether files that are meant may lie in this folder or beneath; "" is the root."""
        return not folder or self._folders.fullmatch(f"/{folder}") is not None

    @property
    def deep(self) -> bool:
        """Whether files that are meant may lie in folders beneath the root."""
        return _ANY in self.names or len(self.names) > 1

    @property
    def called(self) -> str:
        """The name of the last fixed folder, or "files" if the pattern names none."""
        names = [name for name in self.root.split("/") if name not in ("", ".", "..")]
        return names[-1] if names else "files"

    def within(self, path: str) -> str | None:
        """A path as written, made relative to the root; None if it lies elsewhere."""
        path = "/" * path.startswith("/") + "/".join(_plain(path))
        if self.root == ".":
            return None if path.startswith(("/", "..")) else path
        front = self.root if self.root == "/" else f"{self.root}/"
        return path.removeprefix(front) if path.startswith(front) else None

    def written(self, path: str) -> str:
        """The opposite of `within`."""
        if self.root == ".":
            return path
        return f"/{path}" if self.root == "/" else f"{self.root}/{path}"


@lru_cache(maxsize=256)
def pattern_of(text: str) -> Pattern:
    """The pattern that `text` means.

    Raises: ValueError if it means no file, or cannot be understood.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{text!r} is no text")
    if not text or text.endswith("/"):
        raise ValueError(f"{text!r} names a folder, not files: did you mean {text + '*'!r}?")
    names = _plain(text)
    if not names or names[-1] == "..":
        raise ValueError(f"{text!r} names a folder, not files")
    wild = [number for number, name in enumerate(names) if _WILD.search(name)]
    first = wild[0] if wild else len(names) - 1
    tail = tuple(names[first:])
    if ".." in tail:
        raise ValueError(f"{text!r}: '..' may not follow a name with a wildcard")
    fixed = "/" * text.startswith("/") + "/".join(names[:first])
    files, folders = re.compile(_files(tail), re.DOTALL), re.compile(_folders(tail), re.DOTALL)
    written = "/" * text.startswith("/") + "/".join(names)
    return Pattern(written, fixed or ".", tail, files, folders)


def ignorer(patterns: Sequence[str], pattern: Pattern) -> re.Pattern[str] | None:
    """What matches the names (of files and folders) to ignore; None if there are none.

    An ignored pattern that also matches a name spelled in `pattern` is not applied: who asks for
    `_log/*.json` wants to see it.
    """
    applied = [one for one in patterns if not any(fnmatchcase(name, one) for name in pattern.names)]
    return re.compile("|".join(map(translate, applied))) if applied else None


def _plain(path: str) -> list[str]:
    """The names of a path. `..` stays: what it leads to depends on symbolic links."""
    return [name for name in path.split("/") if name not in ("", ".")]


def _files(names: Sequence[str]) -> str:
    parts: list[str] = []
    for number, name in enumerate(names):
        last = number == len(names) - 1
        if name == _ANY:
            parts.append("(?:[^/]+/)*" + ("[^/]+" if last else ""))
        else:
            parts.append(_name(name) + ("" if last else "/"))
    return "".join(parts)


def _folders(names: Sequence[str]) -> str:
    """Matches `/a/b` for every folder on the way to a match."""
    if names[0] == _ANY:
        return "(?:/.*)?"
    if len(names) == 1:
        return ""
    return f"(?:/{_name(names[0])}{_folders(names[1:])})?"


def _name(name: str) -> str:
    """The regular expression of one name."""
    if _ANY in name:
        raise ValueError(f"{name!r}: '**' can only stand alone, between slashes")
    parts: list[str] = []
    at = 0
    while at < len(name):
        character = name[at]
        end = name.find("]", at + (3 if name[at + 1 : at + 2] == "!" else 2))
        if character == "*":
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[" and end > 0:
            parts.append(_one_of(name[at + 1 : end]))
            at = end
        else:
            parts.append(re.escape(character))
        at += 1
    return "".join(parts)


def _one_of(inside: str) -> str:
    """The regular expression of `[inside]`."""
    front, inside = ("^", inside[1:]) if inside.startswith("!") else ("", inside)
    escaped = re.sub(r"([\\\[\]&~|^])", r"\\\1", inside).replace("--", r"-\-")
    try:
        re.compile(found := f"(?!/)[{front}{escaped}]")
    except re.error as error:
        raise ValueError(f"[{inside}] is no set of characters: {error}") from error
    return found
