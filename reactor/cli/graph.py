"""`reactor graph`: who flows into whom, as text, Mermaid, DOT or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from reactor import load
from reactor.cli.screen import Json, commands, count, out, readable, say, show_json, table
from reactor.cli.target import Targets
from reactor.core.graph import Graph
from reactor.core.mapping import Same
from reactor.core.trigger.expression import AssetEvents, leaves
from reactor.web.declared import declared

app = commands()


class Format(StrEnum):
    """How the graph is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


@app.command()
def graph(
    targets: Targets,
    format: Annotated[Format, typer.Option(help="How to write it.")] = Format.TEXT,
    as_json: Json = False,
) -> None:
    """Show the graph of a pipeline as text, Mermaid, DOT or JSON."""
    shown = load.define(targets).graph
    match Format.JSON if as_json else format:
        case Format.TEXT:
            _print(shown)
        case Format.MERMAID:
            out().print("\n".join(_mermaid(shown)), soft_wrap=True)
        case Format.DOT:
            out().print("\n".join(_dot(shown)), soft_wrap=True)
        case Format.JSON:
            show_json(_plain(shown))


def _plain(graph: Graph) -> dict[str, Any]:
    described = declared(graph)
    for each in described["assets"]:
        each["where"] = graph.assets[each["name"]].where
    return {"name": graph.name, **described}


def _print(graph: Graph) -> None:
    sizes = [count(len(graph.assets), "asset"), count(len(graph.rules), "rule")]
    say(Text(readable(graph.name), "bold"), f": {', '.join(sizes)}")
    if graph.sensors:
        say("")
        sensors = graph.sensors.values()
        rows = [(Text(readable(s.name), "cyan"), s.kind, s.address) for s in sensors]
        table(("sensor", "kind", "listens to"), rows)
    shown: set[str] = set()
    for rule in graph.rules.values():
        say("")
        observed = " (observes, launches nothing)" if rule.observe else ""
        say(Text(readable(rule.name), "magenta"), f"  {rule.written or rule.trigger}{observed}")
        _print_tree(graph, rule.assets, shown)
    rest = [name for name in graph.assets if name not in shown]
    if rest:
        say("")
        say(Text("by hand only", "magenta"))
        tops = [name for name in rest if not set(_above(graph, name)) & set(rest)]
        _print_tree(graph, tops, shown)


def _above(graph: Graph, name: str) -> list[str]:
    return [upstream.name for upstream in graph.assets[name].upstream]


def _print_tree(graph: Graph, roots: Any, shown: set[str]) -> None:
    """Each asset with what follows from it, once: where it comes again it only points back."""
    stack = [(name, "", at == len(roots) - 1, "") for at, name in enumerate(roots)][::-1]
    while stack:
        name, indent, last, note = stack.pop()
        children = graph.downstream[name]
        again = name in shown and bool(children)
        shown.add(name)
        tail = f"{_parts(graph, name)}{' (see above)' if again else note}"
        branch = "└─ " if last else "├─ "
        say(Text(f"{indent}{branch}", "dim"), name, Text(tail, "dim"))
        if again:
            continue
        deeper = f"{indent}{'   ' if last else '│  '}"
        for at, child in reversed(list(enumerate(children))):
            follows = graph.assets[child].follow
            note = "" if follows else " (not launched by it: follow=False)"
            read = _mapping(graph, name, child)
            note = f"{f' ({read})' if read else ''}{note}"
            stack.append((child, deeper, at == len(children) - 1, note))


def _parts(graph: Graph, name: str) -> str:
    partitions = graph.assets[name].partitions
    return "" if partitions is None else f" {partitions}"


def _mapping(graph: Graph, above: str, below: str) -> str:
    """How an asset reads the partitions of an upstream, where that is not the same key."""
    edges = graph.assets[below].upstream
    found = next((edge.mapping for edge in edges if edge.name == above), None)
    return "" if found in (None, Same()) else str(found)


def _edges(graph: Graph) -> Iterator[tuple[str, str, str, bool]]:
    """From, to, label, dashed: sensors by `s/name`, assets by `a/name`."""
    for rule in graph.rules.values():
        for leaf in leaves(rule.trigger):
            start = f"a/{leaf.asset}" if isinstance(leaf, AssetEvents) else f"s/{leaf.name}"
            label = f"{rule.name}: {leaf.what}" if isinstance(leaf, AssetEvents) else rule.name
            for name in rule.assets:
                yield start, f"a/{name}", label, True
    for asset in graph.assets.values():
        for upstream in asset.upstream:
            read = _mapping(graph, upstream.name, asset.name)
            yield f"a/{upstream.name}", f"a/{asset.name}", read, not asset.follow


def _nodes(graph: Graph) -> dict[str, str]:
    sensors = {f"s/{name}": name for name in graph.sensors}
    return {**sensors, **{f"a/{name}": name for name in graph.assets}}


def _mermaid(graph: Graph) -> Iterator[str]:
    nodes = _nodes(graph)
    ids = {key: f"n{number}" for number, key in enumerate(nodes)}
    yield "flowchart LR"
    for key, name in nodes.items():
        opening, closing = ('(["', '"])') if key.startswith("s/") else ('["', '"]')
        yield f"  {ids[key]}{opening}{_mermaid_text(name)}{closing}"
    for start, end, label, dashed in _edges(graph):
        arrow = "-.->" if dashed else "-->"
        said = f'|"{_mermaid_text(label)}"|' if label else ""
        yield f"  {ids[start]} {arrow}{said} {ids[end]}"


def _mermaid_text(text: str) -> str:
    return readable(text).replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;")


def _dot(graph: Graph) -> Iterator[str]:
    yield f"digraph {_quoted(graph.name)} {{"
    yield "  rankdir=LR;"
    for key, name in _nodes(graph).items():
        shape = "ellipse" if key.startswith("s/") else "box"
        yield f"  {_quoted(key)} [label={_quoted(name)}, shape={shape}];"
    for start, end, label, dashed in _edges(graph):
        style = ", style=dashed" if dashed else ""
        yield f"  {_quoted(start)} -> {_quoted(end)} [label={_quoted(label)}{style}];"
    yield "}"


def _quoted(text: str) -> str:
    escaped = readable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
