"""What a running asset may ask for beside its inputs: `events` and `context`."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from reactor.core.event import Event
from reactor.core.tiling import Window
from reactor.ports import Log


class Events(Sequence[Event]):
    """The events that caused a step, oldest first: read-only, and as often as you like."""

    __slots__ = ("_events",)

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = tuple(events)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        return f"<{len(self)} events>"


class StepLog:
    """`context.log`: what is said here is logged by the service and kept with the run.

    Takes circumstances as keywords, `log.info("loaded", rows=3)`, and also the older way,
    `log.info("loaded %d rows", 3)`.
    """

    __slots__ = ("_keep", "_log")

    def __init__(self, log: Log, keep: Callable[[str], None]) -> None:
        self._log, self._keep = log, keep

    def debug(self, event: str, *args: object, **about: Any) -> None:
        """Says something that matters only when looking for a mistake."""
        self._say("", self._log.debug, event, args, about)

    def info(self, event: str, *args: object, **about: Any) -> None:
        """Says what happened."""
        self._say("", self._log.info, event, args, about)

    def warning(self, event: str, *args: object, **about: Any) -> None:
        """Says what somebody should look at."""
        self._say("warning: ", self._log.warning, event, args, about)

    def error(self, event: str, *args: object, **about: Any) -> None:
        """Says what went wrong."""
        self._say("error: ", self._log.error, event, args, about)

    critical = error

    def exception(self, event: str, *args: object, **about: Any) -> None:
        """Says what went wrong, with the exception that is being handled."""
        self._say("error: ", self._log.error, event, args, {**about, "exc_info": True})

    def _say(
        self,
        prefix: str,
        say: Callable[..., Any],
        event: str,
        args: Sequence[object],
        about: Mapping[str, Any],
    ) -> None:
        text = event % tuple(args) if args else event
        told = [f"{name}={value!r}" for name, value in about.items() if name != "exc_info"]
        self._keep(" ".join([prefix + text, *told]))
        if about.get("exc_info"):
            for line in traceback.format_exc().rstrip().splitlines():
                self._keep(line)
        say(text, **about)


@dataclass(frozen=True, slots=True)
class Context:
    """Where and why this attempt runs.

    `run_key` is the same for every attempt of a step: use it to make an external write idempotent.
    `because` says in words why, which is all there is when something did *not* happen; `causes` are
    the events, `previous` the handle of the last materialization, `log` a logger that
    knows the run and the step. `changed` has, by upstream, what changed of it since this asset (or
    partition) last succeeded: the keys it told, or the partitions that were made; None if that is
    not known, or all of it may have. `window` has the start and the end of a partition that is a
    window of time, as its time zone shows them.
    """

    run: int
    runs: tuple[int, ...]
    step: int
    asset: str
    partition: str | None
    attempt: int
    run_key: str
    causes: Events
    previous: Any
    log: Log = field(repr=False)
    report: Callable[[str], None] = field(repr=False)
    connections: Mapping[str, str] = field(default_factory=lambda: {}, repr=False)
    because: str = ""
    changed: Mapping[str, Sequence[str] | None] = field(default_factory=lambda: {})
    window: Window | None = None

    def progress(self, done: float, of: float | None = None, text: str = "") -> None:
        """Says how far the work is; it shows in the run's log."""
        share = f"{done:g} of {of:g}" if of is not None else f"{done:g}"
        self.report(f"progress {share} {text}".rstrip())

    def connection(self, name: str) -> str:
        """The URL of a connection that the settings name.

        Raises: KeyError naming the connections there are.
        """
        if name not in self.connections:
            known = ", ".join(sorted(self.connections)) or "none"
            raise KeyError(f"no connection {name} in the settings; there are: {known}")
        return self.connections[name]
