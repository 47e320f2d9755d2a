"""A rule as matching needs it."""

from __future__ import annotations

from reactor.core.asset import Rule
from reactor.core.place import Get, Path
from reactor.core.trigger.compile import Program, compile_trigger


class Listener:
    """A rule, compiled. `number` is its place in the pipeline.

    `direct` if an event that comes in is a firing as it is, in the group at `place`.
    """

    __slots__ = ("direct", "name", "number", "partition", "place", "program")

    def __init__(self, rule: Rule, number: int) -> None:
        self.name, self.number = rule.name, number
        self.program: Program = compile_trigger(rule.trigger)
        partition = rule.partition
        self.partition: Get | None = (
            partition.getter() if isinstance(partition, Path) else partition
        )
        self.place = (self.name, None, None)
        keyed = any(entry.key is not None for entry in self.program.entries)
        self.direct = self.program.stateless and not keyed and partition is None
