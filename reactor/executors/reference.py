"""Naming a function or a class so that another process can import it.

A pipeline file is loaded by its path, under a name that its loader chose; a module of a package by
its name. A reference carries both, and is resolved by whichever fits: the same file is never loaded
twice in one process.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Reference:
    """`name` is the qualified name; `module` and `file`, as far as known, say where it is."""

    module: str
    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.file or self.module}:{self.name}"


@functools.lru_cache(256)
def of(thing: Any) -> Reference:
    """Where a function or a class is defined."""
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    return Reference(thing.__module__, os.path.realpath(file) if file else "", thing.__qualname__)


@functools.lru_cache(1024)
def located(locate: str, function: Callable[..., Any] | None) -> Reference:
    """What `module:qualname` or `path.py:qualname` names, with what the function itself tells.

    Raises: ValueError if it cannot be imported by name.
    """
    place, _, name = locate.rpartition(":")
    if not place:
        if function is None:
            raise ValueError("neither a function nor a place to import it from is given")
        found = of(function)
    elif place.endswith(".py"):
        file = os.path.realpath(place)
        told = of(function) if function is not None else None
        found = Reference(told.module if told and told.file == file else "", file, name)
    else:
        found = Reference(place, "", name)
    if "<" in found.name:
        raise ValueError(f"{found} cannot be imported by name: move it to the top of its module")
    return found


@functools.cache
def resolve(reference: Reference) -> Any:
    """What is referred to, importing its module if need be.

    Raises: whatever the import raises.
    """
    return _within(_loaded(reference) or _imported(reference), reference.name)


def known(reference: Reference) -> Any:
    """What is referred to if its module is loaded already, else None: nothing is imported."""
    module = _loaded(reference)
    return None if module is None else _within(module, reference.name)


def _loaded(reference: Reference) -> ModuleType | None:
    module = sys.modules.get(reference.module)
    if module is not None and (not reference.file or _file(module) == reference.file):
        return module
    if not reference.file:
        return None
    return next((each for each in [*sys.modules.values()] if _file(each) == reference.file), None)


def _imported(reference: Reference) -> ModuleType:
    importlib.invalidate_caches()
    if not reference.file or _finds(reference.module) == reference.file:
        return importlib.import_module(reference.module)
    name = reference.module
    if not name or name == "__main__" or name in sys.modules:
        name = f"__reactor_{abs(hash(reference.file)):x}"
    spec = importlib.util.spec_from_file_location(name, reference.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{reference.file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _finds(module: str) -> str:
    """The file that importing the module by its name would load."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return ""
    return os.path.realpath(spec.origin) if spec is not None and spec.origin else ""


def _file(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else ""


def _within(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ImportError(f"{module.__file__} has no {name}: was it changed or renamed?")
        found = getattr(found, part)
    return found
