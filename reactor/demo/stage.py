"""What the demo knows of what happens: for each thing it did, which rule fired and what ran of it.

Fed with the host's news. Refuses to know how it is shown (reactor/cli/theatre.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

import anyio

from reactor.core.graph import Graph
from reactor.core.trigger.expression import leaves
from reactor.demo.feed import Act
from reactor.pipeline import Definition

UNSETTLED = frozenset({"pending", "running", "retrying"})
RAN = frozenset({"materialized", "failed"})


class Stopwatch:
    """Notes when the first line of each asset's code was reached, last."""

    def __init__(self) -> None:
        self.first_line: dict[str, float] = {}

    def around(self, definition: Definition) -> Definition:
        """The same definition, with every function timed."""
        works = {
            name: replace(work, function=self._timed(name, work.function))
            for name, work in definition.works.items()
        }
        return replace(definition, works=works)

    def _timed(self, asset: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.first_line[asset] = time.time()
            return function(*args, **kwargs)

        return timed


@dataclass(slots=True)
class Scene:
    """One run: why, and what became of each of its assets (status and note)."""

    run: int
    rule: str
    because: str = ""
    assets: list[str] = field(default_factory=lambda: [])
    roots: list[str] = field(default_factory=lambda: [])
    firings: int = 0
    steps: dict[str, tuple[str, str]] = field(default_factory=lambda: {})
    retries: list[tuple[str, str]] = field(default_factory=lambda: [])
    first_line: float | None = None
    """When the code of the first asset was reached."""

    @property
    def settled(self) -> bool:
        """Whether nothing of it is on its way."""
        statuses = [self.steps.get(asset, ("pending", ""))[0] for asset in self.assets]
        return bool(statuses) and UNSETTLED.isdisjoint(statuses)

    def having(self, *statuses: str) -> list[str]:
        """The assets that ended so, in the order of the run."""
        return [a for a in self.assets if self.steps.get(a, ("", ""))[0] in statuses]


@dataclass(slots=True)
class Story:
    """One thing that happened, and the runs that came of it.

    `act` is what the demo did; None until it is done, and for what somebody else did.
    """

    sensor: str
    act: Act | None = None
    subject: str = ""
    seq: int = 0
    """The event of its first run."""
    received: float = 0.0
    """When that event reached us, if somebody has looked it up."""
    accepted: int = 0
    scenes: list[Scene] = field(default_factory=lambda: [])
    freed: list[tuple[str, int]] = field(default_factory=lambda: [])
    """What could go on in earlier runs because of it: assets, and whose run they were."""

    @property
    def settled(self) -> bool:
        """Whether all its events were seen and all its runs have come to rest."""
        wanted = self.act.events if self.act else 1
        fired = sum(scene.firings for scene in self.scenes)
        return (
            self.accepted >= wanted
            and fired >= self.accepted
            and all(scene.settled for scene in self.scenes)
        )

    @property
    def launched(self) -> list[str]:
        """Every asset that ran, each once."""
        return list(dict.fromkeys(a for scene in self.scenes for a in scene.having(*RAN)))

    @property
    def latency(self) -> float | None:
        """Seconds from what happened to the first line of the first asset's code."""
        first = self.scenes[0].first_line if self.scenes else None
        if first is None or self.act is None or not self.act.timed:
            return None
        return first - self.act.at

    @property
    def ours(self) -> float | None:
        """The part of that since the event reached us; the rest is its source's."""
        first = self.scenes[0].first_line if self.scenes else None
        return first - self.received if first is not None and self.received else None


class Stage:
    """Follows the news of one host."""

    def __init__(self, graph: Graph, stopwatch: Stopwatch) -> None:
        self.graph = graph
        self.states: dict[str, str] = {}
        """What each asset is doing, or how it ended last."""
        self.counts: Counter[str] = Counter()
        self.others: list[Story] = []
        """What others did, until it is told."""
        self._stopwatch = stopwatch
        self._sensors = {rule.name: leaves(rule.trigger)[0].name for rule in graph.rules.values()}
        self._open: dict[str, Story] = {}
        self._scenes: dict[int, Scene] = {}
        self._changed = anyio.Event()

    @contextmanager
    def watching(self, sensor: str) -> Iterator[Story]:
        """The story of what is done inside the block; whatever that sensor sees belongs to it."""
        story = self._open[sensor] = Story(sensor)
        try:
            yield story
        finally:
            del self._open[sensor]

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns when something has become true; looks again at each piece of news."""
        while not true():
            await self._changed.wait()

    def take(self, item: Mapping[str, Any]) -> None:
        """Takes one piece of news."""
        match item["kind"]:
            case "event":
                self.counts["events"] += item["count"]
                story = self._story(item["sensor"])
                story.subject = story.subject or item["subject"]
                story.seq = story.seq or item["seq"]
                story.accepted += item["count"]
            case "fired" if item["run"] is not None:
                self._scene(item["run"], item["rule"]).firings += item["count"]
            case "run":
                scene = self._scene(item["id"], item["rule"])
                scene.because = item["because"].removeprefix("because ")
                scene.assets, scene.roots = item["assets"], item["roots"]
            case "step":
                self._step(item)
            case _:
                return
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def _story(self, sensor: str) -> Story:
        if sensor in self._open:
            return self._open[sensor]
        if not self.others or self.others[-1].sensor != sensor or self.others[-1].settled:
            self.others.append(Story(sensor))
        return self.others[-1]

    def _caused(self, rule: str) -> Story:
        """The story that a run of this rule belongs to: here each listens to one sensor."""
        if rule in self._sensors:
            return self._story(self._sensors[rule])
        self.others.append(Story("", Act("you", "", rule, 0.0, 0, timed=False)))
        return self.others[-1]

    def _scene(self, run: int, rule: str) -> Scene:
        if run not in self._scenes:
            self.counts["runs"] += 1
            self._scenes[run] = Scene(run, rule)
            self._caused(rule).scenes.append(self._scenes[run])
        return self._scenes[run]

    def _step(self, item: Mapping[str, Any]) -> None:
        asset, status = item["asset"], item["status"]
        if self.states.get(asset) != status:
            self.counts[status] += 1
        self.states[asset] = status
        for scene in filter(None, map(self._scenes.get, item["runs"])):
            if status in RAN and scene.steps.get(asset, ("", ""))[0] == "running":
                self._note_freed(asset, scene)
            scene.steps[asset] = (status, item["note"])
            if status == "retrying":
                scene.retries.append((asset, item["note"]))
            if status in RAN and asset in scene.roots and scene.first_line is None:
                scene.first_line = self._stopwatch.first_line.get(asset)

    def _note_freed(self, asset: str, scene: Scene) -> None:
        for story in self._open.values():
            if scene not in story.scenes:
                story.freed.append((asset, scene.run))
