"""`reactor init`: a small commented project, with a test that passes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from reactor.cli.complaint import BadUsage
from reactor.cli.screen import Json, commands, remark, say, show_json

TEMPLATE = Path(__file__).with_name("project")
PLACEHOLDER = "PROJECT"
NAMES = {
    "pipeline.py": "pipeline.py",
    "test_pipeline.py": "test_pipeline.py",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
}
"""What is written, and what it is called there."""

app = commands()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where; made if need be.")],
    as_json: Json = False,
) -> None:
    """Write a small commented project with a test. Overwrites nothing."""
    name = _name(folder)
    there = [target for target in NAMES.values() if (folder / target).exists()]
    if there:
        hint = "nothing was written; choose another folder"
        raise BadUsage(f"{folder} already has {', '.join(there)}", hint=hint)
    try:
        (folder / "inbox").mkdir(parents=True, exist_ok=True)
        for source, target in NAMES.items():
            text = (TEMPLATE / source).read_text(encoding="utf-8")
            with (folder / target).open("x", encoding="utf-8") as file:
                file.write(text.replace(PLACEHOLDER, name))
    except OSError as error:
        raise BadUsage(f"{error.filename or folder}: {error.strerror}") from error
    if as_json:
        show_json({"folder": str(folder), "files": list(NAMES.values())})
        return
    say(f"{folder}: {', '.join(NAMES.values())}")
    remark(f"next: cd {folder}, then: reactor dev pipeline.py")


def _name(folder: Path) -> str:
    """A name for the project that a package, a metric and a person can live with."""
    words = re.findall(r"[a-z0-9]+", folder.resolve().name.lower())
    return "-".join(words) or "pipeline"
