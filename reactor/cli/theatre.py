"""The demo's screen: a block for each thing that happened; on a terminal, all assets live below.

In a pipe the same blocks are plain lines, and nothing is drawn over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reactor.cli.complaint import readable
from reactor.cli.screen import COLOURS, count, span
from reactor.core.graph import Graph
from reactor.core.trigger.expression import leaves
from reactor.demo.stage import Scene, Stage, Story

_INDENT = 4
_MARKS = {
    "materialized": "✓",
    "unchanged": "=",
    "running": "●",
    "pending": "○",
    "retrying": "↻",
    "blocked": "…",
    "failed": "✗",
}
_NEVER = "·"


class Theatre:
    """Where the demo is shown. `quiet` shows nothing at all."""

    def __init__(self, stage: Stage, url: str, quiet: bool = False) -> None:
        self.console = Console(highlight=False, emoji=False, markup=False, quiet=quiet)
        self.url = url
        self._stage = stage
        self._branches = branches(stage.graph)
        self._told = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """While it is open, the assets are shown live, if there is a terminal to show them on."""
        if not self.console.is_terminal or self.console.quiet:
            yield
            return
        with Live(
            console=self.console, get_renderable=self._live, refresh_per_second=15, transient=True
        ):
            yield

    def say(self, text: Text | str = "") -> None:
        """Prints something above the live assets."""
        self.console.print(text, soft_wrap=not self.console.is_terminal)

    def facts(self, known: Mapping[str, str]) -> None:
        """Prints names and what they are, below each other."""
        self._rows((name, "cyan", Text(readable_lines(text))) for name, text in known.items())

    def row(self, mark: Text, text: Text) -> None:
        """Prints a line with a mark before it."""
        self._line(mark + Text(" "), text, 2)

    def command(self, text: str) -> None:
        """Prints a command that can be copied as it is."""
        self.console.print(Text(f"  {text}", "bold"), soft_wrap=True)

    def tell(self, story: Story) -> None:
        """A block: what happened, which rule fired, what ran, and what did not."""
        kind = story.act.kind if story.act else "you"
        text = story.act.text if story.act else f"{story.sensor} saw {story.subject}"
        self._head(kind, text)
        rows: list[tuple[str, str, Text]] = []
        for scene in story.scenes:
            rows += self._scene(scene, story.latency if scene is story.scenes[0] else None)
        for asset, run in story.freed:
            rows.append(("went on", "green", Text(f"{asset}, which was blocked in run {run}")))
        ran = {asset for scene in story.scenes for asset in scene.assets}
        rest = [asset for asset in self._stage.graph.assets if asset not in ran]
        if story.scenes and rest:
            rows.append(("did not run", "dim", Text(", ".join(rest), "dim")))
        self._rows(rows)

    def tell_dead(self, text: str, error: str) -> None:
        """A block about what could not become an event."""
        self._head("Kafka", text)
        kept = f"{error}; kept with its bytes, and reading goes on"
        nothing = Text("anything at all", "dim")
        self._rows([("dead letter", "red", Text(readable(kept))), ("did not run", "dim", nothing)])

    def _head(self, kind: str, text: str) -> None:
        self._told += 1
        number = (f"{self._told:>2}  ", "dim")
        head = Text.assemble(number, (kind, "bold cyan"), "  ", readable(text))
        self.console.print()
        self.console.print(head, soft_wrap=True)

    def _rows(self, rows: Iterable[tuple[str, str, Text]]) -> None:
        known = list(rows)
        size = max((len(label) for label, *_ in known), default=0) + 2
        for label, style, said in known:
            self._line(Text(f"{label:<{size}}", style), said, size)

    def _line(self, label: Text, said: Text, size: int) -> None:
        """A label and a text; on a terminal the text is wrapped beside the label."""
        width = max(20, self.console.width - _INDENT - size)
        lines = said.split("\n", allow_blank=True)
        if self.console.is_terminal:
            lines = [part for line in lines for part in line.wrap(self.console, width)]
        for at, line in enumerate(lines):
            before = label if not at else Text(" " * size)
            self.console.print(Text(" " * _INDENT) + before + line, soft_wrap=True)

    def _scene(self, scene: Scene, latency: float | None) -> Iterator[tuple[str, str, Text]]:
        known = scene.rule in self._stage.graph.rules
        because = Text(readable(f"{scene.rule}: {scene.because}" if known else scene.because))
        label = "fired" if known else "launched"
        yield label, "magenta", because.append(f" (run {scene.run})", "dim")
        ran = scene.having("materialized", "failed")
        if ran:
            yield "ran", "green", self._chain(ran, scene, latency)
        for asset, note in scene.retries:
            yield "retried", "yellow", Text(readable(f"{asset}, after {note}"))
        for asset in scene.having("failed"):
            yield "failed", "red", Text(readable(f"{asset}: {scene.steps[asset][1]}"))
        for asset in scene.having("blocked"):
            yield "blocked", "yellow", Text(readable(f"{asset} {scene.steps[asset][1]}"))
        same = scene.having("unchanged")
        if same:
            what = "what it reads is" if len(same) == 1 else "what they read is"
            yield "unchanged", "blue", Text(f"{', '.join(same)}: {what} as it was")

    def _chain(self, ran: Sequence[str], scene: Scene, latency: float | None) -> Text:
        """What ran, upstream first: `prices → returns → volatility, movers`."""
        depth: dict[str, int] = {}
        for asset in scene.assets:
            above = [u.name for u in self._stage.graph.assets[asset].upstream if u.name in depth]
            depth[asset] = 1 + max((depth[name] for name in above), default=-1)
        levels: dict[int, list[str]] = {}
        for asset in ran:
            levels.setdefault(depth[asset], []).append(asset)
        line = Text()
        for at, (_, names) in enumerate(sorted(levels.items())):
            line.append(" → " if at else "", "dim")
            line.append(", ".join(names), "green")
            if not at and latency is not None:
                line.append(f" {span(latency)} after it happened", "bold")
        return line

    def _live(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        for label, assets in self._branches.items():
            cells = [self._cell(asset) for asset in assets]
            grid.add_row(Text(label, "cyan"), Text("  ").join(cells))
        counts = self._stage.counts
        said = [
            count(counts["events"], "event"),
            count(counts["runs"], "run"),
            count(counts["materialized"] + counts["failed"], "asset") + " built",
        ]
        foot = Text.assemble(
            (", ".join(said), "dim"), "   ", (self.url, "bold"), ("   Ctrl-C ends", "dim")
        )
        return Group(Text(), grid, foot)

    def _cell(self, asset: str) -> Text:
        state = self._stage.states.get(asset, "")
        style = COLOURS.get(state, "dim")
        return Text(f"{_MARKS.get(state, _NEVER)} {asset}", style)


def readable_lines(text: str) -> str:
    """A text of several lines, each made safe to show."""
    return "\n".join(map(readable, text.split("\n")))


def branches(graph: Graph) -> dict[str, list[str]]:
    """The assets by what reaches them: one sensor, or several."""
    reached: dict[str, list[str]] = {asset: [] for asset in graph.assets}
    for rule in graph.rules.values():
        for asset in graph.affected(rule.assets):
            for leaf in leaves(rule.trigger):
                if leaf.name not in reached[asset]:
                    reached[asset].append(leaf.name)
    found: dict[str, list[str]] = {}
    for asset, sensors in reached.items():
        found.setdefault(" and ".join(sensors) or "by hand", []).append(asset)
    return found
