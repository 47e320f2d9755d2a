"""Which of many prefixes a text begins with, without asking each of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefixes(Generic[T]):
    """Prefixes with what they stand for; they do not change.

    Among texts in order, everything between a prefix and a text that begins with it begins with it
    too. So the last prefix that does not come after a text is one of its own, or shares them: they
    are found by going from prefix to the longest one that is a prefix of it.
    """

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        grouped: dict[str, list[T]] = {}
        for prefix, item in entries:
            grouped.setdefault(prefix, []).append(item)
        self._texts = sorted(grouped)
        self._items = [grouped[text] for text in self._texts]
        self._shorter: list[int] = []
        open_: list[int] = []
        for number, text in enumerate(self._texts):
            while open_ and not text.startswith(self._texts[open_[-1]]):
                open_.pop()
            self._shorter.append(open_[-1] if open_ else -1)
            open_.append(number)

    def of(self, text: str) -> list[T]:
        """What stands for the prefixes of a text, the longest first; not to be changed.

        Cost: O(log n + how deep prefixes lie in one another).
        """
        number = bisect_right(self._texts, text) - 1
        while number >= 0 and not text.startswith(self._texts[number]):
            number = self._shorter[number]
        if number < 0:
            return []
        if self._shorter[number] < 0:
            return self._items[number]
        found: list[T] = []
        while number >= 0:
            found += self._items[number]
            number = self._shorter[number]
        return found
