"""What a pipeline is compared with: another file, a git revision of itself, or what happened.

Another version is loaded in a process of its own, so that its modules do not meet ours.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reactor.cli.complaint import BadUsage
from reactor.core.errors import ReactorError
from reactor.load import source_file
from reactor.simulation.chronicle import Firing
from reactor.simulation.recording import Document


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a pipeline: its TARGET, and where its modules come from if not from here."""

    target: str
    folder: Path | None = None


@contextmanager
def version(reference: str, target: str) -> Iterator[Version]:
    """The version of a pipeline that a TARGET or a git revision names, while the block lasts.

    Raises: BadUsage if it names neither.
    """
    if ".py" in reference:
        yield Version(reference)
        return
    file, name = _file(target)
    if file is not None and _git(
        file.parent, "rev-parse", "-q", "--verify", f"{reference}^{{commit}}"
    ):
        with TemporaryDirectory(prefix="reactor-") as folder:
            yield _extracted(reference, file, name, Path(folder))
        return
    if file is None or not _importable(reference):
        raise BadUsage(
            f"{reference} is no file, store or git revision to compare {target} with",
            hint="say another.py, HEAD~1, store, or the URL of a store",
        )
    yield Version(reference)


def _importable(reference: str) -> bool:
    try:
        return importlib.util.find_spec(reference.partition(":")[0]) is not None
    except (ImportError, ValueError):
        return False


def _file(target: str) -> tuple[Path | None, str]:
    """The file of a TARGET, and the pipeline that it names in it."""
    file = source_file(target)
    if file is not None:
        return file, target.rpartition(".py")[2]
    module, colon, name = target.partition(":")
    found = sys.modules.get(module)
    origin = getattr(found, "__file__", None)
    return (Path(origin) if origin else None), f"{colon}{name}"


def _extracted(revision: str, file: Path, name: str, folder: Path) -> Version:
    """The file and what stands beside it (or its package), as they were."""
    top = Path(_git(file.parent, "rev-parse", "--show-toplevel").decode().strip())
    file = file.resolve()
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    package = file.relative_to(root).parts[0]
    wanted = root if file.parent == root else root / package
    place = file.relative_to(top.resolve()).as_posix()
    if not _git(top, "cat-file", "-e", f"{revision}:{place}", quiet=True):
        raise BadUsage(f"there is no {place} in {revision}")
    part = wanted.relative_to(top.resolve()).as_posix()
    archive = _git(top, "archive", "--format=zip", revision, "--", part)
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        packed.extractall(folder)
    beside = folder / root.relative_to(top.resolve())
    return Version(f"{folder / place}{name}", beside)


def _git(folder: Path, *words: str, quiet: bool = False) -> bytes:
    """What git prints; nothing if it refuses. If it is `quiet` when all is well, `ok`."""
    try:
        ran = subprocess.run(["git", "-C", folder, *words], check=False, capture_output=True)
    except OSError:
        return b""
    return b"" if ran.returncode else (b"ok" if quiet else ran.stdout)


def firings(
    of: Version, lines: Iterable[Document], since: datetime, until: datetime | None
) -> list[Firing]:
    """What would have fired in another version of a pipeline.

    Raises: ReactorError with what that version's own process complained of.
    """
    with TemporaryDirectory(prefix="reactor-") as folder:
        path = Path(folder) / "events.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for line in lines:
                kept = {name: value for name, value in line.items() if name}
                file.write(json.dumps(kept, default=str) + "\n")
        asked = ["simulate", of.target, "--events", str(path), "--since", since.isoformat()]
        if until is not None:
            asked += ["--until", until.isoformat()]
        answer = _asked(of, [*asked, "--json"])
    return [Firing.of_json(each) for each in answer["launches"]]


def _asked(of: Version, words: Sequence[str]) -> Any:
    folders = [str(of.folder) if of.folder else "", os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, folders))
    # Without -P the current folder would come first, and with it the modules of today.
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "reactor.cli", *words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or ["it ended without a word"]
        raise ReactorError(f"the other version cannot be simulated: {said[-1]}")
    return json.loads(ran.stdout)
