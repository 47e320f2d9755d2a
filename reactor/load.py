"""From a TARGET to a pipeline: `path/to/pipeline.py`, `path.py:name` or `module:name`.

The one place that runs a user's module. Whatever goes wrong in it becomes a DefinitionError at the
file and line where it was written, never a traceback of ours.

A file is imported under its own name, the folder it stands in (or, inside a package, the package's)
being made importable behind everything installed: so its neighbours can be imported, and a worker
process finds its functions by the same name. A name that is taken gets a stable one of its own.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

import reactor
import sensors
from reactor.core.errors import DefinitionError
from reactor.core.graph import nearest
from reactor.pipeline import Definition, Pipeline
from reactor.review import mistakes


def define(targets: Sequence[str]) -> Definition:
    """The checked definition of one target, or of several that are served together.

    Raises: DefinitionError with every problem found, each with its file and line.
    """
    definition = load(targets).definition()
    if problems := mistakes(definition):
        raise DefinitionError(problems)
    return definition


def load(targets: Sequence[str]) -> Pipeline:
    """The pipeline of a target; several become one that includes them all.

    Raises: DefinitionError if one cannot be imported or is not clear.
    """
    found = [_one(target) for target in targets]
    if len(found) == 1:
        return found[0]
    whole = Pipeline("+".join(pipeline.name for pipeline in found))
    for pipeline in found:
        whole.include(pipeline)
    return whole


def source_file(target: str) -> Path | None:
    """The file that a target names, or None if it names a module."""
    path, _ = _split(target)
    return Path(os.path.abspath(path)) if path.endswith(".py") else None


def _split(target: str) -> tuple[str, str]:
    place, _, name = target.partition(":") if ".py:" not in target else target.rpartition(":")
    return place, name


def _one(target: str) -> Pipeline:
    place, name = _split(target)
    file = source_file(target)
    if file is not None:
        return _chosen(_from_file(file, place), name, place)
    if os.sep in place or Path(place).exists():
        inside = Path(place) / "pipeline.py"
        hint = f"did you mean {inside}?" if inside.is_file() else "name a Python file"
        raise DefinitionError(f"{place} is not a Python file", hint=hint)
    _make_importable(Path.cwd())
    return _chosen(_imported(place), name, place)


def _from_file(file: Path, shown: str) -> ModuleType:
    if not file.is_file():
        there = [str(Path(shown).with_name(each.name)) for each in file.parent.glob("*.py")]
        raise DefinitionError(f"there is no file {shown}", hint=nearest(shown, there))
    root, name = _module_name(file)
    _make_importable(root)
    if not _leads_to(name, file):
        digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
        name = f"reactor_target_{digest}_{name.replace('.', '_')}"
        if name not in sys.modules:
            return _executed(name, file)
    return _imported(name, file)


def _module_name(file: Path) -> tuple[Path, str]:
    """The folder to import a file from, and what it is called from there."""
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _leads_to(name: str, file: Path) -> bool:
    """Whether importing `name` gives this file and nothing else."""
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    loaded = sys.modules.get(name)
    if loaded is not None:
        return _same(getattr(loaded, "__file__", None), file)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    except Exception:  # noqa: BLE001 - a parent package is a user's module: importing it will say
        return True
    return spec is not None and _same(spec.origin, file)


def _same(origin: str | None, file: Path) -> bool:
    return origin is not None and os.path.realpath(origin) == os.path.realpath(file)


def _imported(name: str, file: Path | None = None) -> ModuleType:
    try:
        # What a module prints is no part of what a command answers.
        with redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _explained(error, name, file) from error


def _executed(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _explained(error, name, file) from error
    return module


def _explained(error: BaseException, name: str, file: Path | None) -> DefinitionError:
    """What went wrong while a module was imported, and where its author wrote it."""
    if isinstance(error, DefinitionError):
        return error
    if isinstance(error, SyntaxError) and error.filename:
        what = f"{type(error).__name__}: {error.msg}"
        return DefinitionError(what, where=f"{error.filename}:{error.lineno}")
    where = _written_at(error, file) or (f"{file}:1" if file else "")
    if isinstance(error, ModuleNotFoundError) and not where and name.startswith(error.name or "?"):
        return DefinitionError(f"there is no module {error.name}", hint="name a file: path.py")
    if isinstance(error, ModuleNotFoundError):
        hint = f"install it for {sys.executable}, or put it beside the file"
        return DefinitionError(
            f"cannot import {error.name}: there is no such module", where=where, hint=hint
        )
    if isinstance(error, SystemExit):
        return DefinitionError(
            f"the module exits with {error.code!r} when it is imported", where=where
        )
    return DefinitionError(f"{type(error).__name__}: {error}", where=where)


def _written_at(error: BaseException, file: Path | None) -> str:
    """The deepest line of the user's own code on the way to the error."""
    frames = traceback.extract_tb(error.__traceback__)
    paths = sysconfig.get_paths()
    own = [str(Path(str(module.__file__)).parent) + os.sep for module in (reactor, sensors)]
    others = (*own, *(paths[kind] for kind in ("stdlib", "purelib", "platlib")))
    theirs = [
        frame
        for frame in frames
        if Path(frame.filename).is_absolute() and not frame.filename.startswith(others)
    ]
    chosen = theirs or [frame for frame in frames if file and frame.filename == str(file)]
    return f"{chosen[-1].filename}:{chosen[-1].lineno}" if chosen else ""


def _chosen(module: ModuleType, name: str, shown: str) -> Pipeline:
    """The pipeline of a module: the one named, or the only one."""
    found = {key: each for key, each in vars(module).items() if isinstance(each, Pipeline)}
    if name:
        named = {each.name: each for each in found.values()}
        chosen = found.get(name) or named.get(name)
        if chosen is None:
            what = vars(module).get(name)
            said = f"there is no pipeline {name}" if what is None else f"{name} is {_kind(what)}"
            known = nearest(name, found) or f"there are {', '.join(found) or 'none'}"
            raise DefinitionError(f"{said} in {shown}", hint=known)
        return chosen
    parts = {id(member) for each in found.values() for member in each.members()[1:]}
    whole = {key: each for key, each in found.items() if id(each) not in parts}
    if len({id(each) for each in whole.values()}) == 1:
        return next(iter(whole.values()))
    if not found:
        hint = 'say shop = Pipeline("shop")'
        raise DefinitionError("there is no pipeline in it", where=shown, hint=hint)
    names = list(whole or found)
    hint = f"say which: {shown}:{names[0]}"
    raise DefinitionError(f"{shown} has several pipelines: {', '.join(names)}", hint=hint)


def _kind(thing: object) -> str:
    return f"a {type(thing).__name__}, not a Pipeline"
