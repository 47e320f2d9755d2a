"""An edge between two assets, as their partitions see it: who reads what, whom a change concerns.

Knows: the partitions of both ends, and the mapping between them. Refuses to know: which partitions
were made (inputs.py), what is planned.

An asset that declares no partitions is one whole; a rule may still launch it for a key (its
`partition=`), which then flows on to assets that declare none either. An edge does one of these:

- neither end has partitions: the same key, or the whole, is read;
- only the upstream has: the whole below reads every partition above;
- only the downstream has: each of its partitions reads the whole above. Which of them a change
  concerns is known when the upstream ends and says so (`Output(changed=...)`): it *spreads*;
- both have: as the mapping says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from reactor.core.asset import Asset
from reactor.core.mapping import Drilldown, Mapping, Offset, Same
from reactor.core.partition import Partitions


class _Every(Enum):
    EVERY = "*"

    def __repr__(self) -> str:
        return "EVERY"


EVERY: Final = _Every.EVERY
"""All partitions of an asset, whichever they are."""

Place = tuple[str, str | _Every | None]
"""An asset partition as it is written or read."""


@dataclass(frozen=True, slots=True)
class Link:
    """An edge of which at least one end has partitions of its own."""

    above: str
    parts: Partitions | None
    """The partitions above."""
    mapping: Mapping | None
    below: Partitions | None
    """The partitions below."""

    @property
    def spreads(self) -> bool:
        """Whether it is known only later which partitions below a change concerns."""
        return self.parts is None and self.below is not None

    @property
    def single(self) -> bool:
        """Whether a partition below reads exactly one above, by the nature of the mapping."""
        if isinstance(self.mapping, Offset):
            return self.mapping.first == self.mapping.last
        return self.parts is None or isinstance(self.mapping, (Same, Drilldown))

    def down(self, key: str | None, known: Callable[[], Iterable[str]]) -> tuple[str | None, ...]:
        """The partitions below that read partition `key` above.

        Args: `known` answers the partitions of the asset below that are there.
        Returns: nothing for one that spreads, unless the key names a partition below.
        """
        if self.below is None:
            return (None,)
        if self.parts is None:
            return (key,) if key is not None and not self.below.problem(key) else ()
        if self.mapping is None or key is None:
            return ()
        found = self.mapping.down(key, self.parts, self.below)
        return tuple(known()) if found is None else found

    def concerns(self, key: str, partition: str | None) -> bool:
        """Whether a key above leads to a partition below; not, if a user's mapping raises."""
        if self.below is None or partition is None:
            return True
        try:
            found = self.mapping.down(key, self.parts, self.below) if self.mapping else ()
        except Exception:  # noqa: BLE001 - a user's mapping: the plan says what it raises
            return False
        return found is None or partition in found

    def spread(self, keys: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
        """The partitions below that changed keys above concern; all, if a user's mapping raises."""
        found: dict[str, None] = {}
        for key in keys:
            try:
                below = self.mapping.down(key, self.parts, self.below) if self.mapping else ()
            except Exception:  # noqa: BLE001 - a user's mapping: rather too much than too little
                below = None
            found |= dict.fromkeys(known if below is None else below)
        return tuple(found)

    def up(self, key: str | None) -> tuple[str, ...] | None:
        """The partitions above that partition `key` below reads; None: those that are there."""
        if self.parts is None or self.below is None or self.mapping is None or key is None:
            return None
        return self.mapping.up(key, self.parts, self.below)

    def places(self, key: str | None) -> tuple[Place, ...]:
        """What partition `key` below reads."""
        if self.parts is None:
            whole: Place = (self.above, None)
            return (whole,) if key is None else ((self.above, key), whole)
        keys = self.up(key)
        if keys is None:
            return ((self.above, EVERY),)
        return tuple((self.above, each) for each in keys)


def link(above: Asset, below: Asset) -> Link | None:
    """The edge to `below`, which reads `above`; None if neither has partitions of its own."""
    if above.partitions is None and below.partitions is None:
        return None
    mapping = next(each.mapping for each in below.upstream if each.name == above.name)
    return Link(above.name, above.partitions, mapping, below.partitions)
