"""`reactor check`: everything that is wrong with a pipeline, and what deserves a look."""

from __future__ import annotations

from dataclasses import asdict

from rich.text import Text

from reactor import load, review
from reactor.cli.complaint import nearby
from reactor.cli.screen import Json, commands, count, say, show_json
from reactor.cli.target import Targets
from reactor.core.errors import DefinitionError, Problem

app = commands()


@app.command()
def check(targets: Targets, as_json: Json = False) -> None:
    """Load a pipeline and say all that is wrong with it.

    Mistakes (cycles, unknown names, fields that no event has) end with 2; hints (assets that
    nothing triggers, without owner, pools without a limit) with 0.
    """
    try:
        definition = load.define(targets)
    except DefinitionError as error:
        if as_json:
            show_json({"ok": False, "mistakes": _plain(error.problems), "hints": []})
        raise
    graph, hints = definition.graph, review.hints(definition.graph)
    if as_json:
        sizes = {name: len(getattr(graph, name)) for name in ("assets", "rules", "sensors")}
        said = {"mistakes": [], "hints": _plain(hints)}
        show_json({"ok": True, "pipeline": graph.name, **sizes, **said})
        return
    for hint in hints:
        say(Text("hint: ", "yellow"), nearby(hint))
    sizes = [count(len(graph.assets), "asset"), count(len(graph.rules), "rule")]
    sizes.append(count(len(graph.sensors), "sensor"))
    say(f"{graph.name} is fine: {', '.join(sizes)}{_and(hints)}")


def _plain(problems: list[Problem] | tuple[Problem, ...]) -> list[dict[str, str]]:
    return [asdict(problem) for problem in problems]


def _and(hints: list[Problem]) -> str:
    return f"; {count(len(hints), 'hint')}" if hints else ""
