"""Where in an event a value lies, and how to read it.

Knows: the attributes of the envelope, and how to go down into mappings, lists and models. Refuses
to know: what is asked of the value that is found.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, cast

from reactor.core.event import Event

Step = str | int
Root = Literal["field", "meta"]
Get = Callable[[Event], Any]

META = ("id", "source", "type", "subject", "time", "received", "key")
"""What `meta` offers beside `header["name"]`."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


@dataclass(frozen=True, slots=True)
class Path:
    """Where in an event a value lies: `field.customer.tags[0]`, `meta.key`."""

    root: Root
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        text: str = self.root
        for step in self.steps:
            text += f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
        return text

    def getter(self) -> Get:
        """A function from an event to the value here, or MISSING."""
        steps = self.steps
        if self.root == "meta":
            return _meta_getter(steps)
        if len(steps) == 1 and isinstance(steps[0], str):
            return _top_getter(steps[0])

        def walk(event: Event) -> Any:
            value = event.data
            for step in steps:
                value = _descend(value, step)
                if value is MISSING:
                    return MISSING
            return value

        return walk


def _top_getter(name: str) -> Get:
    def get(event: Event) -> Any:
        data = event.data
        # The most frequent question of all: a field of decoded JSON.
        if type(data) is dict:
            return cast("dict[str, Any]", data).get(name, MISSING)
        return _descend(data, name)

    return get


def _meta_getter(steps: tuple[Step, ...]) -> Get:
    match steps:
        case ("header", str(name)):
            return lambda event: event.headers.get(name, MISSING)
        case (str(attribute),) if attribute in META:
            return operator.attrgetter(attribute)
        case _:
            shown = str(Path("meta", steps))
            raise ValueError(f"meta has {', '.join(META)} and header['name'], not {shown}")


def _descend(value: object, step: Step) -> Any:
    if isinstance(step, int):
        items = cast("list[Any]", value) if isinstance(value, (list, tuple)) else []
        return items[step] if -len(items) <= step < len(items) else MISSING
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).get(step, MISSING)
    if _without_attributes(type(value)):
        return MISSING
    found = getattr(value, step, MISSING)
    return MISSING if callable(found) else found


@lru_cache(maxsize=1_024)
def _without_attributes(kind: type[object]) -> bool:
    """Whether the attributes of such values are no fields."""
    return issubclass(kind, (str, bytes, int, float, list, tuple, set, NoneType))
