"""What a value of a type may be, as far as predicates can tell.

Knows: how models, dataclasses, typed dictionaries, collections, unions and plain types are written.
Refuses to know: predicates. What it does not know of may be anything.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel

from reactor.core.value import plain, stands_for_text

Kind = Literal[
    "anything", "null", "true or false", "a number", "text", "an instant", "a duration", "a time",
    "bytes", "a choice", "a list", "a mapping", "a record",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the things that a value may be.

    `type` is what it is written as, `item` the type of its items or values, `fields` those of a
    record, `choices` the plain values of a choice.
    """

    kind: Kind
    type: Any
    item: Any = Any
    fields: dict[str, Any] = dataclasses.field(default_factory=lambda: {})
    choices: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """What it is called where it is written."""
        return getattr(self.type, "__name__", str(self.type))

    def __str__(self) -> str:
        plainly = self.kind not in ("text", "a record") or self.type is str
        return self.kind if plainly else f"a {self.name}"


def shapes(type_: Any) -> tuple[Shape, ...]:
    """All that a value of a type may be, in the order written."""
    return tuple(_shapes(type_))


def _shapes(type_: Any) -> Iterator[Shape]:
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if type_ is None or type_ is types.NoneType:
        yield Shape("null", None)
    elif origin is None and isinstance(type_, type):
        yield _of_class(type_)
    elif origin in (typing.Union, types.UnionType):
        for each in arguments:
            yield from _shapes(each)
    elif origin in (typing.Annotated, typing.Required, typing.NotRequired, typing.Final):
        yield from _shapes(arguments[0])
    elif origin is Literal:
        yield Shape("a choice", type_, choices=tuple(map(plain, arguments)))
    elif hasattr(type_, "__supertype__"):
        yield from _shapes(type_.__supertype__)
    elif hasattr(type_, "__value__"):
        yield from _shapes(type_.__value__)
    elif isinstance(type_, typing.TypeVar):
        yield from _shapes(type_.__bound__ or Any)
    elif isinstance(origin, type):
        yield _generic(type_, origin, arguments)
    else:
        yield Shape("anything", type_)


def _generic(type_: Any, origin: type, arguments: tuple[Any, ...]) -> Shape:
    own = _of_class(origin)
    if own.kind == "a mapping":
        return Shape("a mapping", type_, item=arguments[-1] if arguments else Any)
    if own.kind == "a list":
        items = tuple(each for each in arguments if each is not Ellipsis)
        return Shape("a list", type_, item=typing.Union[items] if items else Any)  # noqa: UP007
    return own


_PLAIN: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (bool, "true or false"),
    ((int, float, Decimal, Fraction), "a number"),
    (str, "text"),
    (date, "an instant"),
    (timedelta, "a duration"),
    (time, "a time"),
    ((bytes, bytearray), "bytes"),
)


@lru_cache(maxsize=1_024)
def _of_class(type_: type) -> Shape:
    if issubclass(type_, Enum):
        choices = tuple(plain(member) for member in type_)
        return Shape("a choice", type_, choices=choices) if choices else Shape("anything", type_)
    for plain_type, kind in _PLAIN:
        if issubclass(type_, plain_type):
            return Shape(kind, type_)
    if stands_for_text(type_):
        return Shape("text", type_)
    fields = _fields(type_)
    if fields is not None:
        return Shape("a record", type_, fields=fields)
    if issubclass(type_, collections.abc.Mapping):
        return Shape("a mapping", type_)
    if issubclass(type_, (list, tuple, set, frozenset, collections.abc.Sequence)):
        return Shape("a list", type_)
    return Shape("anything", type_)


def _fields(type_: type) -> dict[str, Any] | None:
    """The names that a value of this type has, with their types; None if it may have others."""
    if issubclass(type_, BaseModel):
        if type_.model_config.get("extra") == "allow":
            return None
        own: dict[str, Any] = {name: one.annotation for name, one in type_.model_fields.items()}
        computed = {name: one.return_type for name, one in type_.model_computed_fields.items()}
        return {**_properties(type_), **own, **computed}
    if dataclasses.is_dataclass(type_):
        return {
            **_properties(type_),
            **_hints(type_, [one.name for one in dataclasses.fields(type_)]),
        }
    if issubclass(type_, dict) and hasattr(type_, "__total__"):
        # A typed dictionary, of typing or of typing_extensions.
        return _hints(type_, list(type_.__annotations__))
    return None


def _hints(type_: type, names: Iterable[str]) -> dict[str, Any]:
    try:
        known = typing.get_type_hints(type_)
    except NameError:
        known = {}
    return {name: known.get(name, Any) for name in names}


def _properties(type_: type) -> dict[str, Any]:
    public = (name for name in dir(type_) if not name.startswith(("_", "model_")))
    return {name: Any for name in public if isinstance(getattr(type_, name, None), property)}
