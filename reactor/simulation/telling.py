"""How a simulated life is shown: as a story, a timeline, or lanes with marks.

Law: equal lives give equal texts, byte for byte, and none holds a number that only one life has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from rich.cells import cell_len

from reactor.core.duration import spoken
from reactor.simulation.chronicle import Chronicle, Firing

_QUIET = timedelta(minutes=1)
"""A longer stretch without anything is shown as a gap."""
_LISTED = 6
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_DAY = 86_400


def story(life: Chronicle, start: datetime) -> str:
    """Everything that happened, a line each; a line that repeats itself once, with how often."""
    texts = (f"+{spoken(at - start):<8} {line.text}" for at, line in life.told)
    return "\n".join(_folded(texts))


def _folded(texts: Iterable[str]) -> Iterator[str]:
    for text, same in groupby(texts):
        times = sum(1 for _ in same)
        yield f"{text}, {times:,} times" if times > 1 else text


def timeline(life: Chronicle) -> str:
    """What fired, a line each, under the day it was; a quiet stretch is one line."""
    size = max((cell_len(firing.rule) for firing in life.firings), default=0)
    lines: list[str] = []
    last: datetime | None = None
    for firing in life.firings:
        at = firing.at
        if last is not None and at - last > _QUIET:
            lines.append(f"          … {spoken(at - last)}")
        if last is None or at.date() != last.date():
            lines.append(f"{at.date().isoformat()}")
        lines.append(f"{_clock(at)}  {firing.rule:<{size}}  {_launch(firing)}")
        last = at
    return "\n".join(_folded(lines))


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M:%S") + (f".{at.microsecond // 1000:03}" if at.microsecond else "")


def _launch(firing: Firing) -> str:
    """What a firing launched and why: `raw, clean because inbox saw inbox/monday.csv`."""
    more = len(firing.assets) - _LISTED
    assets = ", ".join(firing.assets[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    partition = f"[{firing.partition}]" if firing.partition is not None else ""
    key = f" for {firing.key}" if firing.key not in (None, firing.partition) else ""
    observed = "only observed: " if firing.observed else ""
    return f"{observed}{assets}{partition}{key} because {firing.because}"


def lanes(
    life: Chronicle, sensors: Sequence[str], start: datetime, end: datetime, width: int
) -> str:
    """A lane for each sensor, rule and asset, with marks where something happened."""
    scale = _Scale(start, max(end, start + timedelta(seconds=1)), max(width, 10))
    drawn: list[tuple[str, str]] = []
    told, let_go = life.told, list(life.let_go)
    for name in sensors:
        saw = [at for at, line in told if (line.word, line.about) == ("accepted", name)]
        passed = [at for at, of, number in let_go if of == name for _ in range(number)]
        drawn.append((name, scale.sensor(saw, passed)))
    for rule in life.graph.rules:
        fired = [(each.at, len(each.causes)) for each in life.firings if each.rule == rule]
        drawn.append((f"{rule} fires", scale.rule(fired)))
    for asset in life.graph.assets:
        moves = [
            (at, line.word) for at, line in told if line.about == asset and line.word in _ASSET
        ]
        drawn.append((asset, scale.asset(moves)))
    size = max(cell_len(name) for name, _ in [("", ""), *drawn])
    ruler = f"{'':<{size}}  {scale.ruler()}".rstrip()
    return "\n".join([ruler, *(f"{name:<{size}}  {lane}" for name, lane in drawn)])


_ASSET = {"started": "═", "materialized": "■", "unchanged": "□", "failed": "✗", "retried": "~"}


class _Scale:
    """From instants to columns."""

    def __init__(self, start: datetime, end: datetime, width: int) -> None:
        self._start, self._span, self._width = start, (end - start).total_seconds(), width

    def column(self, at: datetime) -> int:
        share = (at - self._start).total_seconds() / self._span
        return min(self._width - 1, max(0, int(share * (self._width - 1) + 0.5)))

    def ruler(self) -> str:
        """The time since the start, at round numbers that leave room for each other."""
        wanted = self._span * 12 / self._width
        days = (_DAY * number for number in (1, 2, 7, 14, 28, 91, 182, 364, 3640))
        step = next((each for each in (*_STEPS, *days) if each >= wanted), int(wanted) + 1)
        line = ""
        for number in range(int(self._span // step) + 1):
            place = self.column(self._start + timedelta(seconds=number * step))
            line = f"{line:<{place}}{spoken(timedelta(seconds=number * step))}"
        return line

    def sensor(self, saw: Iterable[datetime], passed: Iterable[datetime]) -> str:
        many: dict[int, list[int]] = {}
        for at in saw:
            many.setdefault(self.column(at), [0, 0])[0] += 1
        for at in passed:
            many.setdefault(self.column(at), [0, 0])[1] += 1
        marks = {at: "○" if not seen else _digit(seen, "●") for at, (seen, _) in many.items()}
        return self._lane(marks)

    def rule(self, fired: Iterable[tuple[datetime, int]]) -> str:
        marks: dict[int, str] = {}
        for at, number in fired:
            place = self.column(at)
            marks[place] = "+" if place in marks else _digit(number)
        return self._lane(marks)

    def asset(self, moves: Iterable[tuple[datetime, str]]) -> str:
        marks: dict[int, str] = {}
        began: int | None = None
        for at, word in moves:
            place = self.column(at)
            if began is not None:
                marks.update((each, "═") for each in range(began + 1, place))
            began = place if word == "started" else None
            if word != "started" or place not in marks:
                marks[place] = _ASSET[word]
        if began is not None:
            marks.update((each, "═") for each in range(began, self._width))
        return self._lane(marks)

    def _lane(self, marks: dict[int, str]) -> str:
        return "".join(marks.get(place, "─") for place in range(self._width))


def _digit(number: int, one: str = "1") -> str:
    return one if number == 1 else str(number) if number < 10 else "*"
