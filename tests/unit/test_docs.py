"""What the pages say is so: their code runs, their stories and their commands come out as written.

The Python blocks of a page share one namespace, in order. A block that begins with `# NAME.py` is
written to that file, behind what the file holds already, and the file is run; a function that is
called `test_...` is called. What a block prints stands in the text block after it. In a console
block, `check`, `graph`, `plan`, `simulate` and `init` are run and print what follows them (`...` is
any number of lines); of every other `reactor` command it is made sure that it takes what it is
given. At the end of a page, its pipelines are checked as `reactor check` does.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

from reactor.cli import main
from reactor.cli.app import COMMANDS
from reactor.pipeline import Definition, Pipeline
from reactor.review import mistakes
from tests.unit.page import PAGES, ROOT, Block, blocks, headings

RUN = ("check", "graph", "plan", "simulate", "init")
_FILE = re.compile(r"# (\w+\.py)\n")


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


class Reader:
    """Reads one page, and does what it says in a folder of its own."""

    def __init__(self, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._page, self._capsys = page, capsys
        self._module = ModuleType(f"page_{page.stem.lower()}")
        self._printed = ""
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Reader:
        self._patch.setitem(sys.modules, self._module.__name__, self._module)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    @property
    def pipelines(self) -> list[Definition]:
        """The pipelines that the page has made, as they are at its end."""
        named = vars(self._module).values()
        return [each.definition() for each in named if isinstance(each, Pipeline)]

    def read(self, block: Block) -> None:
        """Does what a block says, or compares what it shows."""
        if self._printed:
            assert block.language == "text", f"line {block.line}: what is printed is not shown"
            assert self._printed == block.text, f"line {block.line}"
            self._printed = ""
        elif block.language == "python":
            self._printed = self._run(block)
        elif block.language == "console":
            for line, command, shown in _commands(block):
                self._order(line, command, shown)

    def _run(self, block: Block) -> str:
        text, name = "\n" * (block.line - 1) + block.text, str(self._page)
        if found := _FILE.match(block.text):
            with Path(found[1]).open("a", encoding="utf-8") as file:
                file.write(block.text)
            text, name = Path(found[1]).read_text(encoding="utf-8"), found[1]
        names = vars(self._module)
        with redirect_stdout(StringIO()) as out:
            exec(compile(text, name, "exec"), names)
            for test in re.findall(r"^def (test_\w+)\(\)", block.text, re.MULTILINE):
                names[test]()
        return out.getvalue()

    def _order(self, line: int, command: str, shown: str) -> None:
        words = shlex.split(command, comments=True)
        if words[0] == "cd":
            self._patch.chdir(words[1])
        elif words[0] == "reactor" and words[1] in RUN:
            answer = self._answer(words[1:])
            if shown:
                wanted = re.escape(shown).replace(re.escape("...\n"), "(?:.*\n)*")
                assert re.fullmatch(wanted, answer), f"line {line}: {command}\n{answer}"
        elif words[0] == "reactor":
            _takes(words[1:])

    def _answer(self, words: list[str]) -> str:
        """What a command of ours prints; it leaves no module behind."""
        path, known = [*sys.path], set(sys.modules)
        self._capsys.readouterr()
        try:
            with pytest.raises(SystemExit):
                main(words)
        finally:
            sys.path[:] = path
            for name in set(sys.modules) - known:
                if str(getattr(sys.modules[name], "__file__", None)).startswith(str(Path.cwd())):
                    del sys.modules[name]
        said = self._capsys.readouterr()
        assert "Traceback" not in said.err
        return said.out + said.err


def _commands(block: Block) -> Iterator[tuple[int, str, str]]:
    """Each command of a console block with its line and what it is said to print."""
    assert block.text.startswith("$ "), f"line {block.line}: a console block begins with a command"
    at = block.line
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.replace("\\\n", " ").partition("\n")
        yield at, command, shown
        at += part.count("\n")


def _takes(words: list[str]) -> None:
    """Makes sure that there is such a command, with such arguments."""
    name, *rest = words
    if name.startswith("-"):
        return
    assert name in COMMANDS, f"there is no command {name}"
    command: Any = get_command(import_module(f"reactor.cli.{name}").app)
    context = None
    while rest and hasattr(command, "commands"):
        context = command.make_context(name, [], parent=context)
        name, *rest = rest
        assert name in command.commands, f"reactor {words[0]} has no command {name}"
        command = command.commands[name]
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_page_says_what_is_so(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with Reader(page, capsys) as reader:
        for block in [*blocks(page), Block("", "", 0)]:
            reader.read(block)
        assert [problem for each in reader.pipelines for problem in mistakes(each)] == []


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    assert [each for each in targets if not (page.parent / each).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", text):
        there = page.parent / target if target else page
        assert anchor in {_anchor(each) for each in headings(there)}, f"{target}#{anchor}"


def _anchor(heading: str) -> str:
    """What a heading is called in a link, as the usual viewers of Markdown have it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
