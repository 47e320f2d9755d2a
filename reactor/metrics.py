"""What the service counts and times, for Prometheus.

Law: a label has only values that the pipeline declares (anything else is counted as `other`), and
every series exists, at zero, from the start. Methods are named for what happened; each is one
addition, so the caller counts by batch, not by event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reactor.core.decision import Word
from reactor.core.run import RunStatus, StepStatus

OTHER = "other"
OUTCOMES = ("accepted", "filtered", "duplicate", "dead")
STEP_ENDINGS = tuple(
    status
    for status in StepStatus
    if status not in (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.RETRYING)
)
RUN_ENDINGS = tuple(status for status in RunStatus if status is not RunStatus.RUNNING)

_LAUNCH = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_STEP = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)

# A `_created` gauge beside every counter doubles what is scraped and is asked for by nobody.
disable_created_metrics()

_Child = TypeVar("_Child", Counter, Gauge, Histogram)


class Metrics:
    """The metrics of one running service, on a registry of its own.

    `sensors`, `rules` and `assets` are the declared names. `clock` tells the time of a scrape, from
    which the age of each asset is reckoned; an asset that was never materialized has no age.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        sensors: Iterable[str] = (),
        rules: Iterable[str] = (),
        assets: Iterable[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        own: Mapping[str, Any] = {"registry": self.registry}
        names = {"sensor": tuple(sensors), "rule": tuple(rules), "asset": tuple(assets)}
        self._count_events(names, own)
        self._count_runs(names, own)
        self._gauge_service(own)
        self._ages = _Ages(frozenset(names["asset"]), clock)
        self.registry.register(self._ages)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _count_events(self, names: Mapping[str, tuple[str, ...]], own: Mapping[str, Any]) -> None:
        sensors = names["sensor"]
        events = Counter(
            "reactor_events",
            "Events by sensor and what became of them.",
            ("sensor", "outcome"),
            **own,
        )
        self._events = {
            outcome: _children(sensors, lambda name, outcome=outcome: events.labels(name, outcome))
            for outcome in OUTCOMES
        }
        dead = Counter(
            "reactor_dead_letters", "Input that could not become an event.", ("sensor",), **own
        )
        lag = Gauge(
            "reactor_event_lag_seconds",
            "Age of the newest thing not yet taken from the sensor.",
            ("sensor",),
            **own,
        )
        up = Gauge(
            "reactor_sensor_up",
            "Whether the sensor reaches what it listens to.",
            ("sensor",),
            **own,
        )
        fired = Counter("reactor_firings", "Triggers that came true, by rule.", ("rule",), **own)
        fates = Counter(
            "reactor_fates",
            "Events that a rule let in and will not fire for, by what became of them.",
            ("rule", "word"),
            **own,
        )
        self._dead = _children(sensors, dead.labels)
        self._lag = _children(sensors, lag.labels)
        self._up = _children(sensors, up.labels)
        self._fired = _children(names["rule"], fired.labels)
        self._fates = {
            word: _children(names["rule"], lambda name, word=word: fates.labels(name, str(word)))
            for word in Word
        }
        self._launch = Histogram(
            "reactor_event_to_launch_seconds",
            "From the receipt of an event to the start of the first step it caused.",
            buckets=_LAUNCH,
            **own,
        )

    def _count_runs(self, names: Mapping[str, tuple[str, ...]], own: Mapping[str, Any]) -> None:
        assets = names["asset"]
        runs = Counter("reactor_runs", "Runs by what became of them.", ("status",), **own)
        steps = Counter(
            "reactor_steps", "Steps by asset and what became of them.", ("asset", "status"), **own
        )
        seconds = Histogram(
            "reactor_step_seconds",
            "How long a step's attempts took.",
            ("asset",),
            buckets=_STEP,
            **own,
        )
        self._runs = {str(status): runs.labels(str(status)) for status in RUN_ENDINGS}
        self._steps = {
            str(status): _children(
                assets, lambda name, status=status: steps.labels(name, str(status))
            )
            for status in STEP_ENDINGS
        }
        self._seconds = _children(assets, seconds.labels)

    def _gauge_service(self, own: Mapping[str, Any]) -> None:
        self._running = Gauge("reactor_steps_running", "Steps that are running.", **own)
        self._waiting = Gauge(
            "reactor_steps_waiting", "Steps that are planned and not yet running.", **own
        )
        self._leader = Gauge(
            "reactor_leader", "1 where this process decides, 0 where it stands by.", **own
        )
        self._commit = Histogram(
            "reactor_store_commit_seconds",
            "How long one turn took to become durable.",
            buckets=_COMMIT,
            **own,
        )

    def accepted(self, sensor: str, n: int = 1) -> None:
        """Some rule let `n` events in."""
        self._events["accepted"][sensor].inc(n)

    def filtered(self, sensor: str, n: int = 1) -> None:
        """No rule let these `n` events in."""
        self._events["filtered"][sensor].inc(n)

    def duplicate(self, sensor: str, n: int = 1) -> None:
        """`n` events were known already."""
        self._events["duplicate"][sensor].inc(n)

    def dead(self, sensor: str, n: int = 1) -> None:
        """`n` inputs could not become events."""
        self._events["dead"][sensor].inc(n)
        self._dead[sensor].inc(n)

    def fired(self, rule: str, n: int = 1) -> None:
        """A rule's trigger came true `n` times."""
        self._fired[rule].inc(n)

    def lost(self, rule: str, word: Word, n: int = 1) -> None:
        """A rule will not fire for `n` events that it let in."""
        self._fates[word][rule].inc(n)

    def event_to_launch(self, seconds: float) -> None:
        """A step started, `seconds` after the event that caused it was received."""
        self._launch.observe(max(seconds, 0.0))

    def run_ended(self, status: str) -> None:
        """A run reached this status, after which it does nothing by itself."""
        if child := self._runs.get(status):
            child.inc()

    def step_ended(self, asset: str, status: str, seconds: float | None = None) -> None:
        """A step reached this status; `seconds` is how long its attempts ran, if any did."""
        if children := self._steps.get(status):
            children[asset].inc()
        if seconds is not None:
            self._seconds[asset].observe(max(seconds, 0.0))

    def committed(self, seconds: float) -> None:
        """One turn became durable."""
        self._commit.observe(seconds)

    def steps(self, *, running: int, waiting: int) -> None:
        """How many steps run, and how many wait for their start."""
        self._running.set(running)
        self._waiting.set(waiting)

    def leading(self, leader: bool) -> None:
        """Whether this process is the one that decides."""
        self._leader.set(leader)

    def sensor_up(self, sensor: str, up: bool) -> None:
        """Whether a sensor reaches what it listens to."""
        self._up[sensor].set(up)

    def lag(self, sensor: str, seconds: float) -> None:
        """How old the newest thing is that a sensor has not offered yet."""
        self._lag[sensor].set(seconds)

    def materialized(self, asset: str, at: datetime) -> None:
        """An asset (any partition of it) was brought up to date at `at`."""
        self._ages.materialized(asset, at)


class _Ages(Collector):
    """Reckons `reactor_asset_age_seconds` when scraped, rather than ticking a gauge an asset."""

    def __init__(self, assets: frozenset[str], clock: Callable[[], datetime]) -> None:
        self._assets = assets
        self._clock = clock
        self._last: dict[str, datetime] = {}

    def materialized(self, asset: str, at: datetime) -> None:
        name = asset if asset in self._assets else OTHER
        last = self._last.get(name)
        if last is None or at > last:
            self._last[name] = at

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "reactor_asset_age_seconds",
            "Since the asset was last brought up to date.",
            labels=("asset",),
        )
        now = self._clock()
        for name, at in sorted(self._last.copy().items()):
            family.add_metric((name,), max((now - at).total_seconds(), 0.0))
        yield family


def _children(names: tuple[str, ...], make: Callable[[str], _Child]) -> dict[str, _Child]:
    children = {name: make(name) for name in names}
    # The series for what was not declared appears only once something undeclared happened.
    return _Overflowing(children, lambda: make(OTHER))


class _Overflowing(dict[str, _Child]):
    def __init__(self, children: Mapping[str, _Child], other: Callable[[], _Child]) -> None:
        super().__init__(children)
        self._other = other

    def __missing__(self, name: str) -> _Child:
        return self._other()
