"""A rule as matching needs it."""

from __future__ import annotations

from reactor.core.asset import Rule
from reactor.core.field import Get, Path
from reactor.core.trigger.compile import Program, compile_trigger


class Listener:
    """A rule, compiled. `number` is its place in the pipeline."""

    __slots__ = ("name", "number", "partition", "program")

    def __init__(self, rule: Rule, number: int) -> None:
        self.name, self.number = rule.name, number
        self.program: Program = compile_trigger(rule.trigger)
        partition = rule.partition
        self.partition: Get | None = (
            partition.getter() if isinstance(partition, Path) else partition
        )
